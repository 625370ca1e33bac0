//! R1: SIGKILL at random moments.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Trial, rounds};

#[test]
fn r1_nothing_acknowledged_is_lost_or_doubled_by_kill_9() -> Result<()> {
    let mut trial = Trial::new()?;
    let rounds = rounds(50, 1_000);
    let mut tally = tests::ledger::Tally::default();
    for round in 0..rounds {
        let mut server = trial.start(Vec::new())?;
        // The verification of the round before is also what the next round starts from.
        tally = trial.verify_on(&server).map_err(|error| error.context(format!("after {round} rounds")))?;
        let moment = Duration::from_millis(trial.random.between(10, 500));
        trial.work(&mut server, |server| {
            std::thread::sleep(moment);
            let _ = server.kill();
        });
    }
    trial.recheck_bodies();
    let last = trial.verify()?;
    println!("{rounds} rounds: {last:?}");
    ensure!(
        last.acknowledged >= tally.acknowledged && last.acknowledged as u64 > rounds,
        "too little was tried: {last:?}"
    );
    ensure!(last.flagged > 0 && last.expunged > 0, "no changes were tried: {last:?}");
    Ok(())
}
