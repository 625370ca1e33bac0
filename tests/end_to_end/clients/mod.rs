//! The programs people use: each sends and reads, and the octets are compared.

mod curl;
mod gsasl;
mod java;
mod maildir;
mod msmtp;
mod mutt;
mod node;
mod python;
mod swaks;
mod thunderbird;

use anyhow::{Context, Result, ensure};
use tests::{letter, server::Server};

/// Checks that USER`user` has exactly one message with the name of `sent` in INBOX, and that its octets are those sent,
/// after the trace that delivery adds.
fn arrived_intact(server: &Server, user: u8, sent: &[u8]) -> Result<()> {
    let name = field(sent, "Message-ID").context("every letter has a Message-ID")?;
    let mut imap = server.imap(user)?;
    imap.ok("SELECT INBOX")?;
    let found = imap.ok(&format!("UID SEARCH HEADER Message-ID \"{name}\""))?;
    let numbers: Vec<u64> = found
        .find("* SEARCH")
        .map(|response| response.text.split(' ').filter_map(|word| word.parse().ok()).collect())
        .unwrap_or_default();
    ensure!(numbers.len() == 1, "{name} is there {} times", numbers.len());
    let stored = imap.fetch_body(numbers[0])?;
    let trace = letter::trace_before(&stored, sent);
    ensure!(
        trace.is_some_and(|trace| trace.windows(9).any(|nine| nine == b"Received:")),
        "other octets than were sent:\n{}\n--- sent:\n{}",
        String::from_utf8_lossy(&stored),
        String::from_utf8_lossy(sent)
    );
    Ok(())
}

/// The value of a header field on one line.
fn field(message: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(message).into_owned();
    let header = text.split("\r\n\r\n").next()?.to_owned();
    header.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

/// The same text with the line ends of the system's files.
fn with_unix_lines(message: &[u8]) -> Vec<u8> {
    message.iter().copied().filter(|octet| *octet != b'\r').collect()
}
