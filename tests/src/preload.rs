//! The fault library `tests/preload/faults.c`: built on demand, set by environment, its log read back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result};

use crate::{letter, server};

/// What to do to the disk of one server.
#[derive(Clone, Debug)]
pub struct Faults(Vec<(String, String)>);

impl Faults {
    /// Faults below a folder; none yet.
    #[must_use]
    pub fn below(folder: &Path) -> Faults {
        Faults(Vec::new()).with("LD_PRELOAD", library().to_string_lossy()).with("FAULT_DIR", folder.to_string_lossy())
    }

    /// One more setting of `faults.c`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl AsRef<str>) -> Faults {
        self.0.push((key.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The environment for the server.
    #[must_use]
    pub fn environment(self) -> Vec<(String, String)> {
        self.0
    }
}

/// The library, compiled once for this source.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = server::root().join("tests/preload/faults.c");
        let version = letter::sha256(&fs::read(&source).expect("the source is there"));
        let library = std::env::temp_dir().join(format!("sceau-faults-{}.so", &version[..16]));
        if !library.exists() {
            let unfinished = library.with_extension(std::process::id().to_string());
            let status = Command::new("cc")
                .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
                .args([&unfinished, &source])
                .status()
                .expect("cc runs");
            assert!(status.success(), "cc faults.c");
            fs::rename(&unfinished, &library).expect("renaming a file in its folder");
        }
        library
    })
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `write`, `sync`, `send`, `recv`…
    pub name: String,
    /// What the call gave.
    pub result: i64,
    /// A path, or `port:N` for a connection from that port.
    pub what: String,
}

/// Reads the log that FAULT_LOG names.
pub fn read_log(path: &Path) -> Result<Vec<Operation>> {
    let text = fs::read_to_string(path)?;
    text.lines().map(|line| parse(line).with_context(|| format!("no operation: {line}"))).collect()
}

fn parse(line: &str) -> Option<Operation> {
    let mut words = line.split(' ').skip(1);
    Some(Operation {
        name: words.next()?.to_owned(),
        result: words.next()?.parse().ok()?,
        what: words.next()?.to_owned(),
    })
}

/// How many answers were sent to `port` after something was received from it and written to the disk, without every
/// file so written having been synced in between: each may acknowledge what a power loss would take back.
#[must_use]
pub fn unsynced_answers(log: &[Operation], port: u16) -> usize {
    let connection = format!("port:{port}");
    // What goes to a database beside its write-ahead log is a checkpoint: the log still holds it.
    let checkpointed = |path: &str| log.iter().any(|other| other.what.strip_suffix("-wal") == Some(path));
    let mut asked = false;
    let mut wrote_since_asked = false;
    let mut unsynced: Vec<&str> = Vec::new();
    let mut found = 0;
    for operation in log {
        match operation.name.as_str() {
            "recv" if operation.what == connection => {
                asked = true;
                wrote_since_asked = false;
            }
            // The shared memory of SQLite's WAL is rebuilt after a crash; nothing is kept there.
            "write" if operation.result > 0 && !operation.what.ends_with("-shm") && !checkpointed(&operation.what) => {
                wrote_since_asked = true;
                if !unsynced.contains(&operation.what.as_str()) {
                    unsynced.push(&operation.what);
                }
            }
            "sync" if operation.result == 0 => unsynced.retain(|path| *path != operation.what),
            "send" if operation.what == connection && asked => {
                if wrote_since_asked && !unsynced.is_empty() {
                    found += 1;
                }
                asked = false;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Vec<Operation> {
        text.lines().map(|line| parse(&format!("0 {} 0", line.trim())).unwrap()).collect()
    }

    #[test]
    fn an_answer_without_a_sync_is_found() {
        let promised_early = log("recv 9 port:7\nwrite 4096 /d/db-wal\nsend 8 port:7\nsync 0 /d/db-wal");
        assert_eq!(unsynced_answers(&promised_early, 7), 1);
        let failed = log("recv 9 port:7\nwrite 4096 /d/db-wal\nsync -1 /d/db-wal\nsend 8 port:7");
        assert_eq!(unsynced_answers(&failed, 7), 1);
        let other_file = log("recv 9 port:7\nwrite 9 /d/blob\nwrite 4096 /d/db-wal\nsync 0 /d/db-wal\nsend 8 port:7");
        assert_eq!(unsynced_answers(&other_file, 7), 1);
    }

    #[test]
    fn an_answer_after_the_sync_is_right() {
        let right = log("recv 9 port:7\nwrite 4096 /d/db-wal\nsync 0 /d/db-wal\nsend 8 port:7");
        assert_eq!(unsynced_answers(&right, 7), 0);
        let nothing_written = log("recv 9 port:7\nsend 8 port:7");
        assert_eq!(unsynced_answers(&nothing_written, 7), 0);
    }
}
