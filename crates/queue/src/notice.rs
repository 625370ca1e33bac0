//! The system's own notices, to the smart host: the one way out besides the trust space.
//!
//! Only a [`mail::notice::Notice`] gets in here, which nothing that came in can become. It travels from the null
//! reverse-path and asks for no report, so that it never causes another.

use mail::envelope::{Envelope, ForwardPath, Notify, Recipient, ReversePath};
use mail::notice::Notice;
use store::{Staged, Store, StoreError, StructureId, Transaction, UnixMillis};

use crate::entry::{NewMessage, insert_to};
use crate::{Destination, Entry, Queued};

/// Octets of a notice that are sent; the texts are ours, and shorter.
pub const NOTICE_OCTETS_MAX: u64 = 256 << 10;

/// A notice whose octets are staged.
#[derive(Clone)]
pub struct StagedNotice {
    notice: Notice,
    staged: Staged,
}

impl StagedNotice {
    /// Makes its octets durable, before the transaction.
    ///
    /// # Errors
    /// The store's.
    pub async fn stage(store: &Store, notice: Notice) -> Result<StagedNotice, StoreError> {
        let mut stage = store.stage()?;
        stage.write(notice.octets()).await?;
        Ok(StagedNotice { notice, staged: stage.finish().await? })
    }

    /// Lets it wait for the smart host, whatever its address, in the caller's transaction. `name` is its name in our log.
    ///
    /// # Errors
    /// `Full` while free space is under the reserve.
    pub fn insert(
        &self,
        tx: &mut dyn Transaction,
        name: &str,
        structure: StructureId,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let forward_path = ForwardPath::Address(self.notice.to().clone());
        let recipient = Recipient { notify: Some(Notify::Never), ..Recipient::new(forward_path) };
        let smtputf8 = !self.notice.octets().is_ascii();
        let envelope = Envelope { smtputf8, ..Envelope::new(ReversePath::Null) };
        let new = NewMessage {
            name,
            staged: &self.staged,
            trace_prefix: b"",
            structure,
            account: None,
            envelope: &envelope,
            message_id: Some(self.notice.message_id()),
        };
        insert_to(tx, &new, &[recipient], now, |_| Ok(Destination::SmartHost))
    }
}

/// A message that waits for the smart host, and is a notice for certain: what whoever speaks with the smart host asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedNotice {
    message: Queued,
    entries: Vec<Entry>,
}

impl QueuedNotice {
    /// What was read of the queue, if it is a notice: to the smart host, from nobody, of no account.
    pub fn of(message: Queued, entries: Vec<Entry>) -> Option<QueuedNotice> {
        let is_for_smart_host = entries.iter().all(|entry| entry.destination == Destination::SmartHost);
        let is_ours = message.account.is_none() && message.reverse_path == ReversePath::Null;
        (is_for_smart_host && is_ours && !entries.is_empty()).then_some(QueuedNotice { message, entries })
    }

    /// The message.
    pub fn message(&self) -> &Queued {
        &self.message
    }

    /// Its forward-paths.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
