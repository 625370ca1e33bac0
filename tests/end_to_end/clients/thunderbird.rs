//! Thunderbird: the real one under Xvfb in the long run; its recorded dialogue in every run.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use tests::imap::{Completed, Imap};
use tests::letter;
#[cfg(feature = "long")]
use tests::program::succeed;
use tests::server::{self, Server};

#[test]
fn thunderbird_s_recorded_dialogue_is_answered() -> Result<()> {
    let server = Server::start()?;
    let (user, _) = server.user(1);
    let message = letter::plain(user, user, 1_000);
    ensure!(server.imap(1)?.append("INBOX", "", &message)?.is_ok());

    let recorded = fs::read_to_string(server::root().join("tests/corpus/recorded/thunderbird-153.txt"))?;
    let mut connections = BTreeMap::new();
    let mut answers = Vec::new();
    for line in recorded.lines().filter(|line| !line.starts_with('#')) {
        let (connection, command) = line.split_once(' ').context("connection and command")?;
        if !connections.contains_key(connection) {
            connections.insert(connection, open(&server)?);
        }
        let imap = connections.get_mut(connection).context("opened above")?;
        let answer = say(imap, &server, command, &message).with_context(|| format!("{connection} {command}"))?;
        ensure!(answer.is_ok(), "{command}: {}", answer.status);
        answers.push((command.to_owned(), answer));
    }
    let answer_to = |start: &str| {
        answers.iter().find(|(command, _)| command.starts_with(start)).map(|(_, answer)| answer).context("recorded")
    };
    let folders = answer_to("list (subscribed)")?;
    for part in ["\\Sent", "\\Drafts", "\\Trash", "\\Junk", "\\Archive", "INBOX"] {
        ensure!(folders.find(part).is_some(), "{part} is not listed: {:?}", folders.untagged);
    }
    ensure!(answer_to("append")?.status.contains("APPENDUID"), "no UID for the copy it filed");
    let bodies: Vec<_> = answers.iter().filter(|(command, _)| command.ends_with("BODY.PEEK[])")).collect();
    ensure!(bodies.len() == 2, "it reads the message in INBOX, and its copy");
    for (command, answer) in bodies {
        let literal = answer.find("BODY[]").and_then(|response| response.literals.first());
        ensure!(literal == Some(&message), "{command}: another message came back");
    }
    ensure!(answer_to("uid store")?.find("\\Flagged").is_some(), "the new flag is not told");
    Ok(())
}

/// Only in the long run: `scripts/test --long`.
#[cfg(feature = "long")]
#[test]
fn thunderbird_signs_in_sends_reads_and_flags() -> Result<()> {
    let server = Server::start()?;
    let driver = server::root().join("tests/clients/thunderbird.py");
    let environment = server.folder().join("demo.env");
    let arguments = [driver.as_os_str(), environment.as_os_str()];
    let ran = succeed("python3", &arguments, server.folder(), b"")?;
    ensure!(ran.text().contains("flagged and read"), "{}", ran.text());
    let mut imap = server.imap(1)?;
    imap.ok("SELECT INBOX")?;
    ensure!(imap.ok("FETCH 1 FLAGS")?.find("\\Flagged").is_some(), "Thunderbird's flag did not arrive");
    Ok(())
}

fn open(server: &Server) -> Result<Imap> {
    Imap::tls(server.settings.address("IMAPS_PORT"), &server.trust)
}

/// Says one recorded command. Thunderbird sends the response to AUTHENTICATE after the server's prompt.
fn say(imap: &mut Imap, server: &Server, command: &str, message: &[u8]) -> Result<Completed> {
    if let Some(arguments) = command.strip_prefix("append ").and_then(|rest| rest.strip_suffix(" @")) {
        let (mailbox, flags) = arguments.rsplit_once(" (").context("mailbox and flags")?;
        return imap.append(mailbox, &format!("({flags} "), message);
    }
    if command != "authenticate PLAIN" {
        return imap.command(command);
    }
    let (user, password) = server.user(1);
    let response = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
    let tag = imap.tag();
    imap.wire.send(format!("{tag} {command}\r\n"))?;
    let prompt = imap.response()?;
    ensure!(prompt.text.starts_with('+'), "no prompt: {}", prompt.text);
    imap.wire.send(format!("{response}\r\n"))?;
    imap.completion(&tag)
}
