//! What is due, read in windows: never the whole queue.

use std::sync::Arc;

use store::engine::{query_all, query_row};
use store::{Snapshot, StoreError, UnixMillis, Value};

use crate::{Destination, EntryId};

/// An entry that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Since when.
    pub since: UnixMillis,
    /// Which.
    pub id: EntryId,
}

/// Destinations with something that became due in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Each once.
    pub destinations: Vec<Destination>,
    /// When something will be due after the span.
    pub next: Option<UnixMillis>,
}

/// Destinations with entries that became due after `after`, up to `until`; and when the next one will.
///
/// # Errors
/// The engine's.
pub fn destinations(
    snapshot: &mut dyn Snapshot,
    after: Option<UnixMillis>,
    until: UnixMillis,
) -> Result<Found, StoreError> {
    let after = after.map_or(i64::MIN, |after| after.0);
    let sql = "SELECT DISTINCT destination FROM queue_entry WHERE state = 0 AND due > $1 AND due <= $2 \
               ORDER BY destination";
    let destinations = query_all(snapshot, sql, &[after.into(), until.0.into()], |row| {
        row.text(0)?.parse().map_err(|_| StoreError::Damaged("queue: destination".into()))
    })?;
    let sql = "SELECT due FROM queue_entry WHERE state = 0 AND due > $1 ORDER BY due LIMIT 1";
    let next = query_row(snapshot, sql, &[until.0.into()], |row| Ok(UnixMillis(row.integer(0)?)))?;
    Ok(Found { destinations, next })
}

/// Entries of a destination that are due at `until`, the longest first, from behind `after`, at most `limit`. Those of one
/// message that became due together follow each other.
///
/// # Errors
/// The engine's.
pub fn window(
    snapshot: &mut dyn Snapshot,
    destination: &Destination,
    after: Option<&Due>,
    until: UnixMillis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let name = destination.to_string();
    let read = |row: &dyn store::Row| {
        let number = u32::try_from(row.integer(2)?).map_err(|_| StoreError::Damaged("queue: entry".into()))?;
        let id = EntryId { message: Arc::from(row.text(1)?), number };
        Ok(Due { since: UnixMillis(row.integer(0)?), id })
    };
    let rows = "SELECT due, message, number FROM queue_entry WHERE destination = $1 AND state = 0 AND due <= $2";
    let order = "ORDER BY due, message, number LIMIT $3";
    let first = [Value::Text(&name), until.0.into(), limit.into()];
    match after {
        None => query_all(snapshot, &format!("{rows} {order}"), &first, read),
        Some(after) => {
            let [name, until, limit] = first;
            let behind = [after.since.0.into(), Value::Text(&after.id.message), after.id.number.into()];
            let [since, message, number] = behind;
            let sql = format!("{rows} AND (due, message, number) > ($4, $5, $6) {order}");
            query_all(snapshot, &sql, &[name, until, limit, since, message, number], read)
        }
    }
}
