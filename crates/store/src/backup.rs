//! Backups: consistent, taken while mail flows, each adding only what is new to a folder.
//!
//! `DEST/sceau.sqlite` is a copy of the database at one moment; `DEST/blobs` holds the files it refers to, hard links where
//! the file system allows (a blob is never modified); `DEST/files` what else was named. `DEST/complete` is written last,
//! and says where each of those files was: a folder without it is no backup.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::blob::{self, BlobId, Blobs, Place};
use crate::disk::{Disk, RealDisk, disk_error};
use crate::engine::sqlite::Frozen;
use crate::{EngineError, Snapshot, Store, StoreError, UnixMillis};

/// What a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Blobs the backup refers to that are files.
    pub files: u64,
    /// Those that were not there from an earlier one.
    pub files_new: u64,
    /// Files of earlier backups that nothing refers to any more, removed.
    pub files_removed: u64,
    /// The backup is on the file system of the store: what takes one takes the other, and message files share their octets.
    pub same_file_system: bool,
}

/// A file that a backup took along: a configuration, a certificate, a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Where it is in the backup.
    pub at: PathBuf,
    /// Where it was; `None` when an earlier backup took it, or its path was no text.
    pub was: Option<PathBuf>,
}

/// A backup, opened to read from.
pub struct Backup {
    folder: PathBuf,
    copy: Frozen,
}

/// The name of the mark of completeness.
const COMPLETE: &str = "complete";

impl Store {
    /// Backs up into a folder, which may hold an earlier backup. `extra` are files to be taken along (configuration,
    /// certificates). Blobs are not removed from the store meanwhile.
    ///
    /// # Errors
    /// The disk's, the engine's.
    pub async fn backup(
        &self,
        to: &Path,
        extra: &[PathBuf],
        now: UnixMillis,
        on_progress: impl FnMut(BackedUp) + Send + 'static,
    ) -> Result<BackedUp, StoreError> {
        let (store, to, extra) = (self.clone(), to.to_owned(), extra.to_owned());
        let work = move || {
            let _held = store.hold_blobs();
            back_up(&store, &to, &extra, now, on_progress)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| EngineError::Closed)?
    }
}

fn back_up(
    store: &Store,
    to: &Path,
    extra: &[PathBuf],
    now: UnixMillis,
    mut on_progress: impl FnMut(BackedUp),
) -> Result<BackedUp, StoreError> {
    let blobs = store.blobs();
    let disk = &blobs.disk;
    let failed = |error: &std::io::Error| disk_error("writing the backup", error);
    let target = Blobs { disk: disk.clone(), folder: to.join("blobs") };
    let fresh = to.join("new");
    for folder in [to, &target.folder, &fresh, &to.join("files")] {
        disk.create_folder(folder).map_err(|error| failed(&error))?;
    }
    for left in disk.list(&fresh).unwrap_or_default() {
        let _ = disk.remove(&fresh.join(left.name));
    }
    // The database first: every blob it refers to stays until all are copied. One that comes later is not referred to.
    store.engine().copy_to(&fresh)?;
    let database = fresh.join("sceau.sqlite");
    let mut file = disk.open(&database).map_err(|error| failed(&error))?;
    file.sync().map_err(|error| failed(&error))?;
    drop(file);

    let mut done = BackedUp { same_file_system: same_file_system(to, &blobs.folder), ..BackedUp::default() };
    let copy = Frozen::open(&database, target.clone())?;
    let mut folders = std::collections::BTreeSet::new();
    let mut after = None;
    loop {
        let rows = copy.read(|view| blob::rows_after(view, after, 1_000))?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id);
        for row in rows.iter().filter(|row| row.place == Place::File) {
            let folder = target.folder.join(row.id.shard());
            if folders.insert(folder.clone()) {
                disk.create_folder(&folder).map_err(|error| failed(&error))?;
            }
            done.files += 1;
            match disk.link_or_copy(&blobs.path(row.id), &target.path(row.id)) {
                Ok(()) => done.files_new += 1,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&error).into()),
            }
        }
        on_progress(done);
    }
    let mut mark_lines = format!("sceau-backup 1\nat {}\nschema {}\n", now.0, crate::schema::VERSION);
    for (path, name) in names_of(extra)? {
        if let (Some(name), Some(path)) = (name.to_str(), path.to_str())
            && !format!("{name}{path}").contains(char::is_control)
        {
            mark_lines.push_str(&format!("file {name}\t{path}\n"));
        }
        let name = to.join("files").join(name);
        if let Some(folder) = name.parent() {
            disk.create_folder(folder).map_err(|error| failed(&error))?;
            folders.insert(folder.to_owned());
        }
        let _ = disk.remove(&name);
        disk.copy(path, &name).map_err(|error| failed(&error))?;
    }
    for folder in folders.iter().chain([&target.folder, &to.join("files")]) {
        disk.sync_folder(folder).map_err(|error| failed(&error))?;
    }
    // From here to the end a crash leaves the old mark with the new database: both are complete, since no file of the
    // older one is removed before.
    drop(copy);
    disk.rename(&database, &to.join("sceau.sqlite")).map_err(|error| failed(&error))?;
    let mark = fresh.join(COMPLETE);
    let mut file = disk.create(&mark).map_err(|error| failed(&error))?;
    file.append(mark_lines.as_bytes()).and_then(|()| file.sync()).map_err(|error| failed(&error))?;
    disk.rename(&mark, &to.join(COMPLETE)).map_err(|error| failed(&error))?;
    disk.sync_folder(to).map_err(|error| failed(&error))?;
    done.files_removed = remove_unreferenced(to, &target)?;
    on_progress(done);
    Ok(done)
}

/// Whether both folders lie on one file system. When nobody can tell, there is nothing to say.
fn same_file_system(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    device(one).is_some() && device(one) == device(other)
}

/// The files that a backup took along, by name. Restoring the store leaves them where they are.
///
/// # Errors
/// The disk's.
pub fn companions(backup: &Path) -> Result<Vec<Companion>, StoreError> {
    let failed = |error: std::io::Error| StoreError::Engine(disk_error("reading the backup", &error));
    let mark = std::fs::read_to_string(backup.join(COMPLETE)).map_err(failed)?;
    let known: BTreeMap<&str, &str> =
        mark.lines().filter_map(|line| line.strip_prefix("file ")?.split_once('\t')).collect();
    let files = backup.join("files");
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for one in RealDisk.list(&files.join(&folder)).map_err(failed)? {
            let name = folder.join(&one.name);
            match one.folder {
                true => folders.push(name),
                false => {
                    let was = name.to_str().and_then(|name| known.get(name)).map(PathBuf::from);
                    found.push(Companion { at: files.join(&name), was });
                }
            }
        }
    }
    found.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(found)
}

/// What each file is called in the backup: its name, or its whole path where another one took that name. Certificates of
/// several names are often called alike, in folders of their own.
fn names_of(extra: &[PathBuf]) -> Result<Vec<(&Path, PathBuf)>, StoreError> {
    let mut taken = BTreeMap::<PathBuf, &Path>::new();
    for path in extra {
        let name = path.file_name().ok_or_else(|| EngineError::Other(format!("{} is no file", path.display())))?;
        let whole = || path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let name = match taken.get(Path::new(name)) {
            Some(other) if *other != path => whole(),
            _ => PathBuf::from(name),
        };
        taken.insert(name, path);
    }
    Ok(taken.into_iter().map(|(name, path)| (path, name)).collect())
}

fn remove_unreferenced(to: &Path, target: &Blobs) -> Result<u64, StoreError> {
    let copy = Frozen::open(&to.join("sceau.sqlite"), target.clone())?;
    let mut removed = 0;
    for folder in target.disk.list(&target.folder).unwrap_or_default().into_iter().filter(|found| found.folder) {
        let path = target.folder.join(&folder.name);
        for file in target.disk.list(&path).unwrap_or_default() {
            let known = match BlobId::from_hex(&file.name) {
                Some(id) => copy.read(|view| blob::is_known(view, id))?,
                None => false,
            };
            if !known && target.disk.remove(&path.join(&file.name)).is_ok() {
                removed += 1;
            }
        }
    }
    Ok(removed)
}

impl Backup {
    /// Opens a complete backup of this program's schema version.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a folder that holds none, [`EngineError::Other`] for another version.
    pub fn open(folder: &Path, disk: std::sync::Arc<dyn crate::disk::Disk>) -> Result<Backup, StoreError> {
        let is_mark = |found: &crate::disk::Found| found.name == COMPLETE;
        if !disk.list(folder).map_err(|error| disk_error("opening the backup", &error))?.iter().any(is_mark) {
            return Err(StoreError::Damaged(format!("{} is no complete backup", folder.display())));
        }
        let blobs = Blobs { disk, folder: folder.join("blobs") };
        let copy = Frozen::open(&folder.join("sceau.sqlite"), blobs)?;
        let version = copy.read(|view| crate::schema::version(view))?;
        if version != crate::schema::VERSION {
            let text =
                format!("the backup has schema version {version}: restore it whole, into a folder of its own, first");
            return Err(EngineError::Other(text).into());
        }
        Ok(Backup { folder: folder.to_owned(), copy })
    }

    /// Reads from it, with the functions that read from a store.
    ///
    /// # Errors
    /// The closure's.
    pub fn read<T>(&self, closure: impl FnOnce(&mut dyn Snapshot) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.copy.read(closure)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_is_another_device() {
        assert!(same_file_system(Path::new("/"), Path::new("/.")));
        assert!(!same_file_system(Path::new("/"), Path::new("/proc")));
        assert!(!same_file_system(Path::new("/nowhere"), Path::new("/nowhere")));
    }
}
