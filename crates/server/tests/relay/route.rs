//! Where mail goes, by DNS and by configuration.

use server::config::StaticRoute;
use server::development_trust_space::Holder;
use testkit::dns_server::Fault;

use crate::peer::{Behaviour, Peer};
use crate::world::World;

const LETTER: &[u8] = b"From: ann@hopital.example\r\nSubject: Result\r\n\r\nWell.\r\n";

#[tokio::test]
async fn the_next_exchange_is_tried_when_the_first_is_dead_or_not_trusted() {
    let mut world = World::new().await;
    world
        .dns
        .zone("clinique.example", "@ MX 10 a\n@ MX 20 b\n@ MX 30 c\na A 127.0.0.9\nb A 127.0.0.2\nc A 127.0.0.1\n");
    let good = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    let bad = format!("127.0.0.2:{}", good.address.port());
    let bad = Peer::start_at(&bad, Behaviour::good(&world, Holder::Expired)).await;
    world.run_to(good.address);
    world.send("m1", &["paul@clinique.example"], LETTER).await;
    world.gone("m1").await;
    assert_eq!((bad.heard().connections, good.heard().accepted.len()), (1, 1));
}

#[tokio::test]
async fn what_dns_says_for_good_comes_back_and_the_rest_waits() {
    let mut world = World::new().await;
    world.dns.zone("example", "null MX 0 .\nloop MX 10 mx.operateur-a\nhere MX 10 host.here\nhost.here A 10.0.0.1\n");
    world.dns.fault("broken.example", Fault::ServFail);
    world.run(world.settings(1));
    for (number, (domain, status)) in
        [("null.example", "5.1.10"), ("nowhere.example", "5.1.2"), ("loop.example", "5.4.6"), ("here.example", "5.4.6")]
            .into_iter()
            .enumerate()
    {
        let name = ["m1", "m2", "m3", "m4"][number];
        world.send(name, &[&format!("paul@{domain}")], LETTER).await;
        let report = world.reports(number + 1).await.remove(number);
        assert!(report.contains(&format!("Status: {status}")), "{domain}: {report}");
    }
    world.send("m5", &["paul@broken.example"], LETTER).await;
    assert_eq!(world.attempt("m5").await, "dns dns-trouble ");
}

#[tokio::test]
async fn a_route_of_the_configuration_goes_before_dns() {
    let mut world = World::new().await;
    world.dns.fault("clinique.example", Fault::ServFail);
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    let mut settings = world.settings(1);
    settings.rules.allowed_networks.clear();
    settings.routes = vec![StaticRoute {
        domain: "clinique.example".parse().unwrap(),
        host: "127.0.0.1".parse().unwrap(),
        port: peer.address.port(),
    }];
    world.run(settings);
    world.send("m1", &["paul@clinique.example"], LETTER).await;
    world.gone("m1").await;
    assert_eq!(world.dns.questions("clinique.example"), 0);
}

#[tokio::test]
async fn we_do_not_speak_with_ourselves() {
    let mut world = World::new().await;
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    let mut settings = world.settings(peer.address.port());
    settings.rules.own_addresses = vec![format!("0.0.0.0:{}", peer.address.port()).parse().unwrap()];
    world.run(settings);
    world.send("m1", &["paul@clinique.example"], LETTER).await;
    let report = world.reports(1).await.remove(0);
    assert!(report.contains("Status: 5.4.6"), "{report}");
    assert!(peer.heard().commands.is_empty());
}
