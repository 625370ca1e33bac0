//! What goes well.

use server::development_trust_space::Holder;

use crate::peer::{Behaviour, Peer};
use crate::world::World;

const LETTER: &[u8] = b"From: ann@hopital.example\r\nSubject: Result\r\n\r\nWell.\r\n.\r\nEnd.\r\n";

#[tokio::test]
async fn a_message_leaves_over_mutual_tls() {
    let mut world = World::new().await;
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.run_to(peer.address);
    world.send("m1", &["paul@clinique.example", "zoe@clinique.example"], LETTER).await;
    world.gone("m1").await;
    let heard = peer.heard();
    assert_eq!((heard.connections, heard.bodies.len()), (1, 1), "one transaction for both");
    assert!(heard.client_chain > 0, "our certificate was shown");
    let body = String::from_utf8(heard.bodies[0].clone()).unwrap();
    assert!(body.starts_with("Received: by mx.operateur-a.example"), "{body}");
    assert!(body.ends_with("Well.\r\n..\r\nEnd.\r\n.\r\n"), "{body}");
    assert_eq!(heard.accepted, ["RCPT TO:<paul@clinique.example>", "RCPT TO:<zoe@clinique.example>"]);
}

#[tokio::test]
async fn a_connection_takes_the_next_message_and_ends_with_the_server() {
    let mut world = World::new().await;
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.run_to(peer.address);
    for name in ["m1", "m2", "m3"] {
        world.send(name, &["paul@clinique.example"], LETTER).await;
        world.gone(name).await;
    }
    assert_eq!(peer.heard().connections, 1);
    world.stop().await;
    let heard = peer.heard();
    assert_eq!(heard.commands.last().map(String::as_str), Some("QUIT"));
    assert_eq!(heard.accepted.len(), 3);
}

#[tokio::test]
async fn what_waits_at_the_start_leaves() {
    let mut world = World::new().await;
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.send("m1", &["paul@clinique.example"], LETTER).await;
    world.run_to(peer.address);
    world.gone("m1").await;
    assert_eq!(peer.heard().accepted.len(), 1);
}

#[tokio::test]
async fn a_running_transaction_finishes_when_the_server_stops() {
    let mut world = World::new().await;
    let pause = std::time::Duration::from_millis(600);
    let peer = Peer::start(Behaviour { pause, ..Behaviour::good(&world, Holder::Valid) }).await;
    world.run_to(peer.address);
    world.send("m1", &["paul@clinique.example"], LETTER).await;
    while peer.heard().bodies.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    world.stop().await;
    assert!(world.show("m1").await.is_none());
    assert_eq!(peer.heard().accepted.len(), 1);
}
