//! Threads that read, each with a connection of its own. The one used last is used first: after a busy hour a client alone
//! finds one warm thread, not a turn in a pool of hundreds.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::statement::View;
use super::{engine_error, open_reader};
use crate::EngineError;
use crate::blob::Blobs;
use crate::engine::ReadJob;
use crate::metrics::Metrics;

/// The threads, started when first needed.
pub(super) struct Readers {
    /// As many as threads: whoever holds one finds a thread idle, or may start one.
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    idle: Mutex<Idle>,
    path: PathBuf,
    blobs: Blobs,
    metrics: Arc<Metrics>,
    /// For the checkpointer's syncs. Last here, so that it is closed after the connections: closing any descriptor of a file
    /// gives up the process's locks on it.
    _database: Arc<File>,
}

#[derive(Default)]
struct Idle {
    seats: Vec<Sender<Turn>>,
    closed: bool,
}

/// One read, and what its thread needs to be found again.
struct Turn {
    job: ReadJob,
    /// The thread's own: dropped instead of given back, it ends the thread.
    seat: Sender<Turn>,
    permit: OwnedSemaphorePermit,
    ended: oneshot::Sender<()>,
}

impl Readers {
    /// At most `count` reads at a time.
    pub(super) fn new(
        count: usize,
        path: PathBuf,
        blobs: Blobs,
        metrics: Arc<Metrics>,
        database: Arc<File>,
    ) -> Readers {
        let shared = Shared { idle: Mutex::default(), path, blobs, metrics, _database: database };
        Readers { permits: Arc::new(Semaphore::new(count.max(1))), shared: Arc::new(shared), threads: Mutex::default() }
    }

    /// Runs a job to its end, which comes also when the caller stops waiting.
    pub(super) async fn read(&self, job: ReadJob) {
        let Ok(permit) = self.permits.clone().acquire_owned().await else { return job(Err(EngineError::Closed)) };
        let (ended, end) = oneshot::channel();
        let seat = self.shared.idle().seats.pop();
        match seat.map_or_else(|| self.start(), Ok) {
            Ok(seat) => {
                // A thread whose seat is here waits for its turn.
                if let Err(refused) = seat.clone().send(Turn { job, seat, permit, ended }) {
                    (refused.0.job)(Err(EngineError::Closed));
                }
            }
            Err(error) => job(Err(error)),
        }
        let _ = end.await;
    }

    fn start(&self) -> Result<Sender<Turn>, EngineError> {
        let (seat, turns) = channel();
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name("store-reader".into())
            .spawn(move || shared.serve(&turns))
            .map_err(|error| EngineError::Other(format!("starting a reader thread: {error}")))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(seat)
    }

    /// Lets running reads end, and closes every connection.
    pub(super) fn close(&self) {
        self.permits.close();
        {
            let mut idle = self.shared.idle();
            idle.closed = true;
            idle.seats.clear();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let ourselves = std::thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != ourselves) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, turns: &Receiver<Turn>) {
        let mut connection = None;
        while let Ok(Turn { job, seat, permit, ended }) = turns.recv() {
            let lent = connection.take();
            // A job that panics costs its connection, and its caller learns that no answer comes.
            connection = catch_unwind(AssertUnwindSafe(|| self.run(lent, job))).unwrap_or_default();
            let mut idle = self.idle();
            if !idle.closed {
                idle.seats.push(seat);
            }
            drop(idle);
            // Only now, so that the caller's next read finds this thread.
            drop(permit);
            let _ = ended.send(());
        }
    }

    /// Runs the job in a transaction, and gives the connection back while it is of use.
    fn run(&self, lent: Option<Connection>, job: ReadJob) -> Option<Connection> {
        Metrics::count(&self.metrics.reads, 1);
        let connection = match lent.map_or_else(|| open_reader(&self.path), Ok) {
            Ok(connection) => connection,
            Err(error) => {
                job(Err(error));
                return None;
            }
        };
        match connection.prepare_cached("BEGIN").and_then(|mut begin| begin.execute([])) {
            Ok(_) => job(Ok(&mut View { connection: &connection, blobs: &self.blobs, failure: None })),
            Err(error) => job(Err(engine_error(&error))),
        }
        let ended = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        ended.is_ok().then_some(connection)
    }
}
