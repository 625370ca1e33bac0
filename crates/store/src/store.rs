//! The store as the server holds it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{oneshot, watch};

use crate::blob::{BlobId, BlobReader, Blobs, StageWriter, Swept};
use crate::change_feed::{ChangeFeed, Changes, QueueChanges};
use crate::disk::{Disk, RealDisk, disk_error};
use crate::engine::{Engine, Health, Job, Snapshot, Transaction, sqlite};
use crate::metrics::Metrics;
use crate::{AccountId, EngineError, StoreError, UnixMillis};

/// Where the store is and how it works. The defaults are what a single host needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds everything; created when missing.
    pub folder: PathBuf,
    /// The engine.
    pub engine: EngineConfig,
    /// Free octets below which nothing new is accepted, while what makes room still commits.
    pub reserve_octets: u64,
    /// Blobs up to so many octets are kept in the database (docs/adr/0003-blob-threshold.md).
    pub inline_octets_max: usize,
    /// Reads that may run at once.
    pub readers: usize,
}

/// Which engine runs the transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineConfig {
    /// SQLite, in the folder.
    Sqlite,
    /// PostgreSQL: a connection string as libpq writes it.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

/// Accounts, messages, mailboxes and events. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    stager: crate::blob::Stager,
    feed: Arc<ChangeFeed>,
    /// Held shared by backups, exclusively by the removal of blobs.
    removal: Arc<RwLock<()>>,
}

impl Config {
    /// Free octets below which nothing new is accepted, unless configured otherwise.
    pub const RESERVE_OCTETS: u64 = 256 << 20;
    /// Where blobs move from the database to files, as measured.
    pub const INLINE_OCTETS_MAX: usize = 64 << 10;
    /// Reads that may run at once, unless configured otherwise.
    pub const READERS: usize = 8;

    /// The defaults in a folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Config {
        Config {
            folder: folder.into(),
            engine: EngineConfig::Sqlite,
            reserve_octets: Config::RESERVE_OCTETS,
            inline_octets_max: Config::INLINE_OCTETS_MAX,
            readers: Config::READERS,
        }
    }
}

impl Store {
    /// Opens or creates the store. Blocks while it recovers what a crash left.
    ///
    /// # Errors
    /// The disk's, the engine's; a store written by a newer program.
    pub fn open(config: &Config) -> Result<Store, StoreError> {
        Store::open_on(config, Arc::new(RealDisk))
    }

    /// As [`Store::open`], with files on a disk of the caller's.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(config: &Config, disk: Arc<dyn Disk>) -> Result<Store, StoreError> {
        let blobs = Blobs { disk, folder: config.folder.join("blobs") };
        let prepare = |path: &PathBuf| {
            blobs.disk.create_folder(path).map_err(|error| disk_error("creating the store's folder", &error))
        };
        prepare(&config.folder)?;
        prepare(&blobs.folder)?;
        prepare(&blobs.staging())?;
        for path in [&blobs.folder, &config.folder] {
            blobs.disk.sync_folder(path).map_err(|error| disk_error("syncing the store's folder", &error))?;
        }
        let health = Arc::new(Health::new(config.reserve_octets));
        let metrics = Arc::new(Metrics::default());
        let feed = Arc::new(ChangeFeed::default());
        let parts = sqlite::Parts {
            blobs: blobs.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
            feed: feed.clone(),
        };
        let engine: Arc<dyn Engine> = match &config.engine {
            EngineConfig::Sqlite => Arc::new(sqlite::Sqlite::open(&config.folder, config.readers, parts)?),
            #[cfg(feature = "postgres")]
            EngineConfig::Postgres(url) => {
                Arc::new(crate::engine::postgres::Postgres::open(url, config.readers, parts)?)
            }
        };
        let stager = crate::blob::Stager {
            blobs,
            folders: Arc::default(),
            health,
            metrics,
            inline_octets_max: config.inline_octets_max,
        };
        Ok(Store(Arc::new(Inner { engine, stager, feed, removal: Arc::default() })))
    }

    /// Runs a closure as a transaction and answers once it is durable. It shares its commit with whatever waits at the same
    /// moment, and may be run more than once; an error it answers undoes its statements alone.
    ///
    /// # Errors
    /// The closure's, or the engine's.
    pub async fn transaction<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.0.engine.submit(Box::new(Typed { closure, output: None, answer })).await;
        answered.await.unwrap_or_else(|_| Err(EngineError::Closed.into()))
    }

    /// Runs a closure on a consistent view, off the async threads.
    ///
    /// # Errors
    /// The closure's, or the engine's.
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut dyn Snapshot) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move |snapshot: Result<&mut dyn Snapshot, EngineError>| {
            let _ = answer.send(match snapshot {
                Ok(snapshot) => closure(snapshot),
                Err(error) => Err(error.into()),
            });
        };
        self.0.engine.read(Box::new(job)).await;
        answered.await.unwrap_or_else(|_| Err(EngineError::Closed.into()))
    }

    /// Begins a blob. Refused at once while free space is under the reserve.
    ///
    /// # Errors
    /// [`EngineError::Full`], [`EngineError::Poisoned`].
    pub fn stage(&self) -> Result<StageWriter, StoreError> {
        let stager = &self.0.stager;
        stager.health.check_space(&stager.blobs)?;
        let mut random = [0; 10];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| EngineError::Other("no randomness".into()))?;
        Ok(StageWriter::new(BlobId::new(clock(), random), stager.clone()))
    }

    /// Opens a blob to read.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub async fn open_blob(&self, id: BlobId) -> Result<BlobReader, StoreError> {
        self.read(move |snapshot| {
            let blobs = snapshot.blobs().clone();
            blobs.open(snapshot, id)
        })
        .await
    }

    /// Listens to the changes of an account, from now on.
    pub fn changes(&self, account: AccountId) -> Changes {
        self.0.feed.listen(account)
    }

    /// Listens to the queue: what may be due since the last look.
    pub fn queue_changes(&self) -> QueueChanges {
        self.0.feed.listen_to_queue()
    }

    /// Becomes true when a sync failed: the server then answers 421, ends with a status other than 0, and starts again.
    pub fn poisoned(&self) -> watch::Receiver<bool> {
        self.0.stager.health.watch()
    }

    /// Whether new messages would be accepted now.
    ///
    /// # Errors
    /// [`EngineError::Full`], [`EngineError::Poisoned`].
    pub fn accepting(&self) -> Result<(), EngineError> {
        self.0.stager.health.check_space(&self.0.stager.blobs)
    }

    /// What it measured of itself.
    pub fn metrics(&self) -> &Metrics {
        &self.0.stager.metrics
    }

    /// Takes out what deleted mailboxes held, and removes blobs nothing refers to; no blob while a backup runs. To be called every few minutes.
    ///
    /// # Errors
    /// The engine's.
    pub async fn sweep(&self, now: UnixMillis) -> Result<Swept, StoreError> {
        let mut swept =
            Swept { blobs: self.sweep_unused(now, crate::blob::DYING_GRACE_MILLIS).await?, ..Swept::default() };
        let removal = self.0.removal.clone();
        swept.orphans = self
            .read(move |snapshot| {
                let Ok(_alone) = removal.try_write() else { return Ok::<_, StoreError>(0) };
                let blobs = snapshot.blobs().clone();
                crate::blob::sweep_orphans(snapshot, &blobs, now)
            })
            .await?;
        Ok(swept)
    }

    /// Removes the blobs that nothing refers to since a while; answers how many.
    pub(crate) async fn sweep_unused(&self, now: UnixMillis, grace_millis: i64) -> Result<u64, StoreError> {
        let mut swept = 0;
        while self.transaction(|tx| crate::entry::clear_removed(tx)).await? {}
        while self.transaction(move |tx| crate::entry::clear_released(tx, now)).await? {}
        loop {
            let blobs = self.0.stager.blobs.clone();
            let removal = self.0.removal.clone();
            // The row goes first: a crash in between leaves a file that nobody knows, which the search for orphans finds.
            let (files, removed) = self
                .transaction(move |tx| match removal.try_write() {
                    Ok(_) => crate::blob::sweep_dying(tx, now, grace_millis),
                    Err(_) => Ok((Vec::new(), 0)),
                })
                .await?;
            let removal = self.0.removal.clone();
            let remove = move || {
                // A backup that began since waits for its copies: what stays here is an orphan later.
                let Ok(_alone) = removal.try_write() else { return };
                for id in files {
                    let _ = blobs.disk.remove(&blobs.path(id));
                }
            };
            tokio::task::spawn_blocking(remove).await.map_err(|_| EngineError::Closed)?;
            swept += removed;
            if removed == 0 {
                return Ok(swept);
            }
        }
    }

    /// Finishes what was taken and closes the files. What comes later is answered [`EngineError::Closed`].
    pub async fn close(&self) {
        let engine = self.0.engine.clone();
        let _ = tokio::task::spawn_blocking(move || engine.close()).await;
    }

    /// While this is held, no blob is removed.
    pub(crate) fn hold_blobs(&self) -> RwLockReadGuard<'_, ()> {
        self.0.removal.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.stager.blobs
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.stager.health
    }

    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.0.engine
    }
}

struct Typed<F, T, E> {
    closure: F,
    output: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Typed<F, T, E>
where
    F: Fn(&mut dyn Transaction) -> Result<T, E> + Send,
    T: Send,
    E: From<EngineError> + Send,
{
    fn run(&mut self, tx: &mut dyn Transaction) -> bool {
        let output = (self.closure)(tx);
        let accepted = output.is_ok();
        self.output = Some(output);
        accepted
    }

    fn finish(self: Box<Self>, outcome: Result<(), EngineError>) {
        let output = match outcome {
            Ok(()) => self.output.unwrap_or_else(|| Err(EngineError::Closed.into())),
            Err(error) => Err(error.into()),
        };
        // Nobody may be waiting any more: a session that ended. The commit stands.
        let _ = self.answer.send(output);
    }
}

/// Only for the name of a new blob: its time part makes ids grow, nothing is decided by it.
fn clock() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
