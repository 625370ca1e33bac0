//! Each case of ANS's audit, the other operator being the server: nothing of the message is said to it, and it waits.

use server::development_trust_space::Holder;

use crate::peer::{Behaviour, Peer, Tls};
use crate::world::World;

#[tokio::test]
async fn mail_waits_with_the_word_of_what_is_wrong() {
    for (holder, word) in [
        (Holder::Expired, "expired"),
        (Holder::Revoked, "revoked"),
        (Holder::Foreign, "untrusted"),
        (Holder::Unlisted, "dn-mismatch"),
        (Holder::SameCn, "dn-mismatch"),
        (Holder::OtherDomain, "dn-mismatch"),
    ] {
        let mut world = World::new().await;
        let peer = Peer::start(Behaviour::good(&world, holder)).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
        assert_eq!(world.attempt("m1").await, format!("tls {word} mx.clinique.example"), "{holder:?}");
        let shown = world.show("m1").await.unwrap();
        let certificate = shown.entries[0].1[0].attempt.certificate.clone();
        assert_eq!(
            certificate.map(|dn| dn.parse::<trust::Dn>().unwrap()),
            Some(holder.name().to_string().parse().unwrap()),
            "{holder:?}"
        );
        assert!(peer.heard().commands.is_empty(), "nothing is said under TLS before the judgement: {holder:?}");
    }
}

#[tokio::test]
async fn without_tls_nothing_is_said() {
    for tls in [Tls::Missing, Tls::Refused] {
        let mut world = World::new().await;
        let peer = Peer::start(Behaviour { tls, ..Behaviour::good(&world, Holder::Valid) }).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
        assert_eq!(world.attempt("m1").await, "tls tls-required mx.clinique.example");
        assert!(peer.heard().bodies.is_empty());
    }
}

#[tokio::test]
async fn a_domain_that_is_in_no_list_gets_nothing() {
    let mut world = World::new().await;
    world.dns.zone("inconnu.example", "@ MX 10 mx\nmx A 127.0.0.1\n");
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.run_to(peer.address);
    world.send("m1", &["paul@inconnu.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
    assert_eq!(world.attempt("m1").await, "tls unlisted mx.inconnu.example");
    assert!(peer.heard().commands.is_empty());
}

#[tokio::test]
async fn a_list_that_changes_counts_for_the_next_message_on_an_open_connection() {
    let mut world = World::new().await;
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.run_to(peer.address);
    world.send("m1", &["paul@clinique.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
    world.gone("m1").await;
    let now = std::time::SystemTime::now();
    world.made.write_revocation_lists(&[Holder::Valid], now, std::time::Duration::from_secs(3_600)).unwrap();
    world.trust.replace(crate::world::space(&world.made));
    world.send("m2", &["paul@clinique.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
    assert_eq!(world.attempt("m2").await, "tls revoked mx.clinique.example");
    assert_eq!(peer.heard().accepted.len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_want_our_certificate_is_no_broken_greeting() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut world = World::new().await;
        let tls = Tls::Refusing(world.made.certificate(Holder::Valid), version);
        let peer = Peer::start(Behaviour { tls, ..Behaviour::good(&world, Holder::Valid) }).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
        assert_eq!(world.attempt("m1").await, "tls certificate-refused mx.clinique.example", "{version:?}");
        assert!(peer.heard().commands.is_empty());
    }
}
