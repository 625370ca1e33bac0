//! SQLite: one writer thread that commits in groups, readers on connections of their own, a third thread that checkpoints.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;

use super::{Engine, Health, Job, ReadJob};
use crate::blob::Blobs;
use crate::change_feed::ChangeFeed;
use crate::disk::disk_error;
use crate::metrics::Metrics;
use crate::{EngineError, StoreError};

mod checkpoint;
mod frozen;
mod readers;
mod statement;
mod writer;

pub(crate) use frozen::Frozen;
use readers::Readers;

/// Transactions that may wait for the writer; whoever comes then waits to be taken.
const WAITING_MAX: usize = 1_024;

/// Times the lock is tried, 100 ms apart.
const LOCK_TRIES: u32 = 20;

/// How long a connection waits for another's lock.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Prepared statements kept for each connection.
const STATEMENTS_MAX: usize = 256;

/// What an engine shares with the store.
pub(crate) struct Parts {
    pub blobs: Blobs,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub feed: Arc<ChangeFeed>,
}

/// The engine.
pub(crate) struct Sqlite {
    path: PathBuf,
    writer: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    readers: Readers,
    /// Held against a second process; the system gives it up with ours, however that ends.
    lock: Mutex<Option<File>>,
}

impl Sqlite {
    pub(crate) fn open(folder: &Path, readers: usize, parts: Parts) -> Result<Sqlite, StoreError> {
        let path = folder.join("sceau.sqlite");
        let lock = take_lock(&folder.join("sceau.lock"))?;
        let connection = open_writer(&path)?;
        let (blobs, metrics, health) = (parts.blobs.clone(), parts.metrics.clone(), parts.health.clone());
        let writer_health = health.clone();
        let database = Arc::new(File::open(&path).map_err(|error| disk_error("opening the database", &error))?);
        let mut writer = writer::Writer::new(connection, parts)?;
        writer.migrate()?;
        let checkpoint::Checkpointer { thread: checkpointer, pages, gate } =
            checkpoint::start(&path, database.clone(), metrics.clone(), health)?;
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                let run = AssertUnwindSafe(|| writer.run(receiver, &pages, &gate));
                if catch_unwind(run).is_err() {
                    writer_health.poison("writing", &"the writer panicked");
                }
            })
            .map_err(|error| EngineError::Other(format!("starting the writer thread: {error}")))?;
        let readers = Readers::new(readers, path.clone(), blobs, metrics, database);
        let threads = Mutex::new(vec![thread, checkpointer]);
        Ok(Sqlite { path, writer: Mutex::new(Some(sender)), threads, readers, lock: Mutex::new(Some(lock)) })
    }
}

/// One process at a time: another would not wake our sessions, nor we its.
fn take_lock(path: &Path) -> Result<File, StoreError> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|error| disk_error("opening the lock", &error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A process that was killed a moment ago may still be going.
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(100)),
            Err(std::fs::TryLockError::Error(error)) => return Err(disk_error("taking the lock", &error).into()),
        }
    }
    let text = format!("{} is in use by another process: stop it, or use its admin socket", path.display());
    Err(EngineError::Other(text).into())
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_writer(path: &Path) -> Result<Connection, EngineError> {
    let connection = Connection::open(path).map_err(|error| engine_error(&error))?;
    configure(&connection)?;
    // Page size and journal mode belong to the file; the other settings to each connection. Checkpoints are the third
    // thread's: the writer never pays for one. FULL syncs the log at each commit.
    for setting in ["page_size = 4096", "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"] {
        pragma(&connection, setting)?;
    }
    pragma(&connection, "cache_size = -32768")?;
    // What a long reader made the log grow to, beyond twice what it needs, is given back when it starts anew.
    pragma(&connection, "journal_size_limit = 67108864")?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), EngineError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_timeout(BUSY_WAIT).map_err(|error| engine_error(&error))?;
    for setting in ["foreign_keys = ON", "temp_store = MEMORY", "trusted_schema = OFF"] {
        pragma(connection, setting)?;
    }
    Ok(())
}

fn pragma(connection: &Connection, setting: &str) -> Result<(), EngineError> {
    connection.execute_batch(&format!("PRAGMA {setting}")).map_err(|error| engine_error(&error))
}

/// The words of SQLite for a definition.
fn dialect(definition: &str) -> String {
    definition
        .replace("BIGINT", "INTEGER")
        .replace("BYTEA", "BLOB")
        .replace("/*clustered*/", "STRICT, WITHOUT ROWID")
        .replace("/*rows*/", "STRICT")
        .replace("id INTEGER NOT NULL PRIMARY KEY", "id INTEGER PRIMARY KEY")
}

impl Engine for Sqlite {
    fn submit(&self, job: Box<dyn Job>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let sender = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            match sender {
                Some(sender) => {
                    if let Err(refused) = sender.send(job).await {
                        refused.0.finish(Err(EngineError::Closed));
                    }
                }
                None => job.finish(Err(EngineError::Closed)),
            }
        })
    }

    fn read(&self, job: ReadJob) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.readers.read(job))
    }

    fn copy_to(&self, folder: &Path) -> Result<(), StoreError> {
        let connection = open_reader(&self.path)?;
        // VACUUM INTO writes to another file, which query_only does not know.
        pragma(&connection, "query_only = OFF")?;
        let to = folder.join("sceau.sqlite");
        // SQLite fills an empty file: ours is nobody else's to read, wherever the folder lies.
        let private = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
        private.map_err(|error| disk_error("writing the backup", &error))?;
        let to = to.to_str().ok_or_else(|| EngineError::Other("the folder's name is not UTF-8".into()))?;
        connection.execute("VACUUM INTO ?1", [to]).map_err(|error| engine_error(&error))?;
        Ok(())
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let connection = open_reader(&self.path)?;
        let mut check = connection.prepare("PRAGMA integrity_check").map_err(|error| engine_error(&error))?;
        let lines = check
            .query_map([], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<Result<Vec<String>, _>>)
            .map_err(|error| engine_error(&error))?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    fn reusable_octets(&self) -> Result<u64, StoreError> {
        let connection = open_reader(&self.path)?;
        let figure =
            |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| engine_error(&error));
        let pages = figure("PRAGMA freelist_count")?.unsigned_abs();
        Ok(pages.saturating_mul(figure("PRAGMA page_size")?.unsigned_abs()))
    }

    fn close(&self) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let ourselves = std::thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != ourselves) {
            let _ = thread.join();
        }
        self.readers.close();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn open_reader(path: &Path) -> Result<Connection, EngineError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| engine_error(&error))?;
    configure(&connection)?;
    pragma(&connection, "cache_size = -4096")?;
    pragma(&connection, "query_only = ON")?;
    Ok(connection)
}

/// What SQLite's codes mean to us.
fn engine_error(error: &rusqlite::Error) -> EngineError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => EngineError::Full,
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            EngineError::Disk(error.to_string())
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => EngineError::Disk(error.to_string()),
        Some(ErrorCode::ConstraintViolation) => EngineError::Constraint(error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => EngineError::Collision,
        _ => EngineError::Other(error.to_string()),
    }
}
