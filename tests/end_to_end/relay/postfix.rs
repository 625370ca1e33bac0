//! Debian's Postfix as the other operator: certificates required and verified on both sides.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tests::{
    letter,
    postfix::{ADDRESS, Postfix},
    server::{Doors, Options, Server},
    serving::Serving,
};

/// Somebody who lives at Postfix.
const THERE: &str = "paul@ailleurs.example";

fn start() -> Result<(Server, Postfix)> {
    let server = Server::start()?;
    let postfix = Postfix::start(&server)?;
    Ok((server, postfix))
}

/// The message below the fields that delivery put before it; Maildirs have the line ends of the system.
fn is_intact(delivered: &[u8], sent: &[u8]) -> bool {
    let unix: Vec<u8> = sent.iter().copied().filter(|octet| *octet != b'\r').collect();
    delivered.strip_suffix(unix.as_slice()).is_some_and(|trace| trace.ends_with(b"\n"))
}

fn goes(server: &Server, postfix: &Postfix, sent: &[u8], words: &str) -> Result<Vec<u8>> {
    let ours = server.settings.get("MSS1");
    let reply = server.submission(1)?.send(ours, &[THERE], sent)?;
    ensure!(reply.is_ok(), "{reply:?}");
    let delivered = postfix.delivers(1, words)?.pop().context("one was found")?;
    ensure!(is_intact(&delivered, sent), "{}", String::from_utf8_lossy(&delivered[..delivered.len().min(4_000)]));
    Ok(delivered)
}

fn comes(server: &Server, postfix: &Postfix, sent: &[u8], words: &str) -> Result<String> {
    let reply = postfix.user()?.send(THERE, &[server.settings.get("MSS1")], sent)?;
    ensure!(reply.is_ok(), "{reply:?}");
    super::arrives_intact(server, 1, sent, words)
}

/// The name of a letter with an attachment.
fn message_id(sent: &[u8]) -> Result<String> {
    let text = String::from_utf8_lossy(sent);
    let field = text.lines().find_map(|line| line.strip_prefix("Message-ID: <")).context("every letter has one")?;
    Ok(field.trim_end_matches('>').to_owned())
}

#[test]
fn plain_and_8bit_mail_goes_both_ways_under_mutual_tls() -> Result<()> {
    let (server, postfix) = start()?;
    let ours = server.settings.get("MSS1");
    let name = letter::unique_name();
    goes(&server, &postfix, &letter::named(ours, THERE, &name, 2_000), &name)?;
    let name = letter::unique_name();
    let trace = comes(&server, &postfix, &letter::named(THERE, ours, &name, 2_000), &name)?;
    ensure!(trace.contains("Authentication-Results:") && trace.contains("mx.ailleurs.example"), "{trace}");
    let sent = letter::with_attachment(ours, THERE, 100_000);
    goes(&server, &postfix, &sent, &message_id(&sent)?)?;
    let sent = letter::with_attachment(THERE, ours, 100_000);
    comes(&server, &postfix, &sent, &message_id(&sent)?)?;
    let log = postfix.log();
    ensure!(log.contains("Trusted TLS connection established from"), "our certificate was not verified:\n{log}");
    ensure!(log.contains("Verified TLS connection established to"), "its client verified nothing:\n{log}");
    Ok(())
}

#[test]
fn a_large_message_goes_both_ways() -> Result<()> {
    let (server, postfix) = start()?;
    let ours = server.settings.get("MSS1");
    let sent = letter::with_attachment(ours, THERE, 20_000_000);
    goes(&server, &postfix, &sent, &message_id(&sent)?)?;
    let sent = letter::with_attachment(THERE, ours, 20_000_001);
    comes(&server, &postfix, &sent, &message_id(&sent)?)?;
    Ok(())
}

#[test]
fn international_addresses_go_both_ways() -> Result<()> {
    let (server, postfix) = start()?;
    let ours = server.settings.get("MSS1");
    for (mut session, from, to) in
        [(server.submission(1)?, ours, "élodie@ailleurs.example"), (postfix.user()?, "élodie@ailleurs.example", ours)]
    {
        let name = letter::unique_name();
        session.expect(&format!("MAIL FROM:<{from}> BODY=8BITMIME SMTPUTF8"), 250)?;
        session.expect(&format!("RCPT TO:<{to}>"), 250)?;
        session.expect("DATA", 354)?;
        let sent = letter::named(from, to, &name, 1_000);
        session.wire.send(tests::smtp::stuffed(&sent))?;
        ensure!(session.reply()?.is_ok());
        match to == ours {
            true => drop(super::arrives_intact(&server, 1, &sent, &name)?),
            false => drop(postfix.delivers(1, &name)?),
        }
    }
    Ok(())
}

#[test]
fn many_recipients_share_transactions_and_all_get_it() -> Result<()> {
    let (server, postfix) = start()?;
    let ours = server.settings.get("MSS1");
    let name = letter::unique_name();
    let recipients: Vec<String> = (0..150).map(|number| format!("r{number}@ailleurs.example")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let reply = server.submission(1)?.send(ours, &recipients, &letter::named(ours, THERE, &name, 1_000))?;
    ensure!(reply.is_ok(), "{reply:?}");
    let delivered = postfix.delivers(recipients.len(), &name)?;
    ensure!(delivered.len() == recipients.len(), "{} came", delivered.len());
    Ok(())
}

#[test]
fn delivery_is_reported_when_asked_by_the_server_that_delivers() -> Result<()> {
    let (server, _postfix) = start()?;
    let ours = server.settings.get("MSS1");
    let name = letter::unique_name();
    let mut submission = server.submission(1)?;
    submission.expect(&format!("MAIL FROM:<{ours}> ENVID={name}"), 250)?;
    submission.expect(&format!("RCPT TO:<{THERE}> NOTIFY=SUCCESS ORCPT=rfc822;{THERE}"), 250)?;
    submission.expect("DATA", 354)?;
    submission.wire.send(tests::smtp::stuffed(&letter::named(ours, THERE, &name, 1_000)))?;
    ensure!(submission.reply()?.is_ok());
    let report = super::arrives(server.imap(1)?, &format!("Original-Envelope-Id: {name}"))?;
    let report = String::from_utf8_lossy(&report).into_owned();
    ensure!(report.contains("Action: delivered") && report.contains("mx.ailleurs.example"), "{report}");
    Ok(())
}

#[test]
fn a_peer_that_was_down_gets_it_when_it_is_back() -> Result<()> {
    let (server, postfix) = start()?;
    let ours = server.settings.get("MSS1");
    postfix.stop()?;
    let name = letter::unique_name();
    let reply = server.submission(1)?.send(ours, &[THERE], &letter::named(ours, THERE, &name, 1_000))?;
    ensure!(reply.is_ok(), "{reply:?}");
    // At least one attempt fails.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let listed = server.run(&["queue", "list", "--json"])?;
    ensure!(listed.out.contains("ailleurs.example"), "it does not wait: {}{}", listed.out, listed.err);
    postfix.run()?;
    ensure!(postfix.delivers(1, &name)?.len() == 1);
    Ok(())
}

#[test]
fn what_is_put_off_is_tried_again_and_what_is_refused_comes_back() -> Result<()> {
    let (server, postfix) = start()?;
    let ours = server.settings.get("MSS1");
    postfix.answer("paul@ailleurs.example 450 4.2.1 later please\n")?;
    let name = letter::unique_name();
    let reply = server.submission(1)?.send(ours, &[THERE], &letter::named(ours, THERE, &name, 1_000))?;
    ensure!(reply.is_ok(), "{reply:?}");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    ensure!(postfix.delivered()?.is_empty(), "450 was taken for an answer");
    postfix.answer("paul@ailleurs.example 550 5.1.6 gone away\n")?;
    // Its processes read the file when they start.
    postfix.stop()?;
    postfix.run()?;
    let report = super::arrives(server.imap(1)?, "gone away")?;
    let report = String::from_utf8_lossy(&report).into_owned();
    ensure!(report.contains("Action: failed") && report.contains("Status: 5.1.6"), "{report}");
    ensure!(report.contains(&name), "whose report is it?\n{report}");
    Ok(())
}

#[test]
fn content_goes_in_chunks_where_both_sides_want_it() -> Result<()> {
    let folder = tempfile::TempDir::with_prefix("sceau-chunks-")?;
    let demo = Server::start_with(Options { folder: Some(folder.path().join("data")), ..Options::default() })?;
    let doors = Doors::clone(&demo);
    drop(demo);
    let port = doors.settings.address("B_SMTP_PORT").port();
    let relay = format!(
        "transfer = \"chunks\"\nidle_seconds = 0\nroute = [{{ domain = \"ailleurs.example\", host = \"{ADDRESS}\", port = {port} }}]\n"
    );
    let _serving = Serving::start(&doors, &relay)?;
    let ours = doors.settings.get("MSS1");
    for (more, verb) in [("", " bdat="), ("smtpd_discard_ehlo_keywords = chunking\n", " data=1 ")] {
        let postfix = Postfix::start_with(&doors, more)?;
        let sent = letter::with_attachment(ours, THERE, 300_000);
        let reply = doors.submission(1)?.send(ours, &[THERE], &sent)?;
        ensure!(reply.is_ok(), "{reply:?}");
        let delivered = postfix.delivers(1, &message_id(&sent)?)?;
        ensure!(is_intact(&delivered[0], &sent), "other octets arrived than were sent");
        let told = postfix.logs("starttls=1 ")?;
        ensure!(told.contains("disconnect") && told.contains(verb), "not {verb}: {told}");
    }
    Ok(())
}

/// Postfix's own sink, which knows no TLS; ended when dropped.
struct SmtpSink(Child);

impl Drop for SmtpSink {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_peer_without_tls_gets_nothing_and_the_message_waits_with_the_cause() -> Result<()> {
    let server = Server::start()?;
    let port = server.settings.address("B_SMTP_PORT").port();
    // As it comes; refusing EHLO; slow.
    for more in [&[] as &[&str], &["-f", "EHLO"], &["-w", "1"]] {
        let mut sink = Command::new("smtp-sink");
        sink.args(["-u", "nobody"]).args(more).args([&format!("{ADDRESS}:{port}"), "10"]);
        let _sink = SmtpSink(sink.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let ours = server.settings.get("MSS1");
        let name = letter::unique_name();
        let reply = server.submission(1)?.send(ours, &[THERE], &letter::named(ours, THERE, &name, 1_000))?;
        ensure!(reply.is_ok(), "{reply:?}");
        let begun = std::time::Instant::now();
        loop {
            let listed = server.run(&["queue", "list", "--json"])?.out;
            if listed.contains("tls-required") {
                break;
            }
            ensure!(begun.elapsed() < super::PATIENCE, "{more:?}: not tls-required:\n{listed}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        ensure!(server.run(&["queue", "fail", "all"])?.status.success());
    }
    Ok(())
}
