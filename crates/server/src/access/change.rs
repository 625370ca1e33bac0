//! STORE, COPY, MOVE, EXPUNGE (RFC 9051 §6.4.3, §6.4.6 to §6.4.9; RFC 7162 §3.1.3; RFC 6851).

use imap::MailboxName;
use imap::command::{Store, StoreAnswer, StoreMode};
use imap::response::{Code, Status};
use imap::sequence::{Messages, Numbering, Ranges};
use imap::server::{Completed, Enabled};
use store::entry::{Copied, FlagsSet, Scope, copy_to, expunge, move_to, set_flags};
use store::flags::FlagOperation;
use store::{MailboxId, ModSeq, StoreError, UidSet};

use super::executor::{Executor, Stop, now};
use super::flags::{system, to_store};
use super::mailboxes::store_name;
use super::selected::ranges;

impl Executor<'_, '_> {
    pub(super) async fn store_flags(&mut self, change: Store) -> Result<Completed, Stop> {
        self.selected_for_change()?;
        // What others changed before must not pass for ours, which `.SILENT` does not tell.
        self.catch_up().await?;
        let uids = self.resolve_uids(&change.messages).await?;
        let mailbox = self.selected()?.id;
        let operation = match change.how {
            StoreMode::Replace => FlagOperation::Replace,
            StoreMode::Add => FlagOperation::Add,
            StoreMode::Remove => FlagOperation::Remove,
        };
        let flags = to_store(&change.flags);
        let unchanged_since = change.unchanged_since.map(|value| ModSeq(i64::try_from(value).unwrap_or(i64::MAX)));
        let done = self.write(move |tx| set_flags(tx, mailbox, &uids, operation, &flags, unchanged_since)).await?;
        self.tell_stored(&change, &done).await?;
        let name = match change.messages.numbering {
            Numbering::Sequence => "STORE completed",
            Numbering::Uid => "UID STORE completed",
        };
        if done.modified.is_empty() {
            return Ok(Completed::ok(name));
        }
        // Not a failure: the others were changed (RFC 7162 §3.1.3).
        let modified = ranges(&done.modified);
        let modified = match change.messages.numbering {
            Numbering::Uid => modified,
            Numbering::Sequence => self.selected()?.view.sequence_numbers(&modified).unwrap_or_default(),
        };
        Ok(Completed::ok("Conditional STORE failed for some").code(Code::Modified(modified)))
    }

    /// FETCH responses with the new flags, unless `.SILENT`; a conditional STORE always tells the new mod-sequences
    /// (RFC 7162 §3.1.3).
    async fn tell_stored(&mut self, change: &Store, done: &FlagsSet) -> Result<(), Stop> {
        let changed = done.entries.iter().filter(|entry| entry.modseq == done.modseq);
        let changed: UidSet = changed.map(|entry| entry.uid).collect();
        self.learn_keywords(&done.keywords)?;
        let silent = change.answer == StoreAnswer::Silent;
        let view = &mut self.selected()?.view;
        // What another session changed since we caught up is told, `.SILENT` or not: this client cannot know of it.
        if !silent || done.before.0.unsigned_abs() <= view.mod_sequence() {
            view.made(done.modseq.0.unsigned_abs(), ranges(&changed));
        }
        let Enabled { condstore, rev2 } = self.enabled();
        if silent && !condstore {
            return Ok(());
        }
        for entry in &done.entries {
            if silent && entry.modseq != done.modseq {
                continue;
            }
            let Some(selected) = self.mailbox.as_deref() else { return Ok(()) };
            let uid = entry.uid.get();
            let Some(number) = selected.view.sequence_number(uid) else { continue };
            let mut response = self.responses.fetch(number);
            if condstore || rev2 || change.messages.numbering == Numbering::Uid {
                response.uid(uid);
            }
            if condstore {
                response.mod_sequence(entry.modseq.0.unsigned_abs());
            }
            if !silent {
                response.flags(system(entry.flags), selected.view.is_recent(uid), selected.keywords.of(entry.flags));
            }
            response.end();
            self.send_when_much().await?;
        }
        Ok(())
    }

    pub(super) async fn copy(&mut self, messages: Messages, to: MailboxName) -> Result<Completed, Stop> {
        let uids = self.resolve_uids(&messages).await?;
        let (from, to) = (self.selected()?.id, self.target(&to).await?);
        let now = now();
        let copied = self.write(move |tx| copy_to(tx, from, &uids, to, now)).await.map_err(try_create)?;
        let name = match messages.numbering {
            Numbering::Sequence => "COPY completed",
            Numbering::Uid => "UID COPY completed",
        };
        // Nothing was there to copy: OK without COPYUID, whose grammar has no empty set (RFC 4315 §3).
        Ok(match copy_code(&copied) {
            Some(code) => Completed::ok(name).code(code),
            None => Completed::ok(name),
        })
    }

    /// COPYUID comes untagged, before the EXPUNGE responses that make its UIDs unknown (RFC 9051 §6.4.8).
    pub(super) async fn r#move(&mut self, messages: Messages, to: MailboxName) -> Result<Completed, Stop> {
        self.selected_for_change()?;
        let uids = self.resolve_uids(&messages).await?;
        let (from, to) = (self.selected()?.id, self.target(&to).await?);
        let now = now();
        let moved = self.write(move |tx| move_to(tx, from, &uids, to, now)).await.map_err(try_create)?;
        if let Some(code) = copy_code(&moved) {
            self.responses.status(Status::Ok, Some(&code), "Moved");
        }
        Ok(Completed::ok(match messages.numbering {
            Numbering::Sequence => "MOVE completed",
            Numbering::Uid => "UID MOVE completed",
        }))
    }

    async fn target(&self, name: &MailboxName) -> Result<MailboxId, Stop> {
        let (account, name) = (self.account(), store_name(name)?);
        let found = self.read(move |snapshot| store::mailbox::by_name(snapshot, account, &name)).await?;
        Ok(found.ok_or_else(|| try_create(StoreError::NoSuchMailbox))?.id)
    }

    /// The EXPUNGE responses are told from the change feed, as to every other session.
    pub(super) async fn expunge(&mut self, uids: Option<Messages>) -> Result<Completed, Stop> {
        self.selected_for_change()?;
        let scope = match &uids {
            Some(messages) => Some(self.resolve_uids(messages).await?),
            None => None,
        };
        let mailbox = self.selected()?.id;
        // Removed in steps, so that deliveries get their turn; this client is told at the end.
        loop {
            let (scope, now) = (scope.clone(), now());
            let step =
                self.write(move |tx| expunge(tx, mailbox, scope.as_ref().map_or(Scope::All, Scope::Uids), now)).await?;
            if !step.more {
                break;
            }
        }
        Ok(Completed::ok(if uids.is_some() { "UID EXPUNGE completed" } else { "EXPUNGE completed" }))
    }
}

/// The destination is missing: the client may create it and try again (RFC 9051 §7.1).
pub fn try_create(error: StoreError) -> Stop {
    match error {
        StoreError::NoSuchMailbox => Completed::no(Some(Code::TryCreate), "No such mailbox").into(),
        other => other.into(),
    }
}

fn copy_code(copied: &Copied) -> Option<Code> {
    let (from, to): (Ranges, Ranges) = (ranges(&copied.from), ranges(&copied.to));
    (!from.is_empty()).then_some(Code::CopyUid { uid_validity: copied.uidvalidity.0, from, to })
}

#[cfg(test)]
mod tests {
    use super::super::selected::uid_set;
    use super::*;

    #[test]
    fn sets_keep_their_order_on_the_way() {
        let set: UidSet = [1, 2, 3, 7].into_iter().filter_map(store::Uid::new).collect();
        assert_eq!(uid_set(&ranges(&set)), set);
        assert_eq!(ranges(&set).as_slice(), [(1, 3), (7, 7)]);
    }
}
