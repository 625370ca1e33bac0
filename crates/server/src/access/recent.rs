//! `\Recent` (RFC 3501 §2.3.2): told to the first session that selects a mailbox, or hears of a message in it, and to no other.
//!
//! Who was first is decided in memory, among the sessions of the account; the store's note of it is written after the
//! answer and at the end, so that no session waits for it. A crash in between makes messages recent again, as the RFC
//! would have it in doubt.

use store::mailbox::{Mailbox, claim_recent};

use super::executor::Executor;
use super::selected::{Access, Selected};
use crate::access::Context;

impl Executor<'_, '_> {
    /// The first UID of the mailbox, as just read, that is recent to this session. EXAMINE takes nothing from others
    /// (RFC 3501 §6.3.2), nor does a session of IMAP4rev2, which is not told.
    pub(super) fn first_recent(&mut self, mailbox: &Mailbox, access: Access) -> u32 {
        match access == Access::ReadWrite && !self.enabled().rev2 {
            true => self.changes.claim_recent(mailbox.id, mailbox.recent_from, mailbox.uidnext),
            false => self.changes.recent_from(mailbox.id, mailbox.recent_from),
        }
    }

    /// Writes what this session was told into the store, beside the session.
    pub(super) fn note_recent(&mut self) {
        if let Some(selected) = self.mailbox.as_deref_mut() {
            note(self.context, selected);
        }
    }

    /// Leaves the selected mailbox; false when there was none.
    pub(super) fn leave(&mut self) -> bool {
        leave(self.context, self.mailbox)
    }
}

/// Leaves the selected mailbox; false when there was none.
pub fn leave(context: &Context, mailbox: &mut Option<Box<Selected>>) -> bool {
    let left = mailbox.take();
    if let Some(mut selected) = left {
        note(context, &mut selected);
        return true;
    }
    false
}

fn note(context: &Context, selected: &mut Selected) {
    let (id, store) = (selected.id, context.store.clone());
    // Kept until the note is written: what was decided in memory lasts as long as a listener.
    let changes = store.changes(id.account);
    let told = changes.recent_from(id, selected.recent_stored);
    if told <= selected.recent_stored {
        return;
    }
    selected.recent_stored = told;
    tokio::spawn(async move {
        let noted = store.transaction(move |tx| claim_recent(tx, id, told)).await;
        if let Err(error) = noted {
            tracing::debug!(mailbox = %id, %error, "recent messages stay recent");
        }
        drop(changes);
    });
}
