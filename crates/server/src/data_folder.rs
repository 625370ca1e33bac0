//! The folder of the data, taken by one process at a time: a lock that the kernel drops with the process, however it ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// A taken folder; dropping it gives it back.
#[derive(Debug)]
pub struct DataFolder {
    _lock: File,
}

/// Why the folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    Taken(PathBuf),
    /// It cannot be made or locked.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder, or the lock's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DataFolder {
    /// Makes the folder when it is missing, readable by its owner alone, and takes it.
    ///
    /// # Errors
    /// [`DataFolderError`].
    pub fn take(folder: &Path) -> Result<DataFolder, DataFolderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DataFolderError::Io { path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        // The file stays for ever; what counts is who holds the lock on it.
        let path = folder.join("lock");
        let mut options = File::options();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed(&path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DataFolder { _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataFolderError::Taken(folder.to_owned())),
            Err(error) => Err(failed(&path)(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_stale_files_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let taken = DataFolder::take(&data).unwrap();
        assert!(matches!(DataFolder::take(&data), Err(DataFolderError::Taken(_))));
        drop(taken);
        assert!(data.join("lock").exists());
        DataFolder::take(&data).unwrap();
    }
}
