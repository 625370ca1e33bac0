//! What an idle session costs, and what a large message costs while it comes.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tests::letter;

use crate::{Plan, figures::Figures, target::Target};

/// Octets of the attachment of "50 MB", decoded.
const LARGE: usize = 52_428_800;

/// KiB per TLS session that has selected INBOX and idles. All of the server's memory is divided, and not its growth: what
/// hashing the first passwords left to the allocator would make a growth look smaller than it is.
pub fn idle_sessions(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let counts: &[(usize, &str)] = if plan.quick { &[(1_000, "1,000")] } else { &[(1_000, "1,000"), (5_000, "5,000")] };
    let mut sessions = Vec::new();
    for (count, words) in counts {
        while sessions.len() < *count {
            let mut imap = target.imap(sessions.len() % 20).with_context(|| format!("session {}", sessions.len()))?;
            imap.ok("SELECT INBOX")?;
            imap.idle()?;
            sessions.push(imap);
        }
        for _ in 0..plan.runs() {
            std::thread::sleep(Duration::from_millis(200));
            let per_session = target.memory()? / *count as f64;
            figures.add(
                &format!("memory per idle TLS session at {words}, the whole server divided, KiB"),
                target.side,
                per_session,
            );
        }
    }
    Ok(())
}

/// How much the processes grow at most while one message of 50 MB is taken.
pub fn one_large_message(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let account = 0;
    let message = letter::with_attachment("bench@elsewhere.example", &target.accounts[account], LARGE);
    for _ in 0..plan.runs() {
        let before = target.memory()?;
        let over = AtomicBool::new(false);
        let target = &*target;
        let most = std::thread::scope(|scope| -> Result<f64> {
            let watching = scope.spawn(|| {
                let mut most = before;
                while !over.load(Ordering::Relaxed) {
                    most = most.max(target.memory().unwrap_or_default());
                    std::thread::sleep(Duration::from_millis(5));
                }
                most
            });
            let mut smtp = target.smtp()?;
            let reply = smtp.send("bench@elsewhere.example", &[&target.accounts[account]], &message);
            over.store(true, Ordering::Relaxed);
            let reply = reply?;
            ensure!(reply.is_ok(), "50 MB: {reply:?}");
            watching.join().ok().context("the watcher panicked")
        })?;
        figures.add("memory while 50 MB are accepted, beyond before, MiB", target.side, (most - before) / 1_024.0);
    }
    // The kernel's own mark, where one process is all there is.
    if let [pid] = target.processes()?.as_slice() {
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        let before = high_water(*pid)?;
        let reply = target.smtp()?.send("bench@elsewhere.example", &[&target.accounts[account]], &message)?;
        ensure!(reply.is_ok(), "50 MB: {reply:?}");
        let grown = high_water(*pid)?.saturating_sub(before);
        figures.add("the same by VmHWM, MiB", target.side, grown as f64 / 1_024.0);
    }
    Ok(())
}

fn high_water(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    line.split_whitespace().next().and_then(|value| value.parse().ok()).context("no VmHWM")
}
