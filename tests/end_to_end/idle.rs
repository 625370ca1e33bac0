//! What one session does, others see: in order, at once when they idle, and EXPUNGE only when it may be said.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{letter, server::Server};

const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn idle_wakes_up_for_every_door() -> Result<()> {
    let server = Server::start()?;
    let (sender, recipient) = (server.user(1).0, server.user(2).0);
    let mut watcher = server.imap(2)?;
    // The demo's own proof is there already.
    watcher.ok("SELECT INBOX")?;
    watcher.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
    watcher.ok("EXPUNGE")?;
    let tag = watcher.idle()?;
    let mut next = |expected: &str| -> Result<()> {
        // RECENT and the like may come along.
        while let Some(response) = watcher.response_within(AT_ONCE)? {
            if response.text.contains(expected) {
                return Ok(());
            }
        }
        anyhow::bail!("no {expected} within {AT_ONCE:?}")
    };

    let letter = letter::plain(sender, recipient, 800);
    ensure!(server.submission(1)?.send(sender, &[recipient], &letter)?.is_ok());
    next("1 EXISTS")?;
    let mut relay = server.relay()?;
    relay.expect("EHLO elsewhere.example", 250)?;
    ensure!(relay.send("a@elsewhere.example", &[recipient], &letter)?.is_ok());
    next("2 EXISTS")?;
    let mut other = server.imap(2)?;
    ensure!(other.append("INBOX", "", &letter)?.is_ok());
    next("3 EXISTS")?;
    other.ok("SELECT INBOX")?;
    other.ok("STORE 2 +FLAGS (\\Flagged)")?;
    next("\\Flagged")?;
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")?;
    next("\\Deleted")?;
    other.ok("EXPUNGE")?;
    next("1 EXPUNGE")?;
    watcher.wire.send("DONE\r\n")?;
    ensure!(watcher.completion(&tag)?.is_ok());
    Ok(())
}

#[test]
fn expunge_waits_for_a_moment_when_it_may_be_told() -> Result<()> {
    let server = Server::start()?;
    let user = server.user(1).0;
    let (mut one, mut other) = (server.imap(1)?, server.imap(1)?);
    for _ in 0..3 {
        ensure!(one.append("INBOX", "", &letter::plain(user, user, 400))?.is_ok());
    }
    one.ok("SELECT INBOX")?;
    other.ok("SELECT INBOX")?;
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")?;
    other.ok("EXPUNGE")?;
    // Numbers must not shift under FETCH, STORE and SEARCH (RFC 9051 §7.5.1).
    for command in ["FETCH 3 FLAGS", "STORE 3 +FLAGS (\\Seen)", "SEARCH ALL"] {
        let completed = one.ok(command)?;
        ensure!(completed.find("EXPUNGE").is_none(), "EXPUNGE during {command}");
    }
    let told = one.ok("NOOP")?;
    ensure!(told.find("* 1 EXPUNGE").is_some(), "NOOP did not tell: {:?}", told.untagged);
    let after = one.ok("FETCH 1:* UID")?;
    let fetched: Vec<_> = after.untagged.iter().filter(|response| response.text.contains("FETCH")).collect();
    ensure!(fetched.len() == 2, "{} messages after the expunge", fetched.len());
    Ok(())
}

#[test]
fn eight_thousand_octets_of_flags_are_seen_by_every_session() -> Result<()> {
    let server = Server::start()?;
    let user = server.user(1).0;
    let mut sessions = (0..5).map(|_| server.imap(1)).collect::<Result<Vec<_>>>()?;
    ensure!(sessions[0].append("INBOX", "", &letter::plain(user, user, 400))?.is_ok());
    for session in &mut sessions {
        session.ok("SELECT INBOX")?;
    }
    for round in 0..40 {
        let acting = round % sessions.len();
        sessions[acting].ok(&format!("STORE 1 +FLAGS ($Round{round})"))?;
        for session in &mut sessions {
            session.ok("NOOP")?;
            let seen = session.ok("FETCH 1 FLAGS")?;
            let flags = &seen.find("FLAGS").context("no FLAGS")?.text;
            ensure!(flags.contains(&format!("$Round{round}")), "a session does not see round {round}: {flags}");
        }
    }
    Ok(())
}
