//! Files of certificates.

use std::path::{Path, PathBuf};

use anyhow::Context;
use trust::Anchors;

/// Reads roots and intermediates.
pub(crate) fn read(roots: &[PathBuf], intermediates: &[PathBuf]) -> anyhow::Result<Anchors> {
    let mut anchors = Anchors::default();
    for file in roots {
        anchors.add_roots(&octets(file)?).with_context(|| file.display().to_string())?;
    }
    for file in intermediates {
        anchors.add_intermediates(&octets(file)?).with_context(|| file.display().to_string())?;
    }
    Ok(anchors)
}

/// Reads the certificates of files, DER.
pub(crate) fn any(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    let anchors = read(files, &[])?;
    Ok(anchors.certificates().map(|der| der.to_vec()).collect())
}

fn octets(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("reading {}", file.display()))
}
