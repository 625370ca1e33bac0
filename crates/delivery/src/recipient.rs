//! Questions to the directory: where a forward-path leads, and which addresses an account writes from.

use std::sync::Arc;

use directory::AccountState;
use mail::{Address, ForwardPath, Refusal, ReversePath};
use policy::quota::{self, Usage};
use policy::{Holder, RecipientFacts};
use store::mailbox::{self, MailboxName};
use store::{AccountId, MailboxId, Snapshot, StoreError};

use crate::Delivery;
use crate::directory_cache::Known;

/// A box that receives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    holder: Holder,
    pub(crate) inbox: MailboxId,
    usage: Usage,
}

impl Receiver {
    fn is_served(self) -> bool {
        self.holder.state == AccountState::Active
    }
}

/// What the directory knows of a forward-path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// The domain is none of ours.
    Elsewhere,
    /// The domain is ours.
    Ours { holder: Option<Receiver>, postmaster: Option<Receiver> },
}

/// Boxes with less room than this are looked at for every message.
const ROOM_TO_BE_REMEMBERED: u64 = 1 << 30;

impl Delivery {
    /// At RCPT: whose the forward-path is, if there is room for a message of the declared size.
    ///
    /// # Errors
    /// Policy's refusals; [`Refusal::StoreTrouble`] when the directory cannot be asked.
    pub async fn recipient(
        &self,
        forward_path: &ForwardPath,
        declared_octets: Option<u64>,
    ) -> Result<AccountId, Refusal> {
        let receiver = self.receiver(forward_path).await?;
        quota::admits(receiver.usage, declared_octets.unwrap_or(0))?;
        Ok(receiver.inbox.account)
    }

    /// At MAIL on a submission listener: whether the account may name this sender.
    ///
    /// # Errors
    /// Policy's refusals; [`Refusal::StoreTrouble`] when the directory cannot be asked.
    pub async fn sender(&self, account: AccountId, reverse_path: &ReversePath) -> Result<(), Refusal> {
        policy::submission::reverse_path(reverse_path, &self.own_addresses(account).await?)
    }

    /// The addresses an account writes from, its first one first.
    pub(crate) async fn own_addresses(&self, account: AccountId) -> Result<Arc<[Address]>, Refusal> {
        let now = self.shared.surroundings.instant();
        let cleared = match self.shared.directory.own_addresses.get(&account, now) {
            Known::Answer(own) => return Ok(own),
            Known::Ask { cleared } => cleared,
        };
        let own = self.shared.store.read(move |snapshot| store::address::list(snapshot, account)).await;
        let own: Arc<[Address]> = own.map_err(|error| trouble(&error))?.into();
        self.shared.directory.own_addresses.insert(cleared, account, own.clone(), now);
        Ok(own)
    }

    /// The box a forward-path leads to.
    pub(crate) async fn receiver(&self, forward_path: &ForwardPath) -> Result<Receiver, Refusal> {
        let found = self.find(forward_path).await?;
        let (facts, holder, postmaster) = match found {
            Found::Elsewhere => (RecipientFacts::Elsewhere, None, None),
            Found::Ours { holder, postmaster } => {
                let facts = RecipientFacts::Ours {
                    holder: holder.map(|receiver| receiver.holder),
                    postmaster: postmaster.map(|receiver| receiver.holder),
                };
                (facts, holder, postmaster)
            }
        };
        let account = policy::recipient::account(forward_path, facts).inspect_err(|refusal| {
            if *refusal == Refusal::PostmasterMissing {
                tracing::warn!(
                    key = "server.postmaster",
                    "mail to the postmaster waits (451, RFC 5321 section 4.5.1): set server.postmaster to an address of an \
                     active account, or name one for the domain with `sceau domain postmaster`"
                );
            }
        })?;
        let chosen = [holder, postmaster].into_iter().flatten().find(|receiver| receiver.holder.account == account);
        chosen.ok_or(Refusal::RecipientUnknown)
    }

    async fn find(&self, forward_path: &ForwardPath) -> Result<Found, Refusal> {
        let now = self.shared.surroundings.instant();
        let key = match forward_path {
            ForwardPath::Postmaster => ForwardPath::Postmaster,
            ForwardPath::Address(address) => ForwardPath::Address(address.canonical()),
        };
        let cleared = match self.shared.directory.recipients.get(&key, now) {
            Known::Answer(found) => return Ok(found),
            Known::Ask { cleared } => cleared,
        };
        let (asked, operator) = (key.clone(), self.shared.config.postmaster.clone());
        let found = self.shared.store.read(move |snapshot| find(snapshot, &asked, operator.as_ref())).await;
        let found = found.map_err(|error| trouble(&error))?;
        if found.may_be_remembered() {
            self.shared.directory.recipients.insert(cleared, key, found, now);
        }
        Ok(found)
    }
}

impl Found {
    fn may_be_remembered(&self) -> bool {
        let roomy = |receiver: &Option<Receiver>| {
            receiver.is_none_or(|Receiver { usage, .. }| {
                usage.quota_octets == 0 || usage.quota_octets.saturating_sub(usage.used_octets) >= ROOM_TO_BE_REMEMBERED
            })
        };
        match self {
            Found::Elsewhere => true,
            Found::Ours { holder, postmaster } => roomy(holder) && roomy(postmaster),
        }
    }
}

fn find(
    snapshot: &mut dyn Snapshot,
    forward_path: &ForwardPath,
    operator: Option<&Address>,
) -> Result<Found, StoreError> {
    let ForwardPath::Address(address) = forward_path else {
        let postmaster = operator.map(|operator| receiver_at(snapshot, operator)).transpose()?.flatten();
        return Ok(Found::Ours { holder: None, postmaster });
    };
    let Some(domain) = store::domain::find(snapshot, address.domain())? else { return Ok(Found::Elsewhere) };
    let holder = receiver_at(snapshot, address)?;
    let mut postmaster = None;
    if policy::recipient::is_postmaster(forward_path) && !holder.is_some_and(Receiver::is_served) {
        postmaster = domain.postmaster.map(|account| receiver(snapshot, account)).transpose()?.flatten();
        if !postmaster.is_some_and(Receiver::is_served) {
            postmaster = operator.map(|operator| receiver_at(snapshot, operator)).transpose()?.flatten();
        }
    }
    Ok(Found::Ours { holder, postmaster })
}

fn receiver_at(snapshot: &mut dyn Snapshot, address: &Address) -> Result<Option<Receiver>, StoreError> {
    match store::address::find(snapshot, address)? {
        Some(holder) => receiver(snapshot, holder.account),
        None => Ok(None),
    }
}

fn receiver(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Option<Receiver>, StoreError> {
    let Some(row) = store::account::find(snapshot, account)? else { return Ok(None) };
    let inbox = mailbox::by_name(snapshot, account, &MailboxName::inbox())?.ok_or(StoreError::NoSuchMailbox)?;
    Ok(Some(Receiver {
        holder: Holder { account, state: row.state },
        inbox: inbox.id,
        usage: Usage { used_octets: row.used_octets, quota_octets: row.quota_octets },
    }))
}

/// The log keeps the cause, the client hears the class.
pub(crate) fn trouble(error: &StoreError) -> Refusal {
    tracing::error!(%error, "the store failed while a message came in");
    error.refusal()
}
