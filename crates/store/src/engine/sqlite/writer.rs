//! The writer: takes what is waiting, runs each closure in its savepoint, commits once, then answers.
//!
//! No timer: a lone message never waits for company, and company gathers by itself while the log is synced.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tokio::sync::mpsc::Receiver;

use super::checkpoint::Gate;
use super::statement::View;
use super::{Parts, dialect, engine_error};
use crate::blob::Blobs;
use crate::engine::{Job, OnRow, Snapshot, Transaction, Value};
use crate::metrics::Metrics;
use crate::{Change, EngineError, StoreError};

/// Transactions in one commit: bounds how long the first of them waits for the others.
const GROUP_MAX: usize = 256;

thread_local! {
    /// Pages in the log after the last commit of this thread: SQLite tells its hook, which is a plain function.
    static LOG_PAGES: Cell<u64> = const { Cell::new(0) };
}

pub(super) struct Writer {
    connection: Connection,
    parts: Parts,
}

/// What a closure sees: a view that can be written to.
struct Writing<'w> {
    view: View<'w>,
    parts: &'w Parts,
    changes: Vec<Change>,
    /// SQLite's word for a failure that a COMMIT must not follow.
    broken: bool,
}

/// What became of one closure.
enum Ran {
    /// Its statements stand.
    Accepted,
    /// It answered an error; its statements are undone, its answer stays.
    Refused,
    /// The engine failed under it: the transaction is lost with all that ran before it.
    Failed(EngineError),
}

impl Writer {
    pub(super) fn new(connection: Connection, parts: Parts) -> Result<Writer, EngineError> {
        connection.wal_hook(Some(note_pages));
        Ok(Writer { connection, parts })
    }

    pub(super) fn migrate(&mut self) -> Result<(), StoreError> {
        self.begin()?;
        let mut writing = self.writing();
        let migrated = crate::schema::migrate(&mut writing, &dialect);
        match migrated {
            Ok(()) => Ok(self.statement("COMMIT")?),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// Works until every sender is gone.
    pub(super) fn run(&mut self, mut waiting: Receiver<Box<dyn Job>>, pages: &SyncSender<u64>, gate: &Gate) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while let Some(first) = waiting.blocking_recv() {
            group.push(first);
            while group.len() < GROUP_MAX {
                match waiting.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => break,
                }
            }
            gate.write(|| self.commit_together(&mut group));
            let count = LOG_PAGES.get();
            self.parts.metrics.log_pages.store(count, std::sync::atomic::Ordering::Relaxed);
            // A full channel means that the checkpointer is at work already.
            let _ = pages.try_send(count);
        }
    }

    fn commit_together(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let metrics = self.parts.metrics.clone();
        Metrics::count(&metrics.transactions, group.len() as u64);
        metrics.group_max.fetch_max(group.len() as u64, std::sync::atomic::Ordering::Relaxed);
        let mut attempted = self.attempt(group);
        // What takes room was refused before: it is deleting that found no room to be written down.
        if attempted == Err(EngineError::Full) && crate::room::drop_ballast(&self.parts.blobs) {
            tracing::warn!("the disk is full: what was set aside for deleting is used");
            attempted = self.attempt(group);
        }
        match attempted {
            Ok(()) => group.drain(..).for_each(|job| job.finish(Ok(()))),
            Err(error @ (EngineError::Poisoned | EngineError::Closed)) => {
                group.drain(..).for_each(|job| job.finish(Err(error.clone())));
            }
            Err(error) if group.len() == 1 => group.drain(..).for_each(|job| job.finish(Err(error.clone()))),
            Err(error) => {
                tracing::warn!(%error, transactions = group.len(), "a group was rolled back: running each alone");
                Metrics::count(&metrics.groups_rerun, 1);
                for mut job in group.drain(..) {
                    let outcome = self.attempt(std::slice::from_mut(&mut job));
                    job.finish(outcome);
                }
            }
        }
    }

    /// One BEGIN to COMMIT. After an error nothing of it stands.
    fn attempt(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), EngineError> {
        if self.parts.health.is_poisoned() {
            return Err(EngineError::Poisoned);
        }
        self.begin()?;
        let mut changes = Vec::new();
        for job in group.iter_mut() {
            match self.run_one(job, &mut changes) {
                Ran::Accepted => {}
                Ran::Refused => Metrics::count(&self.parts.metrics.refused, 1),
                Ran::Failed(error) => {
                    self.roll_back();
                    return Err(error);
                }
            }
        }
        self.commit()?;
        self.parts.feed.publish(&changes);
        Ok(())
    }

    fn run_one(&mut self, job: &mut Box<dyn Job>, changes: &mut Vec<Change>) -> Ran {
        if let Err(error) = self.statement("SAVEPOINT one") {
            return Ran::Failed(error);
        }
        let mut writing = self.writing();
        // A panic in a closure is a mistake of ours: it must not take the writer, and everybody's mail, with it.
        let accepted = catch_unwind(AssertUnwindSafe(|| job.run(&mut writing)));
        let (broken, said) = (writing.broken.then_some(writing.view.failure).flatten(), writing.changes);
        if let Some(error) = broken {
            return Ran::Failed(error);
        }
        let (end, ran) = match accepted {
            Ok(true) => ("RELEASE one", Ran::Accepted),
            Ok(false) => ("ROLLBACK TO one", Ran::Refused),
            Err(_) => {
                tracing::error!("a transaction panicked");
                return Ran::Failed(EngineError::Other("a transaction panicked".into()));
            }
        };
        let ended = self.statement(end).and_then(|()| match ran {
            Ran::Refused => self.statement("RELEASE one"),
            _ => Ok(()),
        });
        match (ended, &ran) {
            (Err(error), _) => return Ran::Failed(error),
            (Ok(()), Ran::Accepted) => changes.extend(said),
            (Ok(()), _) => {}
        }
        ran
    }

    fn commit(&mut self) -> Result<(), EngineError> {
        let start = Instant::now();
        let committed = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        let metrics = &self.parts.metrics;
        Metrics::time(&metrics.commit_microseconds, &metrics.commit_microseconds_max, start.elapsed());
        match committed.map_err(|error| engine_error(&error)) {
            Ok(_) => {
                Metrics::count(&metrics.commits, 1);
                Ok(())
            }
            Err(EngineError::Full) => {
                self.roll_back();
                Err(EngineError::Full)
            }
            // Whether the log holds these frames is unknown, and a second sync may lie (fsyncgate).
            Err(error) => {
                self.roll_back();
                Err(self.parts.health.poison("committing", &error))
            }
        }
    }

    fn begin(&mut self) -> Result<(), EngineError> {
        self.statement("BEGIN IMMEDIATE")
    }

    fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.statement("ROLLBACK")
        {
            self.parts.health.poison("rolling back", &error);
        }
    }

    fn statement(&self, sql: &str) -> Result<(), EngineError> {
        let ran = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        ran.map(|_| ()).map_err(|error| engine_error(&error))
    }

    fn writing(&self) -> Writing<'_> {
        let view = View { connection: &self.connection, blobs: &self.parts.blobs, failure: None };
        Writing { view, parts: &self.parts, changes: Vec::new(), broken: false }
    }
}

impl Writing<'_> {
    fn note(&mut self) {
        // FULL and IOERR may have rolled back everything, the savepoint included; a constraint undoes its statement alone.
        let fatal =
            matches!(self.view.failure, Some(EngineError::Full | EngineError::Disk(_) | EngineError::Collision));
        self.broken |= fatal || self.view.connection.is_autocommit();
    }
}

impl Snapshot for Writing<'_> {
    fn query(&mut self, sql: &str, parameters: &[Value<'_>], on_row: OnRow<'_>) -> Result<(), StoreError> {
        let answer = self.view.query(sql, parameters, on_row);
        if answer.is_err() {
            self.note();
        }
        answer
    }

    fn blobs(&self) -> &Blobs {
        &self.parts.blobs
    }
}

impl Transaction for Writing<'_> {
    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<u64, EngineError> {
        let answer = self.view.execute(sql, parameters);
        if answer.is_err() {
            self.note();
        }
        answer
    }

    fn notify(&mut self, change: Change) {
        self.changes.push(change);
    }

    fn accepting(&self) -> Result<(), EngineError> {
        self.parts.health.check_space(&self.parts.blobs)
    }
}

fn note_pages(_: &Wal, pages: std::ffi::c_int) -> rusqlite::Result<()> {
    LOG_PAGES.set(u64::try_from(pages).unwrap_or(0));
    Ok(())
}
