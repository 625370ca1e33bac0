//! R2, R3: no acknowledgement before its sync; a failed sync ends the server, and costs nothing acknowledged.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{
    letter,
    preload::{Faults, read_log, unsynced_answers},
};

use super::{Trial, rounds, store_folder, until_gone};

#[test]
fn r2_every_acknowledgement_follows_its_sync() -> Result<()> {
    let trial = Trial::new()?;
    let log_file = trial.data.with_extension("operations");
    let faults = Faults::below(&store_folder(&trial.data)).with("FAULT_LOG", log_file.to_string_lossy());
    let server = trial.start(faults.environment())?;
    let recipient = server.user(2).0;

    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    let mut imap = server.imap(2)?;
    imap.ok("SELECT INBOX")?;
    for octets in [500, 20_000, 300_000] {
        for _ in 0..5 {
            let letter = letter::plain("a@elsewhere.example", recipient, octets);
            ensure!(smtp.send("a@elsewhere.example", &[recipient], &letter)?.is_ok());
            ensure!(imap.append("INBOX", "", &letter)?.is_ok());
            imap.ok("STORE * +FLAGS.SILENT (\\Seen)")?;
        }
    }
    imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")?;
    imap.ok("EXPUNGE")?;
    let ports = [smtp.wire.socket().local_addr()?.port(), imap.wire.socket().local_addr()?.port()];
    drop(server);

    let log = read_log(&log_file)?;
    let syncs = log.iter().filter(|operation| operation.name == "sync" && operation.result == 0).count();
    ensure!(syncs >= 40, "only {syncs} syncs for 47 acknowledgements that each waited for the one before");
    for port in ports {
        let sends =
            log.iter().filter(|operation| operation.name == "send" && operation.what == format!("port:{port}")).count();
        ensure!(sends >= 15, "the log does not show the connection");
        ensure!(unsynced_answers(&log, port) == 0, "{} answers before their sync", unsynced_answers(&log, port));
    }
    Ok(())
}

/// One fault of one kind, then the server's end, or a refusal; then everything acknowledged is there.
fn fault(trial: &mut Trial, operation: &str, errno: &str, how: &str, at: u64) -> Result<(bool, Vec<String>)> {
    let begin = trial.data.with_extension("begin");
    let _ = std::fs::remove_file(&begin);
    let faults = Faults::below(&store_folder(&trial.data))
        .with("FAULT_DO", how)
        .with("FAULT_OPS", operation)
        .with("FAULT_ERRNO", errno)
        .with("FAULT_AT", at.to_string())
        .with("FAULT_WHILE", begin.to_string_lossy());
    let begun = std::time::Instant::now();
    let mut server = trial.start(faults.environment())?;
    std::fs::write(&begin, "")?;
    let refused = trial.work(&mut server, |server| until_gone(server, Duration::from_millis(700)));
    let ended = server.ended_within(Duration::from_millis(200)).ok();
    if let Some(status) = ended {
        ensure!(!status.success(), "{operation} {errno} at {at}: ended with status 0");
    }
    drop(server);
    trial.verify().map_err(|error| error.context(format!("{operation} failed with {errno} at {at}")))?;
    println!(
        "{operation} {errno} {how} at {at}: ended {}, refused {refused:?}, {:?}",
        ended.is_some(),
        begun.elapsed()
    );
    Ok((ended.is_some(), refused))
}

#[test]
fn r3_a_failed_sync_poisons_the_store_and_ends_the_server() -> Result<()> {
    let mut trial = Trial::new()?;
    for at in (1..).step_by(7).take(usize::try_from(rounds(4, 40))?) {
        let (ended, _) = fault(&mut trial, "sync", "EIO", "fail", at)?;
        ensure!(ended, "sync number {at} failed, and the server goes on");
    }
    Ok(())
}

#[test]
fn r3_no_failed_write_rename_or_truncation_costs_what_was_acknowledged() -> Result<()> {
    let mut trial = Trial::new()?;
    for operation in ["write", "rename", "truncate", "create", "unlink"] {
        for at in (1..).step_by(5).take(usize::try_from(rounds(2, 40))?) {
            fault(&mut trial, operation, "EIO", "fail", at)?;
        }
    }
    for at in [3, 17] {
        fault(&mut trial, "write", "EIO", "short", at)?;
    }
    trial.recheck_bodies();
    trial.verify()?;
    Ok(())
}
