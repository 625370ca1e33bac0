//! STORE: changing flags.

use std::ops::ControlFlow;

use super::{FlagsOf, flags as read_flags};
use crate::account::{Advance, advance};
use crate::flags::FlagOperation;
use crate::mailbox;
use crate::message::{Tally, learn_keywords};
use crate::{Change, Flags, Keywords, MailboxId, ModSeq, StoreError, Transaction, UidSet};

/// What [`set_flags`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagsSet {
    /// Every entry named that is there and was not refused, as it is now, ascending.
    pub entries: Vec<FlagsOf>,
    /// The MODSEQ of those that changed; none changed when no entry has it.
    pub modseq: ModSeq,
    /// The highest MODSEQ that those which changed had before.
    pub before: ModSeq,
    /// Entries changed after UNCHANGEDSINCE, left alone (RFC 7162 §3.1.3 MODIFIED).
    pub modified: UidSet,
    /// The mailbox's keywords, new ones included.
    pub keywords: Keywords,
}

/// STORE: sets flags of the entries named, leaving alone those changed after `unchanged_since` (RFC 7162 §3.1.3). Entries
/// that have the flags already keep their MODSEQ.
///
/// # Errors
/// [`StoreError::NoSuchMailbox`], [`StoreError::TooManyKeywords`].
pub fn set_flags(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    uids: &UidSet,
    operation: FlagOperation,
    flags: &Flags,
    unchanged_since: Option<ModSeq>,
) -> Result<FlagsSet, StoreError> {
    let modseq = advance(tx, mailbox.account, Advance { modseqs: 1, ..Advance::default() })?.modseq;
    let named = match operation {
        // Taking away a keyword nobody has teaches the mailbox nothing.
        FlagOperation::Remove => {
            mailbox::by_id(tx, mailbox)?.ok_or(StoreError::NoSuchMailbox)?.keywords.bits_known(flags)
        }
        FlagOperation::Add | FlagOperation::Replace => learn_keywords(tx, mailbox, flags)?,
    };
    let (kept, set) = match operation {
        FlagOperation::Add => (-1, named.0),
        FlagOperation::Remove => (!named.0, 0),
        FlagOperation::Replace => (0, named.0),
    };
    let limit = unchanged_since.map_or(i64::MAX, |modseq| modseq.0);
    let mut done = FlagsSet {
        entries: Vec::new(),
        modseq,
        before: ModSeq(0),
        modified: UidSet::new(),
        keywords: Keywords::default(),
    };
    let mut tally = Tally::default();
    let mut changed = 0;
    for range in uids.ranges() {
        read_flags(tx, mailbox, range.clone(), u32::MAX, &mut |old| {
            if old.modseq.0 > limit {
                done.modified.insert(old.uid);
                return Ok(ControlFlow::Continue(()));
            }
            let flags = old.flags.after(operation, named);
            let changes = flags != old.flags;
            if changes {
                done.before = done.before.max(old.modseq);
                tally.add(Tally::of(flags));
                tally.subtract(Tally::of(old.flags));
            }
            let modseq = if changes { modseq } else { old.modseq };
            done.entries.push(FlagsOf { uid: old.uid, flags, modseq });
            Ok(ControlFlow::Continue(()))
        })?;
        changed += tx.execute(
            "UPDATE entry SET flags = (flags & $5) | $6, modseq = $7 WHERE account = $1 AND mailbox = $2 \
             AND uid BETWEEN $3 AND $4 AND modseq <= $8 AND ((flags & $5) | $6) <> flags",
            &[
                mailbox.account.0.into(),
                mailbox.number.into(),
                (*range.start()).into(),
                (*range.end()).into(),
                kept.into(),
                set.into(),
                modseq.0.into(),
                limit.into(),
            ],
        )?;
    }
    if changed > 0 {
        tx.execute(
            "UPDATE mailbox SET highest_modseq = $3, flags_modseq = $3, unseen = unseen + $4, deleted = deleted + $5 \
             WHERE account = $1 AND id = $2",
            &[
                mailbox.account.0.into(),
                mailbox.number.into(),
                modseq.0.into(),
                tally.unseen.into(),
                tally.deleted.into(),
            ],
        )?;
        tx.notify(Change::Mailbox { mailbox, modseq });
    }
    done.keywords = mailbox::by_id(tx, mailbox)?.ok_or(StoreError::NoSuchMailbox)?.keywords;
    Ok(done)
}
