//! A message with an attachment goes in by submission, is announced by IDLE, and comes back octet for octet.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use mail_parser::MimeHeaders;
use net::{Clock, Randomness, SystemClock, SystemRandomness};

use super::super::client::{Wire, quoted};
use super::super::people::Person;
use super::Scene;

/// Octets of the attachment before base64.
const ATTACHMENT_OCTETS: usize = 100_000;

/// Its file name.
const ATTACHMENT_NAME: &str = "piece-jointe.bin";

/// Runs this part of the proof.
pub(super) async fn run(scene: &Scene<'_>) -> anyhow::Result<()> {
    let (sender, reader) = (&scene.people.user1, &scene.people.user2);
    let (authority, ports) = (&scene.place.certificates.authority, scene.place.a.ports);

    let mut mailbox = Wire::connect(ports.imaps, authority).await.context("connecting to IMAP")?;
    ensure!(mailbox.line().await?.starts_with("* OK"), "no IMAP greeting");
    mailbox.imap(&format!("LOGIN {} {}", quoted(&reader.address), quoted(&reader.password))).await.context("LOGIN")?;
    mailbox.imap("SELECT INBOX").await.context("SELECT")?;
    let idle = mailbox.imap_begin("IDLE").await?;
    ensure!(mailbox.line().await?.starts_with('+'), "IDLE was not taken");
    say!("  {} signed in to IMAP ({}) and waits by IDLE", reader.address, mailbox.protection());

    let message = message(sender, reader)?;
    let mut submission = Wire::connect(ports.submissions, authority).await.context("connecting to submission")?;
    submission.reply("220").await?;
    submission.command("EHLO localhost", "250").await?;
    submission.smtp_sign_in(&sender.address, &sender.password).await.context("AUTH")?;
    submission.command(&format!("MAIL FROM:<{}>", sender.address), "250").await?;
    submission.command(&format!("RCPT TO:<{}>", reader.address), "250").await?;
    submission.command("DATA", "354").await?;
    let verdict = submission.body(&message).await.context("the end of data")?;
    let accepted = Instant::now();
    say!("  {} sent {} octets by submission, an attachment among them: {verdict}", sender.address, message.len());

    let number = loop {
        let line = mailbox.line().await.context("waiting by IDLE")?;
        if let Some(number) = line.strip_prefix("* ").and_then(|line| line.strip_suffix(" EXISTS")) {
            break number.to_owned();
        }
    };
    let waited = accepted.elapsed().as_secs_f64() * 1_000.0;
    say!("  IDLE announced it {waited:.1} ms after the 250: * {number} EXISTS");
    mailbox.idle_done(&idle).await?;
    submission.command("QUIT", "221").await?;

    let fetched = mailbox.imap_literal(&format!("FETCH {number} (BODY.PEEK[])")).await.context("FETCH")?;
    compare(&message, &fetched)?;
    let hash: String = digest(&SHA256, &message).as_ref().iter().take(8).map(|octet| format!("{octet:02x}")).collect();
    say!("  read back: {} octets, identical octet for octet (SHA-256 {hash}…)", message.len());
    let attached = attachment_octets(&fetched)?;
    ensure!(attached == ATTACHMENT_OCTETS, "the attachment holds {attached} octets");
    say!("  its attachment, {ATTACHMENT_NAME}, holds the {attached} octets that were attached");
    mailbox.imap("LOGOUT").await?;
    Ok(())
}

/// What comes back is what went in, under the trace fields of final delivery (RFC 5321 §4.4).
fn compare(sent: &[u8], fetched: &[u8]) -> anyhow::Result<()> {
    let Some(trace) = fetched.strip_suffix(sent) else {
        bail!("what came back is not what was sent: {} octets for {}", fetched.len(), sent.len());
    };
    let trace = std::str::from_utf8(trace).context("the trace fields are no text")?;
    let is_trace =
        |line: &str| line.starts_with([' ', '\t']) || line.starts_with("Return-Path:") || line.starts_with("Received:");
    ensure!(trace.lines().all(is_trace), "other fields than Return-Path and Received were added:\n{trace}");
    Ok(())
}

/// A message with all fields that submission would add, so that nothing has to be.
fn message(sender: &Person, reader: &Person) -> anyhow::Result<Vec<u8>> {
    let mut random = vec![0; ATTACHMENT_OCTETS];
    SystemRandomness.fill(&mut random);
    let id: String = random.iter().take(12).map(|octet| format!("{octet:02x}")).collect();
    let builder = mail_builder::MessageBuilder::new()
        .date(i64::try_from(SystemClock.since_epoch().as_secs())?)
        .from((sender.name.as_str(), sender.address.as_str()))
        .to((reader.name.as_str(), reader.address.as_str()))
        .subject("Démonstration de Sceau")
        .message_id(format!("{id}@localhost"))
        .text_body(
            "Bonjour, ceci est un message de démonstration.\r\n.\r\nLa ligne d'avant ne contient qu'un point.\r\n",
        )
        .attachment("application/octet-stream", ATTACHMENT_NAME, random);
    Ok(builder.write_to_vec()?)
}

/// The attachment's octets as mail-parser, which is no part of the server, reads them.
fn attachment_octets(message: &[u8]) -> anyhow::Result<usize> {
    let message = mail_parser::MessageParser::default().parse(message).context("mail-parser finds no message")?;
    let mut attachments = message.attachments();
    let attachment = attachments.find(|part| part.attachment_name() == Some(ATTACHMENT_NAME));
    Ok(attachment.context("mail-parser finds no attachment")?.contents().len())
}
