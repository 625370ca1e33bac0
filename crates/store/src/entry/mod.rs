//! Entries: a message in a mailbox, with its UID and flags. Statements work on ranges of UIDs.

use std::ops::{ControlFlow, RangeInclusive};

use crate::engine::{query_all, query_row};
use crate::mailbox::{self, Mailbox, ViewPoint};
use crate::{
    AccountId, FlagBits, MailboxId, MessageId, ModSeq, Row, Snapshot, StoreError, Uid, UidSet, UnixMillis, Value,
};

mod leaving;
mod set_flags;
mod transfer;

pub use leaving::{EXPUNGE_ENTRIES_MAX, Expunged, Scope, VANISHED_RANGES_MAX, expunge};
pub(crate) use leaving::{clear_released, clear_removed};
pub use set_flags::{FlagsSet, set_flags};
pub use transfer::{Copied, copy_to, move_to};

/// One message in one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its UID.
    pub uid: Uid,
    /// The message.
    pub message: MessageId,
    /// Its flags, in the bits of the mailbox.
    pub flags: FlagBits,
    /// The MODSEQ of its last change.
    pub modseq: ModSeq,
    /// RFC822.SIZE.
    pub octets: u64,
    /// INTERNALDATE.
    pub internal_date: UnixMillis,
    /// When it came into this mailbox (RFC 8514 SAVEDATE).
    pub saved: UnixMillis,
}

/// The flags of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagsOf {
    /// Which.
    pub uid: Uid,
    /// Its flags.
    pub flags: FlagBits,
    /// The MODSEQ of its last change.
    pub modseq: ModSeq,
}

/// What changed since a view was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The mailbox as it is now.
    pub mailbox: Mailbox,
    /// Entries that came or whose flags changed, ascending by UID.
    pub entries: Vec<Entry>,
    /// UIDs that left and had been there at the view point; see [`Changed::is_exact`].
    pub vanished: UidSet,
}

impl Changed {
    /// False when changes since the view point have left the log of what vanished: then `vanished` is every UID below the
    /// view point's UIDNEXT that no message has, whether or not one had it (RFC 7162 §3.2.6 allows as much).
    pub fn is_exact(&self, since: ViewPoint) -> bool {
        self.mailbox.vanished_floor <= since.modseq
    }
}

/// The UIDs there were at a view point: what is there now below its UIDNEXT, and what vanished since. For what has left the
/// log other UIDs stand in, below the UIDNEXT and of no message: their number is right, and [`changes_since`] has them vanish.
///
/// # Errors
/// The engine's.
pub fn uids(snapshot: &mut dyn Snapshot, mailbox: MailboxId, at: ViewPoint) -> Result<UidSet, StoreError> {
    let mut uids = present(snapshot, mailbox, at.uidnext)?;
    uids.merge(&vanished(snapshot, mailbox, at)?);
    let lost = u64::from(at.entries).saturating_sub(uids.count());
    if lost > 0 {
        let sql = "SELECT vanished_floor FROM mailbox WHERE account = $1 AND id = $2";
        let floor = query_row(snapshot, sql, &[mailbox.account.0.into(), mailbox.number.into()], |row| row.integer(0))?;
        if floor.is_some_and(|floor| at.modseq.0 < floor) {
            uids.merge(&uids.missing_below(at.uidnext).lowest(lost));
        }
    }
    Ok(uids)
}

/// The UIDs in the mailbox below `uidnext`.
fn present(snapshot: &mut dyn Snapshot, mailbox: MailboxId, uidnext: u32) -> Result<UidSet, StoreError> {
    let mut present = UidSet::new();
    snapshot.query(
        "SELECT uid FROM entry WHERE account = $1 AND mailbox = $2 AND uid < $3 ORDER BY uid",
        &[mailbox.account.0.into(), mailbox.number.into(), uidnext.into()],
        &mut |row| {
            present.insert(uid(row, 0)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(present)
}

/// UIDs that were there at the view point and are gone.
fn vanished(snapshot: &mut dyn Snapshot, mailbox: MailboxId, at: ViewPoint) -> Result<UidSet, StoreError> {
    let mut gone = UidSet::new();
    snapshot.query(
        "SELECT first_uid, last_uid FROM vanished WHERE account = $1 AND mailbox = $2 AND modseq > $3 AND first_uid < $4 \
         ORDER BY first_uid",
        &[mailbox.account.0.into(), mailbox.number.into(), at.modseq.0.into(), at.uidnext.into()],
        &mut |row| {
            let last = uid(row, 1)?.get().min(at.uidnext.saturating_sub(1));
            gone.insert_range(uid(row, 0)?.get()..=last);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(gone)
}

/// Entries of a range of UIDs, ascending, at most `limit`; call again from above the last one.
///
/// # Errors
/// The engine's, or what `on_entry` answers.
pub fn range(
    snapshot: &mut dyn Snapshot,
    mailbox: MailboxId,
    uids: RangeInclusive<u32>,
    limit: u32,
    on_entry: &mut dyn FnMut(&Entry) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT uid, message, flags, modseq, octets, internal_date, saved FROM entry \
               WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 ORDER BY uid LIMIT $5";
    snapshot.query(sql, &bounds(mailbox, &uids, limit), &mut |row| on_entry(&Entry::read(mailbox.account, row)?))
}

/// The flags alone of a range of UIDs, ascending, at most `limit`: three columns of the narrowest table.
///
/// # Errors
/// The engine's, or what `on_flags` answers.
pub fn flags(
    snapshot: &mut dyn Snapshot,
    mailbox: MailboxId,
    uids: RangeInclusive<u32>,
    limit: u32,
    on_flags: &mut dyn FnMut(FlagsOf) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT uid, flags, modseq FROM entry WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 \
               ORDER BY uid LIMIT $5";
    snapshot.query(sql, &bounds(mailbox, &uids, limit), &mut |row| on_flags(FlagsOf::read(row)?))
}

fn bounds(mailbox: MailboxId, uids: &RangeInclusive<u32>, limit: u32) -> [Value<'static>; 5] {
    [mailbox.account.0.into(), mailbox.number.into(), (*uids.start()).into(), (*uids.end()).into(), limit.into()]
}

/// The entry with that UID.
///
/// # Errors
/// The engine's.
pub fn by_uid(snapshot: &mut dyn Snapshot, mailbox: MailboxId, uid: Uid) -> Result<Option<Entry>, StoreError> {
    let sql = "SELECT uid, message, flags, modseq, octets, internal_date, saved FROM entry \
               WHERE account = $1 AND mailbox = $2 AND uid = $3";
    let parameters = [mailbox.account.0.into(), mailbox.number.into(), uid.get().into()];
    query_row(snapshot, sql, &parameters, |row| Entry::read(mailbox.account, row))
}

/// What changed since a view point (RFC 7162 §3.2.5.1): new entries are found by their UID; changed flags are searched for
/// only when the mailbox had any; what vanished is in its log.
///
/// # Errors
/// [`StoreError::NoSuchMailbox`].
pub fn changes_since(snapshot: &mut dyn Snapshot, id: MailboxId, since: ViewPoint) -> Result<Changed, StoreError> {
    let mailbox = mailbox::by_id(snapshot, id)?.ok_or(StoreError::NoSuchMailbox)?;
    let from_uid = if mailbox.flags_modseq > since.modseq { 1 } else { since.uidnext };
    let entries = query_all(
        snapshot,
        "SELECT uid, message, flags, modseq, octets, internal_date, saved FROM entry \
         WHERE account = $1 AND mailbox = $2 AND uid >= $3 AND modseq > $4 ORDER BY uid",
        &[id.account.0.into(), id.number.into(), from_uid.into(), since.modseq.0.into()],
        |row| Entry::read(id.account, row),
    )?;
    let vanished = match mailbox.highest_modseq > since.modseq {
        true if mailbox.vanished_floor > since.modseq => {
            present(snapshot, id, since.uidnext)?.missing_below(since.uidnext)
        }
        true => vanished(snapshot, id, since)?,
        false => UidSet::new(),
    };
    Ok(Changed { mailbox, entries, vanished })
}

impl Entry {
    /// Columns 0 to 6: uid, message, flags, modseq, octets, internal_date, saved.
    pub(crate) fn read(account: AccountId, row: &dyn Row) -> Result<Entry, StoreError> {
        let number = u32::try_from(row.integer(1)?).map_err(|_| StoreError::Damaged("entry: message".into()))?;
        Ok(Entry {
            uid: uid(row, 0)?,
            message: MessageId { account, number },
            flags: FlagBits(row.integer(2)?),
            modseq: ModSeq(row.integer(3)?),
            octets: row.integer(4)?.unsigned_abs(),
            internal_date: UnixMillis(row.integer(5)?),
            saved: UnixMillis(row.integer(6)?),
        })
    }
}

impl FlagsOf {
    fn read(row: &dyn Row) -> Result<FlagsOf, StoreError> {
        Ok(FlagsOf { uid: uid(row, 0)?, flags: FlagBits(row.integer(1)?), modseq: ModSeq(row.integer(2)?) })
    }
}

fn uid(row: &dyn Row, column: usize) -> Result<Uid, StoreError> {
    let number = row.integer(column)?;
    u32::try_from(number).ok().and_then(Uid::new).ok_or_else(|| StoreError::Damaged(format!("uid {number}")))
}
