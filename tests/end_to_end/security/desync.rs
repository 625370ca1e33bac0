//! S3 to S6: what is said before its time, or on the other side of TLS, is not heard.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Result, ensure};
use tests::{imap::Imap, letter, server::Server, smtp::Smtp, wire::Trust};

use super::messages_of;

const A_MOMENT: Duration = Duration::from_millis(300);

#[test]
fn s3_nothing_is_executed_before_its_time() -> Result<()> {
    let server = Server::start()?;
    let before = messages_of(&server, 2)?;
    let recipient = server.user(2).0;

    // DATA ends a group (RFC 2920 §3.1): what follows in the same segment did not wait for 354.
    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    smtp.wire.send(format!(
        "MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\nSubject: early\r\n\r\nearly\r\n.\r\nNOOP\r\n"
    ))?;
    ensure!(smtp.reply()?.is_ok() && smtp.reply()?.is_ok());
    let reply = smtp.reply()?;
    ensure!([503, 554].contains(&reply.code), "text sent before 354 was taken: {reply:?}");
    smtp.wire.within(A_MOMENT)?;

    // After QUIT there is nobody to talk to.
    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    smtp.wire.send("QUIT\r\nNOOP\r\nHELP\r\n")?;
    ensure!(smtp.reply()?.code == 221);
    let more = smtp.wire.rest()?;
    ensure!(more.is_empty(), "answered after QUIT: {:?}", String::from_utf8_lossy(&more));

    ensure!(messages_of(&server, 2)? == before, "something was delivered");
    Ok(())
}

#[test]
fn s4_commands_injected_before_the_handshake_are_forgotten() -> Result<()> {
    let server = Server::start()?;
    for port in ["RELAY_PORT", "GATEWAY_PORT", "SUBMISSION_PORT"] {
        let mut smtp = Smtp::plain(server.settings.address(port))?;
        smtp.expect("EHLO injected.example", 250)?;
        smtp.wire.send("STARTTLS\r\nNOOP\r\nEHLO injected.example\r\n")?;
        let reply = smtp.reply()?;
        if reply.code != 220 {
            continue; // refused: just as well
        }
        // Closing at once is as good; but over TLS nothing may be answered, and nothing be known.
        let Ok(wire) = smtp.wire.upgrade(&server.trust) else { continue };
        let mut smtp = Smtp { wire, greeting: reply };
        let heard = smtp.wire.within(A_MOMENT)?;
        ensure!(heard.is_empty(), "{port} answered what was injected: {:?}", String::from_utf8_lossy(&heard));
        let reply = smtp.command("MAIL FROM:<a@elsewhere.example>")?;
        ensure!(reply.code == 503 || reply.code == 530, "{port} remembers EHLO of before TLS: {reply:?}");
    }

    let mut imap = Imap::plain(server.settings.address("IMAP_PORT"))?;
    imap.wire.send("a STARTTLS\r\nb NOOP\r\nc CAPABILITY\r\n")?;
    let response = imap.response()?;
    if response.text.starts_with("a OK")
        && let Ok(mut wire) = imap.wire.upgrade(&server.trust)
    {
        let heard = wire.within(A_MOMENT)?;
        ensure!(heard.is_empty(), "IMAP answered what was injected: {:?}", String::from_utf8_lossy(&heard));
    }
    Ok(())
}

#[test]
fn s5_no_secret_is_taken_without_tls() -> Result<()> {
    let server = Server::start()?;
    let (user, password) = server.user(1);
    for port in ["RELAY_PORT", "GATEWAY_PORT", "SUBMISSION_PORT"] {
        let mut smtp = Smtp::plain(server.settings.address(port))?;
        let offers = smtp.expect("EHLO client.example", 250)?;
        ensure!(offers.lines.iter().any(|line| line == "STARTTLS"), "{port} offers no STARTTLS");
        ensure!(!offers.lines.iter().any(|line| line.starts_with("AUTH")), "{port} offers AUTH without TLS");
        let reply = smtp.command(&tests::smtp::auth_plain(user, password))?;
        ensure!((500..600).contains(&reply.code), "{port} took AUTH without TLS: {reply:?}");
    }

    let mut imap = Imap::plain(server.settings.address("IMAP_PORT"))?;
    ensure!(imap.greeting.text.starts_with("* OK"), "greeted with {}", imap.greeting.text);
    let offers = imap.ok("CAPABILITY")?;
    let offers = offers.find("CAPABILITY").map(|response| response.text.clone()).unwrap_or_default();
    ensure!(offers.contains("LOGINDISABLED") && offers.contains("STARTTLS"), "{offers}");
    ensure!(!offers.contains("AUTH="), "{offers}");
    for command in [format!("LOGIN {user} {password}"), "AUTHENTICATE PLAIN AHgAeA==".to_owned()] {
        let completed = imap.command(&command)?;
        ensure!(completed.status.starts_with("NO") || completed.status.starts_with("BAD"), "{}", completed.status);
    }
    ensure!(!imap.command("SELECT INBOX")?.is_ok(), "SELECT without signing in");
    Ok(())
}

#[test]
fn s5_only_tls_1_2_and_1_3_are_spoken() -> Result<()> {
    let server = Server::start()?;
    let authority = std::path::Path::new(server.settings.get("CA_FILE"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let trust = Trust::with_versions(authority, &[version])?;
        ensure!(Smtp::tls(server.settings.address("SUBMISSIONS_PORT"), &trust)?.greeting.code == 220);
        ensure!(Imap::tls(server.settings.address("IMAPS_PORT"), &trust)?.greeting.text.starts_with("* OK"));
    }
    for port in ["SUBMISSIONS_PORT", "IMAPS_PORT"] {
        for minor in [0, 1, 2] {
            let mut socket = TcpStream::connect(server.settings.address(port))?;
            socket.set_read_timeout(Some(tests::wire::PATIENCE))?;
            socket.write_all(&client_hello(minor))?;
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer);
            // An alert (21), or nothing: never a ServerHello (22).
            ensure!(answer.first().is_none_or(|first| *first == 21), "{port} went on with 3.{minor}: {answer:?}");
        }
    }
    Ok(())
}

/// A ClientHello of SSL 3.0 (0), TLS 1.0 (1) or TLS 1.1 (2), with ciphers of that time.
fn client_hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend_from_slice(&[0x5a; 32]);
    body.push(0);
    let ciphers = [0xc0, 0x13, 0xc0, 0x14, 0x00, 0x2f, 0x00, 0x35];
    body.extend_from_slice(&[0, ciphers.len() as u8]);
    body.extend_from_slice(&ciphers);
    body.extend_from_slice(&[1, 0]);
    let mut record = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    record.extend_from_slice(&body);
    record
}

#[test]
fn s6_tls_closed_inside_bdat_ends_the_session() -> Result<()> {
    let mut server = Server::start()?;
    let before = messages_of(&server, 2)?;
    let (sender, recipient) = (server.user(1).0.to_owned(), server.user(2).0.to_owned());
    let message = letter::plain(&sender, &recipient, 100_000);
    for half in [1, 40_000, message.len() - 1] {
        for polite in [true, false] {
            let mut smtp = server.submission(1)?;
            smtp.expect(&format!("MAIL FROM:<{sender}>"), 250)?;
            smtp.expect(&format!("RCPT TO:<{recipient}>"), 250)?;
            smtp.wire.send(format!("BDAT {} LAST\r\n", message.len()))?;
            smtp.wire.send(&message[..half])?;
            let mut socket = if polite { smtp.wire.close_tls()? } else { smtp.wire.into_socket() };
            let _ = socket.write_all(b"A");
            let _ = socket.write_all(&message[half..]);
            // The server ends it; what is left in the socket is at most TLS records, never a 250 in clear.
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest);
            ensure!(!rest.windows(3).any(|three| three == b"250"), "answered in clear: {rest:?}");
        }
    }
    ensure!(messages_of(&server, 2)? == before, "half a message was delivered");
    ensure!(server.ended_within(A_MOMENT).is_err(), "the server is gone");
    Ok(())
}
