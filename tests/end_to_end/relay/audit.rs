//! The cases of ANS's audit, each a client of the port for operators; and what the gateway is for.

use anyhow::{Result, ensure};
use tests::{letter, server::Server, smtp::Smtp};

#[test]
fn every_case_of_the_audit_is_refused_with_its_cause() -> Result<()> {
    let server = Server::start()?;
    let sender = server.settings.get("B_MSS1");
    for (case, word) in [
        ("EXPIRED", "expired"),
        ("REVOKED", "revoked"),
        ("FOREIGN", "untrusted"),
        ("UNLISTED", "dn-mismatch"),
        ("SAME_CN", "dn-mismatch"),
        ("OTHER_DOMAIN", "dn-mismatch"),
    ] {
        let reply = server.operator("RELAY_PORT", case)?.command(&format!("MAIL FROM:<{sender}>"))?;
        let said = reply.lines.join(" ");
        ensure!(reply.code == 550 && reply.status() == "5.7.1", "{case}: {reply:?}");
        ensure!(said.contains(&format!("[{word}]")), "{case}: {reply:?}");
    }
    for (case, word) in [("UNLISTED", "unlisted"), ("SAME_CN", "unlisted"), ("EXPIRED", "expired")] {
        let reply = server.operator("RELAY_PORT", case)?.command("MAIL FROM:<>")?;
        ensure!(reply.code == 550 && reply.lines.join(" ").contains(&format!("[{word}]")), "{case}: {reply:?}");
    }
    let unlisted = server.operator("RELAY_PORT", "VALID")?.command("MAIL FROM:<a@hors-liste.example>")?;
    ensure!(unlisted.code == 550 && unlisted.lines.join(" ").contains("[unlisted]"), "{unlisted:?}");

    let mut clear = Smtp::plain(server.settings.address("RELAY_PORT"))?;
    clear.expect("EHLO mx.client.example", 250)?;
    let reply = clear.expect(&format!("MAIL FROM:<{sender}>"), 530)?;
    ensure!(reply.status() == "5.7.0", "{reply:?}");
    let mut nobody = clear.starttls(&server.trust)?;
    nobody.expect("EHLO mx.client.example", 250)?;
    let reply = nobody.expect(&format!("MAIL FROM:<{sender}>"), 550)?;
    ensure!(reply.lines.join(" ").contains("[no-certificate]"), "{reply:?}");
    Ok(())
}

#[test]
fn who_is_listed_is_believed_for_its_domains_and_brings_mail_for_local_addresses_only() -> Result<()> {
    let server = Server::start()?;
    let recipient = server.user(2).0;
    for (case, sender) in [
        ("VALID", server.settings.get("B_MSS1").to_owned()),
        ("OTHER_DOMAIN", format!("anyone@{}", server.settings.get("OTHER_DOMAIN"))),
        ("VALID", String::new()),
    ] {
        let mut peer = server.operator("RELAY_PORT", case)?;
        peer.expect(&format!("MAIL FROM:<{sender}>"), 250)?;
        peer.expect(&format!("RCPT TO:<nobody.there@{}>", server.settings.get("LOAD_DOMAIN")), 550)?;
        peer.expect("RCPT TO:<somebody@ailleurs.example>", 550)?;
        peer.expect("RSET", 250)?;
        let name = letter::unique_name();
        let author = if sender.is_empty() { server.settings.get("B_MSS1") } else { &sender };
        let sent = letter::named(author, recipient, &name, 2_000);
        let reply = peer.send(&sender, &[recipient], &sent)?;
        ensure!(reply.is_ok(), "{case}: {reply:?}");
        let trace = super::arrives_intact(&server, 2, &sent, &name)?;
        ensure!(trace.contains("Authentication-Results:") && trace.contains("TLS"), "{trace}");
    }
    Ok(())
}

#[test]
fn the_gateway_takes_any_sender_without_certificate_and_relays_nothing() -> Result<()> {
    let server = Server::start()?;
    let recipient = server.user(3).0;
    let mut gateway = server.relay()?;
    gateway.expect("EHLO filter.example", 250)?;
    let name = letter::unique_name();
    let sent = letter::named("anyone@anywhere.example", recipient, &name, 2_000);
    ensure!(gateway.send("anyone@anywhere.example", &[recipient], &sent)?.is_ok());
    let trace = super::arrives_intact(&server, 3, &sent, &name)?;
    ensure!(trace.contains("gateway"), "{trace}");
    gateway.expect("MAIL FROM:<anyone@anywhere.example>", 250)?;
    gateway.expect(&format!("RCPT TO:<{}>", server.settings.get("B_MSS1")), 550)?;
    Ok(())
}
