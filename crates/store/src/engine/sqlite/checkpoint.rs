//! Moves pages from the log to the database, on a connection of its own, so that no commit pays for it.
//!
//! Most of the work is done beside the writer. The log can only start anew when nothing in it is left to move, so for the
//! last few pages the writer is held between two groups; then it overwrites the log from its beginning, which also spares
//! each commit the growth of the file.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{BUSY_WAIT, configure, engine_error, pragma};
use crate::engine::Health;
use crate::metrics::Metrics;
use crate::{EngineError, StoreError};

/// Pages in the log from which it is moved: 32 MiB. More spares writes of pages that change often, and costs time after a
/// crash.
const LOG_PAGES: u64 = 8_192;

/// Pages the log grows by before it is tried again, when a reader such as a backup held it.
const AGAIN_PAGES: u64 = 2_048;

/// Pages few enough to hold the writer for.
const HELD_PAGES: u64 = 512;

/// Rounds beside the writer before it is held in any case.
const ROUNDS_MAX: u32 = 4;

/// How long readers are waited for when the log is given back: the writer is held meanwhile.
const GIVE_BACK_WAIT: Duration = Duration::from_millis(50);

/// Who may write to the log now.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    writing: bool,
    held: bool,
}

impl Gate {
    /// Waits while the writer is held, then writes.
    pub(super) fn write<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut state = self.lock();
        while state.held {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        drop(state);
        let answer = work();
        self.lock().writing = false;
        self.changed.notify_all();
        answer
    }

    fn hold(&self, work: impl FnOnce()) {
        let mut state = self.lock();
        state.held = true;
        while state.writing {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        // Let go also if the work panics: nobody could write any more.
        let _held = Held(self);
        work();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Held<'g>(&'g Gate);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lock().held = false;
        self.0.changed.notify_all();
    }
}

/// The thread, and how the writer tells it how many pages the log has; it ends when the sender is gone.
pub(super) struct Checkpointer {
    pub thread: JoinHandle<()>,
    pub pages: SyncSender<u64>,
    pub gate: Arc<Gate>,
}

pub(super) fn start(
    path: &Path,
    database: Arc<File>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> Result<Checkpointer, StoreError> {
    let connection = Connection::open(path).map_err(|error| engine_error(&error))?;
    configure(&connection)?;
    pragma(&connection, "synchronous = FULL")?;
    pragma(&connection, "wal_autocheckpoint = 0")?;
    let (pages, receiver) = sync_channel(1);
    let gate = Arc::new(Gate::default());
    let worker = Worker { connection, database, metrics, health, gate: gate.clone() };
    let thread = std::thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || worker.run(&receiver))
        .map_err(|error| EngineError::Other(format!("starting the checkpoint thread: {error}")))?;
    Ok(Checkpointer { thread, pages, gate })
}

struct Worker {
    connection: Connection,
    database: Arc<File>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    gate: Arc<Gate>,
}

impl Worker {
    fn run(&self, pages: &Receiver<u64>) {
        let mut next = LOG_PAGES;
        while let Ok(count) = pages.recv() {
            if self.health.is_poisoned() {
                return;
            }
            if self.health.log_is_wanted_back() {
                self.give_back();
                next = LOG_PAGES;
            } else if count < LOG_PAGES {
                next = LOG_PAGES;
            } else if count >= next {
                self.move_pages();
                next = count + AGAIN_PAGES;
            }
        }
        if !self.health.is_poisoned() {
            self.checkpoint("TRUNCATE");
        }
    }

    fn move_pages(&self) {
        // SQLite syncs the database only with the last page of the log, for which the writer is held: most of it is made
        // durable before. Each round leaves what came during it, which is less than before.
        for _ in 0..ROUNDS_MAX {
            let Some(left) = self.checkpoint("PASSIVE") else { return };
            if let Err(error) = self.database.sync_data() {
                self.health.poison("checkpointing", &error);
                return;
            }
            if left < HELD_PAGES {
                break;
            }
        }
        // Passive: a reader that needs pages of the log makes this end early, not wait.
        let start = Instant::now();
        self.gate.hold(|| _ = self.checkpoint("PASSIVE"));
        let metrics = &self.metrics;
        Metrics::time(&metrics.writer_held_microseconds, &metrics.writer_held_microseconds_max, start.elapsed());
    }

    /// Room on the disk is short: the log becomes empty, not only used again.
    fn give_back(&self) {
        self.move_pages();
        // While a reader needs the log the next look tries again; the writer is not held for it.
        let _ = self.connection.busy_timeout(GIVE_BACK_WAIT);
        self.gate.hold(|| _ = self.checkpoint("TRUNCATE"));
        let _ = self.connection.busy_timeout(BUSY_WAIT);
    }

    /// Answers the pages left to move.
    fn checkpoint(&self, mode: &str) -> Option<u64> {
        let start = Instant::now();
        let done = self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let metrics = &self.metrics;
        Metrics::time(&metrics.checkpoint_microseconds, &metrics.checkpoint_microseconds_max, start.elapsed());
        Metrics::count(&metrics.checkpoints, 1);
        match done.map_err(|error| engine_error(&error)) {
            Ok((log, moved)) => Some((log - moved).unsigned_abs()),
            Err(EngineError::Collision) => None,
            // The log still has everything: room may come back.
            Err(EngineError::Full) => {
                tracing::warn!("no room to move the log into the database");
                None
            }
            // A failed sync of the database must not be followed by a log that starts anew.
            Err(error) => {
                self.health.poison("checkpointing", &error);
                None
            }
        }
    }
}
