//! The seeds of the fuzzers, on stable: every promise holds of each, and of each with an octet changed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read the corpus")]

mod fuzzed;

use std::path::Path;

fn replay(folder: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/trust").join(folder);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let octets = std::fs::read(&file).unwrap();
        holds(&octets);
        for index in 0..octets.len() {
            let mut changed = octets.clone();
            if let Some(octet) = changed.get_mut(index) {
                *octet ^= 0x21;
            }
            holds(&changed);
            holds(changed.get(..index).unwrap_or_default());
        }
    }
}

#[test]
fn names() {
    replay("name", fuzzed::name);
}

#[test]
fn white_lists() {
    replay("white_list", fuzzed::white_list);
}

#[test]
fn octets() {
    replay("octets", fuzzed::octets);
}
