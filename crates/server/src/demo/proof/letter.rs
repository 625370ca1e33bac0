//! Short messages, and a mailbox in which they are awaited.

use std::time::Duration;

use anyhow::{Context, ensure};
use net::{Clock, Randomness, SystemClock, SystemRandomness};

use super::super::client::{Wire, quoted};
use super::super::people::Person;
use super::Scene;
use crate::demo::operator::Operator;

/// How often a mailbox is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A message of a few lines.
pub(super) struct Letter {
    /// Without angle brackets.
    pub(super) id: String,
    pub(super) octets: Vec<u8>,
}

impl Letter {
    /// From a person to an address.
    pub(super) fn new(from: &Person, to: &str, subject: &str, answers: Option<&str>) -> anyhow::Result<Letter> {
        let id = format!("{}@{}", random_word(), from.address.rsplit('@').next().unwrap_or_default());
        let mut builder = mail_builder::MessageBuilder::new()
            .date(i64::try_from(SystemClock.since_epoch().as_secs())?)
            .from((from.name.as_str(), from.address.as_str()))
            .to(to)
            .subject(subject)
            .message_id(id.as_str())
            .text_body("Bonjour,\r\n\r\nceci est un message de démonstration.\r\n");
        if let Some(answered) = answers {
            builder = builder.in_reply_to(answered);
        }
        let octets = builder.write_to_vec()?;
        Ok(Letter { id, octets })
    }

    /// Sends it by submission; gives the verdict.
    pub(super) async fn send(
        &self,
        scene: &Scene<'_>,
        operator: &Operator,
        from: &Person,
        to: &str,
    ) -> anyhow::Result<String> {
        let mut submission = submission(scene, operator, from).await?;
        submission.command(&format!("MAIL FROM:<{}>", from.address), "250").await?;
        submission.command(&format!("RCPT TO:<{to}>"), "250").await?;
        submission.command("DATA", "354").await?;
        let verdict = submission.body(&self.octets).await.context("the end of data")?;
        submission.command("QUIT", "221").await?;
        Ok(verdict)
    }
}

/// Lower-case letters and digits that no other word has.
pub(super) fn random_word() -> String {
    let mut random = [0; 8];
    SystemRandomness.fill(&mut random);
    random.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A submission session, signed in.
pub(super) async fn submission(scene: &Scene<'_>, operator: &Operator, person: &Person) -> anyhow::Result<Wire> {
    let authority = &scene.place.certificates.authority;
    let mut wire = Wire::connect(operator.ports.submissions, authority).await.context("connecting to submission")?;
    wire.reply("220").await?;
    wire.command("EHLO localhost", "250").await?;
    wire.smtp_sign_in(&person.address, &person.password).await.context("AUTH")?;
    Ok(wire)
}

/// An INBOX, and what came since it is watched.
pub(super) struct Inbox {
    wire: Wire,
    read: u32,
    came: Vec<String>,
}

impl Inbox {
    pub(super) async fn watch(scene: &Scene<'_>, operator: &Operator, person: &Person) -> anyhow::Result<Inbox> {
        let authority = &scene.place.certificates.authority;
        let mut wire = Wire::connect(operator.ports.imaps, authority).await.context("connecting to IMAP")?;
        ensure!(wire.line().await?.starts_with("* OK"), "no IMAP greeting");
        wire.imap(&format!("LOGIN {} {}", quoted(&person.address), quoted(&person.password))).await.context("LOGIN")?;
        wire.imap("SELECT INBOX").await.context("SELECT")?;
        Ok(Inbox { read: wire.exists(), wire, came: Vec::new() })
    }

    /// The first message like that since it is watched, once it is there.
    pub(super) async fn message(&mut self, is_it: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let mut looked_at = 0;
        loop {
            while self.read < self.wire.exists() {
                self.read += 1;
                let fetched = self.wire.imap_literal(&format!("FETCH {} (BODY.PEEK[])", self.read)).await?;
                self.came.push(String::from_utf8_lossy(&fetched).into_owned());
            }
            if let Some(found) = self.came.iter().skip(looked_at).find(|message| is_it(message)) {
                return Ok(found.clone());
            }
            looked_at = self.came.len();
            tokio::time::sleep(LOOK).await;
            self.wire.imap("NOOP").await?;
        }
    }
}

/// The first field of that name that holds these words, on one line, without its name.
pub(super) fn field(message: &str, name: &str, words: &str) -> Option<String> {
    let header = message.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    let fields = header.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
    let wanted = fields.map(|field| field.split_whitespace().collect::<Vec<_>>().join(" "));
    wanted.into_iter().find(|field| field.contains(words))
}
