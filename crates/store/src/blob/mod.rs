//! Blobs: octets received, written once, never modified, shared by whatever refers to them.
//!
//! [`stage`](crate::Store::stage) makes them durable outside any transaction; [`keep`] refers to them inside one. Uses are
//! counted under the row; a blob without use is marked dying, and [`sweep`](crate::Store::sweep) removes it after a grace
//! longer than any transaction or backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, disk_error};
use crate::engine::{query_all, query_row};
use crate::{EngineError, Snapshot, StoreError, StructureId, Transaction, UnixMillis, Value};

pub mod format;
mod reader;
mod stage;
mod sweep;

pub use reader::BlobReader;
pub(crate) use stage::Stager;
pub use stage::{StageWriter, Staged};
pub use sweep::{DYING_GRACE_MILLIS, ORPHAN_GRACE_MILLIS, Swept};
pub(crate) use sweep::{is_known, sweep_dying, sweep_orphans};

/// Names a blob: milliseconds since 1970 in 6 octets, then 10 random ones, so that ids grow and are never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub(crate) [u8; 16]);

/// Where blobs are, apart from small ones, which are in the database.
#[derive(Clone)]
pub struct Blobs {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
}

/// Whether the content is in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the table `blob_content`.
    Database,
    /// A file of its own.
    File,
}

impl BlobId {
    pub(crate) fn new(now: UnixMillis, random: [u8; 10]) -> BlobId {
        let mut id = [0; 16];
        let time = now.0.unsigned_abs().to_be_bytes();
        for (place, octet) in id.iter_mut().zip(time.iter().skip(2).chain(&random)) {
            *place = *octet;
        }
        BlobId(id)
    }

    /// The 16 octets on disk.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// Reads the 16 octets on disk.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for any other number of octets.
    pub fn from_octets(octets: &[u8]) -> Result<BlobId, StoreError> {
        octets.try_into().map(BlobId).map_err(|_| StoreError::Damaged("blob id".into()))
    }

    pub(crate) fn from_hex(text: &str) -> Option<BlobId> {
        let mut id = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (index, place) in id.iter_mut().enumerate() {
            *place = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(BlobId(id))
    }

    /// The folder its file is in: one for each 37 hours, so that blobs that come together share a folder, whose sync they
    /// then share, and an incremental backup can pass over the old ones.
    pub(crate) fn shard(&self) -> String {
        let time = self.0.iter().take(6).fold(0_u64, |time, octet| time << 8 | u64::from(*octet));
        format!("{:06x}", time >> 27)
    }
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl std::fmt::Debug for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlobId({self})")
    }
}

impl Place {
    pub(crate) fn number(self) -> i64 {
        match self {
            Place::Database => 0,
            Place::File => 1,
        }
    }
}

impl Blobs {
    /// Where half-written files are.
    pub(crate) fn staging(&self) -> PathBuf {
        self.folder.join("staging")
    }

    /// Where the blob's file is, if it has one.
    pub(crate) fn path(&self, id: BlobId) -> PathBuf {
        self.folder.join(id.shard()).join(id.to_string())
    }

    /// Opens a blob to read, within a view: small ones are loaded, of large ones the file is opened, so that the reader
    /// stays good when the blob is swept meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMessage`] when there is none, [`StoreError::Damaged`].
    pub fn open(&self, snapshot: &mut dyn Snapshot, id: BlobId) -> Result<BlobReader, StoreError> {
        let found = query_row(
            snapshot,
            "SELECT b.octets, b.place, c.content FROM blob b LEFT JOIN blob_content c ON c.id = b.id WHERE b.id = $1",
            &[id.as_octets().into()],
            |row| {
                let octets = row.integer(0)?.unsigned_abs();
                match row.integer(1)? == Place::Database.number() {
                    true => Ok((octets, Some(row.octets(2)?.to_vec()))),
                    false => Ok((octets, None)),
                }
            },
        )?;
        match found.ok_or(StoreError::NoSuchMessage)? {
            (octets, Some(content)) => BlobReader::in_memory(id, octets, content),
            (octets, None) => BlobReader::in_file(id, octets, self.open_file(&self.path(id))?),
        }
    }

    fn open_file(&self, path: &Path) -> Result<Box<dyn crate::disk::DiskFile>, StoreError> {
        self.disk.open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::Damaged(format!("no file {}", path.display())),
            _ => disk_error("opening a blob", &error).into(),
        })
    }
}

/// Refers to a staged blob once more, for a structure; structures reached in one transaction share it.
///
/// # Errors
/// [`EngineError::Full`] while free space is under the reserve.
pub fn keep(
    tx: &mut dyn Transaction,
    staged: &Staged,
    structure: StructureId,
    now: UnixMillis,
) -> Result<BlobId, StoreError> {
    tx.accepting()?;
    staged.attempted();
    let id = staged.id();
    let again = tx.execute("UPDATE blob SET uses = uses + 1, dying = NULL WHERE id = $1", &[id.as_octets().into()])?;
    if again == 0 {
        tx.execute(
            "INSERT INTO blob (id, octets, sha256, place, codec, uses, created) VALUES ($1, $2, $3, $4, $5, 1, $6)",
            &[
                id.as_octets().into(),
                i64::try_from(staged.octets()).unwrap_or(i64::MAX).into(),
                staged.sha256().as_slice().into(),
                staged.place().number().into(),
                i64::from(format::CODEC_PLAIN).into(),
                now.0.into(),
            ],
        )?;
        if let Some(content) = staged.content() {
            tx.execute(
                "INSERT INTO blob_content (id, content) VALUES ($1, $2)",
                &[id.as_octets().into(), content.into()],
            )?;
        }
    }
    tx.execute(
        "INSERT INTO blob_reference (structure, blob, month, uses) VALUES ($1, $2, $3, 1) \
         ON CONFLICT (structure, blob, month) DO UPDATE SET uses = blob_reference.uses + 1",
        &[structure.0.into(), id.as_octets().into(), month(now).into()],
    )?;
    Ok(id)
}

/// Takes one use away.
///
/// # Errors
/// [`StoreError::Damaged`] when there was none.
pub fn release(
    tx: &mut dyn Transaction,
    structure: StructureId,
    id: BlobId,
    month: i64,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let key = [structure.0.into(), id.as_octets().into(), month.into()];
    let left = query_row(
        tx,
        "UPDATE blob_reference SET uses = uses - 1 WHERE structure = $1 AND blob = $2 AND month = $3 RETURNING uses",
        &key,
        |row| row.integer(0),
    )?
    .ok_or_else(|| StoreError::Damaged(format!("blob {id}: no reference of structure {structure}")))?;
    if left == 0 {
        tx.execute("DELETE FROM blob_reference WHERE structure = $1 AND blob = $2 AND month = $3", &key)?;
    }
    tx.execute(
        "UPDATE blob SET uses = uses - 1, dying = CASE WHEN uses = 1 THEN $2 ELSE dying END WHERE id = $1",
        &[id.as_octets().into(), Value::Integer(now.0)],
    )?;
    Ok(())
}

/// The month a key is wrapped for: months since 1970, UTC (the civil calendar in days, Hinnant's `civil_from_days`).
pub fn month(time: UnixMillis) -> i64 {
    let days = time.0.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (year_of_era + era * 400 - 1970) * 12 + month_from_march + 2
}

/// What verify and backup walk along: every blob, by id.
#[derive(Clone, Debug)]
pub(crate) struct BlobRow {
    pub id: BlobId,
    pub sha256: Vec<u8>,
    pub place: Place,
}

pub(crate) fn rows_after(
    snapshot: &mut dyn Snapshot,
    after: Option<BlobId>,
    limit: u32,
) -> Result<Vec<BlobRow>, StoreError> {
    let after = after.map_or(Vec::new(), |id| id.0.to_vec());
    query_all(
        snapshot,
        "SELECT id, sha256, place FROM blob WHERE id > $1 ORDER BY id LIMIT $2",
        &[after.as_slice().into(), limit.into()],
        |row| {
            Ok(BlobRow {
                id: BlobId::from_octets(row.octets(0)?)?,
                sha256: row.octets(1)?.to_vec(),
                place: if row.integer(2)? == 0 { Place::Database } else { Place::File },
            })
        },
    )
}

impl From<EngineError> for std::io::Error {
    fn from(error: EngineError) -> std::io::Error {
        std::io::Error::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_count_from_1970() {
        for (seconds, expected) in
            [(0, 0), (2_678_399, 0), (2_678_400, 1), (951_782_400, 361), (951_868_800, 362), (1_795_132_800, 682)]
        {
            assert_eq!(month(UnixMillis(seconds * 1_000)), expected, "{seconds}");
        }
    }
}
