//! EXPUNGE, and whatever else takes entries out of a mailbox.

use std::ops::{ControlFlow, RangeInclusive};

use super::{bounds, uid};
use crate::account::{Advance, Counters, advance};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::message::Tally;
use crate::{
    AccountId, BlobId, Change, FlagBits, MailboxId, ModSeq, StoreError, Transaction, Uid, UidSet, UnixMillis, Value,
};

/// What [`expunge`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expunged {
    /// What is gone.
    pub uids: UidSet,
    /// The MODSEQ of the change.
    pub modseq: ModSeq,
    /// There is more: call again, in another transaction, so that deliveries are not kept waiting.
    pub more: bool,
}

/// What is to be expunged; always only what has `\Deleted`.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// EXPUNGE and CLOSE.
    All,
    /// UID EXPUNGE (RFC 4315 §2.1).
    Uids(&'a UidSet),
}

/// Entries removed in one transaction by [`expunge`].
pub const EXPUNGE_ENTRIES_MAX: u32 = 20_000;

/// Ranges of UIDs kept in a mailbox's log of what vanished; beyond, the older half goes and `vanished_floor` rises. One EXPUNGE
/// a day writes about one: a client away for years still hears what vanished (RFC 7162 §3.2.10.1 leaves the bound to us).
pub const VANISHED_RANGES_MAX: u32 = 10_000;

/// Messages looked at in one transaction by [`clear_released`].
const RELEASED_MAX: u32 = 200;

/// EXPUNGE: removes entries with `\Deleted`, at most [`EXPUNGE_ENTRIES_MAX`] in one transaction.
///
/// # Errors
/// [`StoreError::NoSuchMailbox`].
pub fn expunge(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    scope: Scope<'_>,
    now: UnixMillis,
) -> Result<Expunged, StoreError> {
    let counters = advance(tx, mailbox.account, Advance { modseqs: 1, ..Advance::default() })?;
    let all = UidSet::all();
    let uids = match scope {
        Scope::All => &all,
        Scope::Uids(uids) => uids,
    };
    let mut doomed = UidSet::new();
    let mut room = EXPUNGE_ENTRIES_MAX + 1;
    for range in uids.ranges() {
        tx.query(
            "SELECT uid FROM entry WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 AND (flags & 4) <> 0 \
             ORDER BY uid LIMIT $5",
            &bounds(mailbox, &range, room),
            &mut |row| {
                room -= 1;
                doomed.insert(uid(row, 0)?);
                Ok(ControlFlow::Continue(()))
            },
        )?;
    }
    let more = room == 0;
    let mut gone = Gone::default();
    for range in doomed.ranges() {
        release_uses(tx, mailbox, &range, Only::Deleted)?;
        take_out(tx, mailbox, &range, Only::Deleted, &mut gone)?;
    }
    if !gone.uids.is_empty() {
        leave(tx, mailbox, &gone, &counters)?;
        let more = Advance { events: 1, entries: -gone.entries, octets: -gone.octets, ..Advance::default() };
        let seq = advance(tx, mailbox.account, more)?.first_event;
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("mailbox", &mailbox.number), ("uids", &gone.uids)];
        event::record(tx, (mailbox.account, seq), now, Kind::MessagesExpunged, &fields)?;
    }
    Ok(Expunged { uids: gone.uids, modseq: counters.modseq, more })
}

/// Takes entries of deleted mailboxes out, at most [`EXPUNGE_ENTRIES_MAX`]; false when there is nothing left to do.
pub(crate) fn clear_removed(tx: &mut dyn Transaction) -> Result<bool, StoreError> {
    let sql = "SELECT account, mailbox FROM mailbox_removed ORDER BY account, mailbox LIMIT 1";
    let found = query_row(tx, sql, &[], |row| Ok((AccountId(row.integer(0)?), row.integer(1)?)))?;
    let Some((account, number)) = found else { return Ok(false) };
    let number = u32::try_from(number).map_err(|_| StoreError::Damaged("removed mailbox".into()))?;
    let mailbox = MailboxId { account, number };
    advance(tx, account, Advance::default())?;
    let mut last = None;
    tx.query(
        "SELECT uid FROM entry WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 ORDER BY uid LIMIT $5",
        &bounds(mailbox, &(1..=u32::MAX), EXPUNGE_ENTRIES_MAX),
        &mut |row| {
            last = Some(uid(row, 0)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    match last {
        Some(last) => {
            let range = 1..=last.get();
            release_uses(tx, mailbox, &range, Only::Every)?;
            take_out(tx, mailbox, &range, Only::Every, &mut Gone::default())?;
        }
        None => {
            let key = [account.0.into(), number.into()];
            tx.execute("DELETE FROM vanished WHERE account = $1 AND mailbox = $2", &key)?;
            tx.execute("DELETE FROM mailbox_removed WHERE account = $1 AND mailbox = $2", &key)?;
        }
    }
    Ok(true)
}

/// Entries on their way.
#[derive(Default)]
pub(super) struct Gone {
    pub uids: UidSet,
    pub tally: Tally,
    pub entries: i64,
    pub octets: i64,
}

impl Gone {
    pub(super) fn add(&mut self, uid: Uid, flags: FlagBits, octets: i64) {
        self.uids.insert(uid);
        self.tally.add(Tally::of(flags));
        self.entries += 1;
        self.octets += octets;
    }
}

/// Which entries of a range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    Every,
    Deleted,
}

impl Only {
    /// A condition on `e.flags` for the numbered parameter's place: every statement below has the same four parameters.
    fn condition(self) -> &'static str {
        match self {
            Only::Every => "e.account = $1 AND e.mailbox = $2 AND e.uid BETWEEN $3 AND $4",
            Only::Deleted => "e.account = $1 AND e.mailbox = $2 AND e.uid BETWEEN $3 AND $4 AND (e.flags & 4) <> 0",
        }
    }
}

/// Notes that entries leave their messages: [`clear_released`] takes the uses away.
fn release_uses(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    range: &RangeInclusive<u32>,
    only: Only,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO message_release (account, message, uses) SELECT e.account, e.message, count(*) FROM entry e \
         WHERE {} GROUP BY e.account, e.message \
         ON CONFLICT (account, message) DO UPDATE SET uses = message_release.uses + excluded.uses",
        only.condition()
    );
    tx.execute(&sql, &bounds(mailbox, range, 0)[..4])?;
    Ok(())
}

/// Takes uses from messages whose entries left, at most [`RELEASED_MAX`] messages; those without use go, and their blobs lose
/// a use. False when there is nothing left to do.
pub(crate) fn clear_released(tx: &mut dyn Transaction, now: UnixMillis) -> Result<bool, StoreError> {
    let released = query_all(
        tx,
        "SELECT r.account, r.message, r.uses, coalesce(m.uses, 0) FROM message_release r \
         LEFT JOIN message_more m ON m.account = r.account AND m.message = r.message \
         ORDER BY r.account, r.message LIMIT $1",
        &[RELEASED_MAX.into()],
        |row| Ok((AccountId(row.integer(0)?), row.integer(1)?, row.integer(2)?, row.integer(3)?)),
    )?;
    let mut locked: Option<(AccountId, Counters)> = None;
    for (account, number, gone, more) in &released {
        let counters = match &locked {
            Some((last, counters)) if last == account => *counters,
            _ => advance(tx, *account, Advance::default())?,
        };
        locked = Some((*account, counters));
        let key = [account.0.into(), (*number).into()];
        let left = 1 + more - gone;
        if left > 1 {
            let sql = "UPDATE message_more SET uses = $3 WHERE account = $1 AND message = $2";
            tx.execute(sql, &[account.0.into(), (*number).into(), (left - 1).into()])?;
        } else if *more > 0 {
            tx.execute("DELETE FROM message_more WHERE account = $1 AND message = $2", &key)?;
        }
        if left <= 0 {
            let sql = "DELETE FROM message WHERE id = $1 * 4294967296 + $2 RETURNING blob, key_month";
            let blob = query_row(tx, sql, &key, |row| Ok((BlobId::from_octets(row.octets(0)?)?, row.integer(1)?)))?;
            if let Some((blob, month)) = blob {
                crate::blob::release(tx, counters.structure, blob, month, now)?;
            }
        }
        tx.execute("DELETE FROM message_release WHERE account = $1 AND message = $2", &key)?;
    }
    Ok(!released.is_empty())
}

/// Deletes entries, counting them.
pub(super) fn take_out(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    range: &RangeInclusive<u32>,
    only: Only,
    gone: &mut Gone,
) -> Result<(), StoreError> {
    let condition = only.condition();
    let parameters = bounds(mailbox, range, 0);
    tx.query(
        &format!("SELECT e.uid, e.flags, e.octets FROM entry e WHERE {condition} ORDER BY e.uid"),
        &parameters[..4],
        &mut |row| {
            gone.add(uid(row, 0)?, FlagBits(row.integer(1)?), row.integer(2)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    tx.execute(&format!("DELETE FROM entry AS e WHERE {condition}"), &parameters[..4])?;
    Ok(())
}

/// Writes what left into the log and the mailbox's counters.
pub(super) fn leave(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    gone: &Gone,
    counters: &Counters,
) -> Result<(), StoreError> {
    let modseq = counters.modseq;
    let (account, number) = (Value::from(mailbox.account.0), Value::from(mailbox.number));
    for range in gone.uids.ranges() {
        tx.execute(
            "INSERT INTO vanished (account, mailbox, modseq, first_uid, last_uid) VALUES ($1, $2, $3, $4, $5)",
            &[account, number, modseq.0.into(), (*range.start()).into(), (*range.end()).into()],
        )?;
    }
    tx.execute(
        "UPDATE mailbox SET highest_modseq = $3, entries = entries - $4, octets = octets - $5, unseen = unseen - $6, \
         deleted = deleted - $7 WHERE account = $1 AND id = $2",
        &[
            account,
            number,
            modseq.0.into(),
            gone.entries.into(),
            gone.octets.into(),
            gone.tally.unseen.into(),
            gone.tally.deleted.into(),
        ],
    )?;
    trim_vanished(tx, mailbox, modseq)?;
    tx.notify(Change::Mailbox { mailbox, modseq });
    Ok(())
}

/// Keeps the log within [`VANISHED_RANGES_MAX`], and what one transaction wrote: the newest stays whole.
fn trim_vanished(tx: &mut dyn Transaction, mailbox: MailboxId, newest: ModSeq) -> Result<(), StoreError> {
    let (account, number) = (Value::from(mailbox.account.0), Value::from(mailbox.number));
    let mut modseq_at = |place: u32| {
        let sql = "SELECT modseq FROM vanished WHERE account = $1 AND mailbox = $2 ORDER BY modseq DESC, first_uid DESC \
                   LIMIT 1 OFFSET $3";
        query_row(tx, sql, &[account, number, place.into()], |row| row.integer(0))
    };
    if modseq_at(VANISHED_RANGES_MAX)?.is_none() {
        return Ok(());
    }
    let Some(half) = modseq_at(VANISHED_RANGES_MAX / 2)? else { return Ok(()) };
    let floor = Value::from(half.min(newest.0 - 1));
    tx.execute("DELETE FROM vanished WHERE account = $1 AND mailbox = $2 AND modseq <= $3", &[account, number, floor])?;
    tx.execute(
        "UPDATE mailbox SET vanished_floor = $3 WHERE account = $1 AND id = $2 AND vanished_floor < $3",
        &[account, number, floor],
    )?;
    Ok(())
}
