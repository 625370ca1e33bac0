//! Measures the server, and with `--peer` Postfix and Dovecot beside it on the same work, disk and minute.
//!
//! usage: bench [--quick] [--peer] [--dir FOLDER] [--only WORD]…
//!
//! Prints a Markdown table: medians, with the least and the most of the runs. What each line means is in
//! `docs/performance.md`.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench owns sockets, files, threads and a clock"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a bench may end with a panic")]

mod figures;
mod mailboxes;
mod memory;
mod peer;
mod relay;
mod sending;
mod signing_in;
mod target;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{figures::Figures, target::Target};

/// What to measure, and how long.
pub struct Plan {
    /// Fewer runs, shorter, on smaller mailboxes: to see whether a change helped.
    pub quick: bool,
    peer: bool,
    folder: PathBuf,
    only: Vec<String>,
}

impl Plan {
    fn from_arguments() -> Result<Plan> {
        let mut plan = Plan { quick: false, peer: false, folder: std::env::temp_dir(), only: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => plan.quick = true,
                "--peer" => plan.peer = true,
                "--dir" => plan.folder = arguments.next().context("--dir FOLDER")?.into(),
                "--only" => plan.only.push(arguments.next().context("--only WORD")?),
                _ => bail!("usage: bench [--quick] [--peer] [--dir FOLDER] [--only WORD]…"),
            }
        }
        Ok(plan)
    }

    /// Whether this group of figures was asked for.
    #[must_use]
    pub fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| group.contains(word.as_str()))
    }

    /// How often each figure is measured.
    #[must_use]
    pub fn runs(&self) -> usize {
        if self.quick { 3 } else { 5 }
    }

    /// Seconds of one run of a rate.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        if self.quick { 1.0 } else { 3.0 }
    }
}

fn main() -> Result<()> {
    let plan = Plan::from_arguments()?;
    let folder = tempfile::TempDir::with_prefix_in("sceau-bench-", &plan.folder)?;
    let mut figures = Figures::default();
    figures.machine()?;

    let mut peer = if plan.peer { Some(peer::start(&folder.path().join("peer"))?) } else { None };
    let mut ours = Target::ours(&folder.path().join("ours"))?;
    let measured = measure(&mut figures, &mut ours, peer.as_mut(), &plan, folder.path());
    // What was measured before something broke is worth its minutes.
    println!("{}", figures.table());
    measured
}

/// One after the other, group by group, so that both meet the same mood of the disk; only one works at a time.
fn measure(
    figures: &mut Figures,
    ours: &mut Target,
    mut peer: Option<&mut Target>,
    plan: &Plan,
    folder: &Path,
) -> Result<()> {
    for group in GROUPS {
        if !plan.wants(group.name) {
            continue;
        }
        eprintln!("… {}", group.name);
        sending::raw_syncs(figures, folder, plan)?;
        // Memory that earlier work left to the allocator would hide what is asked: these begin with a process that has
        // done nothing yet, not even made its accounts.
        let mut fresh = match group.name.ends_with("-memory") {
            true => {
                let folder = folder.join(group.name);
                drop(Target::ours(&folder)?);
                Some(Target::ours(&folder)?)
            }
            false => None,
        };
        let target = fresh.as_mut().unwrap_or(ours);
        (group.measure)(figures, target, plan).with_context(|| format!("{}: ours", group.name))?;
        if let Some(peer) = &mut peer {
            (group.measure)(figures, peer, plan).with_context(|| format!("{}: peer", group.name))?;
        }
    }
    Ok(())
}

struct Group {
    name: &'static str,
    measure: fn(&mut Figures, &mut Target, &Plan) -> Result<()>,
}

const GROUPS: &[Group] = &[
    Group { name: "smtp", measure: sending::smtp_rates },
    Group { name: "latency", measure: sending::end_of_data },
    Group { name: "append", measure: sending::append_rates },
    Group { name: "idle", measure: sending::idle_wake_up },
    Group { name: "login", measure: signing_in::rates },
    Group { name: "mailbox", measure: mailboxes::large },
    Group { name: "body", measure: mailboxes::bodies },
    Group { name: "relay", measure: relay::rates },
    Group { name: "message-memory", measure: memory::one_large_message },
    Group { name: "session-memory", measure: memory::idle_sessions },
];
