//! Reading ranges of a blob: only the chunks touched, each checked before a byte of it is given out.

use std::ops::Range;
use std::sync::Arc;

use super::format::{CHUNK_OCTETS, HEADER_OCTETS, TAG_OCTETS, check_header, chunk_count, open_chunk, stored_octets};
use crate::disk::{DiskFile, disk_error};
use crate::{BlobId, EngineError, StoreError};

/// An open blob. Clones read the same one.
#[derive(Clone)]
pub struct BlobReader {
    id: BlobId,
    octets: u64,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Memory(Arc<[u8]>),
    File(Arc<dyn DiskFile>),
}

impl BlobReader {
    pub(super) fn in_memory(id: BlobId, octets: u64, stored: Vec<u8>) -> Result<BlobReader, StoreError> {
        if stored.len() as u64 != stored_octets(octets) {
            return Err(StoreError::Damaged(format!("blob {id}: wrong length")));
        }
        check_header(stored.get(..HEADER_OCTETS).unwrap_or_default())?;
        Ok(BlobReader { id, octets, source: Source::Memory(stored.into()) })
    }

    pub(super) fn in_file(id: BlobId, octets: u64, file: Box<dyn DiskFile>) -> Result<BlobReader, StoreError> {
        let mut header = [0; HEADER_OCTETS];
        let read = file.read_at(&mut header, 0).map_err(|error| disk_error("reading a blob", &error))?;
        let length = file.octets().map_err(|error| disk_error("reading a blob", &error))?;
        if read != HEADER_OCTETS || length != stored_octets(octets) {
            return Err(StoreError::Damaged(format!("blob {id}: wrong length")));
        }
        check_header(&header)?;
        Ok(BlobReader { id, octets, source: Source::File(file.into()) })
    }

    /// Which blob it is.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Octets of content.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Content of a range, cut at the end of the blob. Blocks for blobs in files.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a chunk is not what was written.
    pub fn read_now(&self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let range = range.start.min(self.octets)..range.end.min(self.octets);
        let mut content = Vec::with_capacity(usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0));
        let chunk_octets = CHUNK_OCTETS as u64;
        let count = chunk_count(self.octets);
        let mut buffer = Vec::new();
        for index in range.start / chunk_octets..range.end.div_ceil(chunk_octets) {
            let start = index * chunk_octets;
            let length = (self.octets - start).min(chunk_octets) as usize + TAG_OCTETS;
            let stored =
                self.stored(HEADER_OCTETS as u64 + index * (chunk_octets + TAG_OCTETS as u64), length, &mut buffer)?;
            let chunk = open_chunk(self.id, index, index + 1 == count, stored)?;
            let from = range.start.saturating_sub(start) as usize;
            let to = (range.end - start).min(chunk_octets) as usize;
            content.extend_from_slice(chunk.get(from..to).unwrap_or_default());
        }
        Ok(content)
    }

    fn stored<'a>(&'a self, offset: u64, length: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], StoreError> {
        let cut = || StoreError::Damaged(format!("blob {}: cut off", self.id));
        match &self.source {
            Source::Memory(stored) => {
                let start = usize::try_from(offset).map_err(|_| cut())?;
                stored.get(start..start + length).ok_or_else(cut)
            }
            Source::File(file) => {
                buffer.resize(length, 0);
                let read = file.read_at(buffer, offset).map_err(|error| disk_error("reading a blob", &error))?;
                if read < length { Err(cut()) } else { Ok(buffer) }
            }
        }
    }

    /// As [`BlobReader::read_now`], off the async threads when there is a file to read.
    ///
    /// # Errors
    /// As [`BlobReader::read_now`].
    pub async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        match self.source {
            Source::Memory(_) => self.read_now(range),
            Source::File(_) => {
                let reader = self.clone();
                tokio::task::spawn_blocking(move || reader.read_now(range)).await.map_err(|_| EngineError::Closed)?
            }
        }
    }

    /// Reads all of it, checking length and every tag, and answers its SHA-256.
    pub(crate) fn check(&self) -> Result<[u8; 32], StoreError> {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let step = 16 * CHUNK_OCTETS as u64;
        let mut at = 0;
        // An empty blob has a chunk too, which only this reads.
        if self.octets == 0 {
            let mut buffer = Vec::new();
            open_chunk(self.id, 0, true, self.stored(HEADER_OCTETS as u64, TAG_OCTETS, &mut buffer)?)?;
        }
        while at < self.octets {
            digest.update(&self.read_now(at..at + step)?);
            at += step;
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.finish().as_ref());
        Ok(sha256)
    }
}
