//! Figures of the queue, for metrics: a bounded number of destinations by name, the others together.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use store::engine::{query_all, query_row};
use store::{Snapshot, StoreError, UnixMillis};

/// What waits for one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The destination; [`OTHERS`] for all that are not named.
    pub destination: String,
    /// Entries that wait.
    pub waiting: u64,
    /// Entries that are held.
    pub held: u64,
    /// When the oldest message came.
    pub oldest: UnixMillis,
}

/// The name of all destinations that have none of their own.
pub const OTHERS: &str = "others";

/// What waits, the longest queues first, `named` of them by name.
///
/// # Errors
/// The engine's.
pub fn depths(snapshot: &mut dyn Snapshot, named: u32) -> Result<Vec<Depth>, StoreError> {
    let sql = "SELECT e.destination, CAST(sum(1 - e.state) AS BIGINT), CAST(sum(e.state) AS BIGINT), min(m.created) \
               FROM queue_entry e, queue_message m WHERE m.name = e.message GROUP BY e.destination \
               ORDER BY count(*) DESC, e.destination";
    let mut depths = query_all(snapshot, sql, &[], |row| {
        Ok(Depth {
            destination: row.text(0)?.to_owned(),
            waiting: row.integer(1)?.unsigned_abs(),
            held: row.integer(2)?.unsigned_abs(),
            oldest: UnixMillis(row.integer(3)?),
        })
    })?;
    let rest = depths.split_off(depths.len().min(usize::try_from(named).unwrap_or(usize::MAX)));
    depths.extend(rest.into_iter().reduce(|sum, next| Depth {
        destination: OTHERS.to_owned(),
        waiting: sum.waiting + next.waiting,
        held: sum.held + next.held,
        oldest: sum.oldest.min(next.oldest),
    }));
    if let Some(last) = depths.get_mut(usize::try_from(named).unwrap_or(usize::MAX)) {
        last.destination = OTHERS.to_owned();
    }
    Ok(depths)
}

/// Entries in the queue.
///
/// # Errors
/// The engine's.
pub fn total(snapshot: &mut dyn Snapshot) -> Result<u64, StoreError> {
    let count = query_row(snapshot, "SELECT count(*) FROM queue_entry", &[], |row| row.integer(0))?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

/// Gives names of metrics to destinations: the first ones that come have their own.
#[derive(Debug)]
pub struct Names {
    max: usize,
    named: Mutex<HashSet<String>>,
}

impl Names {
    /// At most so many names.
    pub fn new(max: usize) -> Names {
        Names { max, named: Mutex::default() }
    }

    /// The name of a destination, or [`OTHERS`].
    pub fn of(&self, destination: &str) -> String {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.contains(destination) || named.len() < self.max {
            named.insert(destination.to_owned());
            return destination.to_owned();
        }
        OTHERS.to_owned()
    }
}
