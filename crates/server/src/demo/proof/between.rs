//! A message from one operator to the other, and the answer back: each shows the other its certificate.

use std::time::Instant;

use anyhow::Context;

use super::super::outside::{A_HOST, B_HOST};
use super::super::people::Person;
use super::Scene;
use super::letter::{Inbox, Letter, field};
use crate::demo::operator::Operator;

/// One end.
struct End<'a> {
    operator: &'a Operator,
    person: &'a Person,
}

pub(super) async fn run(scene: &Scene<'_>) -> anyhow::Result<()> {
    let a = End { operator: &scene.place.a, person: &scene.people.user2 };
    let b = End { operator: &scene.place.b, person: &scene.counterpart.user1 };
    let letter = Letter::new(a.person, &b.person.address, "Compte rendu", None)?;
    let sent = go(scene, &a, &b, &letter).await.with_context(|| format!("from {A_HOST} to {B_HOST}"))?;
    tell(&sent, B_HOST);
    let answer = Letter::new(b.person, &a.person.address, "Re: Compte rendu", Some(&letter.id))?;
    let answered = go(scene, &b, &a, &answer).await.with_context(|| format!("from {B_HOST} to {A_HOST}"))?;
    tell(&answered, A_HOST);
    Ok(())
}

/// Sends it, waits for it at the other end, and gives what arrived.
async fn go(scene: &Scene<'_>, from: &End<'_>, to: &End<'_>, letter: &Letter) -> anyhow::Result<String> {
    let mut inbox = Inbox::watch(scene, to.operator, to.person).await?;
    let verdict = letter.send(scene, from.operator, from.person, &to.person.address).await?;
    say!("  {} writes to {}: {verdict}", from.person.address, to.person.address);
    let accepted = Instant::now();
    let id = format!("<{}>", letter.id);
    let came = inbox.message(|message| message.contains(&id)).await?;
    say!("    there {:.0} ms after the 250", accepted.elapsed().as_secs_f64() * 1_000.0);
    Ok(came)
}

/// What the receiving operator wrote down of the sending one.
fn tell(message: &str, receiver: &str) {
    let received = field(message, "Received", "TLS").unwrap_or_default();
    let tls = received.split_once("(TLS").map(|(_, rest)| rest.split(' ').take(2).collect::<Vec<_>>().join(" "));
    let results = field(message, "Authentication-Results", "x-mssante=").unwrap_or_default();
    let verdict = results.split("; ").find(|result| result.starts_with("x-mssante=")).unwrap_or_default();
    say!("    {receiver} noted: TLS{}, {verdict}", tls.unwrap_or_default());
}
