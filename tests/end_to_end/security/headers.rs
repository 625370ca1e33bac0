//! S11: nothing a client says becomes a header field of its own.

use anyhow::{Context, Result, ensure};
use tests::{letter, server::Server};

#[test]
fn s11_no_command_injects_a_header_field() -> Result<()> {
    let server = Server::start()?;
    let recipient = server.user(2).0;
    let evil = [
        "\rX-Evil: 1",
        "\nX-Evil: 1",
        "\n\nX-Evil: 1",
        "\0X-Evil: 1",
        "\r\r\nX-Evil: 1",
        "\u{2028}X-Evil: 1",
        "\x1b[2JX-Evil: 1",
    ];
    for text in evil {
        for command in [
            format!("EHLO a{text}.example"),
            format!("HELO a{text}"),
            format!("MAIL FROM:<a{text}@elsewhere.example>"),
            format!("MAIL FROM:<\"a{text}\"@elsewhere.example>"),
            format!("MAIL FROM:<a@elsewhere.example> SMTPUTF8 ENVID=a{text}"),
        ] {
            let mut smtp = server.relay()?;
            smtp.expect("EHLO elsewhere.example", 250)?;
            let reply = smtp.command(&command)?;
            ensure!(!reply.is_ok() || !text.is_ascii(), "{command:?}: {reply:?}");
        }
        let mut smtp = server.relay()?;
        smtp.expect("EHLO elsewhere.example", 250)?;
        smtp.expect("MAIL FROM:<a@elsewhere.example>", 250)?;
        let reply = smtp.command(&format!("RCPT TO:<{recipient}{text}>"))?;
        ensure!(!reply.is_ok(), "{text:?} in RCPT: {reply:?}");
        let reply = smtp.command(&format!("RCPT TO:<{recipient}> ORCPT=rfc822;a+0D+0AX-Evil:+201"))?;
        if reply.is_ok() {
            smtp.expect("DATA", 354)?;
            smtp.wire.send(tests::smtp::stuffed(&letter::plain("a@elsewhere.example", recipient, 300)))?;
            smtp.reply()?;
        }
    }
    let mut smtp = server.relay()?;
    smtp.expect("EHLO [127.0.0.1]", 250)?;
    let sent = letter::plain("a@elsewhere.example", recipient, 300);
    ensure!(
        smtp.send("\"a\\\\\\\" b\"@elsewhere.example", &[recipient], &sent)?.is_ok(),
        "a quoted local part is right"
    );

    let mut imap = server.imap(2)?;
    imap.ok("SELECT INBOX")?;
    for response in imap.ok("FETCH 1:* BODY.PEEK[HEADER]")?.untagged {
        let Some(header) = response.literals.first() else { continue };
        let header = String::from_utf8_lossy(header).into_owned();
        ensure!(!header.lines().any(|line| line.starts_with("X-Evil")), "injected:\n{header}");
        ensure!(!header.contains(['\0', '\x1b']), "control characters:\n{header:?}");
        ensure!(!header.replace("\r\n", "").contains(['\r', '\n']), "bare line ends:\n{header:?}");
    }
    let stored = super::newest(&mut imap)?;
    let trace = letter::trace_before(&stored, &sent).context("no trace")?;
    let trace = String::from_utf8_lossy(trace).into_owned();
    ensure!(trace.contains("Return-Path: <\"a\\\\\\\" b\"@elsewhere.example>"), "the quoting was lost:\n{trace}");
    Ok(())
}

#[test]
fn s11_a_submission_does_not_tell_where_it_was_sent_from() -> Result<()> {
    let server = Server::start()?;
    let (sender, recipient) = (server.user(1).0, server.user(2).0);
    let sent = letter::plain(sender, recipient, 300);
    ensure!(server.submission(1)?.send(sender, &[recipient], &sent)?.is_ok());
    let stored = super::newest(&mut server.imap(2)?)?;
    let trace = letter::trace_before(&stored, &sent).context("no trace")?;
    let trace = String::from_utf8_lossy(trace).into_owned();
    ensure!(!trace.contains("127.0.0.1"), "the address of the client:\n{trace}");
    ensure!(trace.contains("TLS"), "no word of TLS:\n{trace}");
    Ok(())
}
