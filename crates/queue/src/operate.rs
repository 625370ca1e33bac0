//! What an operator sees and does by hand.

use std::str::FromStr;
use std::sync::Arc;

use mail::envelope::ReversePath;
use store::engine::query_all;
use store::{Change, Snapshot, StoreError, Transaction, UnixMillis, Value};

use crate::entry::{ENTRY_COLUMNS, read_entry};
use crate::{Destination, Entry, EntryId, Plan, Queued, Recorded, entry, record};

/// Which entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// `all`
    All,
    /// `NAME/1`
    Entry(EntryId),
    /// `NAME`: every entry of a message.
    Message(Arc<str>),
    /// A domain: every entry to it.
    Destination(Destination),
}

/// The text selects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entries are named NAME/NUMBER, a message NAME, a destination by its domain, or all")]
pub struct NoSelection;

/// A line of the list: an entry, and what it needs of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// When the message came.
    pub created: UnixMillis,
    /// Its octets.
    pub octets: u64,
    /// Whom reports go to.
    pub reverse_path: ReversePath,
}

/// A message with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The message.
    pub message: Queued,
    /// Its entries, each with its attempts.
    pub entries: Vec<(Entry, Vec<Recorded>)>,
}

impl Selection {
    /// A condition on `queue_entry`, with parameters from `$1`.
    fn condition(&self) -> (&'static str, Vec<Parameter>) {
        match self {
            Selection::All => ("0 = 0", Vec::new()),
            Selection::Entry(id) => {
                let parameters = vec![Parameter::Text(id.message.to_string()), Parameter::Number(id.number.into())];
                ("message = $1 AND number = $2", parameters)
            }
            Selection::Message(name) => ("message = $1", vec![Parameter::Text(name.to_string())]),
            Selection::Destination(it) => ("destination = $1", vec![Parameter::Text(it.to_string())]),
        }
    }
}

enum Parameter {
    Text(String),
    Number(i64),
}

fn values(parameters: &[Parameter]) -> Vec<Value<'_>> {
    let value = |parameter| match parameter {
        &Parameter::Number(number) => Value::Integer(number),
        Parameter::Text(text) => Value::Text(text),
    };
    parameters.iter().map(value).collect()
}

/// Entries behind `after`, by name, at most `limit`.
///
/// # Errors
/// The engine's.
pub fn list(
    snapshot: &mut dyn Snapshot,
    selection: &Selection,
    after: Option<&EntryId>,
    limit: u32,
) -> Result<Vec<Listed>, StoreError> {
    let entries = select(snapshot, selection, after, limit)?;
    let mut listed = Vec::with_capacity(entries.len());
    let mut last: Option<Queued> = None;
    for entry in entries {
        let message = match last.take().filter(|message| message.name == entry.id.message) {
            Some(message) => message,
            None => match entry::message(snapshot, &entry.id.message)? {
                Some(message) => message,
                None => return Err(StoreError::Damaged(format!("queue: entry {} without message", entry.id))),
            },
        };
        let (created, octets) = (message.created, message.octets);
        listed.push(Listed { entry, created, octets, reverse_path: message.reverse_path.clone() });
        last = Some(message);
    }
    Ok(listed)
}

fn select(
    snapshot: &mut dyn Snapshot,
    selection: &Selection,
    after: Option<&EntryId>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let (condition, mut parameters) = selection.condition();
    let (name, number) = after.map_or(("", 0), |after| (&*after.message, after.number));
    let first = parameters.len() + 1;
    parameters.extend([Parameter::Text(name.to_owned()), Parameter::Number(number.into())]);
    parameters.push(Parameter::Number(limit.into()));
    let sql = format!(
        "SELECT {ENTRY_COLUMNS} FROM queue_entry WHERE {condition} AND (message, number) > (${first}, ${}) \
         ORDER BY message, number LIMIT ${}",
        first + 1,
        first + 2
    );
    query_all(snapshot, &sql, &values(&parameters), read_entry)
}

/// A message, its entries and their attempts.
///
/// # Errors
/// The engine's.
pub fn show(snapshot: &mut dyn Snapshot, name: &str) -> Result<Option<Shown>, StoreError> {
    let Some(message) = entry::message(snapshot, name)? else { return Ok(None) };
    let mut shown = Shown { message, entries: Vec::new() };
    for entry in entry::entries(snapshot, name)? {
        let attempts = record::attempts(snapshot, &entry.id)?;
        shown.entries.push((entry, attempts));
    }
    Ok(Some(shown))
}

/// Lets entries wait until they are released; answers how many there were. An attempt under way is not broken off.
///
/// # Errors
/// The engine's.
pub fn hold(tx: &mut dyn Transaction, selection: &Selection) -> Result<u64, StoreError> {
    let (condition, parameters) = selection.condition();
    let sql = format!("UPDATE queue_entry SET state = 1 WHERE state = 0 AND {condition}");
    Ok(tx.execute(&sql, &values(&parameters))?)
}

/// Lets entries that were held be tried, at once; answers how many there were.
///
/// # Errors
/// The engine's.
pub fn release(tx: &mut dyn Transaction, selection: &Selection, now: UnixMillis) -> Result<u64, StoreError> {
    due_now(tx, selection, 1, now)
}

/// Lets entries that wait be tried at once; answers how many there were. Those that are held stay so.
///
/// # Errors
/// The engine's.
pub fn retry(tx: &mut dyn Transaction, selection: &Selection, now: UnixMillis) -> Result<u64, StoreError> {
    due_now(tx, selection, 0, now)
}

fn due_now(tx: &mut dyn Transaction, selection: &Selection, state: i64, now: UnixMillis) -> Result<u64, StoreError> {
    let (condition, mut parameters) = selection.condition();
    let sql = format!("SELECT DISTINCT destination FROM queue_entry WHERE state = {state} AND {condition}");
    let destinations = query_all(tx, &sql, &values(&parameters), |row| Ok(row.text(0)?.to_owned()))?;
    parameters.push(Parameter::Number(now.0));
    let sql =
        format!("UPDATE queue_entry SET state = 0, due = ${} WHERE state = {state} AND {condition}", parameters.len());
    let count = tx.execute(&sql, &values(&parameters))?;
    for destination in destinations {
        tx.notify(Change::Queue { destination: destination.into(), by_hand: true });
    }
    Ok(count)
}

/// What giving entries up comes to, message by message, for at most `limit` entries behind `after`; with the last one
/// looked at. Each plan is recorded with its report, as after an attempt.
///
/// # Errors
/// The engine's.
pub fn give_up(
    snapshot: &mut dyn Snapshot,
    selection: &Selection,
    after: Option<&EntryId>,
    limit: u32,
    now: UnixMillis,
) -> Result<(Vec<Plan>, Option<EntryId>), StoreError> {
    let entries = select(snapshot, selection, after, limit)?;
    let last = entries.last().map(|entry| entry.id.clone());
    let mut plans = Vec::new();
    for entries in entries.chunk_by(|one, next| one.id.message == next.id.message) {
        let Some(first) = entries.first() else { continue };
        if let Some(message) = entry::message(snapshot, &first.id.message)? {
            plans.push(Plan::given_up(message, entries.to_vec(), now));
        }
    }
    Ok((plans, last))
}

impl FromStr for Selection {
    type Err = NoSelection;

    fn from_str(text: &str) -> Result<Selection, NoSelection> {
        if text == "all" {
            return Ok(Selection::All);
        }
        if text.contains('/') {
            return text.parse().map(Selection::Entry).map_err(|_| NoSelection);
        }
        // A message's name has no dot, a destination always has one.
        match text.contains('.') {
            true => text.parse().map(Selection::Destination).map_err(|_| NoSelection),
            false if !text.is_empty() => Ok(Selection::Message(text.into())),
            false => Err(NoSelection),
        }
    }
}
