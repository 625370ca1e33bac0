//! What the other side may answer, at every verb.

use std::time::Duration;

use mail::envelope::{BodyKind, Envelope, Notify, Recipient, ReversePath};
use server::development_trust_space::Holder;

use crate::peer::{Behaviour, DROP, Peer};
use crate::world::{SENDER, World, recipient};

const LETTER: &[u8] = b"From: ann@hopital.example\r\nSubject: Result\r\n\r\nWell.\r\n";

#[tokio::test]
async fn what_is_put_off_arrives_later() {
    for verb in ["MAIL", "RCPT", "DATA", "END"] {
        let mut world = World::new().await;
        let behaviour = Behaviour::good(&world, Holder::Valid).answering(verb, &["451 4.7.1 greylisted\r\n"]);
        let peer = Peer::start(behaviour).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], LETTER).await;
        world.gone("m1").await;
        assert_eq!(peer.heard().accepted.len(), 1, "{verb}");
    }
}

#[tokio::test]
async fn what_is_refused_comes_back_with_the_words_of_the_other_side() {
    for verb in ["MAIL", "RCPT", "DATA", "END"] {
        let mut world = World::new().await;
        let behaviour = Behaviour::good(&world, Holder::Valid).answering(verb, &["550 5.7.1 not from you\r\n"]);
        let peer = Peer::start(behaviour).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], LETTER).await;
        let report = world.reports(1).await.remove(0);
        for line in ["Action: failed", "Status: 5.7.1", "smtp; 550 5.7.1 not from you", "mx.clinique.example"] {
            assert!(report.contains(line), "{verb}: {report}");
        }
        assert!(world.show("m1").await.is_none() && peer.heard().accepted.is_empty());
    }
}

#[tokio::test]
async fn a_connection_that_drops_anywhere_loses_nothing() {
    for verb in ["EHLO", "MAIL", "RCPT", "DATA", "END"] {
        let mut world = World::new().await;
        let peer = Peer::start(Behaviour::good(&world, Holder::Valid).answering(verb, &[DROP])).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], LETTER).await;
        world.gone("m1").await;
        assert_eq!(peer.heard().accepted.len(), 1, "{verb}");
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_found_again() {
    let mut world = World::new().await;
    for verb in ["EHLO", "MAIL", "RCPT", "DATA", "END"] {
        let behaviour = Behaviour::good(&world, Holder::Valid).answering(verb, &["421 4.3.2 going down\r\n"]);
        let peer = Peer::start(behaviour).await;
        world.run_to(peer.address);
        world.send("m1", &["paul@clinique.example"], LETTER).await;
        world.gone("m1").await;
        assert_eq!(peer.heard().accepted.len(), 1, "{verb}");
        world.stop().await;
    }
}

#[tokio::test]
async fn each_forward_path_has_its_own_fate() {
    let mut world = World::new().await;
    let answers = ["250 2.1.5 taken\r\n", "550 5.1.1 who?\r\n", "452 4.2.2 full\r\n"];
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid).answering("RCPT", &answers)).await;
    world.run_to(peer.address);
    world.send("m1", &["a@clinique.example", "b@clinique.example", "c@clinique.example"], LETTER).await;
    world.gone("m1").await;
    let report = world.reports(1).await.remove(0);
    assert!(report.contains("b@clinique.example") && !report.contains("a@clinique.example"), "{report}");
    assert_eq!(peer.heard().bodies.len(), 2, "the third had its own transaction, later");
}

#[tokio::test]
async fn too_many_recipients_go_in_two_transactions() {
    let mut world = World::new().await;
    let answers = ["250 2.1.5 taken\r\n", "452 4.5.3 too many\r\n"];
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid).answering("RCPT", &answers)).await;
    world.run_to(peer.address);
    world.send("m1", &["a@clinique.example", "b@clinique.example"], LETTER).await;
    world.gone("m1").await;
    let heard = peer.heard();
    assert_eq!((heard.connections, heard.bodies.len()), (1, 2));
}

#[tokio::test]
async fn what_the_other_side_cannot_take_comes_back_at_once() {
    let address = ReversePath::Address(SENDER.parse().unwrap());
    let to = |address: &str| vec![recipient(address)];
    let envelope = || Envelope { recipients: to("paul@clinique.example"), ..Envelope::new(address.clone()) };
    for (extensions, envelope, status) in [
        (vec!["SIZE 50"], envelope(), "5.3.4"),
        (vec!["SIZE 5000"], Envelope { body: BodyKind::EightBitMime, ..envelope() }, "5.6.3"),
        (vec!["8BITMIME"], Envelope { recipients: to("zoé@clinique.example"), ..envelope() }, "5.6.7"),
        (vec!["8BITMIME"], Envelope { require_tls: true, ..envelope() }, "5.7.30"),
    ] {
        let mut world = World::new().await;
        let peer = Peer::start(Behaviour { extensions, ..Behaviour::good(&world, Holder::Valid) }).await;
        world.run_to(peer.address);
        world.send_envelope("m1", envelope, LETTER).await;
        let report = world.reports(1).await.remove(0);
        assert!(report.contains(&format!("Status: {status}")), "{report}");
        assert!(!peer.heard().commands.iter().any(|line| line.starts_with("MAIL")), "it was seen before MAIL");
    }
}

#[tokio::test]
async fn wishes_for_reports_go_on_where_they_are_understood() {
    let asked = |address: &str| Recipient {
        notify: Some(Notify::On { success: true, failure: true, delay: false }),
        ..recipient(address)
    };
    let mut world = World::new().await;
    let mut envelope = Envelope::new(ReversePath::Address(SENDER.parse().unwrap()));
    envelope.recipients = vec![asked("paul@clinique.example")];
    envelope.envelope_id = Some("QQ314159".into());
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.run_to(peer.address);
    world.send_envelope("m1", envelope.clone(), LETTER).await;
    world.gone("m1").await;
    {
        let heard = peer.heard();
        let said = heard.commands.join("\n");
        assert!(said.contains("ENVID=QQ314159") && said.contains("NOTIFY=SUCCESS,FAILURE"), "{said}");
    }
    world.stop().await;
    let peer = Peer::start(Behaviour { extensions: vec!["SIZE"], ..Behaviour::good(&world, Holder::Valid) }).await;
    world.run_to(peer.address);
    world.send_envelope("m2", envelope, LETTER).await;
    let report = world.reports(1).await.remove(0);
    assert!(report.contains("Action: relayed") && report.contains("QQ314159"), "{report}");
    assert!(!peer.heard().commands.join("\n").contains("NOTIFY"));
}

#[tokio::test]
async fn an_operator_need_not_wait_for_the_next_attempt() {
    let mut world = World::new().await;
    let behaviour = Behaviour::good(&world, Holder::Valid).answering("MAIL", &["451 4.7.1 later\r\n"]);
    let peer = Peer::start(behaviour).await;
    let mut settings = world.settings(peer.address.port());
    settings.retry.first_pauses = vec![Duration::from_secs(3_600)];
    world.run(settings);
    world.send("m1", &["paul@clinique.example"], LETTER).await;
    assert_eq!(world.attempt("m1").await, "mail deferred mx.clinique.example");
    let all = queue::Selection::All;
    let retried = world.store.transaction(move |tx| queue::operate::retry(tx, &all, crate::world::now())).await;
    assert_eq!(retried, Ok::<_, store::StoreError>(1));
    world.gone("m1").await;
}
