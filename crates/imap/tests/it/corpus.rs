//! Replays the fuzzing corpus of `tests/corpus` on every run.

use std::path::Path;

use crate::{codec, properties};

/// Hands every file of a folder to `run`; the last line printed names the file of a panic.
fn replay(folder: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        run(&std::fs::read(&seed).expect("a seed"));
    }
}

#[test]
fn commands_of_the_corpus() {
    replay("imap/command", properties::command_holds);
    replay("imap/command", codec::agrees);
}

#[test]
fn names_of_the_corpus() {
    replay("imap/name", |octets| {
        if let Ok(text) = std::str::from_utf8(octets) {
            properties::name_holds(text);
        }
    });
}

/// The first octet says where the rest is cut; here it is cut everywhere else too.
#[test]
fn sessions_of_the_corpus() {
    let now = std::time::Instant::now();
    replay("imap/session", |octets| {
        for cut in 0..octets.len() {
            properties::session_holds(octets.get(1..).unwrap_or_default(), cut, now);
        }
    });
}

#[test]
fn messages_of_the_corpus() {
    replay("mail/message", codec::fetched);
}
