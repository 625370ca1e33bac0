//! Every access of ours to files, behind a trait, so that tests can fail each step. SQLite has its own access; that one is
//! failed by limits and by a preloaded library.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A file being written, or read at places.
pub trait DiskFile: Send + Sync {
    /// Appends all of it.
    ///
    /// # Errors
    /// The disk's.
    fn append(&mut self, octets: &[u8]) -> io::Result<()>;
    /// Fills the buffer from a place; less only at the end of the file.
    ///
    /// # Errors
    /// The disk's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Makes the content durable.
    ///
    /// # Errors
    /// The disk's: what was written is then lost or not, and nobody can tell.
    fn sync(&mut self) -> io::Result<()>;
    /// Octets in the file.
    ///
    /// # Errors
    /// The disk's.
    fn octets(&self) -> io::Result<u64>;
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Last written, in milliseconds since 1970.
    pub modified: i64,
    /// Whether it is a folder.
    pub folder: bool,
}

/// The file system.
pub trait Disk: Send + Sync {
    /// Creates a file that is not there yet, readable by us alone.
    ///
    /// # Errors
    /// The disk's.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read.
    ///
    /// # Errors
    /// The disk's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file its final name.
    ///
    /// # Errors
    /// The disk's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// As [`DiskFile::sync`].
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder and those above it; no error when it is there.
    ///
    /// # Errors
    /// The disk's.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// The disk's.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder.
    ///
    /// # Errors
    /// The disk's.
    fn list(&self, path: &Path) -> io::Result<Vec<Found>>;
    /// A second name for a file, or a copy where the file system cannot.
    ///
    /// # Errors
    /// The disk's.
    fn link_or_copy(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// A durable copy of a file.
    ///
    /// # Errors
    /// The disk's.
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Octets we may still write.
    ///
    /// # Errors
    /// The disk's.
    fn free_octets(&self, path: &Path) -> io::Result<u64>;
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

struct RealFile(File);

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).read(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700).create(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            // A name may go between the listing and the look.
            let Ok(metadata) = entry.metadata() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            let modified = metadata.mtime().saturating_mul(1_000);
            found.push(Found { name, modified, folder: metadata.is_dir() });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn link_or_copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        match std::fs::hard_link(from, to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => self.copy(from, to),
        }
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::copy(from, to)?;
        File::open(to)?.sync_all()
    }

    fn free_octets(&self, path: &Path) -> io::Result<u64> {
        let space = rustix::fs::statvfs(path)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

impl DiskFile for RealFile {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(octets) => filled += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn octets(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Translates the disk's word for "no room".
pub(crate) fn disk_error(doing: &str, error: &io::Error) -> crate::EngineError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => crate::EngineError::Full,
        _ => crate::EngineError::Disk(format!("{doing}: {error}")),
    }
}
