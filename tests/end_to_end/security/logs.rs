//! S25: the log tells what was decided, and nothing of anybody's mail.

use anyhow::{Result, ensure};
use tests::{
    imap::Imap,
    server::{Options, Server},
    smtp::Smtp,
};

#[test]
fn s25_logs_hold_no_secret_no_content_and_no_control_character() -> Result<()> {
    for format in ["text", "json"] {
        let environment = vec![("SCEAU_LOG".into(), "trace".into()), ("SCEAU_LOG_FORMAT".into(), format.into())];
        let server = Server::start_with(Options { environment, ..Options::default() })?;
        let (sender, password) = server.user(1);
        let (recipient, other_password) = server.user(2);
        let message = format!(
            "From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: SubjectOfMyLetter\r\nMessage-ID: <x@tests.example>\r\n\
             Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n\r\nBodyOfMyLetter\r\n"
        );
        ensure!(server.submission(1)?.send(sender, &[recipient], message.as_bytes())?.is_ok());
        let mut smtp = Smtp::tls(server.settings.address("SUBMISSIONS_PORT"), &server.trust)?;
        smtp.expect("EHLO client.example", 250)?;
        smtp.command(&tests::smtp::auth_plain(sender, "WrongPasswordOfMine"))?;
        smtp.command("EHLO a\x1b[31mRed")?;
        let mut smtp = server.relay()?;
        smtp.expect("EHLO elsewhere.example", 250)?;
        smtp.command("MAIL FROM:<localpartofstranger@elsewhere.example>")?;
        smtp.command("RCPT TO:<localpartofnobody@elsewhere.example>")?;
        let mut imap = server.imap(2)?;
        imap.ok("ID (\"name\" \"Agent\\\\nX 2026-01-01T00:00:00Z FORGED\")")?;
        imap.ok("SELECT INBOX")?;
        imap.ok("FETCH 1:* (ENVELOPE BODY[])")?;
        imap.ok("SEARCH TEXT BodyOfMyLetter")?;
        imap.ok("CREATE NameOfMyMailbox")?;
        let mut imap = Imap::tls(server.settings.address("IMAPS_PORT"), &server.trust)?;
        imap.command(&format!("LOGIN {recipient} WrongPasswordOfMine"))?;

        // The demo shows its settings once, in a table for the user to type from.
        let log: String =
            server.log().lines().filter(|line| !line.contains('│')).map(|line| format!("{line}\n")).collect();
        ensure!(log.lines().count() > 10, "too little was logged: {log}");
        for secret in
            ["WrongPasswordOfMine", "SubjectOfMyLetter", "BodyOfMyLetter", "localpartofstranger", "localpartofnobody"]
        {
            ensure!(!log.contains(secret), "{secret} is in the log:\n{}", around(&log, secret));
        }
        for password in [password, other_password] {
            ensure!(!log.contains(password), "a password is in the log:\n{}", around(&log, password));
        }
        ensure!(!log.contains("\x1b[31mRed") && !log.contains("\nX 2026-01-01T00:00:00Z FORGED"), "control characters");
    }
    Ok(())
}

fn around<'a>(log: &'a str, part: &str) -> &'a str {
    log.lines().rev().find(|line| line.contains(part)).unwrap_or_default()
}
