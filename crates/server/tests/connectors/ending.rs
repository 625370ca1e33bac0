//! What lets somebody in may be taken away: sessions end at once.

use server::admin::Request;
use server::development_trust_space::Holder;

use crate::world::{DPI, Line, World, base64};

async fn signed_in(world: &World) -> (Line, Line) {
    let (mut smtp, _) = world.smtp("connector-submissions", Some(Holder::Connector)).await;
    assert!(smtp.smtp(&format!("AUTH EXTERNAL {}", base64(DPI))).await.starts_with("235 "));
    let mut imap = world.connect("connector-imaps", Some(Holder::Connector)).await;
    assert!(imap.imap(&format!("a AUTHENTICATE EXTERNAL {}", base64(DPI))).await.starts_with("a OK "));
    (smtp, imap)
}

#[tokio::test]
async fn taking_a_certificate_away_ends_its_sessions() {
    let world = World::new("").await;
    let number = world.bind(DPI, Holder::Connector).await;
    let (mut smtp, mut imap) = signed_in(&world).await;
    world.ask(Request::AccountCertificateRemove { account: DPI.into(), number }).await;
    assert!(smtp.read().await.starts_with("421 "));
    assert!(imap.read().await.starts_with("* BYE "));
    assert_eq!((smtp.rest().await, imap.rest().await), (String::new(), String::new()));
    let (mut smtp, said) = world.smtp("connector-submissions", Some(Holder::Connector)).await;
    assert!(!said.contains("EXTERNAL"));
    assert!(smtp.smtp("AUTH EXTERNAL =").await.starts_with("535 "));
}

#[tokio::test]
async fn disabling_the_account_ends_its_sessions() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    let (mut smtp, mut imap) = signed_in(&world).await;
    let (mut without, _) = world.smtp("without-auth", Some(Holder::Connector)).await;
    assert!(without.smtp(&format!("MAIL FROM:<{DPI}>")).await.starts_with("250 "));
    world.ask(Request::AccountDisable { account: DPI.into() }).await;
    assert!(smtp.read().await.starts_with("421 4.7.0 "));
    assert!(imap.read().await.starts_with("* BYE "));
    assert!(without.read().await.starts_with("421 4.7.0 "));
    let (mut without, _) = world.smtp("without-auth", Some(Holder::Connector)).await;
    assert!(without.smtp(&format!("MAIL FROM:<{DPI}>")).await.contains("[sender.not_yours]"));
}
