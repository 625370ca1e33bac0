//! Room on the disk: while it is short, what deleting freed is given back within a minute, and deleting works on a full disk.

use std::sync::atomic::Ordering;

use crate::blob::Blobs;
use crate::disk::disk_error;
use crate::{EngineError, Store, StoreError, UnixMillis};

/// How long a blob without use stays while room is short: longer than any transaction and any delivery that may refer to it
/// once more; a running backup holds removal back besides.
pub const SHORT_GRACE_MILLIS: i64 = 30_000;

/// Octets of a file that is there to be removed when the disk is full, so that deleting can be written down.
pub const BALLAST_OCTETS: u64 = 4 << 20;

/// What the ballast is written in.
const BALLAST_PIECE: usize = 1 << 20;

/// How much room there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Octets the file system has free.
    pub free: u64,
    /// Octets of the database file that hold nothing, where small messages fit; counted while room is short only.
    pub reusable: u64,
    /// Octets under which nothing new is accepted.
    pub reserve: u64,
    /// Whether new messages are accepted.
    pub enough: bool,
    /// Blobs that were removed to make room.
    pub removed: u64,
}

impl Store {
    /// Looks how much room there is. While it is less than twice the reserve, removes what nothing refers to after a short
    /// grace and gives back what the log held. To be called every few seconds, and not beside [`Store::sweep`].
    ///
    /// # Errors
    /// The engine's; a file system that cannot say how much is free.
    pub async fn keep_room(&self, now: UnixMillis) -> Result<Room, StoreError> {
        let reserve = self.health().reserve_octets();
        let free = self.on_disk(move |blobs| tend_ballast(blobs, reserve)).await??;
        let mut room = Room { free, reserve, ..Room::default() };
        if free < reserve.saturating_mul(2) {
            room.removed = self.sweep_unused(now, SHORT_GRACE_MILLIS).await?;
            self.health().ask_log_back();
            // The checkpointer looks after each commit.
            self.transaction(|_| Ok::<(), StoreError>(())).await?;
            let engine = self.engine().clone();
            let reusable = tokio::task::spawn_blocking(move || engine.reusable_octets()).await;
            room.reusable = reusable.map_err(|_| EngineError::Closed)??;
            room.free = self.on_disk(free_octets).await??;
        }
        self.health().set_reusable(room.reusable);
        room.enough = self.accepting().is_ok();
        let metrics = self.metrics();
        metrics.free_octets.store(room.free, Ordering::Relaxed);
        metrics.reusable_octets.store(room.reusable, Ordering::Relaxed);
        metrics.reserve_octets.store(reserve, Ordering::Relaxed);
        Ok(room)
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Blobs) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let blobs = self.blobs().clone();
        tokio::task::spawn_blocking(move || work(&blobs)).await.map_err(|_| EngineError::Closed)
    }
}

fn free_octets(blobs: &Blobs) -> Result<u64, EngineError> {
    blobs.disk.free_octets(&blobs.folder).map_err(|error| disk_error("asking for free space", &error))
}

/// Makes the ballast anew when there is room for it again, and gives it up when there is next to none; answers free octets.
fn tend_ballast(blobs: &Blobs, reserve: u64) -> Result<u64, EngineError> {
    let free = free_octets(blobs)?;
    let path = blobs.folder.with_file_name("ballast");
    if free < BALLAST_OCTETS / 4 {
        drop_ballast(blobs);
    } else if free >= reserve.saturating_add(2 * BALLAST_OCTETS) && blobs.disk.open(&path).is_err() {
        let made = blobs.disk.create(&path).and_then(|mut file| {
            // Random: a file system that compresses would keep nothing free for zeros.
            let mut piece = vec![0; BALLAST_PIECE];
            aws_lc_rs::rand::fill(&mut piece).map_err(std::io::Error::other)?;
            (0..BALLAST_OCTETS / BALLAST_PIECE as u64).try_for_each(|_| file.append(&piece))
        });
        if let Err(error) = made {
            tracing::warn!(%error, "cannot set room aside for deleting on a full disk");
            let _ = blobs.disk.remove(&path);
        }
    }
    free_octets(blobs)
}

/// Gives the ballast up when the disk is full. True when there was one.
pub(crate) fn drop_ballast(blobs: &Blobs) -> bool {
    let full = blobs.disk.free_octets(&blobs.folder).is_ok_and(|free| free < BALLAST_OCTETS);
    full && blobs.disk.remove(&blobs.folder.with_file_name("ballast")).is_ok()
}
