//! What the store measures of itself: plain counters, read by whoever exposes them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters since the store was opened.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Groups committed.
    pub commits: AtomicU64,
    /// Transactions in them: divided by `commits`, the mean size of a group.
    pub transactions: AtomicU64,
    /// The largest group.
    pub group_max: AtomicU64,
    /// Transactions that answered an error and were rolled back alone.
    pub refused: AtomicU64,
    /// Groups rolled back by the engine and run again one by one.
    pub groups_rerun: AtomicU64,
    /// Time spent in COMMIT, which holds the sync of the log.
    pub commit_microseconds: AtomicU64,
    /// The longest COMMIT.
    pub commit_microseconds_max: AtomicU64,
    /// Checkpoints of the log.
    pub checkpoints: AtomicU64,
    /// Time spent in them, beside the writer.
    pub checkpoint_microseconds: AtomicU64,
    /// The longest one.
    pub checkpoint_microseconds_max: AtomicU64,
    /// Time the writer was held for the end of a checkpoint.
    pub writer_held_microseconds: AtomicU64,
    /// The longest one.
    pub writer_held_microseconds_max: AtomicU64,
    /// Pages the log held when last looked at.
    pub log_pages: AtomicU64,
    /// Blobs staged in memory.
    pub staged_inline: AtomicU64,
    /// Blobs staged as files.
    pub staged_files: AtomicU64,
    /// Read transactions.
    pub reads: AtomicU64,
    /// Octets free on the disk when last looked at.
    pub free_octets: AtomicU64,
    /// Octets of the database file that hold nothing; counted while room is short only.
    pub reusable_octets: AtomicU64,
    /// Octets under which nothing new is accepted.
    pub reserve_octets: AtomicU64,
}

impl Metrics {
    pub(crate) fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn time(sum: &AtomicU64, max: &AtomicU64, spent: Duration) {
        let microseconds = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        sum.fetch_add(microseconds, Ordering::Relaxed);
        max.fetch_max(microseconds, Ordering::Relaxed);
    }
}
