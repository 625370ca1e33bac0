//! The proof, told on the terminal: what users see of one operator, what two operators exchange, and what they refuse.

mod audit;
mod between;
mod dead;
mod letter;
mod round_trip;

use anyhow::Context;

use super::people::{Counterpart, People};
use super::{Operators, Place};

/// Who takes part.
pub(super) struct Scene<'a> {
    pub(super) place: &'a Place,
    pub(super) people: &'a People,
    pub(super) counterpart: &'a Counterpart,
    pub(super) operators: &'a Operators,
}

/// Runs the proof.
pub(super) async fn run(scene: &Scene<'_>) -> anyhow::Result<()> {
    // It takes a few seconds to be given up: that time passes while the others are at work.
    let dead = dead::send(scene).await.context("a message to a dead operator")?;
    round_trip::run(scene).await?;
    say!("\nA second operator, by DNS, white list and certificates:");
    between::run(scene).await.context("between the operators")?;
    audit::run(scene).await.context("the audit")?;
    audit::unlisted_recipient(scene).await.context("an unlisted recipient")?;
    dead.watch(scene).await.context("a dead operator")?;
    say!("  THE PROOF HOLDS");
    Ok(())
}
