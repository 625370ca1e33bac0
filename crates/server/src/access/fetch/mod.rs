//! FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4): rendered in batches on the store's reading threads, sent between reads.

mod octets;
mod plan;
mod render;

use std::sync::Arc;

use imap::command::{FetchItem, FetchModifiers, SectionText};
use imap::response::Code;
use imap::sequence::{Messages, Numbering, Ranges};
use imap::server::Completed;
use store::flags::FlagOperation;
use store::{FlagBits, Flags, ModSeq, StoreError, UidSet};
use tracing::error;

use super::executor::{Executor, Stop};
use super::selected::{Access, ranges, uid_set};
use plan::Plan;
use render::{Batch, Piece, render};

/// Messages looked at in one read: bounds the time a reading thread is taken.
const BATCH_MESSAGES: usize = 4_096;
/// HEADER.FIELDS and HEADER.FIELDS.NOT in one FETCH: each is made in memory, of a header of up to
/// [`octets::HEADER_OCTETS_MAX`] octets.
const FIELD_CHOICES_MAX: usize = 16;

impl Executor<'_, '_> {
    pub(super) async fn fetch(
        &mut self,
        messages: Messages,
        items: Vec<FetchItem>,
        modifiers: FetchModifiers,
    ) -> Result<Completed, Stop> {
        if items.iter().filter(|item| chooses_fields(item)).count() > FIELD_CHOICES_MAX {
            return Err(Completed::no(Some(Code::Limit), "Too many HEADER.FIELDS in one FETCH").into());
        }
        let numbers = self.resolve(&messages).await?;
        let seen = self.set_seen(&items, &numbers).await?;
        let selected = self.selected()?;
        let mailbox = selected.id;
        let keywords = selected.keywords.clone();
        let recent = selected.view.recent().clone();
        let plan = Arc::new(Plan::new(items, &modifiers, seen, keywords, recent, self.enabled()));
        let mut numbers = numbers.iter();
        let mut trouble = Trouble::default();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        loop {
            self.go_on()?;
            let view = &self.selected()?.view;
            let wanted = BATCH_MESSAGES.saturating_sub(pairs.len());
            pairs.extend(numbers.by_ref().take(wanted).filter_map(|number| Some((number, view.uid(number)?))));
            if pairs.is_empty() {
                break;
            }
            let (plan, these) = (plan.clone(), std::mem::take(&mut pairs));
            let (batch, these) =
                self.read(move |snapshot| Ok((render(snapshot, mailbox, &these, &plan)?, these))).await?;
            pairs.extend_from_slice(these.get(batch.done..).unwrap_or_default());
            trouble.join(&batch);
            self.send_batch(batch).await?;
        }
        Ok(trouble.completed(messages.numbering))
    }

    /// Sets `\Seen` for items that do (RFC 9051 §6.4.5), in one transaction; answers which messages changed.
    async fn set_seen(&mut self, items: &[FetchItem], numbers: &Ranges) -> Result<UidSet, Stop> {
        let selected = self.selected()?;
        if selected.access == Access::ReadOnly || !items.iter().any(FetchItem::sets_seen) {
            return Ok(UidSet::new());
        }
        let mailbox = selected.id;
        let uids = uid_set(&selected.view.uids_of(numbers).unwrap_or_default());
        let unseen = self.read(move |snapshot| unseen(snapshot, mailbox, &uids)).await?;
        if unseen.is_empty() {
            return Ok(unseen);
        }
        let flags = Flags { system: FlagBits::SEEN, keywords: Vec::new() };
        let write = move |tx: &mut dyn store::Transaction| {
            store::entry::set_flags(tx, mailbox, &unseen, FlagOperation::Add, &flags, None)
        };
        let done = self.write(write).await?;
        let changed = done.entries.iter().filter(|entry| entry.modseq == done.modseq).map(|entry| entry.uid);
        let changed: UidSet = changed.collect();
        self.learn_keywords(&done.keywords)?;
        // Before the messages, which go straight to the wire.
        self.wire.send(self.responses.take()).await?;
        self.selected()?.view.made(done.modseq.0.unsigned_abs(), ranges(&changed));
        Ok(changed)
    }

    async fn send_batch(&mut self, batch: Batch) -> Result<(), Stop> {
        for piece in batch.pieces {
            match piece {
                Piece::Ready(octets) => self.wire.send(octets).await?,
                Piece::Later(mut passage) => {
                    // Inside a literal nothing else can be said: should what was verified be damaged now, only closing
                    // the connection tells the client that the message is not whole.
                    let (session, account) = (self.session(), self.account());
                    let broken = |error: StoreError| {
                        error!(%session, account = account.0, %error, "literal broken off");
                        Stop::Disconnected
                    };
                    while let Some(octets) = passage.next().await.map_err(broken)? {
                        self.wire.send(octets).await?;
                    }
                }
            }
        }
        for error in batch.errors {
            error!(session = self.session().0, account = self.account().0, uid = error.uid, error = %error.what, "damaged message");
        }
        Ok(())
    }
}

fn chooses_fields(item: &FetchItem) -> bool {
    let FetchItem::BodySection { section, .. } = item else { return false };
    matches!(section.text, SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_))
}

/// Those of the messages that have no `\Seen`: most FETCHes find none, and need no write.
fn unseen(snapshot: &mut dyn store::Snapshot, mailbox: store::MailboxId, uids: &UidSet) -> Result<UidSet, StoreError> {
    let mut unseen = UidSet::new();
    for range in uids.ranges() {
        store::entry::flags(snapshot, mailbox, range, u32::MAX, &mut |entry| {
            if entry.flags.0 & FlagBits::SEEN.0 == 0 {
                unseen.insert(entry.uid);
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
    }
    Ok(unseen)
}

/// What some messages made go wrong while the others were told.
#[derive(Default)]
struct Trouble {
    damaged: bool,
    unknown_encoding: bool,
}

impl Trouble {
    fn join(&mut self, batch: &Batch) {
        self.damaged |= !batch.errors.is_empty();
        self.unknown_encoding |= batch.unknown_encoding;
    }

    fn completed(&self, numbering: Numbering) -> Completed {
        let damage = "Some messages are damaged and were left out, tell the administrator [CORRUPTION]";
        match (self.damaged, self.unknown_encoding) {
            (true, _) => Completed::no(Some(Code::ServerBug), damage),
            // RFC 9051 §6.4.5, RFC 3516 §4.3.
            (false, true) => Completed::no(Some(Code::UnknownCte), "A content transfer encoding is unknown"),
            (false, false) if numbering == Numbering::Uid => Completed::ok("UID FETCH completed"),
            (false, false) => Completed::ok("FETCH completed"),
        }
    }
}

/// As the store counts.
fn store_mod_sequence(value: u64) -> ModSeq {
    ModSeq(i64::try_from(value).unwrap_or(i64::MAX))
}
