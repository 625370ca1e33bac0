//! A message to an operator that is down: queued, its sender told of the delay, returned.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use queue::Selection;
use queue::operate;
use store::StoreError;

use super::super::outside::DEAD_DOMAIN;
use super::Scene;
use super::letter::{Inbox, Letter, random_word};

/// A message on its way to nowhere.
pub(super) struct Doomed {
    inbox: Inbox,
    recipient: String,
    sent: Instant,
    queued: String,
}

/// How long its first attempt may take.
const FIRST_ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// Sends it, and looks at the queue. Operator B does this: its times are shortened by its configuration.
pub(super) async fn send(scene: &Scene<'_>) -> anyhow::Result<Doomed> {
    let (operator, person) = (&scene.place.b, &scene.counterpart.user1);
    let inbox = Inbox::watch(scene, operator, person).await?;
    let recipient = format!("{}@{DEAD_DOMAIN}", random_word());
    let letter = Letter::new(person, &recipient, "Etes-vous là ?", None)?;
    let verdict = letter.send(scene, operator, person, &recipient).await?;
    let sent = Instant::now();
    ensure!(verdict.starts_with("250"), "it was not accepted: {verdict}");
    let queued = tokio::time::timeout(FIRST_ATTEMPT_MAX, queued(scene, &recipient)).await;
    let queued = queued.context("nothing was tried")??;
    Ok(Doomed { inbox, recipient, sent, queued })
}

/// What the queue says of it, once it was tried.
async fn queued(scene: &Scene<'_>, recipient: &str) -> anyhow::Result<String> {
    let store = &scene.operators.b.assembly().store;
    loop {
        let wanted = Selection::Destination(DEAD_DOMAIN.parse()?);
        let listed = store.read(move |view| {
            let listed = operate::list(view, &wanted, None, 100)?;
            let mut shown = Vec::new();
            for line in listed {
                let attempts = queue::record::attempts(view, &line.entry.id)?;
                shown.push((line, attempts));
            }
            Ok::<_, StoreError>(shown)
        });
        let listed = listed.await?;
        let ours = listed.iter().find(|(line, _)| line.entry.recipient.forward_path.to_string().contains(recipient));
        if let Some((line, attempts)) = ours
            && let Some(last) = attempts.last()
        {
            let address = last.attempt.address.map(|address| format!(" ({address})")).unwrap_or_default();
            let cause = last.cause.map_or("", |cause| cause.word());
            return Ok(format!(
                "queued as {}, attempt {}: {}{address}: {cause}",
                line.entry.id, last.number, last.attempt.host
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Doomed {
    /// Waits for both reports.
    pub(super) async fn watch(mut self, scene: &Scene<'_>) -> anyhow::Result<()> {
        say!("  {} writes to {}, whose host is down:", scene.counterpart.user1.address, self.recipient);
        say!("    {}", self.queued);
        for (action, what) in [("delayed", "told of the delay"), ("failed", "returned")] {
            let wanted = format!("Action: {action}");
            let recipient = self.recipient.clone();
            let is_it = |message: &str| message.contains(&wanted) && message.contains(&recipient);
            let report = self.inbox.message(is_it).await.context(what)?;
            let subject = mail_parser::MessageParser::default().parse(&report);
            let subject = subject.as_ref().and_then(|report| report.subject()).unwrap_or_default();
            let line = |name: &str| report.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            say!(
                "    {what} within {:.0} s: \"{subject}\", {wanted}, Status:{}",
                self.sent.elapsed().as_secs_f64().ceil(),
                line("Status:")
            );
        }
        Ok(())
    }
}
