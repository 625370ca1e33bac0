//! The seam between the store's logic and what runs it.
//!
//! Statements are portable SQL with `$n` parameters. A closure given to an engine may be run again (SQLite drops a whole
//! group on FULL or IOERR, PostgreSQL answers 40001 or 40P01): it has no effect besides its statements and its notices.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Change, EngineError, StoreError};

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sqlite;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// NULL
    Null,
    /// BIGINT
    Integer(i64),
    /// TEXT
    Text(&'a str),
    /// BYTEA
    Octets(&'a [u8]),
}

/// One row of an answer; columns count from 0.
pub trait Row {
    /// A BIGINT.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds another type.
    fn integer(&self, column: usize) -> Result<i64, StoreError>;
    /// A BIGINT or NULL.
    ///
    /// # Errors
    /// As [`Row::integer`].
    fn integer_or_null(&self, column: usize) -> Result<Option<i64>, StoreError>;
    /// A TEXT; NULL reads as empty.
    ///
    /// # Errors
    /// As [`Row::integer`].
    fn text(&self, column: usize) -> Result<&str, StoreError>;
    /// A BYTEA; NULL reads as empty.
    ///
    /// # Errors
    /// As [`Row::integer`].
    fn octets(&self, column: usize) -> Result<&[u8], StoreError>;
}

/// What is called with each row; it may break off.
pub type OnRow<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, StoreError>;

/// A consistent view of the store. Short: no reader waits for a socket while it holds one.
pub trait Snapshot {
    /// Runs a SELECT (or a statement with RETURNING, in a transaction).
    ///
    /// # Errors
    /// The engine's, or what `on_row` answers.
    fn query(&mut self, sql: &str, parameters: &[Value<'_>], on_row: OnRow<'_>) -> Result<(), StoreError>;

    /// Where blobs are, for reading within this view.
    fn blobs(&self) -> &crate::blob::Blobs;
}

/// A view that can be written to.
pub trait Transaction: Snapshot {
    /// Runs a statement; answers the number of rows it touched.
    ///
    /// # Errors
    /// The engine's.
    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<u64, EngineError>;

    /// To be told to sessions after the commit.
    fn notify(&mut self, change: Change);

    /// Asked by what takes more room: refused while free space is under the reserve, so that what makes room still commits.
    ///
    /// # Errors
    /// [`EngineError::Full`].
    fn accepting(&self) -> Result<(), EngineError>;
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Integer(i64::from(number))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Value::Octets(octets)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// Reads at most one row.
///
/// # Errors
/// The engine's, or what `read` answers.
pub fn query_row<T>(
    snapshot: &mut dyn Snapshot,
    sql: &str,
    parameters: &[Value<'_>],
    read: impl Fn(&dyn Row) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut found = None;
    snapshot.query(sql, parameters, &mut |row| {
        found = Some(read(row)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Reads every row.
///
/// # Errors
/// The engine's, or what `read` answers.
pub fn query_all<T>(
    snapshot: &mut dyn Snapshot,
    sql: &str,
    parameters: &[Value<'_>],
    read: impl Fn(&dyn Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    snapshot.query(sql, parameters, &mut |row| {
        found.push(read(row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// What a transaction's closure, its answer and their types are to an engine.
pub(crate) trait Job: Send {
    /// Runs the closure and keeps its answer. False when it answered an error: its statements are then undone.
    fn run(&mut self, tx: &mut dyn Transaction) -> bool;
    /// Gives the answer, now that it is durable, or the engine's error instead.
    fn finish(self: Box<Self>, outcome: Result<(), EngineError>);
}

/// A read, run once.
pub(crate) type ReadJob = Box<dyn FnOnce(Result<&mut dyn Snapshot, EngineError>) + Send>;

/// What runs transactions.
pub(crate) trait Engine: Send + Sync {
    /// Takes a transaction; waits while too many are waiting.
    fn submit(&self, job: Box<dyn Job>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Runs a read on a thread that may block.
    fn read(&self, job: ReadJob) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Writes a consistent copy of the database into a folder, while transactions go on. Blocks.
    fn copy_to(&self, folder: &std::path::Path) -> Result<(), StoreError>;
    /// What the engine finds wrong with its own files. Blocks.
    fn integrity(&self) -> Result<Vec<String>, StoreError>;
    /// Octets its files hold that contain nothing and are used again. Blocks.
    fn reusable_octets(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
    /// Finishes what was taken, then stops. Blocks.
    fn close(&self);
}

/// Whether the store may be written to.
pub(crate) struct Health {
    poisoned: tokio::sync::watch::Sender<bool>,
    reserve_octets: u64,
    /// Octets of the database file that hold nothing.
    reusable_octets: AtomicU64,
    /// The log's octets are wanted back.
    log_wanted: AtomicBool,
}

impl Health {
    pub(crate) fn new(reserve_octets: u64) -> Health {
        let (reusable_octets, log_wanted) = (AtomicU64::new(0), AtomicBool::new(false));
        Health { poisoned: tokio::sync::watch::Sender::new(false), reserve_octets, reusable_octets, log_wanted }
    }

    /// A sync failed: what the disk holds is unknown until a restart reads it.
    pub(crate) fn poison(&self, doing: &str, error: &dyn std::fmt::Display) -> EngineError {
        tracing::error!(doing, %error, "a sync failed: the store takes nothing more until it is opened again");
        self.poisoned.send_replace(true);
        EngineError::Poisoned
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        *self.poisoned.borrow()
    }

    pub(crate) fn watch(&self) -> tokio::sync::watch::Receiver<bool> {
        self.poisoned.subscribe()
    }

    pub(crate) fn reserve_octets(&self) -> u64 {
        self.reserve_octets
    }

    pub(crate) fn set_reusable(&self, octets: u64) {
        self.reusable_octets.store(octets, Ordering::Relaxed);
    }

    pub(crate) fn ask_log_back(&self) {
        self.log_wanted.store(true, Ordering::Release);
    }

    pub(crate) fn log_is_wanted_back(&self) -> bool {
        self.log_wanted.swap(false, Ordering::AcqRel)
    }

    /// Refuses what takes room while free space is under the reserve. What the database can use again counts, as long as half
    /// of the reserve is really free: the log and files need that.
    pub(crate) fn check_space(&self, blobs: &crate::blob::Blobs) -> Result<(), EngineError> {
        if self.is_poisoned() {
            return Err(EngineError::Poisoned);
        }
        match blobs.disk.free_octets(&blobs.folder) {
            Ok(free) if !self.is_enough(free) => Err(EngineError::Full),
            // A file system that cannot say how much is free does not stop the mail; writing will tell.
            _ => Ok(()),
        }
    }

    fn is_enough(&self, free: u64) -> bool {
        let reusable = self.reusable_octets.load(Ordering::Relaxed);
        free >= self.reserve_octets
            || (free >= self.reserve_octets / 2 && free.saturating_add(reusable) >= self.reserve_octets)
    }
}
