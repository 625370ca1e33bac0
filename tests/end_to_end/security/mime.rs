//! S9: messages built to make a parser suffer.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::{imap::Imap, server::Server};

use super::long;

const HEADER: &str = "From: <a@elsewhere.example>\r\nTo: <b@elsewhere.example>\r\nMIME-Version: 1.0\r\n";

/// What a debug build on a shared core may take for the largest of them.
const PATIENCE: Duration = Duration::from_secs(20);

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let scale = if long() { 1 } else { 10 };
    let mut bombs = Vec::new();
    let mut add = |name, text: String| bombs.push((name, text.into_bytes()));

    let nested =
        (0..10_000).map(|depth| format!("Content-Type: multipart/mixed; boundary=\"b{depth}\"\r\n\r\n--b{depth}\r\n"));
    add("10,000 nested multiparts", format!("{HEADER}{}\r\nend\r\n", nested.collect::<String>()));
    add("10,000 nested messages", format!("{HEADER}{}end\r\n", "Content-Type: message/rfc822\r\n\r\n".repeat(10_000)));
    let parts = "--b\r\n\r\nx\r\n".repeat(100_000 / scale);
    add("100,000 parts", format!("{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n"));
    let prefixes = (1..200).map(|length| {
        let boundary = "b".repeat(length.min(70));
        format!("--{boundary}\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\n")
    });
    add(
        "boundaries that begin each other",
        format!("{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", prefixes.collect::<String>()),
    );
    add(
        "many address fields",
        format!("{HEADER}{}\r\nx\r\n", "To: a@b.example, c@d.example\r\n".repeat(500_000 / scale)),
    );
    let addresses = "<a@b.example>,\r\n ".repeat(500_000 / scale);
    add("one field of many addresses", format!("{HEADER}Cc: {addresses}<z@b.example>\r\n\r\nx\r\n"));
    add("nested groups and comments", format!("{HEADER}Cc: {}x@y.example\r\n\r\nx\r\n", "a:(".repeat(20_000)));
    let segments = (0..100_000 / scale).map(|number| format!(";\r\n name*{number}=x"));
    add("RFC 2231 segments", format!("{HEADER}Content-Type: text/plain{}\r\n\r\nx\r\n", segments.collect::<String>()));
    let words = "=?utf-8?q?=C3=A9?=\r\n ".repeat(1_000_000 / scale);
    add("encoded words", format!("{HEADER}Subject: {words}x\r\n\r\nx\r\n"));
    add("one giant field", format!("{HEADER}X-Giant: {}\r\n\r\nx\r\n", "y\r\n ".repeat(12_000_000 / scale)));
    add("base64 of nothing", format!("{HEADER}Content-Transfer-Encoding: base64\r\n\r\n{}", "\r\n".repeat(1_000_000)));
    add("no end of header", HEADER.repeat(20_000));
    add(
        "quotes without end",
        format!("{HEADER}Content-Type: multipart/mixed; boundary=\"{}\r\n\r\nx\r\n", "b\\\"".repeat(20_000)),
    );
    bombs
}

#[test]
fn s9_mime_bombs_are_taken_or_refused_and_harm_nobody() -> Result<()> {
    let server = Server::start()?;
    let recipient = server.user(2).0;
    let mut imap = server.imap(2)?;
    let mut bystander = server.imap(1)?;
    for (name, bomb) in bombs() {
        let before = server.memory("VmHWM")?;
        let begun = Instant::now();
        let mut smtp = server.relay()?;
        smtp.expect("EHLO elsewhere.example", 250)?;
        let reply = smtp.send("a@elsewhere.example", &[recipient], &bomb)?;
        ensure!(reply.is_ok() || (500..600).contains(&reply.code), "{name}: {reply:?}");
        ensure!(begun.elapsed() < PATIENCE, "{name}: delivery took {:?}", begun.elapsed());
        if reply.is_ok() {
            read(&mut imap, name)?;
        }
        let grown = server.memory("VmHWM")?.saturating_sub(before);
        let allowed = 5 * bomb.len() as u64 / 1_024 + 16_384;
        ensure!(grown <= allowed, "{name}: {grown} KiB more for {} octets", bomb.len());
        let begun = Instant::now();
        bystander.ok("NOOP")?;
        ensure!(begun.elapsed() < Duration::from_secs(2), "{name}: a bystander waited {:?}", begun.elapsed());
    }
    Ok(())
}

fn read(imap: &mut Imap, name: &str) -> Result<()> {
    imap.ok("SELECT INBOX")?;
    for items in ["BODYSTRUCTURE", "ENVELOPE", "BODY.PEEK[1.1.1.1]", "BODY.PEEK[HEADER.FIELDS (Subject)]"] {
        let begun = Instant::now();
        imap.ok(&format!("FETCH * {items}"))?;
        ensure!(begun.elapsed() < PATIENCE, "{name}: {items} took {:?}", begun.elapsed());
    }
    let begun = Instant::now();
    imap.ok("SEARCH SUBJECT nothing TEXT never")?;
    ensure!(begun.elapsed() < PATIENCE, "{name}: SEARCH took {:?}", begun.elapsed());
    Ok(())
}
