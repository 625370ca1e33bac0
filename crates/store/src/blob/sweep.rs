//! Removing what nothing refers to: dying blobs after their grace, and files left by a crash before their transaction.

use super::{BlobId, Blobs, Place};
use crate::engine::query_all;
use crate::{Snapshot, StoreError, Transaction, UnixMillis};

/// How long a blob without use stays: longer than any transaction; a running backup holds removal back besides.
pub const DYING_GRACE_MILLIS: i64 = 3_600_000;

/// How old a file nobody knows must be: a message may take hours to arrive, and is staged while it does.
pub const ORPHAN_GRACE_MILLIS: i64 = 24 * 3_600_000;

/// What one sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs whose grace had passed.
    pub blobs: u64,
    /// Files nobody knew.
    pub orphans: u64,
}

/// Rows removed in one transaction.
const SWEEP_ROWS_MAX: u32 = 500;

/// Removes the rows of blobs whose grace has passed; answers those that have files, to be removed after the commit.
pub(crate) fn sweep_dying(
    tx: &mut dyn Transaction,
    now: UnixMillis,
    grace_millis: i64,
) -> Result<(Vec<BlobId>, u64), StoreError> {
    let doomed = query_all(
        tx,
        "SELECT id, place FROM blob WHERE dying IS NOT NULL AND dying < $1 AND uses = 0 ORDER BY id LIMIT $2",
        &[(now.0 - grace_millis).into(), SWEEP_ROWS_MAX.into()],
        |row| Ok((BlobId::from_octets(row.octets(0)?)?, row.integer(1)?)),
    )?;
    let mut files = Vec::new();
    let mut removed = 0;
    for (id, place) in doomed {
        let gone = tx.execute("DELETE FROM blob WHERE id = $1 AND uses = 0", &[id.as_octets().into()])?;
        removed += gone;
        if gone == 1 && place == Place::File.number() {
            files.push(id);
        } else if gone == 1 {
            tx.execute("DELETE FROM blob_content WHERE id = $1", &[id.as_octets().into()])?;
        }
    }
    Ok((files, removed))
}

/// Removes files older than the grace that no row knows: what was being staged when the process died.
pub(crate) fn sweep_orphans(snapshot: &mut dyn Snapshot, blobs: &Blobs, now: UnixMillis) -> Result<u64, StoreError> {
    let mut removed = 0;
    let Ok(folders) = blobs.disk.list(&blobs.folder) else { return Ok(0) };
    for folder in folders.into_iter().filter(|found| found.folder) {
        let path = blobs.folder.join(&folder.name);
        for file in blobs.disk.list(&path).unwrap_or_default() {
            if file.folder || file.modified > now.0 - ORPHAN_GRACE_MILLIS {
                continue;
            }
            let known = match BlobId::from_hex(&file.name) {
                Some(id) if folder.name == id.shard() => is_known(snapshot, id)?,
                _ => folder.name != "staging",
            };
            if !known && blobs.disk.remove(&path.join(&file.name)).is_ok() {
                removed += 1;
            }
        }
    }
    Ok(removed)
}

pub(crate) fn is_known(snapshot: &mut dyn Snapshot, id: BlobId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM blob WHERE id = $1";
    Ok(crate::engine::query_row(snapshot, sql, &[id.as_octets().into()], |_| Ok(()))?.is_some())
}
