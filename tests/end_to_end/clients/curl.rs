//! curl: smtps, smtp with STARTTLS, imaps.

use std::fs;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tests::{letter, program::succeed, server::Server};

use super::arrived_intact;

#[test]
fn curl_sends_and_reads() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let (sender, password) = server.user(1);
    let (recipient, recipient_password) = server.user(3);
    let authority = server.settings.get("CA_FILE");
    let credentials = format!("{sender}:{password}");

    let submissions = format!("smtps://localhost:{}/client.example", server.settings.get("SUBMISSIONS_PORT"));
    let submission = format!("smtp://localhost:{}/client.example", server.settings.get("SUBMISSION_PORT"));
    for url in [submissions, submission] {
        let sent = letter::with_attachment(sender, recipient, 300_000);
        let file = folder.path().join("letter.eml");
        fs::write(&file, &sent)?;
        let arguments = ["-sS", "--ssl-reqd", "--cacert", authority, "--url", &url, "--user", &credentials];
        let envelope = ["--mail-from", sender, "--mail-rcpt", recipient, "--upload-file", "letter.eml"];
        succeed("curl", &[arguments.as_slice(), &envelope].concat(), folder.path(), b"")?;
        arrived_intact(&server, 3, &sent)?;

        let inbox = format!("imaps://localhost:{}/INBOX", server.settings.get("IMAPS_PORT"));
        let credentials = format!("{recipient}:{recipient_password}");
        let curl = |url: &str, request: &[&str]| {
            let arguments = ["-sS", "--cacert", authority, "--user", &credentials, url];
            succeed("curl", &[&arguments, request].concat(), folder.path(), b"")
        };
        let found = curl(&inbox, &["-X", "UID SEARCH ALL"])?.text();
        let uid = found.split_whitespace().last().context("nothing found")?.to_owned();
        let stored = curl(&format!("{inbox};UID={uid}"), &[])?.out;
        ensure!(letter::trace_before(&stored, &sent).is_some(), "curl read other octets");
        ensure!(curl(&inbox, &["-X", &format!("UID STORE {uid} +FLAGS (\\Flagged)")])?.text().contains("\\Flagged"));
        let part = curl(&format!("{inbox};UID={uid};SECTION=1"), &[])?.text();
        ensure!(part.starts_with("Ci-joint le résumé.\r\n.\r\n.."), "part 1: {part:?}");
    }
    Ok(())
}

#[test]
fn curl_appends() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let (user, password) = server.user(1);
    let letter = letter::with_attachment(user, user, 2_000_000);
    fs::write(folder.path().join("letter.eml"), &letter)?;
    let url = format!("imaps://localhost:{}/Drafts", server.settings.get("IMAPS_PORT"));
    let credentials = format!("{user}:{password}");
    server.imap(1)?.command("CREATE Drafts")?;
    let arguments =
        ["-sS", "--cacert", server.settings.get("CA_FILE"), "--user", &credentials, "-T", "letter.eml", &url];
    succeed("curl", &arguments, folder.path(), b"")?;

    let mut imap = server.imap(1)?;
    imap.ok("SELECT Drafts")?;
    let stored = imap.ok("FETCH * BODY.PEEK[]")?;
    let stored = stored.find("FETCH").and_then(|response| response.literals.first()).context("no message")?;
    ensure!(*stored == letter, "APPEND changed the octets");
    Ok(())
}
