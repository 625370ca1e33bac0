//! The system's own notices, to the smart host: the one way out besides the trust space.
//!
//! Only a [`mail::notice::Notice`] gets in here, which nothing that came in can become. It travels from the null
//! reverse-path and asks for no report, so that it never causes another.

use mail::envelope::{Envelope, ForwardPath, Notify, Recipient, ReversePath};
use mail::notice::Notice;
use store::{Staged, Store, StoreError, StructureId, Transaction, UnixMillis};

use crate::Destination;
use crate::entry::{NewMessage, insert_to};

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
