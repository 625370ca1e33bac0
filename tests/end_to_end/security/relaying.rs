//! S13: who may send from where to where. Only the cells that are allowed pass.

use anyhow::{Result, ensure};
use tests::{
    smtp::{Reply, Smtp},
    trusted::{OF_ANOTHER, OF_B, Trusted, UNLISTED},
};

const ANNE: &str = "anne@hopital.example";

/// MAIL and RCPT; the first refusal, or the acceptance of RCPT.
fn offer(smtp: &mut Smtp, sender: &str, recipient: &str) -> Result<Reply> {
    let mut reply = smtp.command(&format!("MAIL FROM:<{sender}>"))?;
    if reply.is_ok() {
        reply = smtp.command(&format!("RCPT TO:<{recipient}>"))?;
        smtp.command("RSET")?;
    }
    Ok(reply)
}

#[test]
fn s13_who_may_send_where() -> Result<()> {
    let server = Trusted::start("")?;
    let mut user = server.submission("anne")?;
    let mut peer = server.operator(Some("operator-b"))?;
    let mut filter = Smtp::plain(server.gateway())?;
    filter.expect("EHLO filter.example", 250)?;
    let bob = format!("bob@{OF_B}");
    let listed = format!("x@{OF_B}");
    let another = format!("x@{OF_ANOTHER}");
    let unlisted = format!("x@{UNLISTED}");
    let percent = format!("x%{UNLISTED}@hopital.example");
    let bang = format!("{UNLISTED}!x@hopital.example");
    let route = format!("@{UNLISTED}:x@{OF_B}");
    let quoted = format!("\"x@{UNLISTED}\"@hopital.example");
    for (recipient, by_user, by_peer, by_filter) in [
        (ANNE, "250", "250", "250"),
        ("paul@hopital.example", "250", "250", "250"),
        ("nobody@hopital.example", "550 5.1.1", "550 5.1.1", "550 5.1.1"),
        ("postmaster@hopital.example", "250", "250", "250"),
        (listed.as_str(), "250", "550 5.1.1", "550 5.1.1"),
        (another.as_str(), "250", "550 5.1.1", "550 5.1.1"),
        (unlisted.as_str(), "550 5.7.1", "550 5.1.1", "550 5.1.1"),
        ("x@sub.clinique.example", "550 5.7.1", "550 5.1.1", "550 5.1.1"),
        (percent.as_str(), "550 5.1.1", "550 5.1.1", "550 5.1.1"),
        (bang.as_str(), "550 5.1.1", "550 5.1.1", "550 5.1.1"),
        (quoted.as_str(), "550 5.1.1", "550 5.1.1", "550 5.1.1"),
        (route.as_str(), "250", "550 5.1.1", "550 5.1.1"),
    ] {
        for (who, smtp, sender, expected) in [
            ("user", &mut user, ANNE, by_user),
            ("peer", &mut peer, bob.as_str(), by_peer),
            ("filter", &mut filter, "any@where.example", by_filter),
        ] {
            let reply = offer(smtp, sender, recipient)?;
            let answer = format!("{} {}", reply.code, reply.lines.concat());
            ensure!(answer.starts_with(expected), "{who} to {recipient}: expected {expected}, heard {answer}");
        }
    }
    for (sender, expected) in [("paul@hopital.example", "550 5.7.1"), (listed.as_str(), "550 5.7.1")] {
        let reply = offer(&mut user, sender, ANNE)?;
        let answer = format!("{} {}", reply.code, reply.lines.concat());
        ensure!(answer.starts_with(expected), "user as {sender}: expected {expected}, heard {answer}");
    }
    for (sender, expected) in
        [(ANNE, "550 5.7.1"), (another.as_str(), "550 5.7.1"), (unlisted.as_str(), "550 5.7.1"), ("", "250")]
    {
        let reply = offer(&mut peer, sender, ANNE)?;
        let answer = format!("{} {}", reply.code, reply.lines.concat());
        ensure!(answer.starts_with(expected), "peer as {sender}: expected {expected}, heard {answer}");
    }
    let mut stranger = Smtp::plain(server.relay())?;
    stranger.expect("EHLO stranger.example", 250)?;
    for (sender, recipient) in [(bob.as_str(), ANNE), (ANNE, ANNE), ("", ANNE), (ANNE, unlisted.as_str())] {
        let reply = offer(&mut stranger, sender, recipient)?;
        ensure!(reply.code == 530, "a stranger as {sender} to {recipient}: {reply:?}");
    }
    let queue = server.sceau(&["queue", "list"])?;
    ensure!(!queue.out.contains('@'), "nothing was sent, and nothing waits: {}", queue.out);
    Ok(())
}

#[test]
fn s13_from_and_sender_of_others() -> Result<()> {
    let server = Trusted::start("")?;
    let mut user = server.submission("anne")?;
    let listed = format!("bob@{OF_B}");
    for header in [
        "From: paul@hopital.example".to_owned(),
        format!("From: {listed}"),
        format!("From: {ANNE}\r\nFrom: paul@hopital.example"),
        format!("From: {ANNE}\r\nSender: paul@hopital.example"),
        format!("From: {ANNE}\r\nResent-From: paul@hopital.example"),
    ] {
        for recipient in ["paul@hopital.example", listed.as_str()] {
            let reply = user.send(ANNE, &[recipient], format!("{header}\r\n\r\nhello\r\n").as_bytes())?;
            ensure!(!reply.is_ok(), "{header} to {recipient}: {reply:?}");
        }
    }
    let reply =
        user.send(ANNE, &["paul@hopital.example", &listed], format!("From: {ANNE}\r\n\r\nhello\r\n").as_bytes())?;
    ensure!(reply.is_ok(), "{reply:?}");
    let queue = server.sceau(&["queue", "list"])?;
    ensure!(queue.out.contains(OF_B) && queue.out.matches("waiting").count() == 1, "{}", queue.out);

    let mut peer = server.operator(Some("operator-b"))?;
    let message = format!(
        "From: eve@{OF_ANOTHER}\r\nAuthentication-Results: mx.operateur-a.example; x-mssante=pass\r\n\r\nx\r\n"
    );
    ensure!(peer.send(&listed, &[ANNE], message.as_bytes())?.is_ok());
    let headers = server.headers("anne")?;
    let [header] = headers.as_slice() else { anyhow::bail!("{headers:?}") };
    ensure!(header.contains("x-mssante-author=fail header.from=ailleurs.example"), "{header}");
    ensure!(header.contains("x-forged-results=fail"), "{header}");
    let (ours, theirs) = (header.find("x-mssante=pass policy.dn"), header.find("x-mssante=pass\r\n"));
    ensure!(ours < theirs, "ours stands first: {header}");
    Ok(())
}
