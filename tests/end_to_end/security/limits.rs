//! S8, S10: what a client can make the server keep or compute is bounded.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::{imap::Imap, server::Server};

use super::long;

/// What one session may cost beyond what it costs at rest, in KiB, allocator slack and all.
const SESSION_KIB_MAX: u64 = 4 * 1_024;

#[test]
fn s8_giant_imap_arguments_cost_little_and_end() -> Result<()> {
    let server = Server::start()?;
    let parentheses = "(".repeat(1_000_000);
    let many_numbers = (0..1_000_000).map(|number| (number * 2 + 1).to_string()).collect::<Vec<_>>().join(",");
    let long_line = "x".repeat(10_000_000);
    let attacks: Vec<(&str, String)> = vec![
        ("literal of 4 GiB", "a LOGIN {4294967295}\r\n".into()),
        ("literal beyond 32 bits", "a LOGIN {9999999999999}\r\n".into()),
        ("literal beyond 64 bits", "a LOGIN {99999999999999999999999}\r\n".into()),
        ("literal not waited for", format!("a LOGIN {{100000000+}}\r\n{long_line}")),
        ("literal as a command", format!("{{100000000+}}\r\n{long_line}")),
        ("parentheses", format!("a FETCH 1 {parentheses}\r\n")),
        ("parentheses in SEARCH", format!("a SEARCH {parentheses}\r\n")),
        ("parentheses in LIST", format!("a LIST {parentheses}\r\n")),
        ("line without end", long_line.clone()),
        ("sequence set", format!("a FETCH {many_numbers} FLAGS\r\n")),
        ("arguments of NOOP", format!("a NOOP {long_line}\r\n")),
        ("a long tag", format!("{long_line} NOOP\r\n")),
        ("many literals", format!("a SEARCH {}\r\n", "SUBJECT {1+}\r\nx ".repeat(100_000))),
    ];
    for signed_in in [false, true] {
        for (what, attack) in &attacks {
            let address = server.settings.address("IMAPS_PORT");
            let mut imap = if signed_in { server.imap(1)? } else { Imap::tls(address, &server.trust)? };
            if signed_in {
                imap.ok("SELECT INBOX")?;
            }
            let before = server.memory("VmHWM")?;
            // Refused early, the server may close before everything is sent.
            let sent = imap.wire.send(attack);
            let mut answered = false;
            if sent.is_ok() {
                let heard = imap.wire.within(Duration::from_millis(700))?;
                let heard = String::from_utf8_lossy(&heard);
                answered =
                    heard.lines().any(|line| line.contains("BAD") || line.contains("BYE") || line.starts_with("a NO"));
                ensure!(!heard.contains("a OK"), "{what} was executed: {heard}");
            }
            // A literal that was not waited for may be swallowed to its end instead (RFC 7888 §4): it costs no memory.
            let may_be_swallowed = attack.contains("{100000000+}");
            let mut ended = || sent.is_err() || imap.wire.rest().is_ok();
            ensure!(answered || may_be_swallowed || ended(), "{what}: neither BAD nor BYE, nor the end");
            let grown = server.memory("VmHWM")?.saturating_sub(before);
            ensure!(grown <= SESSION_KIB_MAX, "{what}: {grown} KiB more, signed in: {signed_in}");
        }
    }
    ensure!(server.imap(1)?.ok("NOOP")?.is_ok());
    Ok(())
}

#[test]
fn s8_smtp_lines_are_bounded() -> Result<()> {
    let server = Server::start()?;
    for attack in ["NOOP ", "EHLO ", "MAIL FROM:<", ""] {
        let mut smtp = server.relay()?;
        smtp.expect("EHLO elsewhere.example", 250)?;
        let before = server.memory("VmHWM")?;
        let _ = smtp.wire.send(format!("{attack}{}\r\n", "x".repeat(10_000_000)));
        if let Ok(reply) = smtp.reply() {
            ensure!(reply.code >= 421, "{attack}: {reply:?}");
        }
        let grown = server.memory("VmHWM")?.saturating_sub(before);
        ensure!(grown <= SESSION_KIB_MAX, "{attack}: {grown} KiB more");
    }
    Ok(())
}

#[test]
fn s10_nothing_takes_quadratic_time() -> Result<()> {
    let server = Server::start()?;
    let user = server.user(2).0.to_owned();
    let mut imap = server.imap(2)?;
    for number in 0..100 {
        imap.ok(&format!("CREATE {}{number}", "a".repeat(100)))?;
    }
    let lines = if long() { 1_000_000 } else { 100_000 };
    let folded =
        format!("From: <a@elsewhere.example>\r\nSubject: x\r\n{}\r\n\r\nbody\r\n", " y\r\n".repeat(lines).trim_end());
    let repeated = format!("From: <a@elsewhere.example>\r\nSubject: {}x\r\n\r\nbody\r\n", "Re: ".repeat(240));
    let repeated = repeated.replace("Re: Re: Re: Re: ", "Re: Re: Re: Re:\r\n ");
    for message in [&folded, &repeated] {
        let begun = Instant::now();
        imap.append("INBOX", "", message.as_bytes())?;
        let mut smtp = server.relay()?;
        smtp.expect("EHLO elsewhere.example", 250)?;
        smtp.send("a@elsewhere.example", &[&user], message.as_bytes())?;
        ensure!(begun.elapsed() < Duration::from_secs(10), "{} octets took {:?}", message.len(), begun.elapsed());
    }

    imap.ok("SELECT INBOX")?;
    let nested = format!("UID SEARCH {}ALL", "OR SEEN ".repeat(10_000));
    let wildcards = format!("LIST \"\" \"{}b\"", "%*a".repeat(200));
    let negated = format!("SEARCH {}ALL", "NOT ".repeat(10_000));
    for command in [nested.as_str(), &wildcards, &negated, "SEARCH SUBJECT Re:", "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"] {
        let begun = Instant::now();
        // A session may be ended for the nesting; the next one goes on.
        if imap.command(command).is_err() {
            imap = server.imap(2)?;
            imap.ok("SELECT INBOX")?;
        }
        let shown = &command[..command.len().min(40)];
        ensure!(begun.elapsed() < Duration::from_secs(5), "{shown} took {:?}", begun.elapsed());
    }
    Ok(())
}
