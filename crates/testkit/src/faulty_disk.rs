//! A disk that fails when told to: the n-th operation returns an error, is torn, or is the last before the power goes.
//!
//! Files are real ones in the caller's folder; what was not synced is remembered, and [`FaultyDisk::settle`] takes it away
//! as a crash would. One seed gives one outcome.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What happens at the operation planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and returns this error.
    Error(io::ErrorKind),
    /// A write leaves half of its octets and returns an error; any other operation returns the error alone.
    Torn,
    /// The power goes before it: it and all that follow do nothing and return errors.
    PowerLoss,
}

/// The disk. Clones are the same one.
#[derive(Clone, Default)]
pub struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    operations: u64,
    planned: Option<(u64, Fault)>,
    dead: bool,
    /// Octets known to be durable, of files written and not synced since.
    unsynced: BTreeMap<PathBuf, u64>,
    /// Changes of names not synced yet, in order.
    names: Vec<(PathBuf, NameChange)>,
    free_octets: Option<u64>,
}

enum NameChange {
    Created(PathBuf),
    Renamed { from: PathBuf, to: PathBuf },
    Removed { path: PathBuf, content: Vec<u8> },
}

/// A file being written on it.
pub struct FaultyFile {
    disk: FaultyDisk,
    path: PathBuf,
    file: File,
}

enum Next {
    Works,
    Fails(io::Error),
    Tears,
}

impl FaultyDisk {
    /// A disk without faults.
    pub fn new() -> FaultyDisk {
        FaultyDisk::default()
    }

    /// Plans a fault for the operation of that number, counted from 0 over the life of the disk.
    pub fn plan(&self, operation: u64, fault: Fault) {
        self.state().planned = Some((operation, fault));
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Sets what [`FaultyDisk::free_octets`] answers.
    pub fn set_free_octets(&self, octets: u64) {
        self.state().free_octets = Some(octets);
    }

    /// Free octets, as set; a terabyte otherwise.
    pub fn free_octets(&self) -> u64 {
        self.state().free_octets.unwrap_or(1 << 40)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> Next {
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        let fault = state.planned.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            _ if state.dead => Next::Fails(io::Error::other("the power is gone")),
            None => Next::Works,
            Some(Fault::Error(kind)) => Next::Fails(io::Error::new(kind, "planned")),
            Some(Fault::Torn) => Next::Tears,
            Some(Fault::PowerLoss) => {
                state.dead = true;
                Next::Fails(io::Error::other("the power is gone"))
            }
        }
    }

    fn whole_step(&self) -> io::Result<()> {
        match self.step() {
            Next::Works => Ok(()),
            Next::Fails(error) => Err(error),
            Next::Tears => Err(io::Error::other("planned")),
        }
    }

    /// Creates a file that is not there.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn create(&self, path: &Path) -> io::Result<FaultyFile> {
        self.whole_step()?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let mut state = self.state();
        state.unsynced.insert(path.to_owned(), 0);
        state.names.push((folder_of(path), NameChange::Created(path.to_owned())));
        drop(state);
        Ok(FaultyFile { disk: self.clone(), path: path.to_owned(), file })
    }

    /// Opens a file to read.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn open(&self, path: &Path) -> io::Result<FaultyFile> {
        self.whole_step()?;
        Ok(FaultyFile { disk: self.clone(), path: path.to_owned(), file: File::open(path)? })
    }

    /// Renames a file.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole_step()?;
        std::fs::rename(from, to)?;
        let mut state = self.state();
        if let Some(durable) = state.unsynced.remove(from) {
            state.unsynced.insert(to.to_owned(), durable);
        }
        state.names.push((folder_of(to), NameChange::Renamed { from: from.to_owned(), to: to.to_owned() }));
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole_step()?;
        let content = std::fs::read(path)?;
        std::fs::remove_file(path)?;
        let mut state = self.state();
        state.unsynced.remove(path);
        state.names.push((folder_of(path), NameChange::Removed { path: path.to_owned(), content }));
        Ok(())
    }

    /// Creates a folder and those above it. Folders are durable at once: losing one is losing the names in it.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.whole_step()?;
        std::fs::create_dir_all(path)
    }

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Planned ones: the names are then as before.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.whole_step()?;
        self.state().names.retain(|(folder, _)| folder != path);
        Ok(())
    }

    /// Leaves what a power loss leaves: of what was not synced, as much as the seed says. The disk works again.
    pub fn settle(&self, seed: u64) {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let mut state = self.state();
        let unsynced = std::mem::take(&mut state.unsynced);
        for (path, durable) in unsynced {
            let Ok(file) = OpenOptions::new().write(true).open(&path) else { continue };
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let kept = durable + draw(length.saturating_sub(durable) + 1);
            let _ = file.set_len(kept);
            // File systems may have made the length durable and not the octets.
            if kept > durable && draw(2) == 0 {
                let _ = file.write_at(&[0], kept - 1);
            }
        }
        for (_, change) in std::mem::take(&mut state.names).into_iter().rev() {
            if draw(2) == 0 {
                continue;
            }
            let _ = match change {
                NameChange::Created(path) => std::fs::remove_file(path),
                NameChange::Renamed { from, to } => std::fs::rename(to, from),
                NameChange::Removed { path, content } => std::fs::write(path, content),
            };
        }
        state.dead = false;
        state.planned = None;
    }
}

impl FaultyFile {
    /// Appends all of it.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.disk.state().unsynced.entry(self.path.clone()).or_insert(length);
        match self.disk.step() {
            Next::Works => self.file.write_all(octets),
            Next::Fails(error) => Err(error),
            Next::Tears => {
                self.file.write_all(octets.get(..octets.len() / 2).unwrap_or_default())?;
                Err(io::Error::other("planned"))
            }
        }
    }

    /// Reads at a place.
    ///
    /// # Errors
    /// Planned ones, and the real disk's.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.whole_step()?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64)? {
                0 => break,
                octets => filled += octets,
            }
        }
        Ok(filled)
    }

    /// Makes the content durable.
    ///
    /// # Errors
    /// Planned ones: the content is then as durable as before.
    pub fn sync(&mut self) -> io::Result<()> {
        self.disk.whole_step()?;
        self.disk.state().unsynced.remove(&self.path);
        Ok(())
    }

    /// Octets in the file.
    ///
    /// # Errors
    /// The real disk's.
    pub fn octets(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}
