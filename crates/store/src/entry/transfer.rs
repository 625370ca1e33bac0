//! COPY and MOVE: each of them atomic, whatever the number of messages.

use std::ops::ControlFlow;

use super::leaving::{Gone, Only, leave, take_out};
use super::{bounds, uid};
use crate::account::{Advance, Counters, advance};
use crate::event::{self, Kind};
use crate::mailbox;
use crate::message::{Arrival, arrive, learn_keywords};
use crate::{
    Change, FlagBits, Flags, Keywords, MailboxId, ModSeq, StoreError, Transaction, UidSet, UidValidity, UnixMillis,
};

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
        if kind == Kind::MessagesCopied {
            tx.execute(
                "INSERT INTO message_more (account, message, uses) SELECT account, message, count(*) FROM entry \
                 WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 GROUP BY account, message \
                 ON CONFLICT (account, message) DO UPDATE SET uses = message_more.uses + excluded.uses",
                &bounds(from, &range, 0)[..4],
            )?;
        }
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
