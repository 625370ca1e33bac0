//! Creating, renaming and deleting mailboxes, and subscribing to their names.

use std::fmt;

use directory::SpecialFolder;
use mail::Language;

use super::{MAILBOXES_MAX, MailboxName, SpecialUse, by_name, by_special_use, list};
use crate::account::{Advance, advance};
use crate::engine::query_row;
use crate::event::{self, Kind};
use crate::{AccountId, Change, MailboxId, StoreError, Transaction, UnixMillis};

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
