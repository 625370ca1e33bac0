//! Entries: a message in a mailbox, with its UID and flags. Statements work on ranges of UIDs.

use std::ops::{ControlFlow, RangeInclusive};

use crate::account::{Advance, Counters, advance};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::flags::FlagOperation;
use crate::mailbox::{self, Mailbox, ViewPoint};
use crate::message::{Arrival, Tally, arrive, learn_keywords};
use crate::{
    AccountId, Change, FlagBits, Flags, Keywords, MailboxId, MessageId, ModSeq, Row, Snapshot, StoreError, Transaction,
    Uid, UidSet, UidValidity, UnixMillis, Value,
};

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

/// What [`set_flags`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagsSet {
    /// Every entry named that is there and was not refused, as it is now, ascending.
    pub entries: Vec<FlagsOf>,
    /// The MODSEQ of those that changed; none changed when no entry has it.
    pub modseq: ModSeq,
    /// Entries changed after UNCHANGEDSINCE, left alone (RFC 7162 §3.1.3 MODIFIED).
    pub modified: UidSet,
    /// The mailbox's keywords, new ones included.
    pub keywords: Keywords,
}

/// What COPY and MOVE did, for COPYUID (RFC 4315): both sets in the same order, of the same count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The target's UIDVALIDITY.
    pub uidvalidity: UidValidity,
    /// What was copied.
    pub from: UidSet,
    /// Where it is now.
    pub to: UidSet,
    /// The MODSEQ of the change.
    pub modseq: ModSeq,
}

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

/// What changed since a view was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The mailbox as it is now.
    pub mailbox: Mailbox,
    /// Entries that came or whose flags changed, ascending by UID.
    pub entries: Vec<Entry>,
    /// UIDs that left and had been there at the view point.
    pub vanished: UidSet,
}

/// Entries removed in one transaction by [`expunge`].
pub const EXPUNGE_ENTRIES_MAX: u32 = 2_000;

/// The UIDs there were at a view point: what is there now below its UIDNEXT, and what vanished since.
///
/// # Errors
/// The engine's.
pub fn uids(snapshot: &mut dyn Snapshot, mailbox: MailboxId, at: ViewPoint) -> Result<UidSet, StoreError> {
    let parameters = [mailbox.account.0.into(), mailbox.number.into(), Value::from(at.uidnext)];
    let mut present = UidSet::new();
    snapshot.query(
        "SELECT uid FROM entry WHERE account = $1 AND mailbox = $2 AND uid < $3 ORDER BY uid",
        &parameters,
        &mut |row| {
            present.insert(uid(row, 0)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    for range in vanished(snapshot, mailbox, at)?.ranges() {
        present.insert_range(range);
    }
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
        true => vanished(snapshot, id, since)?,
        false => UidSet::new(),
    };
    Ok(Changed { mailbox, entries, vanished })
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
    let mut done = FlagsSet { entries: Vec::new(), modseq, modified: UidSet::new(), keywords: Keywords::default() };
    let mut tally = Tally::default();
    let mut changed = 0;
    for range in uids.ranges() {
        self::flags(tx, mailbox, range.clone(), u32::MAX, &mut |old| {
            if old.modseq.0 > limit {
                done.modified.insert(old.uid);
                return Ok(ControlFlow::Continue(()));
            }
            let flags = old.flags.after(operation, named);
            let changes = flags != old.flags;
            if changes {
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
        release_messages(tx, mailbox, &range, Only::Deleted, &counters, now)?;
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

/// COPY (RFC 9051 §6.4.7): all of it or nothing. The copies are the same messages, with the same flags.
///
/// # Errors
/// [`StoreError::NoSuchMailbox`] for either, [`StoreError::QuotaExceeded`], [`StoreError::TooManyKeywords`],
/// [`StoreError::NoUidLeft`], `Full` while free space is under the reserve.
pub fn copy_to(
    tx: &mut dyn Transaction,
    from: MailboxId,
    uids: &UidSet,
    to: MailboxId,
    now: UnixMillis,
) -> Result<Copied, StoreError> {
    tx.accepting()?;
    let (copied, _) = bring(tx, from, uids, to, now, Kind::MessagesCopied)?;
    Ok(copied)
}

/// MOVE (RFC 6851): all of it or nothing.
///
/// # Errors
/// As [`copy_to`], without the quota.
pub fn move_to(
    tx: &mut dyn Transaction,
    from: MailboxId,
    uids: &UidSet,
    to: MailboxId,
    now: UnixMillis,
) -> Result<Copied, StoreError> {
    let (copied, counters) = bring(tx, from, uids, to, now, Kind::MessagesMoved)?;
    let mut gone = Gone::default();
    for range in copied.from.ranges() {
        release_uses(tx, from, &range, Only::Every)?;
        take_out(tx, from, &range, Only::Every, &mut gone)?;
    }
    if !gone.uids.is_empty() {
        leave(tx, from, &gone, &counters)?;
        let by = Advance { entries: -gone.entries, octets: -gone.octets, ..Advance::default() };
        advance(tx, from.account, by)?;
    }
    Ok(copied)
}

fn bring(
    tx: &mut dyn Transaction,
    from: MailboxId,
    uids: &UidSet,
    to: MailboxId,
    now: UnixMillis,
    kind: Kind,
) -> Result<(Copied, Counters), StoreError> {
    if from.account != to.account {
        return Err(StoreError::NoSuchMailbox);
    }
    // The lock first: what is read below stays true until the commit.
    advance(tx, from.account, Advance::default())?;
    let source = mailbox::by_id(tx, from)?.ok_or(StoreError::NoSuchMailbox)?;
    let target = mailbox::by_id(tx, to)?.ok_or(StoreError::NoSuchMailbox)?;
    let mut coming = Gone::default();
    let mut used = 0;
    for range in uids.ranges() {
        // Within one mailbox the copies must not be copied again.
        let range = *range.start()..=(*range.end()).min(source.uidnext.saturating_sub(1));
        tx.query(
            "SELECT uid, flags, octets FROM entry WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 \
             ORDER BY uid LIMIT $5",
            &bounds(from, &range, u32::MAX),
            &mut |row| {
                let flags = row.integer(1)?;
                used |= flags;
                coming.add(uid(row, 0)?, FlagBits(flags), row.integer(2)?);
                Ok(ControlFlow::Continue(()))
            },
        )?;
    }
    let taken = if coming.uids.is_empty() { 0 } else { 1 };
    let by =
        Advance { modseqs: taken, events: taken, entries: coming.entries, octets: coming.octets, ..Advance::default() };
    let counters = advance(tx, from.account, by)?;
    let mut copied =
        Copied { uidvalidity: target.uidvalidity, from: coming.uids, to: UidSet::new(), modseq: counters.modseq };
    if copied.from.is_empty() {
        return Ok((copied, counters));
    }
    if kind == Kind::MessagesCopied {
        counters.check_quota()?;
    }
    let flags = translated(tx, &source.keywords, FlagBits(used), to)?;
    let arrival =
        Arrival { modseq: counters.modseq, entries: coming.entries, octets: coming.octets, flags: coming.tally };
    let (first, _) = arrive(tx, to, &arrival)?;
    let mut next = first;
    for range in copied.from.ranges() {
        tx.execute(
            "UPDATE message SET uses = message.uses + s.n FROM (SELECT message, count(*) AS n FROM entry \
             WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 GROUP BY message) s \
             WHERE message.id = $1 * 4294967296 + s.message",
            &bounds(from, &range, 0)[..4],
        )?;
        let sql = format!(
            "INSERT INTO entry (account, mailbox, uid, message, flags, modseq, octets, internal_date, saved) \
             SELECT account, $5, $6 + row_number() OVER (ORDER BY uid), message, {flags}, $7, octets, internal_date, $8 \
             FROM entry WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4"
        );
        let inserted = tx.execute(
            &sql,
            &[
                from.account.0.into(),
                from.number.into(),
                (*range.start()).into(),
                (*range.end()).into(),
                to.number.into(),
                (next - 1).into(),
                counters.modseq.0.into(),
                now.0.into(),
            ],
        )?;
        next += i64::try_from(inserted).unwrap_or(0);
    }
    let last = u32::try_from(next - 1).map_err(|_| StoreError::NoUidLeft)?;
    copied.to.insert_range(u32::try_from(first).map_err(|_| StoreError::NoUidLeft)?..=last);
    let fields: [(&str, &dyn std::fmt::Display); 4] =
        [("mailbox", &from.number), ("uids", &copied.from), ("to", &to.number), ("as", &copied.to)];
    event::record(tx, (from.account, counters.first_event), now, kind, &fields)?;
    tx.notify(Change::Mailbox { mailbox: to, modseq: counters.modseq });
    Ok((copied, counters))
}

/// SQL that moves each keyword's bit to where the target mailbox has it.
fn translated(
    tx: &mut dyn Transaction,
    source: &Keywords,
    used: FlagBits,
    to: MailboxId,
) -> Result<String, StoreError> {
    let names: Vec<String> = source.of(used).map(str::to_owned).collect();
    if names.is_empty() {
        return Ok("(flags & 31)".into());
    }
    let wanted = Flags { system: FlagBits(0), keywords: names.clone() };
    learn_keywords(tx, to, &wanted)?;
    let target = mailbox::by_id(tx, to)?.ok_or(StoreError::NoSuchMailbox)?.keywords;
    let mut sql = String::from("(flags & 31)");
    for name in &names {
        let (Some(old), Some(new)) = (source.bit(name), target.bit(name)) else { continue };
        sql.push_str(&format!(" | (((flags >> {}) & 1) << {})", old.0.trailing_zeros(), new.0.trailing_zeros()));
    }
    Ok(format!("({sql})"))
}

/// Takes entries of deleted mailboxes out, at most [`EXPUNGE_ENTRIES_MAX`]; false when there is nothing left to do.
pub(crate) fn clear_removed(tx: &mut dyn Transaction, now: UnixMillis) -> Result<bool, StoreError> {
    let sql = "SELECT account, mailbox FROM mailbox_removed ORDER BY account, mailbox LIMIT 1";
    let found = query_row(tx, sql, &[], |row| Ok((AccountId(row.integer(0)?), row.integer(1)?)))?;
    let Some((account, number)) = found else { return Ok(false) };
    let number = u32::try_from(number).map_err(|_| StoreError::Damaged("removed mailbox".into()))?;
    let mailbox = MailboxId { account, number };
    let counters = advance(tx, account, Advance::default())?;
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
            release_messages(tx, mailbox, &range, Only::Every, &counters, now)?;
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
struct Gone {
    uids: UidSet,
    tally: Tally,
    entries: i64,
    octets: i64,
}

impl Gone {
    fn add(&mut self, uid: Uid, flags: FlagBits, octets: i64) {
        self.uids.insert(uid);
        self.tally.add(Tally::of(flags));
        self.entries += 1;
        self.octets += octets;
    }
}

/// Which entries of a range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
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

/// Takes the uses of entries from their messages.
fn release_uses(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    range: &RangeInclusive<u32>,
    only: Only,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE message SET uses = message.uses - s.n FROM (SELECT e.message AS message, count(*) AS n FROM entry e \
         WHERE {} GROUP BY e.message) s WHERE message.id = $1 * 4294967296 + s.message",
        only.condition()
    );
    tx.execute(&sql, &bounds(mailbox, range, 0)[..4])?;
    Ok(())
}

/// As [`release_uses`]; messages left without use go, and their blobs lose a use.
fn release_messages(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    range: &RangeInclusive<u32>,
    only: Only,
    counters: &Counters,
    now: UnixMillis,
) -> Result<(), StoreError> {
    release_uses(tx, mailbox, range, only)?;
    let condition = only.condition();
    let unused = query_all(
        tx,
        &format!(
            "SELECT DISTINCT m.id, m.blob, m.key_month FROM entry e, message m WHERE {condition} \
             AND m.id = e.account * 4294967296 + e.message AND m.uses = 0 ORDER BY m.blob"
        ),
        &bounds(mailbox, range, 0)[..4],
        |row| Ok((row.integer(0)?, crate::BlobId::from_octets(row.octets(1)?)?, row.integer(2)?)),
    )?;
    for (message, blob, month) in unused {
        crate::blob::release(tx, counters.structure, blob, month, now)?;
        tx.execute("DELETE FROM message WHERE id = $1", &[message.into()])?;
    }
    Ok(())
}

/// Deletes entries, counting them.
fn take_out(
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
fn leave(tx: &mut dyn Transaction, mailbox: MailboxId, gone: &Gone, counters: &Counters) -> Result<(), StoreError> {
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
    tx.notify(Change::Mailbox { mailbox, modseq });
    Ok(())
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
