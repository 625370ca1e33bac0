//! What is kept on disk: the last good list, and the revocation lists.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use aws_lc_rs::digest;

/// The folder.
#[derive(Clone, Debug)]
pub struct KeptFiles {
    folder: PathBuf,
}

/// A revocation list that was kept, and the address it came from.
pub(super) struct KeptList {
    pub(super) url: String,
    pub(super) der: Vec<u8>,
}

impl KeptFiles {
    /// Makes the folder when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> anyhow::Result<KeptFiles> {
        let revocation = folder.join("revocation");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&revocation);
        made.with_context(|| format!("creating {}", revocation.display()))?;
        Ok(KeptFiles { folder: folder.to_owned() })
    }

    /// The last good list.
    pub fn white_list(&self) -> PathBuf {
        self.folder.join("white-list.xml")
    }

    /// Where files that live for a moment go.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn keep_white_list(&self, xml: &[u8]) -> io::Result<()> {
        replace(&self.white_list(), xml)
    }

    pub(super) fn keep_revocation(&self, url: &str, der: &[u8]) -> io::Result<()> {
        let name = hexadecimal(digest::digest(&digest::SHA256, url.as_bytes()).as_ref());
        let folder = self.folder.join("revocation");
        replace(&folder.join(format!("{name}.url")), url.as_bytes())?;
        replace(&folder.join(format!("{name}.crl")), der)
    }

    /// Keeps the certificate of an authority that signs lists and is not configured.
    pub(super) fn keep_issuer(&self, der: &[u8]) -> io::Result<()> {
        let name = hexadecimal(digest::digest(&digest::SHA256, der).as_ref());
        replace(&self.folder.join("revocation").join(format!("{name}.issuer")), der)
    }

    /// Those kept by [`KeptFiles::keep_issuer`].
    pub(super) fn issuers(&self) -> Vec<Vec<u8>> {
        self.of_ending("issuer").iter().filter_map(|file| std::fs::read(file).ok()).collect()
    }

    fn of_ending(&self, ending: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.join("revocation"));
        let files = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == ending)).collect()
    }

    /// All that can be read.
    pub(super) fn revocations(&self) -> Vec<KeptList> {
        let mut lists = Vec::new();
        for file in self.of_ending("crl") {
            if let (Ok(der), Ok(url)) = (std::fs::read(&file), std::fs::read_to_string(file.with_extension("url"))) {
                lists.push(KeptList { url, der });
            }
        }
        lists
    }
}

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Whole or not at all, whenever the machine stops.
fn replace(file: &Path, octets: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut options = File::options();
    let mut written = options.create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    written.write_all(octets)?;
    written.sync_all()?;
    std::fs::rename(&new, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
