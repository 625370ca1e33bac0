//! Accounts: who owns mailboxes, with the counters every change to them takes its numbers from.

pub use directory::AccountState as State;
use mail::Language;

use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::structure::next_number;
use crate::{AccountId, Change, ModSeq, Row, Snapshot, StoreError, StructureId, Transaction, UnixMillis, Value};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id, never reused.
    pub id: AccountId,
    /// The structure it belongs to.
    pub structure: StructureId,
    /// The person's name.
    pub name: String,
    /// The language in which it is spoken to.
    pub language: Language,
    /// Whether it is served.
    pub state: State,
    /// When it was created.
    pub created: UnixMillis,
    /// Octets it may hold; zero means without limit.
    pub quota_octets: u64,
    /// Octets it holds: the sum over the entries of its mailboxes.
    pub used_octets: u64,
    /// Entries in its mailboxes.
    pub entries: u64,
    /// The last MODSEQ given.
    pub highest_modseq: ModSeq,
}

/// What a new account starts with.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    /// The structure it belongs to.
    pub structure: StructureId,
    /// The person's name.
    pub name: &'a str,
    /// The language in which it is spoken to; its folders are named in it.
    pub language: Language,
    /// Octets it may hold; zero means without limit.
    pub quota_octets: u64,
}

const COLUMNS: &str =
    "id, structure, name, language, state, created, quota_octets, used_octets, entries, highest_modseq";

/// Creates an account with its folders ([`crate::mailbox::create_initial`]).
///
/// # Errors
/// The engine's.
pub fn create(tx: &mut dyn Transaction, new: &NewAccount<'_>, now: UnixMillis) -> Result<AccountId, StoreError> {
    let id = next_number(tx, "account")?;
    let account = AccountId(id);
    // UIDVALIDITY starts at the time of creation: an account set up again after a loss gets higher ones (RFC 9051 §2.3.1.1).
    let uidvalidity = now.seconds().clamp(1, i64::from(u32::MAX / 2));
    tx.execute(
        "INSERT INTO account (id, structure, name, language, state, created, quota_octets, used_octets, entries, \
         highest_modseq, next_mailbox, next_message, next_event, next_uidvalidity) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 1, 1, 1, 1, $8)",
        &[
            id.into(),
            new.structure.0.into(),
            new.name.into(),
            new.language.tag().into(),
            state_number(State::Active).into(),
            now.0.into(),
            Value::Integer(i64::try_from(new.quota_octets).unwrap_or(i64::MAX)),
            uidvalidity.into(),
        ],
    )?;
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let fields: [(&str, &dyn std::fmt::Display); 1] = [("structure", &new.structure)];
    event::record(tx, (account, counters.first_event), now, Kind::AccountCreated, &fields)?;
    crate::mailbox::create_initial(tx, account, new.language, now)?;
    Ok(account)
}

/// The account.
///
/// # Errors
/// The engine's.
pub fn find(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Option<Account>, StoreError> {
    let sql = "SELECT id, structure, name, language, state, created, quota_octets, used_octets, entries, highest_modseq \
               FROM account WHERE id = $1";
    query_row(snapshot, sql, &[account.0.into()], read)
}

/// Accounts with ids above `after`, ascending, at most `limit`.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE id > $1 ORDER BY id LIMIT $2");
    query_all(snapshot, &sql, &[after.0.into(), limit.into()], read)
}

/// Enables or disables an account; sessions of a disabled one end after the commit.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn set_state(
    tx: &mut dyn Transaction,
    account: AccountId,
    state: State,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    tx.execute("UPDATE account SET state = $2 WHERE id = $1", &[account.0.into(), state_number(state).into()])?;
    let word = match state {
        State::Active => "active",
        State::Disabled => "disabled",
    };
    event::record(tx, (account, counters.first_event), now, Kind::AccountChanged, &[("state", &word)])?;
    if state == State::Disabled {
        tx.notify(Change::SessionsEnd { account });
    }
    Ok(())
}

/// Sets the quota; zero means without limit.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn set_quota(
    tx: &mut dyn Transaction,
    account: AccountId,
    quota_octets: u64,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let quota = i64::try_from(quota_octets).unwrap_or(i64::MAX);
    tx.execute("UPDATE account SET quota_octets = $2 WHERE id = $1", &[account.0.into(), quota.into()])?;
    event::record(tx, (account, counters.first_event), now, Kind::AccountChanged, &[("quota", &quota)])
}

/// Sets the counters of entries and octets, of the account and of its mailboxes, to what is there. True when one differed.
///
/// # Errors
/// The engine's.
pub fn recount(tx: &mut dyn Transaction, account: AccountId) -> Result<bool, StoreError> {
    advance(tx, account, Advance::default())?;
    let mailboxes = tx.execute(
        "UPDATE mailbox SET entries = c.entries, unseen = c.unseen, deleted = c.deleted, octets = c.octets FROM ( \
             SELECT m.id AS id, count(e.uid) AS entries, coalesce(sum(1 - ((e.flags >> 3) & 1)), 0) AS unseen, \
                    coalesce(sum((e.flags >> 2) & 1), 0) AS deleted, coalesce(sum(e.octets), 0) AS octets \
             FROM mailbox m LEFT JOIN entry e ON e.account = m.account AND e.mailbox = m.id \
             WHERE m.account = $1 GROUP BY m.id) c \
         WHERE mailbox.account = $1 AND mailbox.id = c.id AND (mailbox.entries <> c.entries \
             OR mailbox.unseen <> c.unseen OR mailbox.deleted <> c.deleted OR mailbox.octets <> c.octets)",
        &[account.0.into()],
    )?;
    let accounts = tx.execute(
        "UPDATE account SET used_octets = c.octets, entries = c.entries FROM ( \
             SELECT coalesce(sum(octets), 0) AS octets, coalesce(sum(entries), 0) AS entries \
             FROM mailbox WHERE account = $1) c \
         WHERE account.id = $1 AND (account.used_octets <> c.octets OR account.entries <> c.entries)",
        &[account.0.into()],
    )?;
    Ok(mailboxes + accounts > 0)
}

/// What a change takes from the account's counters, all in one statement that also locks the row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Advance {
    pub modseqs: i64,
    pub mailboxes: i64,
    pub messages: i64,
    pub events: i64,
    pub uidvalidities: i64,
    pub entries: i64,
    pub octets: i64,
}

/// The numbers taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub modseq: ModSeq,
    pub first_mailbox: i64,
    pub first_message: i64,
    pub first_event: i64,
    pub first_uidvalidity: i64,
    pub state: State,
    pub structure: StructureId,
    quota_octets: i64,
    used_octets: i64,
}

impl Counters {
    /// # Errors
    /// [`StoreError::QuotaExceeded`] when the octets just added do not fit.
    pub(crate) fn check_quota(&self) -> Result<(), StoreError> {
        match self.quota_octets == 0 || self.used_octets <= self.quota_octets {
            true => Ok(()),
            false => Err(StoreError::QuotaExceeded),
        }
    }
}

/// Locks the account and takes numbers.
pub(crate) fn advance(tx: &mut dyn Transaction, account: AccountId, by: Advance) -> Result<Counters, StoreError> {
    query_row(
        tx,
        "UPDATE account SET highest_modseq = highest_modseq + $2, next_mailbox = next_mailbox + $3, \
         next_message = next_message + $4, next_event = next_event + $5, next_uidvalidity = next_uidvalidity + $6, \
         entries = entries + $7, used_octets = used_octets + $8 WHERE id = $1 \
         RETURNING highest_modseq, next_mailbox, next_message, next_event, next_uidvalidity, state, structure, \
         quota_octets, used_octets",
        &[
            account.0.into(),
            by.modseqs.into(),
            by.mailboxes.into(),
            by.messages.into(),
            by.events.into(),
            by.uidvalidities.into(),
            by.entries.into(),
            by.octets.into(),
        ],
        |row| {
            Ok(Counters {
                modseq: ModSeq(row.integer(0)?),
                first_mailbox: row.integer(1)? - by.mailboxes,
                first_message: row.integer(2)? - by.messages,
                first_event: row.integer(3)? - by.events,
                first_uidvalidity: row.integer(4)? - by.uidvalidities,
                state: state_of(row.integer(5)?)?,
                structure: StructureId(row.integer(6)?),
                quota_octets: row.integer(7)?,
                used_octets: row.integer(8)?,
            })
        },
    )?
    .ok_or(StoreError::Unknown("account"))
}

fn state_number(state: State) -> i64 {
    match state {
        State::Active => 0,
        State::Disabled => 1,
    }
}

fn state_of(number: i64) -> Result<State, StoreError> {
    match number {
        0 => Ok(State::Active),
        1 => Ok(State::Disabled),
        other => Err(StoreError::Damaged(format!("account state {other}"))),
    }
}

fn read(row: &dyn Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId(row.integer(0)?),
        structure: StructureId(row.integer(1)?),
        name: row.text(2)?.to_owned(),
        language: Language::from_tag(row.text(3)?).unwrap_or_default(),
        state: state_of(row.integer(4)?)?,
        created: UnixMillis(row.integer(5)?),
        quota_octets: row.integer(6)?.unsigned_abs(),
        used_octets: row.integer(7)?.unsigned_abs(),
        entries: row.integer(8)?.unsigned_abs(),
        highest_modseq: ModSeq(row.integer(9)?),
    })
}
