//! The cases of the audit: each connects to operator A as another operator would, and hears why it is not believed.

use anyhow::ensure;

use super::super::client::Wire;
use super::super::outside::{A_HOST, UNLISTED_DOMAIN};
use super::super::people::B_DOMAIN;
use super::Scene;
use super::letter::submission;
use crate::development_trust_space::Holder;

/// What each case is, and the word it is refused with. The null reverse-path is for whoever is listed at all.
const REFUSED: [(&str, Option<Holder>, &str, &str); 7] = [
    ("EXPIRED", Some(Holder::Expired), SENDER, "expired"),
    ("REVOKED", Some(Holder::Revoked), SENDER, "revoked"),
    ("FOREIGN", Some(Holder::Foreign), SENDER, "untrusted"),
    ("UNLISTED", Some(Holder::Unlisted), "<>", "unlisted"),
    ("SAME_CN", Some(Holder::SameCn), SENDER, "dn-mismatch"),
    ("OTHER_DOMAIN", Some(Holder::OtherDomain), SENDER, "dn-mismatch"),
    ("no TLS", None, SENDER, "tls-required"),
];

/// Somebody at operator B.
const SENDER: &str = "<claire.bernard@clinique.example>";

pub(super) async fn run(scene: &Scene<'_>) -> anyhow::Result<()> {
    debug_assert!(SENDER.contains(B_DOMAIN));
    say!("  Who connects to {A_HOST}, and is not who may:");
    for (case, holder, sender, word) in REFUSED {
        let certificate = holder.map(|holder| scene.place.space.certificate(holder));
        let mut wire = Wire::as_operator(scene.place.a.ports.smtp, A_HOST, certificate).await?;
        let reply = wire.ask(&format!("MAIL FROM:{sender}")).await?;
        say!("    {case:<12} MAIL FROM:{sender}: {reply}");
        let is_refused = reply.starts_with('5') && reply.ends_with(&format!("[{word}]"));
        ensure!(is_refused, "{case} was to be refused with [{word}], and heard: {reply}");
    }
    Ok(())
}

/// Mail for a domain that is in no list does not even get in.
pub(super) async fn unlisted_recipient(scene: &Scene<'_>) -> anyhow::Result<()> {
    let person = &scene.people.user1;
    let recipient = format!("quelquun@{UNLISTED_DOMAIN}");
    let mut wire = submission(scene, &scene.place.a, person).await?;
    wire.command(&format!("MAIL FROM:<{}>", person.address), "250").await?;
    let reply = wire.ask(&format!("RCPT TO:<{recipient}>")).await?;
    say!("  {} writes to {recipient}, who is in no list:\n    {reply}", person.address);
    ensure!(reply.starts_with("55") && reply.ends_with("[recipient.unlisted]"), "it was not refused: {reply}");
    Ok(())
}
