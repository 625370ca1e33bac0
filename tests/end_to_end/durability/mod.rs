//! What was acknowledged is there after `kill -9`, after power loss, after a failing disk, after a full one.

mod full_disk;
mod kill;
mod power;
mod syncs;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{
    ledger::{self, Ledger, Shared, Tally},
    random::Random,
    server::{Doors, Options, Server},
};

/// A demo whose data outlive its processes, and the ledger of what it acknowledged.
struct Trial {
    _temporary: TempDir,
    data: PathBuf,
    ledger: Shared,
    random: Random,
}

impl Trial {
    /// A new demo, made and stopped without faults.
    fn new() -> Result<Trial> {
        let temporary = TempDir::with_prefix("sceau-trial-")?;
        let data = temporary.path().join("data");
        let trial = Trial {
            data,
            ledger: Mutex::new(Ledger::default()),
            random: Random::for_this_run(),
            _temporary: temporary,
        };
        drop(trial.start(Vec::new())?);
        Ok(trial)
    }

    fn start(&self, environment: Vec<(String, String)>) -> Result<Server> {
        Server::start_with(Options { folder: Some(self.data.clone()), environment, accounts: None })
    }

    /// Two senders, one appender and one that changes work on the server while `meanwhile` runs; they stop when the
    /// connection breaks or `meanwhile` is over. Gives what the server refused, in words.
    fn work(&mut self, server: &mut Server, meanwhile: impl FnOnce(&mut Server)) -> Vec<String> {
        let stop = AtomicBool::new(false);
        let mut seeds =
            [self.random.any(), self.random.any(), self.random.any(), self.random.any()].map(Random::from_seed);
        let ledger = &self.ledger;
        let doors = Doors::clone(server);
        std::thread::scope(|scope| {
            let [first, second, third, fourth] = &mut seeds;
            let (stop, doors) = (&stop, &doors);
            let working = [
                scope.spawn(move || ledger::send_until_broken(doors, ledger, stop, first)),
                scope.spawn(move || ledger::send_until_broken(doors, ledger, stop, second)),
                scope.spawn(move || ledger::append_until_broken(doors, ledger, stop, third)),
            ];
            let changing = scope.spawn(move || ledger::change_until_broken(doors, ledger, stop, fourth));
            meanwhile(server);
            stop.store(true, Ordering::Relaxed);
            let refused = working.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect();
            let _ = changing.join();
            refused
        })
    }

    /// Starts the server without faults, holds it to the ledger, and lets it verify itself.
    fn verify(&mut self) -> Result<Tally> {
        let server = self.start(Vec::new())?;
        let tally = self.verify_on(&server)?;
        let verified = server.run(&["verify"])?;
        ensure!(verified.status.success(), "sceau verify: {}{}", verified.out, verified.err);
        Ok(tally)
    }

    fn verify_on(&mut self, server: &Server) -> Result<Tally> {
        let recipient = server.user(2).0.to_owned();
        let ledger = self.ledger.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        ledger.verify(&mut server.imap(2)?, &recipient)
    }

    /// Compares all bodies again at the next verification, not only new ones.
    fn recheck_bodies(&mut self) {
        self.ledger.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).recheck_bodies();
    }
}

/// Rounds of a test: few in CI, more with `--long`, any number by `SCEAU_TEST_ROUNDS`.
fn rounds(in_ci: u64, long: u64) -> u64 {
    let asked = std::env::var("SCEAU_TEST_ROUNDS").ok().and_then(|text| text.parse().ok());
    let usual = if std::env::var_os("SCEAU_TEST_LONG").is_some() { long } else { in_ci };
    asked.unwrap_or(usual)
}

/// The folder that holds the store: faults happen there, and not to the log beside it.
fn store_folder(data: &Path) -> PathBuf {
    data.join("data/store")
}

/// Waits, at most so long, until the server is gone by itself.
fn until_gone(server: &mut Server, patience: Duration) {
    let _ = server.ended_within(patience);
}
