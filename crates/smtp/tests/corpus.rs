//! Replays the fuzzing corpus of `tests/corpus/smtp` on every run.

mod fuzzed;
mod pretend;

use std::path::Path;

/// Hands every file of a folder to `run`; a panic names the promise, the last line printed names the file.
fn replay(folder: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/smtp").join(folder);
    #[allow(clippy::disallowed_methods, reason = "seeds are files")]
    let seeds = std::fs::read_dir(&folder).and_then(|entries| {
        entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), std::fs::read(entry.path())?)))).collect()
    });
    let seeds: Vec<_> = seeds.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for (path, octets) in seeds {
        println!("{}", path.display());
        run(&octets);
    }
}

#[test]
fn sessions_of_the_corpus() {
    replay("session", fuzzed::session);
}

#[test]
fn commands_of_the_corpus() {
    replay("command", fuzzed::command);
}

#[test]
fn bodies_of_the_corpus() {
    replay("body", fuzzed::body);
}

#[test]
fn clients_of_the_corpus() {
    replay("client", fuzzed::client);
}
