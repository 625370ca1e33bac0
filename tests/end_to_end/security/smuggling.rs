//! S1, S2: one message must never become two (CVE-2023-51764 and its family).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{server::Server, smtp::Smtp};

use super::messages_of;

/// What some server somewhere took for the end of a message.
const FALSE_ENDS: &[&[u8]] =
    &[b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\n\n.\r\n"];

const SECOND_ENVELOPE: &[u8] = b"MAIL FROM:<admin@elsewhere.example>\r\nRCPT TO:<USER2>\r\nDATA\r\n\
    Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n";

fn first_text() -> Vec<u8> {
    b"From: <a@elsewhere.example>\r\nSubject: first\r\n\r\nfirst".to_vec()
}

fn in_data(server: &Server) -> Result<Smtp> {
    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    smtp.expect("MAIL FROM:<a@elsewhere.example>", 250)?;
    smtp.expect(&format!("RCPT TO:<{}>", server.user(2).0), 250)?;
    smtp.expect("DATA", 354)?;
    Ok(smtp)
}

fn second_envelope(server: &Server) -> Vec<u8> {
    String::from_utf8_lossy(SECOND_ENVELOPE).replace("USER2", server.user(2).0).into_bytes()
}

#[test]
fn s1_no_false_end_of_data_ends_a_message() -> Result<()> {
    let server = Server::start()?;
    for end in FALSE_ENDS {
        let before = messages_of(&server, 2)?;
        let mut smtp = in_data(&server)?;
        smtp.wire.send([first_text(), end.to_vec(), second_envelope(&server)].concat())?;
        let answer = String::from_utf8_lossy(&smtp.wire.within(Duration::from_millis(500))?).into_owned();
        let after = messages_of(&server, 2)?;
        if end.contains(&0) {
            // Only the line is odd: its own dot line ends the one message, which may be taken or refused.
            ensure!(after <= before + 1, "{:?} made two messages", end.escape_ascii().to_string());
        } else {
            ensure!(answer.starts_with("554 5.6.0"), "{:?}: {answer:?}", end.escape_ascii().to_string());
            ensure!(after == before, "{:?} was delivered", end.escape_ascii().to_string());
            ensure!(smtp.command("NOOP").is_err(), "{:?}: the session goes on", end.escape_ascii().to_string());
        }
        ensure!(!answer.contains("221") && answer.matches("354").count() == 0, "{answer:?}");
    }
    Ok(())
}

#[test]
fn s1_the_same_holds_wherever_the_octets_are_cut() -> Result<()> {
    let server = Server::start()?;
    let before = messages_of(&server, 2)?;
    for end in FALSE_ENDS.iter().filter(|end| !end.contains(&0)) {
        let octets = [first_text(), end.to_vec(), b"MAIL FROM:<>\r\n.\r\n".to_vec()].concat();
        let begin = octets.len() - end.len() - 17;
        for cut in begin - 1..begin + end.len() + 2 {
            let mut smtp = in_data(&server)?;
            let (left, right) = octets.split_at(cut);
            smtp.wire.send(left)?;
            std::thread::sleep(Duration::from_millis(5));
            // Refused by what came first, the server may have gone before the rest is sent.
            let _ = smtp.wire.send(right);
            let reply = smtp.reply().with_context(|| format!("{end:?} cut at {cut}"))?;
            ensure!(reply.code == 554, "{end:?} cut at {cut}: {reply:?}");
        }
    }
    ensure!(messages_of(&server, 2)? == before, "something was delivered");
    Ok(())
}

#[test]
fn s2_what_would_smuggle_at_the_next_hop_is_refused_at_every_door() -> Result<()> {
    let server = Server::start()?;
    let before = messages_of(&server, 2)?;
    let (sender, recipient) = (server.user(1).0, server.user(2).0);
    for bare in ["\n", "\r", "\n.\n", "\r.\r"] {
        let message = format!("From: <{sender}>\r\nSubject: bare\r\n\r\none{bare}two\r\n");

        // Submission by DATA.
        let mut smtp = server.submission(1)?;
        smtp.expect(&format!("MAIL FROM:<{sender}>"), 250)?;
        smtp.expect(&format!("RCPT TO:<{recipient}>"), 250)?;
        smtp.expect("DATA", 354)?;
        smtp.wire.send(format!("{message}.\r\n"))?;
        ensure!(smtp.reply()?.code == 554, "submission took {bare:?}");

        // Submission by BDAT, which carries any octets (RFC 3030 §2).
        let mut smtp = server.submission(1)?;
        smtp.expect(&format!("MAIL FROM:<{sender}>"), 250)?;
        smtp.expect(&format!("RCPT TO:<{recipient}>"), 250)?;
        smtp.wire.send(format!("BDAT {} LAST\r\n{message}", message.len()))?;
        let reply = smtp.reply()?;
        ensure!((500..600).contains(&reply.code), "BDAT took {bare:?}: {reply:?}");

        // APPEND refuses it, or keeps the very octets: nothing is mended on the way.
        let mut imap = server.imap(1)?;
        if imap.append("INBOX", "", message.as_bytes())?.is_ok() {
            ensure!(super::newest(&mut imap)? == message.as_bytes(), "APPEND mended {bare:?}");
        }
    }
    ensure!(messages_of(&server, 2)? == before, "something was delivered");
    Ok(())
}
