//! Questions to the directory: where a forward-path leads, and which addresses an account writes from.

use std::sync::Arc;

use directory::AccountState;
use mail::{Address, Domain, ForwardPath, Refusal, ReversePath};
use policy::quota::{self, Usage};
use policy::{Bringer, DomainFacts, Holder, RecipientFacts, Route};
use store::mailbox::{self, MailboxName};
use store::{AccountId, MailboxId, Snapshot, StoreError, StructureId};

use crate::directory_cache::Known;
use crate::{Delivery, Door};

/// A box that receives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    holder: Holder,
    pub(crate) inbox: MailboxId,
    pub(crate) structure: StructureId,
    usage: Usage,
}

impl Receiver {
    fn is_served(self) -> bool {
        self.holder.state == AccountState::Active
    }
}

/// What the directory knows of a forward-path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Whose it is, at whatever domain.
    holder: Option<Receiver>,
    postmaster: Option<Receiver>,
    domain: FoundDomain,
}

/// Whose the domain of a forward-path is.
#[derive(Clone, Copy, Debug)]
enum FoundDomain {
    /// There is none: this host's postmaster.
    None,
    /// A structure's of ours.
    Ours(StructureId),
    Elsewhere,
}

/// Where a copy goes, with what it takes to bring it there.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Into a box here.
    Here(Receiver),
    /// Away. The structure of the domain, when that is one of ours.
    Away(Domain, Option<StructureId>),
}

/// Boxes with less room than this are looked at for every message.
const ROOM_TO_BE_REMEMBERED: u64 = 1 << 30;

impl Delivery {
    /// At RCPT: where the forward-path leads, if there is room there for a message of the declared size.
    ///
    /// # Errors
    /// Policy's refusals; [`Refusal::StoreTrouble`] when the directory cannot be asked.
    pub async fn recipient(
        &self,
        door: &Door,
        forward_path: &ForwardPath,
        declared_octets: Option<u64>,
    ) -> Result<Route, Refusal> {
        match self.way(door, forward_path).await? {
            Way::Here(receiver) => {
                quota::admits(receiver.usage, declared_octets.unwrap_or(0))?;
                Ok(Route::Local(receiver.inbox.account))
            }
            Way::Away(domain, _) => Ok(Route::Remote(domain)),
        }
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

    /// Where a forward-path leads.
    pub(crate) async fn way(&self, door: &Door, forward_path: &ForwardPath) -> Result<Way, Refusal> {
        let found = self.find(forward_path).await?;
        let outside = &self.shared.config.outside;
        let domain = match (found.domain, forward_path.domain()) {
            (FoundDomain::Elsewhere, Some(domain)) => outside.others(domain),
            (FoundDomain::Ours(_), Some(domain)) => outside.own(domain, door),
            (FoundDomain::None, _) | (_, None) => DomainFacts::Ours,
        };
        self.choose(forward_path, found, domain, door.bringer())
    }

    /// Where a report goes: never refused for its domain, which was a sender's.
    pub(crate) async fn way_of_report(&self, forward_path: &ForwardPath) -> Result<Way, Refusal> {
        let found = self.find(forward_path).await?;
        let domain = match (found.domain, forward_path.domain()) {
            (FoundDomain::Elsewhere, _) => DomainFacts::Reachable,
            (FoundDomain::Ours(_), Some(domain)) => self.shared.config.outside.own(domain, &Door::Append),
            (FoundDomain::None | FoundDomain::Ours(_), _) => DomainFacts::Ours,
        };
        self.choose(forward_path, found, domain, Bringer::Account)
    }

    fn choose(
        &self,
        forward_path: &ForwardPath,
        found: Found,
        domain: DomainFacts,
        bringer: Bringer,
    ) -> Result<Way, Refusal> {
        let Found { holder, postmaster, .. } = found;
        let facts = RecipientFacts {
            holder: holder.map(|receiver| receiver.holder),
            postmaster: postmaster.map(|receiver| receiver.holder),
            domain,
        };
        let route = policy::recipient::route(forward_path, facts, bringer).inspect_err(|refusal| {
            if *refusal == Refusal::PostmasterMissing {
                tracing::warn!(
                    key = "server.postmaster",
                    "mail to the postmaster waits (451, RFC 5321 section 4.5.1): set server.postmaster to an address of an \
                     active account, or name one for the domain with `sceau domain postmaster`"
                );
            }
        })?;
        match route {
            Route::Local(account) => {
                let mut known = [holder, postmaster].into_iter().flatten();
                let chosen = known.find(|receiver| receiver.holder.account == account);
                chosen.map(Way::Here).ok_or(Refusal::RecipientUnknown)
            }
            Route::Remote(domain) => {
                let structure = match found.domain {
                    FoundDomain::Ours(structure) => Some(structure),
                    FoundDomain::None | FoundDomain::Elsewhere => None,
                };
                Ok(Way::Away(domain, structure))
            }
        }
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
        roomy(&self.holder) && roomy(&self.postmaster)
    }
}

fn find(
    snapshot: &mut dyn Snapshot,
    forward_path: &ForwardPath,
    operator: Option<&Address>,
) -> Result<Found, StoreError> {
    let ForwardPath::Address(address) = forward_path else {
        let postmaster = operator.map(|operator| receiver_at(snapshot, operator)).transpose()?.flatten();
        return Ok(Found { holder: None, postmaster, domain: FoundDomain::None });
    };
    let holder = receiver_at(snapshot, address)?;
    let Some(domain) = store::domain::find(snapshot, address.domain())? else {
        return Ok(Found { holder, postmaster: None, domain: FoundDomain::Elsewhere });
    };
    let mut postmaster = None;
    if policy::recipient::is_postmaster(forward_path) && !holder.is_some_and(Receiver::is_served) {
        postmaster = domain.postmaster.map(|account| receiver(snapshot, account)).transpose()?.flatten();
        if !postmaster.is_some_and(Receiver::is_served) {
            postmaster = operator.map(|operator| receiver_at(snapshot, operator)).transpose()?.flatten();
        }
    }
    Ok(Found { holder, postmaster, domain: FoundDomain::Ours(domain.structure) })
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
        structure: row.structure,
        usage: Usage { used_octets: row.used_octets, quota_octets: row.quota_octets },
    }))
}

/// The log keeps the cause, the client hears the class.
pub(crate) fn trouble(error: &StoreError) -> Refusal {
    tracing::error!(%error, "the store failed while a message came in");
    error.refusal()
}
