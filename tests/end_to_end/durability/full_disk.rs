//! Disk full: 452 and NO, nothing lost, expunge still works, and it goes on by itself when there is room again.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{
    letter,
    preload::Faults,
    server::{Options, Server},
};

use super::{Trial, store_folder};

/// A file system of its own in memory, gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where mounting is not permitted; the fault library stands in for it there.
    fn mounted(megabytes: u32) -> Result<Option<SmallDisk>> {
        let folder = TempDir::with_prefix("sceau-small-disk-")?;
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        Ok(mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(folder)))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_and_recovers_without_restart() -> Result<()> {
    match SmallDisk::mounted(512)? {
        Some(disk) => on_a_small_disk(&disk),
        None => with_writes_that_fail(),
    }
}

fn on_a_small_disk(disk: &SmallDisk) -> Result<()> {
    let data = disk.path().join("data");
    let server = Server::start_with(Options { folder: Some(data), ..Options::default() })?;
    let recipient = server.user(2).0;
    let sent = letter::plain("a@elsewhere.example", recipient, 1_000_000);
    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    // The proof of the demo is there already.
    let mut accepted = super::super::security::messages_of(&server, 2)?;
    let refusal = loop {
        ensure!(accepted < 600, "600 MB went into 512");
        let reply = smtp.send("a@elsewhere.example", &[recipient], &sent)?;
        if !reply.is_ok() {
            break reply;
        }
        accepted += 1;
    };
    ensure!(refusal.code == 452 && refusal.status() == "4.3.1", "{refusal:?}");
    let mut imap = server.imap(2)?;
    let appended = imap.append("INBOX", "", &sent)?;
    ensure!(appended.status.starts_with("NO"), "APPEND on a full disk: {}", appended.status);

    // What frees room must still commit.
    imap.ok("SELECT INBOX")?;
    let exists = imap.ok("SEARCH RETURN (COUNT) ALL")?;
    ensure!(exists.find(&format!("COUNT {accepted}")).is_some(), "{accepted} accepted, there are {exists:?}");
    imap.ok(&format!("STORE 1:{} +FLAGS.SILENT (\\Deleted)", accepted - 3))?;
    imap.ok("EXPUNGE")?;

    // Nobody restarts anything, no room comes from elsewhere: octets leave after the short grace, and mail is taken again.
    let mut taken = false;
    for _ in 0..240 {
        let mut smtp = server.relay()?;
        smtp.expect("EHLO elsewhere.example", 250)?;
        taken = smtp.send("a@elsewhere.example", &[recipient], &sent)?.is_ok();
        if taken {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    ensure!(taken, "with room again, mail is still refused");
    let verified = server.run(&["verify"])?;
    ensure!(verified.status.success(), "sceau verify: {}{}", verified.out, verified.err);
    Ok(())
}

fn with_writes_that_fail() -> Result<()> {
    let mut trial = Trial::new()?;
    no_room(&mut trial)
}

/// The same through the fault library: every write fails with ENOSPC while a file exists.
#[test]
fn r3_enospc_on_every_write_costs_nothing_acknowledged() -> Result<()> {
    no_room(&mut Trial::new()?)
}

fn no_room(trial: &mut Trial) -> Result<()> {
    let full = trial.data.with_extension("full");
    let faults = Faults::below(&store_folder(&trial.data))
        .with("FAULT_DO", "fail")
        .with("FAULT_OPS", "write")
        .with("FAULT_ERRNO", "ENOSPC")
        .with("FAULT_AT", "1")
        .with("FAULT_FOR", "0")
        .with("FAULT_WHILE", full.to_string_lossy());
    let mut server = trial.start(faults.environment())?;
    trial.work(&mut server, |_| std::thread::sleep(Duration::from_millis(300)));
    fs::write(&full, "")?;
    let refused = trial.work(&mut server, |_| std::thread::sleep(Duration::from_millis(500)));
    for refusal in &refused {
        let temporary = refusal.starts_with('4') || refusal.starts_with("NO") || refusal.starts_with("BYE");
        ensure!(temporary, "a full disk is no reason to refuse for good: {refusal}");
    }
    fs::remove_file(&full)?;
    // There is room again: without a restart, unless the server chose to end, mail is taken.
    if server.ended_within(Duration::from_millis(100)).is_err() {
        let refused = trial.work(&mut server, |_| std::thread::sleep(Duration::from_millis(300)));
        ensure!(refused.is_empty(), "with room again: {refused:?}");
    }
    drop(server);
    trial.recheck_bodies();
    trial.verify()?;
    Ok(())
}
