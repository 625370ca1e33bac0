//! Moves pages from the log to the database, beside the writer, on a connection of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;

use super::{configure, engine_error, pragma};
use crate::engine::Health;
use crate::metrics::Metrics;
use crate::{EngineError, StoreError};

/// Pages in the log from which it is moved along, while the writer goes on: 8 MiB.
const PASSIVE_PAGES: u64 = 2_048;

/// Pages from which the log is emptied, for which the writer waits: 128 MiB. A log that is never without a reader or a
/// writer at the right moment would grow without end.
const TRUNCATE_PAGES: u64 = 32_768;

/// Starts the thread; it ends when the sender, which the writer holds, is gone.
pub(super) fn start(
    path: &Path,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> Result<(JoinHandle<()>, SyncSender<u64>), StoreError> {
    let connection = Connection::open(path).map_err(|error| engine_error(&error))?;
    configure(&connection)?;
    pragma(&connection, "synchronous = FULL")?;
    pragma(&connection, "wal_autocheckpoint = 0")?;
    let (sender, receiver) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || run(&connection, &receiver, &metrics, &health))
        .map_err(|error| EngineError::Other(format!("starting the checkpoint thread: {error}")))?;
    Ok((thread, sender))
}

fn run(connection: &Connection, pages: &Receiver<u64>, metrics: &Metrics, health: &Health) {
    while let Ok(count) = pages.recv() {
        if health.is_poisoned() {
            return;
        }
        if count >= PASSIVE_PAGES {
            checkpoint(connection, "PASSIVE", metrics, health);
        }
        if count >= TRUNCATE_PAGES {
            checkpoint(connection, "TRUNCATE", metrics, health);
        }
    }
    if !health.is_poisoned() {
        checkpoint(connection, "TRUNCATE", metrics, health);
    }
}

fn checkpoint(connection: &Connection, mode: &str, metrics: &Metrics, health: &Health) {
    let start = Instant::now();
    let done = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(0));
    Metrics::time(&metrics.checkpoint_microseconds, &metrics.checkpoint_microseconds_max, start.elapsed());
    Metrics::count(&metrics.checkpoints, 1);
    match done.map_err(|error| engine_error(&error)) {
        Ok(_) | Err(EngineError::Collision) => {}
        // The log still has everything: room may come back.
        Err(EngineError::Full) => tracing::warn!("no room to move the log into the database"),
        // But a failed sync of the database must not be followed by a log that starts anew.
        Err(error) => {
            health.poison("checkpointing", &error);
        }
    }
}
