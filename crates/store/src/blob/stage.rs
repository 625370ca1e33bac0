//! Staging: octets become durable before the transaction that refers to them. Small ones wait in memory for the insert;
//! large ones become a file: written, synced, renamed, and the folder synced.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::format::{CHUNK_OCTETS, header, tag};
use super::{BlobId, Blobs, Place};
use crate::disk::{DiskFile, disk_error};
use crate::engine::Health;
use crate::metrics::Metrics;
use crate::{EngineError, StoreError};

/// A blob being staged. Dropped unfinished, it leaves nothing.
pub struct StageWriter {
    id: BlobId,
    stager: Stager,
    digest: aws_lc_rs::digest::Context,
    octets: u64,
    /// Content of the chunk not closed yet: whether it is the last is known only when more comes, or the end.
    pending: Vec<u8>,
    /// Closed chunks, with the header; moves to the file once there is too much.
    stored: Vec<u8>,
    chunks: u64,
    file: Option<Box<dyn DiskFile>>,
    finished: bool,
}

/// What staging needs from the store.
#[derive(Clone)]
pub(crate) struct Stager {
    pub blobs: Blobs,
    pub folders: Arc<FolderSyncs>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub inline_octets_max: usize,
}

/// Octets made durable, or held for the insert. Clones are the same blob.
#[derive(Clone)]
pub struct Staged(Arc<Inner>);

struct Inner {
    id: BlobId,
    octets: u64,
    sha256: [u8; 32],
    content: Option<Vec<u8>>,
    blobs: Blobs,
    attempted: AtomicBool,
}

/// Content gathered before it is handed to a blocking thread.
const WRITE_OCTETS: usize = 4 * CHUNK_OCTETS;

impl StageWriter {
    pub(crate) fn new(id: BlobId, stager: Stager) -> StageWriter {
        StageWriter {
            id,
            stager,
            digest: aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256),
            octets: 0,
            pending: Vec::new(),
            stored: header().to_vec(),
            chunks: 0,
            file: None,
            finished: false,
        }
    }

    /// Octets so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Adds octets. Memory held stays below the inline limit or 320 KiB, whichever is more.
    ///
    /// # Errors
    /// [`EngineError::Full`], [`EngineError::Disk`]; the blob is then lost.
    pub async fn write(&mut self, mut octets: &[u8]) -> Result<(), StoreError> {
        self.digest.update(octets);
        self.octets += octets.len() as u64;
        while !octets.is_empty() {
            if self.pending.len() == CHUNK_OCTETS {
                self.close_chunk(false);
                let to_file = self.file.is_some() || self.stored.len() > self.stager.inline_octets_max;
                if to_file && self.stored.len() >= WRITE_OCTETS.min(self.stager.inline_octets_max) {
                    self.write_out().await?;
                }
            }
            let (now, later) = octets.split_at(octets.len().min(CHUNK_OCTETS - self.pending.len()));
            self.pending.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    fn close_chunk(&mut self, last: bool) {
        let tag = tag(self.id, self.chunks, last, &self.pending);
        self.stored.extend_from_slice(&self.pending);
        self.stored.extend_from_slice(&tag);
        self.pending.clear();
        self.chunks += 1;
    }

    async fn write_out(&mut self) -> Result<(), StoreError> {
        let octets = std::mem::take(&mut self.stored);
        let file = self.file.take();
        let stager = self.stager.clone();
        let path = self.path();
        let (file, mut octets) = blocking(move || {
            stager.health.check_space(&stager.blobs)?;
            let mut file = match file {
                Some(file) => file,
                None => stager.blobs.disk.create(&path).map_err(|error| disk_error("creating a blob", &error))?,
            };
            file.append(&octets).map_err(|error| disk_error("writing a blob", &error))?;
            Ok((file, octets))
        })
        .await?;
        octets.clear();
        self.stored = octets;
        self.file = Some(file);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.stager.blobs.staging().join(self.id.to_string())
    }

    /// Makes it durable, or, when small, ready for the insert.
    ///
    /// # Errors
    /// As [`StageWriter::write`]; [`EngineError::Poisoned`] when a sync failed.
    pub async fn finish(mut self) -> Result<Staged, StoreError> {
        self.close_chunk(true);
        let content = match self.file.is_none() && self.octets <= self.stager.inline_octets_max as u64 {
            true => {
                Metrics::count(&self.stager.metrics.staged_inline, 1);
                Some(std::mem::take(&mut self.stored))
            }
            false => {
                self.write_out().await?;
                self.settle().await?;
                Metrics::count(&self.stager.metrics.staged_files, 1);
                None
            }
        };
        self.finished = true;
        let mut sha256 = [0; 32];
        let digest = std::mem::replace(&mut self.digest, aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256));
        sha256.copy_from_slice(digest.finish().as_ref());
        let blobs = self.stager.blobs.clone();
        let (id, octets) = (self.id, self.octets);
        Ok(Staged(Arc::new(Inner { id, octets, sha256, content, blobs, attempted: AtomicBool::new(false) })))
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let (stager, id, from) = (self.stager.clone(), self.id, self.path());
        blocking(move || {
            // A failed sync may have dropped the pages and say so only once: no second try (fsyncgate).
            file.sync().map_err(|error| stager.health.poison("syncing a blob", &error))?;
            drop(file);
            let to = stager.blobs.path(id);
            let folder = stager.blobs.folder.join(id.shard());
            stager.folders.prepare(&stager, &folder)?;
            stager.blobs.disk.rename(&from, &to).map_err(|error| disk_error("renaming a blob", &error))?;
            stager.folders.sync(&stager, &folder)
        })
        .await
    }
}

impl Drop for StageWriter {
    fn drop(&mut self) {
        if !self.finished && (self.file.is_some() || self.octets > self.stager.inline_octets_max as u64) {
            // An unlink does not wait for the disk. What it misses, the sweep of orphans finds.
            let _ = self.stager.blobs.disk.remove(&self.path());
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(EngineError::Closed.into()),
    }
}

impl Staged {
    /// Its id.
    pub fn id(&self) -> BlobId {
        self.0.id
    }

    /// Octets of content.
    pub fn octets(&self) -> u64 {
        self.0.octets
    }

    /// SHA-256 of the content.
    pub fn sha256(&self) -> [u8; 32] {
        self.0.sha256
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        if self.0.content.is_some() { Place::Database } else { Place::File }
    }

    /// Opens it to read before it is kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], the disk's.
    pub fn open(&self) -> Result<super::BlobReader, StoreError> {
        match &self.0.content {
            Some(content) => super::BlobReader::in_memory(self.0.id, self.0.octets, content.clone()),
            None => {
                let file = self.0.blobs.open_file(&self.0.blobs.path(self.0.id))?;
                super::BlobReader::in_file(self.0.id, self.0.octets, file)
            }
        }
    }

    pub(super) fn content(&self) -> Option<&[u8]> {
        self.0.content.as_deref()
    }

    /// A transaction tried to keep it: from here on only the sweep may judge whether it is an orphan.
    pub(super) fn attempted(&self) {
        self.0.attempted.store(true, Ordering::Relaxed);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.content.is_none() && !self.attempted.load(Ordering::Relaxed) {
            let _ = self.blobs.disk.remove(&self.blobs.path(self.id));
        }
    }
}

/// Syncs of folders, shared: one sync serves everyone who renamed before it began.
#[derive(Default)]
pub(crate) struct FolderSyncs {
    folders: Mutex<HashMap<PathBuf, Arc<FolderSync>>>,
}

#[derive(Default)]
struct FolderSync {
    progress: Mutex<Progress>,
    done: Condvar,
}

#[derive(Default)]
struct Progress {
    begun: u64,
    ended: u64,
    running: bool,
}

impl FolderSyncs {
    /// Creates a folder durably, once.
    fn prepare(&self, stager: &Stager, folder: &PathBuf) -> Result<(), EngineError> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.contains_key(folder) {
            return Ok(());
        }
        let disk = &stager.blobs.disk;
        disk.create_folder(folder).map_err(|error| disk_error("creating a folder", &error))?;
        disk.sync_folder(&stager.blobs.folder).map_err(|error| stager.health.poison("syncing a folder", &error))?;
        folders.insert(folder.clone(), Arc::default());
        Ok(())
    }

    fn sync(&self, stager: &Stager, folder: &PathBuf) -> Result<(), EngineError> {
        let gate = self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned().unwrap_or_default();
        let mut progress = gate.progress.lock().unwrap_or_else(PoisonError::into_inner);
        // The next sync to begin sees our rename; one that runs already may not.
        let ours = progress.begun + 1;
        while progress.ended < ours {
            if stager.health.is_poisoned() {
                return Err(EngineError::Poisoned);
            }
            if progress.running {
                progress = gate.done.wait(progress).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            progress.running = true;
            progress.begun += 1;
            let number = progress.begun;
            drop(progress);
            let synced = stager.blobs.disk.sync_folder(folder);
            progress = gate.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.running = false;
            let poisoned = synced.map_err(|error| stager.health.poison("syncing a folder", &error));
            gate.done.notify_all();
            poisoned?;
            progress.ended = number;
        }
        Ok(())
    }
}
