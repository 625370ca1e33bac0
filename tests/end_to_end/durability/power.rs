//! R2: power loss. What was not synced is forgotten, wholly or in parts, at every kind of moment.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::preload::Faults;

use super::{Trial, rounds, store_folder, until_gone};

/// The operation at which the power goes: near the start, and far into the work (checkpoints come there).
const OPERATIONS_MAX: u64 = 1_500;

fn power_losses(how: &str, in_ci: u64) -> Result<()> {
    let mut trial = Trial::new()?;
    let rounds = rounds(in_ci, 300);
    let mut losses = 0;
    for round in 0..rounds {
        let moment = trial.random.between(1, if round % 3 == 0 { 60 } else { OPERATIONS_MAX });
        let begin = trial.data.with_extension("begin");
        let _ = std::fs::remove_file(&begin);
        let faults = Faults::below(&store_folder(&trial.data))
            .with("FAULT_DO", how)
            .with("FAULT_AT", moment.to_string())
            .with("FAULT_LOG", trial.data.with_extension("operations").to_string_lossy())
            .with("FAULT_SEED", trial.random.any().to_string())
            .with("FAULT_WHILE", begin.to_string_lossy())
            .with("FAULT_EAT_SYNC", "1");
        let mut server = trial.start(faults.environment())?;
        std::fs::write(&begin, "")?;
        trial.work(&mut server, |server| until_gone(server, Duration::from_secs(4)));
        losses += u64::from(server.ended_within(Duration::ZERO).is_ok());
        drop(server);
        if round % 10 == 9 {
            trial.recheck_bodies();
        }
        trial.verify().map_err(|error| {
            let log = std::fs::read_to_string(trial.data.with_extension("operations")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(80).collect();
            error.context(format!(
                "power lost at operation {moment}, round {round}; the last first:\n{}",
                last.join("\n")
            ))
        })?;
        std::fs::remove_file(trial.data.with_extension("operations"))?;
    }
    println!("{losses} losses of power in {rounds} rounds");
    ensure!(losses * 2 >= rounds, "the power was lost only {losses} times in {rounds} rounds");
    Ok(())
}

#[test]
fn r2_power_loss_forgets_nothing_acknowledged() -> Result<()> {
    power_losses("power", 12)
}

#[test]
fn r2_torn_and_reordered_writes_harm_nothing_acknowledged() -> Result<()> {
    power_losses("tear", 12)
}
