//! Mailboxes: names, counters and UIDVALIDITY. What SELECT and STATUS answer is in the row; no entry is counted for it.

use std::fmt;

use directory::SpecialFolder;
use mail::Language;

use crate::account::{Advance, advance};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::{
    AccountId, Change, Keywords, MailboxId, ModSeq, Row, Snapshot, StoreError, Transaction, UidValidity, UnixMillis,
    Value,
};

/// A mailbox name in UTF-8 with `/` between levels. INBOX is written so whatever case it came in (RFC 9051 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Box<str>);

/// What a mailbox is for (RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

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

impl MailboxName {
    /// Between levels.
    pub const SEPARATOR: char = '/';
    /// Octets in a name.
    pub const OCTETS_MAX: usize = 1_000;
    /// Levels of a name.
    pub const LEVELS_MAX: usize = 32;

    /// The INBOX.
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".into())
    }

    /// Checks a name: 1 to 1,000 octets, levels not empty, no control character. One `/` at the end, by which CREATE
    /// declares that names below will follow (RFC 9051 §6.3.4), is left out.
    ///
    /// # Errors
    /// [`StoreError::MailboxName`].
    pub fn parse(text: &str) -> Result<MailboxName, StoreError> {
        let text = text.strip_suffix(MailboxName::SEPARATOR).unwrap_or(text);
        let (first, rest) = text.split_once(MailboxName::SEPARATOR).map_or((text, None), |(a, b)| (a, Some(b)));
        if text.len() > MailboxName::OCTETS_MAX {
            return Err(StoreError::MailboxName("too long"));
        }
        if text.chars().any(|character| character.is_control() || character == '\u{fffd}') {
            return Err(StoreError::MailboxName("control character"));
        }
        if text.split(MailboxName::SEPARATOR).any(str::is_empty) {
            return Err(StoreError::MailboxName("empty level"));
        }
        if text.split(MailboxName::SEPARATOR).count() > MailboxName::LEVELS_MAX {
            return Err(StoreError::MailboxName("too many levels"));
        }
        Ok(MailboxName(match (first.eq_ignore_ascii_case("INBOX"), rest) {
            (true, None) => "INBOX".into(),
            (true, Some(rest)) => format!("INBOX/{rest}").into(),
            (false, _) => text.into(),
        }))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for INBOX.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name one level up.
    pub fn parent(&self) -> Option<MailboxName> {
        self.0.rsplit_once(MailboxName::SEPARATOR).map(|(parent, _)| MailboxName(parent.into()))
    }

    /// True when this name lies below the other.
    pub fn is_below(&self, other: &MailboxName) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.starts_with(MailboxName::SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [SpecialUse; 7] = [
        SpecialUse::All,
        SpecialUse::Archive,
        SpecialUse::Drafts,
        SpecialUse::Flagged,
        SpecialUse::Junk,
        SpecialUse::Sent,
        SpecialUse::Trash,
    ];

    /// The attribute: `\Sent` and so on.
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::All => "\\All",
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Flagged => "\\Flagged",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }

    /// Reads an attribute, without regard to case.
    pub fn from_attribute(text: &str) -> Option<SpecialUse> {
        SpecialUse::ALL.into_iter().find(|one| one.attribute().eq_ignore_ascii_case(text))
    }
}

/// The folders of a new account, subscribed, named in its language.
///
/// # Errors
/// The engine's.
pub fn create_initial(
    tx: &mut dyn Transaction,
    account: AccountId,
    language: Language,
    now: UnixMillis,
) -> Result<(), StoreError> {
    for folder in SpecialFolder::ALL {
        let name = MailboxName(folder.name(language).into());
        let special_use = folder.special_use().and_then(SpecialUse::from_attribute);
        insert(tx, account, &name, special_use, now)?;
        subscribe(tx, account, &name)?;
    }
    Ok(())
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

/// Makes the messages below `uidnext` no longer recent. Run after a SELECT, not before it is answered.
///
/// # Errors
/// The engine's.
pub fn claim_recent(tx: &mut dyn Transaction, id: MailboxId, uidnext: u32) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE mailbox SET recent_from = $3 WHERE account = $1 AND id = $2 AND recent_from < $3",
        &[id.account.0.into(), id.number.into(), uidnext.into()],
    )?;
    Ok(())
}

/// Creates a mailbox, and those above it that are missing (RFC 9051 §6.3.4).
///
/// # Errors
/// [`StoreError::Inbox`], [`StoreError::MailboxExists`], [`StoreError::TooManyMailboxes`]; [`StoreError::MailboxName`] when
/// the special use is taken.
pub fn create(
    tx: &mut dyn Transaction,
    account: AccountId,
    name: &MailboxName,
    special_use: Option<SpecialUse>,
    now: UnixMillis,
) -> Result<MailboxId, StoreError> {
    if name.is_inbox() {
        return Err(StoreError::Inbox);
    }
    // The lock first: what is looked up below stays true until the commit.
    advance(tx, account, Advance::default())?;
    if by_name(tx, account, name)?.is_some() {
        return Err(StoreError::MailboxExists);
    }
    if let Some(wanted) = special_use
        && by_special_use(tx, account, wanted)?.is_some()
    {
        return Err(StoreError::MailboxName("special use taken"));
    }
    create_above(tx, account, name, now)?;
    insert(tx, account, name, special_use, now)
}

fn create_above(
    tx: &mut dyn Transaction,
    account: AccountId,
    name: &MailboxName,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut missing = Vec::new();
    let mut above = name.parent();
    while let Some(parent) = above {
        if by_name(tx, account, &parent)?.is_some() {
            break;
        }
        above = parent.parent();
        missing.push(parent);
    }
    for parent in missing.iter().rev() {
        insert(tx, account, parent, None, now)?;
    }
    Ok(())
}

fn insert(
    tx: &mut dyn Transaction,
    account: AccountId,
    name: &MailboxName,
    special_use: Option<SpecialUse>,
    now: UnixMillis,
) -> Result<MailboxId, StoreError> {
    let by = Advance { modseqs: 1, mailboxes: 1, events: 1, uidvalidities: 1, ..Advance::default() };
    let counters = advance(tx, account, by)?;
    let count =
        query_row(tx, "SELECT count(*) FROM mailbox WHERE account = $1", &[account.0.into()], |row| row.integer(0))?;
    if count.unwrap_or(0) >= i64::from(MAILBOXES_MAX) {
        return Err(StoreError::TooManyMailboxes);
    }
    let number = u32::try_from(counters.first_mailbox).map_err(|_| StoreError::TooManyMailboxes)?;
    let uidvalidity = u32::try_from(counters.first_uidvalidity).map_err(|_| StoreError::TooManyMailboxes)?;
    tx.execute(
        "INSERT INTO mailbox (account, id, name, uidvalidity, uidnext, highest_modseq, flags_modseq, vanished_floor, \
         entries, unseen, deleted, octets, recent_from, special_use, keywords, created) \
         VALUES ($1, $2, $3, $4, 1, $5, $5, $5, 0, 0, 0, 0, 1, $6, '', $7)",
        &[
            account.0.into(),
            number.into(),
            name.as_str().into(),
            uidvalidity.into(),
            counters.modseq.0.into(),
            special_use.map_or("", SpecialUse::attribute).into(),
            now.0.into(),
        ],
    )?;
    let fields: [(&str, &dyn fmt::Display); 2] = [("mailbox", &number), ("uidvalidity", &uidvalidity)];
    event::record(tx, (account, counters.first_event), now, Kind::MailboxCreated, &fields)?;
    tx.notify(Change::Mailboxes { account, modseq: counters.modseq });
    Ok(MailboxId { account, number })
}

/// Renames a mailbox and those below it (RFC 9051 §6.3.6), creating what is missing above the new name. INBOX stays,
/// emptied: its messages move to a new mailbox, and the mailboxes below it keep their names.
///
/// # Errors
/// [`StoreError::NoSuchMailbox`], [`StoreError::MailboxExists`], [`StoreError::MailboxName`] for a new name below the old.
pub fn rename(
    tx: &mut dyn Transaction,
    account: AccountId,
    from: &MailboxName,
    to: &MailboxName,
    now: UnixMillis,
) -> Result<(), StoreError> {
    // The lock first: what is looked up below stays true until the commit.
    advance(tx, account, Advance::default())?;
    let old = by_name(tx, account, from)?.ok_or(StoreError::NoSuchMailbox)?;
    if to.is_inbox() || by_name(tx, account, to)?.is_some() {
        return Err(StoreError::MailboxExists);
    }
    if from.is_inbox() {
        create_above(tx, account, to, now)?;
        let target = insert(tx, account, to, None, now)?;
        let uids = crate::UidSet::all();
        crate::entry::move_to(tx, old.id, &uids, target, now)?;
        return Ok(());
    }
    if to.is_below(from) {
        return Err(StoreError::MailboxName("below itself"));
    }
    create_above(tx, account, to, now)?;
    let counters = advance(tx, account, Advance { modseqs: 1, events: 1, ..Advance::default() })?;
    let depth = to.as_str().split('/').count().saturating_sub(from.as_str().split('/').count());
    let longer = to.as_str().len().saturating_sub(from.as_str().len());
    for below in list(tx, account)?.iter().filter(|mailbox| mailbox.name.is_below(from) || mailbox.id == old.id) {
        let name = format!("{to}{}", below.name.as_str().get(from.as_str().len()..).unwrap_or_default());
        let levels = below.name.as_str().split('/').count();
        if levels + depth > MailboxName::LEVELS_MAX || below.name.as_str().len() + longer > MailboxName::OCTETS_MAX {
            return Err(StoreError::MailboxName("too long"));
        }
        tx.execute(
            "UPDATE mailbox SET name = $3 WHERE account = $1 AND id = $2",
            &[account.0.into(), below.id.number.into(), (&name).into()],
        )?;
    }
    let fields: [(&str, &dyn fmt::Display); 1] = [("mailbox", &old.id.number)];
    event::record(tx, (account, counters.first_event), now, Kind::MailboxRenamed, &fields)?;
    tx.notify(Change::Mailboxes { account, modseq: counters.modseq });
    Ok(())
}

/// Deletes a mailbox and its messages: at once for everybody who looks, on disk with the next sweep. Its name stays subscribed (RFC 9051 §6.3.7).
///
/// # Errors
/// [`StoreError::Inbox`], [`StoreError::NoSuchMailbox`], [`StoreError::HasChildren`].
pub fn delete(
    tx: &mut dyn Transaction,
    account: AccountId,
    name: &MailboxName,
    now: UnixMillis,
) -> Result<MailboxId, StoreError> {
    if name.is_inbox() {
        return Err(StoreError::Inbox);
    }
    // The lock first: what is looked up below stays true until the commit.
    advance(tx, account, Advance::default())?;
    let mailbox = by_name(tx, account, name)?.ok_or(StoreError::NoSuchMailbox)?;
    if list(tx, account)?.iter().any(|other| other.name.is_below(name)) {
        return Err(StoreError::HasChildren);
    }
    let octets = i64::try_from(mailbox.octets).unwrap_or(i64::MAX);
    let by =
        Advance { modseqs: 1, events: 1, entries: -i64::from(mailbox.entries), octets: -octets, ..Advance::default() };
    let counters = advance(tx, account, by)?;
    let key = [account.0.into(), mailbox.id.number.into()];
    tx.execute("DELETE FROM mailbox WHERE account = $1 AND id = $2", &key)?;
    tx.execute("INSERT INTO mailbox_removed (account, mailbox) VALUES ($1, $2)", &key)?;
    let fields: [(&str, &dyn fmt::Display); 2] = [("mailbox", &mailbox.id.number), ("entries", &mailbox.entries)];
    event::record(tx, (account, counters.first_event), now, Kind::MailboxDeleted, &fields)?;
    tx.notify(Change::Mailboxes { account, modseq: counters.modseq });
    tx.notify(Change::Mailbox { mailbox: mailbox.id, modseq: counters.modseq });
    Ok(mailbox.id)
}

/// Subscribes to a name, whether or not the mailbox is there.
///
/// # Errors
/// The engine's.
pub fn subscribe(tx: &mut dyn Transaction, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO subscription (account, name) VALUES ($1, $2) ON CONFLICT (account, name) DO NOTHING",
        &[account.0.into(), name.as_str().into()],
    )?;
    Ok(())
}

/// Forgets a subscription.
///
/// # Errors
/// The engine's.
pub fn unsubscribe(tx: &mut dyn Transaction, account: AccountId, name: &MailboxName) -> Result<(), StoreError> {
    tx.execute("DELETE FROM subscription WHERE account = $1 AND name = $2", &[account.0.into(), name.as_str().into()])?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_inbox_has_one_spelling() {
        let long = "x".repeat(1_001);
        let deep = "x/".repeat(40);
        for wrong in ["", "/", "a//b", "/a", "a\0b", "a\nb", &long, &deep] {
            assert!(MailboxName::parse(wrong).is_err(), "{wrong:?}");
        }
        for (given, kept) in [("inbox", "INBOX"), ("Inbox/a", "INBOX/a"), ("a/b/", "a/b"), ("../x", "../x"), ("é", "é")]
        {
            assert_eq!(MailboxName::parse(given).unwrap().as_str(), kept);
        }
    }
}
