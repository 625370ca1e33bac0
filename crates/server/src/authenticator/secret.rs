//! A random key that stays the same across restarts: made once, kept in a file its owner alone can read.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use net::{Randomness, SystemRandomness};

/// Reads the key, or makes it.
pub fn ensure(path: &Path) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(octets) if octets.len() == 32 => {
            let mut key = [0; 32];
            key.copy_from_slice(&octets);
            Ok(key)
        }
        Ok(_) => make(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) => Err(error),
    }
}

fn make(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    SystemRandomness.fill(&mut key);
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let first = ensure(&path).unwrap();
        assert_eq!(ensure(&path).unwrap(), first);
        fs::write(&path, "cut").unwrap();
        assert_ne!(ensure(&path).unwrap(), first);
    }
}
