//! Failed sign-ins, kept across restarts so that a throttle is not reset by one.

use crate::engine::query_row;
use crate::{Snapshot, StoreError, Transaction, UnixMillis};

/// The failures of one subject: an account, an address, a pair of them; the caller chooses the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many since the first.
    pub count: u32,
    /// The first.
    pub first_at: UnixMillis,
    /// The last.
    pub last_at: UnixMillis,
}

/// Failures of a subject.
///
/// # Errors
/// The engine's.
pub fn find(snapshot: &mut dyn Snapshot, subject: &str) -> Result<Option<Failures>, StoreError> {
    query_row(
        snapshot,
        "SELECT failures, first_at, last_at FROM login_failure WHERE subject = $1",
        &[subject.into()],
        |row| {
            Ok(Failures {
                count: u32::try_from(row.integer(0)?).unwrap_or(u32::MAX),
                first_at: UnixMillis(row.integer(1)?),
                last_at: UnixMillis(row.integer(2)?),
            })
        },
    )
}

/// Counts one more.
///
/// # Errors
/// The engine's.
pub fn record(tx: &mut dyn Transaction, subject: &str, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO login_failure (subject, failures, first_at, last_at) VALUES ($1, 1, $2, $2) \
         ON CONFLICT (subject) DO UPDATE SET failures = login_failure.failures + 1, last_at = excluded.last_at",
        &[subject.into(), now.0.into()],
    )?;
    Ok(())
}

/// Forgets a subject, at once.
///
/// # Errors
/// The engine's.
pub fn clear(tx: &mut dyn Transaction, subject: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM login_failure WHERE subject = $1", &[subject.into()])?;
    Ok(())
}

/// Forgets every subject whose last failure is older.
///
/// # Errors
/// The engine's.
pub fn forget_before(tx: &mut dyn Transaction, time: UnixMillis) -> Result<u64, StoreError> {
    Ok(tx.execute("DELETE FROM login_failure WHERE last_at < $1", &[time.0.into()])?)
}
