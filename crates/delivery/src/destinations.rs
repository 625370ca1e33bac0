//! Where the copies of one message go: into boxes here, or into the queue; and the report of success that follows from it.

use std::collections::BTreeMap;

use mail::envelope::{Envelope, Recipient};
use mail::mime::MessageIndex;
use mail::{Address, ForwardPath, Refusal};
use queue::{Bounce, NewMessage, Queued};
use store::{AccountId, MailboxId, Staged, StoreError, StructureId, Transaction, UnixMillis};

use crate::incoming::Record;
use crate::recipient::{Way, trouble};
use crate::trace_prefix::TracePrefix;
use crate::{Delivery, Door, Peer, PreparedReport};

/// Where the copies go.
#[derive(Default)]
pub(crate) struct Destinations {
    /// One copy for each account, whatever the number of its addresses among the recipients; the first one's trace fields.
    /// In ascending order of accounts, the order in which their rows are locked.
    pub(crate) here: BTreeMap<AccountId, (MailboxId, Recipient)>,
    /// All recipients that are here, as named: a report of success tells of each.
    named_here: Vec<Recipient>,
    /// Those that leave.
    pub(crate) away: Vec<Recipient>,
    /// The structure of the domain they leave for, when that is one of ours.
    pub(crate) structure: Option<StructureId>,
    /// That of a box here.
    structure_here: Option<StructureId>,
}

impl Destinations {
    /// Asks for each recipient again: since RCPT, boxes may have gone and lists changed.
    pub(crate) async fn find(delivery: &Delivery, door: &Door, envelope: &Envelope) -> Result<Destinations, Refusal> {
        let mut found = Destinations::default();
        for recipient in &envelope.recipients {
            match delivery.way(door, &recipient.forward_path).await? {
                Way::Here(receiver) => {
                    let inbox = receiver.inbox;
                    found.structure_here.get_or_insert(receiver.structure);
                    found.here.entry(inbox.account).or_insert_with(|| (inbox, recipient.clone()));
                    found.named_here.push(recipient.clone());
                }
                Way::Away(_, structure) => {
                    found.structure = found.structure.or(structure);
                    found.away.push(recipient.clone());
                }
            }
        }
        Ok(found)
    }

    /// The report of success that was asked for (RFC 3461 §6.2), about the boxes here; those elsewhere report themselves.
    pub(crate) async fn report(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        trace: &TracePrefix,
        told: Told<'_>,
    ) -> Result<Option<PreparedReport>, Refusal> {
        let Told { door, message, account, index, staged, now } = told;
        let Some(structure) = self.structure_here else { return Ok(None) };
        let trace_prefix = trace.of_leaving();
        let about = Queued {
            name: message.into(),
            structure,
            account,
            blob: staged.id(),
            key_month: store::blob::month(now),
            octets: trace_prefix.len() as u64 + staged.octets(),
            created: now,
            entries: 0,
            reverse_path: envelope.reverse_path.clone(),
            envelope_id: envelope.envelope_id.clone(),
            returned: envelope.returned,
            body: envelope.body,
            smtputf8: envelope.smtputf8,
            require_tls: envelope.require_tls,
            message_id: index.facts.thread.message_id.clone(),
            trace_prefix,
        };
        let Some(bounce) = Bounce::delivered(about, &self.named_here, now) else { return Ok(None) };
        if !delivery.may_tell(door, bounce.to()).await? {
            return Ok(None);
        }
        let mut original = bounce.about().trace_prefix.clone();
        let head = async { staged.open()?.read(0..HEADER_OCTETS_MAX.min(staged.octets())).await };
        original.extend(head.await.map_err(|error: StoreError| trouble(&error))?);
        delivery.prepare_report(&bounce, &original).await.map_err(|error| trouble(&error))
    }
}

impl Delivery {
    /// Whether the sender's name is vouched for, or at least one of ours: a gateway or a listener that asks nobody may name
    /// any sender, and a report would go to who never wrote.
    async fn may_tell(&self, door: &Door, sender: &Address) -> Result<bool, Refusal> {
        match door {
            Door::Submission(_) | Door::Append | Door::Relay(Peer::Operator(_)) => Ok(true),
            Door::Gateway | Door::Relay(Peer::Unasked) => {
                let way = self.way_of_report(&ForwardPath::Address(sender.clone())).await;
                Ok(matches!(way, Ok(Way::Here(_))))
            }
        }
    }
}

/// What a report of success tells of.
pub(crate) struct Told<'a> {
    pub(crate) door: &'a Door,
    pub(crate) message: &'a str,
    pub(crate) account: Option<AccountId>,
    pub(crate) index: &'a MessageIndex,
    pub(crate) staged: &'a Staged,
    pub(crate) now: UnixMillis,
}

/// What leaves, owned so that a transaction may run again.
pub(crate) struct Leaving {
    pub(crate) name: String,
    pub(crate) trace_prefix: Vec<u8>,
    pub(crate) account: Option<AccountId>,
    pub(crate) structure: Option<StructureId>,
    pub(crate) envelope: Envelope,
    pub(crate) recipients: Vec<Recipient>,
}

impl Leaving {
    /// Puts it into the queue, for the submitter's structure, or for that of the domain that is shared.
    pub(crate) fn insert(&self, tx: &mut dyn Transaction, record: &Record, now: UnixMillis) -> Result<(), StoreError> {
        if self.recipients.is_empty() {
            return Ok(());
        }
        let submitter = self.account.map(|account| store::account::find(tx, account)).transpose()?.flatten();
        let structure = submitter.map(|row| row.structure).or(self.structure);
        let new = NewMessage {
            name: &self.name,
            staged: &record.staged,
            trace_prefix: &self.trace_prefix,
            structure: structure.ok_or(StoreError::Unknown("structure"))?,
            account: self.account,
            envelope: &self.envelope,
            message_id: record.thread.message_id.as_deref(),
        };
        queue::insert(tx, &new, &self.recipients, now)
    }
}

/// Octets of the message in which a report looks for its header.
const HEADER_OCTETS_MAX: u64 = 64 << 10;
