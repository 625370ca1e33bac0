//! The octets of a blob on disk, in a file or in the database alike.
//!
//! Header of 16 octets: `SCEAUBLB`, version 1, codec, six zeros. Then chunks: 65,536 octets of content (the last one fewer)
//! and a tag of 16. In codec 0 the content is plain and the tag is the start of the BLAKE3 (derived for
//! [`TAG_CONTEXT`]) of blob id, codec, chunk number (8 octets, little-endian), 1 for the last chunk or 0, and content: a
//! chunk moved, left out, cut off or taken from elsewhere is found. An empty blob has one empty chunk.

use crate::{BlobId, StoreError};

/// Octets of content in a chunk.
pub const CHUNK_OCTETS: usize = 65_536;
/// Octets of a tag.
pub const TAG_OCTETS: usize = 16;
/// Octets before the first chunk.
pub const HEADER_OCTETS: usize = 16;
/// Content as it is, with a checksum for each chunk.
pub const CODEC_PLAIN: u8 = 0;
const MAGIC: &[u8; 8] = b"SCEAUBLB";
const VERSION: u8 = 1;
/// What tags are derived for.
pub const TAG_CONTEXT: &str = "sceau 2026-11-20 blob chunk, version 1";

/// The header.
pub fn header() -> [u8; HEADER_OCTETS] {
    let mut header = [0; HEADER_OCTETS];
    for (place, octet) in header.iter_mut().zip(MAGIC.iter().chain(&[VERSION, CODEC_PLAIN])) {
        *place = *octet;
    }
    header
}

/// Refuses what is no blob of a version and codec we know.
///
/// # Errors
/// [`StoreError::Damaged`].
pub fn check_header(found: &[u8]) -> Result<(), StoreError> {
    match found == header() {
        true => Ok(()),
        false => Err(StoreError::Damaged("blob: unknown header".into())),
    }
}

/// The tag of a chunk.
pub fn tag(id: BlobId, index: u64, last: bool, content: &[u8]) -> [u8; TAG_OCTETS] {
    let mut hasher = blake3::Hasher::new_derive_key(TAG_CONTEXT);
    hasher.update(id.as_octets()).update(&[CODEC_PLAIN]).update(&index.to_le_bytes()).update(&[u8::from(last)]);
    let hash = hasher.update(content).finalize();
    let mut tag = [0; TAG_OCTETS];
    tag.copy_from_slice(hash.as_bytes().first_chunk::<TAG_OCTETS>().unwrap_or(&[0; TAG_OCTETS]));
    tag
}

/// Splits a stored chunk into its content, once its tag is right.
///
/// # Errors
/// [`StoreError::Damaged`].
pub fn open_chunk(id: BlobId, index: u64, last: bool, stored: &[u8]) -> Result<&[u8], StoreError> {
    let (content, found) = stored
        .split_last_chunk::<TAG_OCTETS>()
        .ok_or_else(|| StoreError::Damaged(format!("blob {id}: chunk {index} is cut off")))?;
    match *found == tag(id, index, last, content) {
        true => Ok(content),
        false => Err(StoreError::Damaged(format!("blob {id}: chunk {index} has a wrong tag"))),
    }
}

/// How many chunks a blob of so many octets has.
pub fn chunk_count(octets: u64) -> u64 {
    octets.div_ceil(CHUNK_OCTETS as u64).max(1)
}

/// Octets a blob takes on disk.
pub fn stored_octets(octets: u64) -> u64 {
    HEADER_OCTETS as u64 + octets + chunk_count(octets) * TAG_OCTETS as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_version_1_does_not_change() {
        let id = BlobId([7; 16]);
        assert_eq!(&header(), b"SCEAUBLB\x01\x00\0\0\0\0\0\0");
        let tag: String = tag(id, 1, true, b"content").iter().map(|octet| format!("{octet:02x}")).collect();
        expect_test::expect!["06c1a1bc13088bae53e584e38c352753"].assert_eq(&tag);
        assert_eq!([0, 1, 65_536, 65_537].map(stored_octets), [32, 33, 65_568, 65_585]);
    }
}
