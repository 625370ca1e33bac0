//! The octets that leave.

use server::development_trust_space::Holder;
use smtp::client::Transfer;

use crate::peer::{Behaviour, Peer};
use crate::world::World;

#[tokio::test]
async fn s2_there_is_one_end_of_data_whatever_the_message_holds() {
    let mut world = World::new().await;
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.run_to(peer.address);
    let smuggled = "Subject: x\r\n\r\na\n.\nMAIL FROM:<x@y.example>\r.\rb\r\n.\rc\n.\r\nd\r\n.\r\ne\r.\r\n.";
    world.send("m1", &["paul@clinique.example"], smuggled.as_bytes()).await;
    world.gone("m1").await;
    let heard = peer.heard();
    assert_eq!(heard.bodies.len(), 1);
    let body = &heard.bodies[0];
    assert_eq!(body.windows(5).filter(|five| five == b"\r\n.\r\n").count(), 1);
    let text = String::from_utf8(body.clone()).unwrap().replace("\r\n", "");
    assert!(!text.contains(['\r', '\n']), "every CR and LF is half of a CRLF");
    assert!(!heard.commands.iter().any(|line| line.contains("x@y.example")));
}

#[tokio::test]
async fn large_messages_travel_in_pieces_either_way() {
    let mut content = b"Subject: large\r\n\r\n".to_vec();
    while content.len() < 3 << 20 {
        content.extend_from_slice(b".0123456789 line of a large message, which begins with a dot\r\n");
    }
    for (transfer, extension) in [(Transfer::Data, "SIZE"), (Transfer::Chunks, "CHUNKING")] {
        let mut world = World::new().await;
        let extensions = vec!["PIPELINING", extension];
        let peer = Peer::start(Behaviour { extensions, ..Behaviour::good(&world, Holder::Valid) }).await;
        let settings = world.settings(peer.address.port());
        world.run(server::outbound::Settings { transfer, ..settings });
        world.send("m1", &["paul@clinique.example"], &content).await;
        world.gone("m1").await;
        let heard = peer.heard();
        let body = String::from_utf8(heard.bodies[0].clone()).unwrap();
        let plain = match transfer {
            Transfer::Data => body.strip_suffix(".\r\n").unwrap().replace("\r\n..", "\r\n."),
            Transfer::Chunks => body.strip_suffix("(last)").unwrap().to_owned(),
        };
        let (_, plain) = plain.split_once("+0000\r\n").unwrap();
        assert!(plain.as_bytes() == content, "{transfer:?}");
    }
}
