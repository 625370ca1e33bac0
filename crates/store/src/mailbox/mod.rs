//! Mailboxes: names, counters and UIDVALIDITY. What SELECT and STATUS answer is in the row; no entry is counted for it.

use crate::engine::{query_all, query_row};
use crate::{AccountId, Keywords, MailboxId, ModSeq, Row, Snapshot, StoreError, UidValidity, Value};

mod change;
mod name;

pub use change::{claim_recent, create, create_initial, delete, rename, subscribe, unsubscribe};
pub use name::{MailboxName, SpecialUse};

/// One mailbox with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its id, kept across RENAME.
    pub id: MailboxId,
    /// Its name.
    pub name: MailboxName,
    /// The incarnation.
    pub uidvalidity: UidValidity,
    /// The UID the next message gets, unless [`StoreError::NoUidLeft`].
    pub uidnext: u32,
    /// The highest MODSEQ of any change in it, expunges included (RFC 7162 §3.1.2.1).
    pub highest_modseq: ModSeq,
    /// The highest MODSEQ of a change to flags of entries that were there.
    pub flags_modseq: ModSeq,
    /// Changes up to this MODSEQ have left the log of what vanished (RFC 7162 §3.2.10.1).
    pub vanished_floor: ModSeq,
    /// How many messages it holds.
    pub entries: u32,
    /// How many without `\Seen`.
    pub unseen: u32,
    /// How many with `\Deleted`.
    pub deleted: u32,
    /// The sum of their sizes (RFC 8438).
    pub octets: u64,
    /// Messages from this UID on are recent to the next session that selects it read-write (RFC 3501 §2.3.2).
    pub recent_from: u32,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// The keywords in use.
    pub keywords: Keywords,
    /// Whether its name is subscribed to.
    pub subscribed: bool,
}

/// What a session that selects a mailbox sees: the list of UIDs can be made later as of this moment ([`crate::entry::uids`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewPoint {
    /// UIDs from here on came later.
    pub uidnext: u32,
    /// Changes above this came later.
    pub modseq: ModSeq,
    /// How many messages there were.
    pub entries: u32,
}

/// What SELECT answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The row.
    pub mailbox: Mailbox,
    /// The sequence number of the first message without `\Seen` (RFC 3501 §7.1), when looking at
    /// [`FIRST_UNSEEN_ENTRIES_MAX`] entries at either end was enough to know it.
    pub first_unseen: Option<u32>,
}

/// Entries read at either end of a mailbox to find the first unseen one: about 0.1 ms.
pub const FIRST_UNSEEN_ENTRIES_MAX: u32 = 500;

/// Mailboxes of one account.
pub const MAILBOXES_MAX: u32 = 10_000;

const COLUMNS: &str = "m.id, m.name, m.uidvalidity, m.uidnext, m.highest_modseq, m.flags_modseq, m.vanished_floor, \
                       m.entries, m.unseen, m.deleted, m.octets, m.recent_from, m.special_use, m.keywords, s.name";
const FROM: &str = "FROM mailbox m LEFT JOIN subscription s ON s.account = m.account AND s.name = m.name";

impl Mailbox {
    /// The moment this row describes.
    pub fn view_point(&self) -> ViewPoint {
        ViewPoint { uidnext: self.uidnext, modseq: self.highest_modseq, entries: self.entries }
    }
}

/// Every mailbox of the account, by name.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE m.account = $1 ORDER BY m.name");
    query_all(snapshot, &sql, &[account.0.into()], |row| read(account, row))
}

/// Subscribed names, whether or not the mailbox is there, by name.
///
/// # Errors
/// The engine's.
pub fn subscriptions(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Vec<MailboxName>, StoreError> {
    let sql = "SELECT name FROM subscription WHERE account = $1 ORDER BY name";
    query_all(snapshot, sql, &[account.0.into()], |row| Ok(MailboxName(row.text(0)?.into())))
}

/// The mailbox of that name.
///
/// # Errors
/// The engine's.
pub fn by_name(
    snapshot: &mut dyn Snapshot,
    account: AccountId,
    name: &MailboxName,
) -> Result<Option<Mailbox>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE m.account = $1 AND m.name = $2");
    query_row(snapshot, &sql, &[account.0.into(), name.as_str().into()], |row| read(account, row))
}

/// The mailbox.
///
/// # Errors
/// The engine's.
pub fn by_id(snapshot: &mut dyn Snapshot, id: MailboxId) -> Result<Option<Mailbox>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE m.account = $1 AND m.id = $2");
    query_row(snapshot, &sql, &[id.account.0.into(), id.number.into()], |row| read(id.account, row))
}

/// The mailbox with that special use, if the account has one.
///
/// # Errors
/// The engine's.
pub fn by_special_use(
    snapshot: &mut dyn Snapshot,
    account: AccountId,
    special_use: SpecialUse,
) -> Result<Option<Mailbox>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE m.account = $1 AND m.special_use = $2");
    query_row(snapshot, &sql, &[account.0.into(), special_use.attribute().into()], |row| read(account, row))
}

/// What SELECT needs, from the row and at most [`FIRST_UNSEEN_ENTRIES_MAX`] entries at either end.
///
/// # Errors
/// The engine's.
pub fn open(snapshot: &mut dyn Snapshot, account: AccountId, name: &MailboxName) -> Result<Option<Opened>, StoreError> {
    let Some(mailbox) = by_name(snapshot, account, name)? else { return Ok(None) };
    let first_unseen = first_unseen(snapshot, &mailbox)?;
    Ok(Some(Opened { mailbox, first_unseen }))
}

fn first_unseen(snapshot: &mut dyn Snapshot, mailbox: &Mailbox) -> Result<Option<u32>, StoreError> {
    if mailbox.unseen == 0 {
        return Ok(None);
    }
    let parameters = [mailbox.id.account.0.into(), mailbox.id.number.into(), Value::from(FIRST_UNSEEN_ENTRIES_MAX)];
    let seen = |row: &dyn Row| Ok(row.integer(0)? != 0);
    let newest = query_all(
        snapshot,
        "SELECT flags & 8 FROM entry WHERE account = $1 AND mailbox = $2 ORDER BY uid DESC LIMIT $3",
        &parameters,
        seen,
    )?;
    // Seen from the end, the first unseen message is the last unseen one met, once every unseen one was met.
    if newest.iter().filter(|seen| !**seen).count() as u64 == u64::from(mailbox.unseen) {
        let from_end = newest.iter().rposition(|seen| !seen).unwrap_or(0) as u32;
        return Ok(mailbox.entries.checked_sub(from_end));
    }
    let oldest = query_all(
        snapshot,
        "SELECT flags & 8 FROM entry WHERE account = $1 AND mailbox = $2 ORDER BY uid LIMIT $3",
        &parameters,
        seen,
    )?;
    Ok(oldest.iter().position(|seen| !seen).map(|position| position as u32 + 1))
}

fn read(account: AccountId, row: &dyn Row) -> Result<Mailbox, StoreError> {
    let number =
        |column: usize| u32::try_from(row.integer(column)?).map_err(|_| StoreError::Damaged("mailbox counter".into()));
    Ok(Mailbox {
        id: MailboxId { account, number: number(0)? },
        name: MailboxName(row.text(1)?.into()),
        uidvalidity: UidValidity(number(2)?),
        uidnext: u32::try_from(row.integer(3)?).unwrap_or(u32::MAX),
        highest_modseq: ModSeq(row.integer(4)?),
        flags_modseq: ModSeq(row.integer(5)?),
        vanished_floor: ModSeq(row.integer(6)?),
        entries: number(7)?,
        unseen: number(8)?,
        deleted: number(9)?,
        octets: row.integer(10)?.unsigned_abs(),
        recent_from: u32::try_from(row.integer(11)?).unwrap_or(u32::MAX),
        special_use: SpecialUse::from_attribute(row.text(12)?),
        keywords: Keywords::from_column(row.text(13)?),
        subscribed: !row.text(14)?.is_empty(),
    })
}
