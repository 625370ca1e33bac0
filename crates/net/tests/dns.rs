//! What the resolver makes of the answers of a real server, right and wrong ones.

#![allow(
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make sockets"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mail::{Domain, Exchange, MxAnswer};
use net::dns::{DnsError, Hickory, Resolver, Servers};
use testkit::dns_server::{DnsServer, Fault};

/// The zones of the tests: one that is right, and one that is full of mistakes.
async fn server() -> DnsServer {
    let dns = DnsServer::start().await;
    let many: String = (0..200).map(|number| format!("many MX {number} mx{number}.hopital.example.\n")).collect();
    let texts: String = (0..20).map(|number| format!("large TXT \"{number} {}\"\n", "x".repeat(200))).collect();
    dns.zone(
        "hopital.example",
        "@ MX 20 mx2
         @ MX 10 mx1
         mx1 A 192.0.2.1
         mx1 A 192.0.2.2
         mx1 AAAA 2001:db8::1
         mx2 AAAA 2001:db8::2
         alone A 192.0.2.3
         closed MX 0 .
         service CNAME alone
         alias CNAME mx1
         elsewhere CNAME mx.clinique.example.
         _dmarc TXT \"v=DMARC1; \" \"p=none\""
            .replace("\n         ", "\n")
            .as_str(),
    );
    dns.zone("large.example", &format!("{many}{texts}"));
    dns.zone("clinique.example", "mx A 192.0.2.9\n");
    dns.zone(
        "mistakes.example",
        "circle CNAME round\nround CNAME circle\nself CNAME self\nnowhere CNAME gone\n\
         strange MX 10 _mx\nstrange MX 20 mx.hopital.example.\nstranger MX 10 _mx\n\
         both MX 0 .\nboth MX 10 mx.hopital.example.\n",
    );
    dns.zone("2.0.192.in-addr.arpa", "1 PTR mx1.hopital.example.\n2 PTR _host.example.\n");
    dns
}

fn asking(servers: &[SocketAddr]) -> Hickory {
    let servers = Servers::These(servers.to_vec());
    Hickory::patient(&servers, Duration::from_millis(150), Duration::from_secs(5)).unwrap()
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

async fn mx(resolver: &Hickory, name: &str) -> Result<String, DnsError> {
    Ok(match resolver.mx(&domain(name)).await? {
        MxAnswer::Null => "null".to_owned(),
        MxAnswer::Implicit => "implicit".to_owned(),
        MxAnswer::Exchanges(mut exchanges) => {
            exchanges.sort();
            let words = exchanges.iter().map(|Exchange { preference, host }| format!("{preference} {host}"));
            words.collect::<Vec<_>>().join(", ")
        }
    })
}

async fn addresses(resolver: &Hickory, name: &str) -> Result<String, DnsError> {
    let mut found: Vec<IpAddr> = resolver.addresses(&domain(name)).await?;
    found.sort();
    Ok(found.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "))
}

#[tokio::test]
async fn a_domain_says_where_its_mail_goes() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    for (name, expected) in [
        ("hopital.example", Ok("10 mx1.hopital.example, 20 mx2.hopital.example")),
        ("HOPITAL.example", Ok("10 mx1.hopital.example, 20 mx2.hopital.example")),
        // No MX, but there: its own exchange (RFC 5321 §5.1), by an alias too.
        ("alone.hopital.example", Ok("implicit")),
        ("service.hopital.example", Ok("implicit")),
        ("closed.hopital.example", Ok("null")),
        ("gone.hopital.example", Err(DnsError::NoSuchDomain)),
        ("nowhere.mistakes.example", Err(DnsError::NoSuchDomain)),
        // A null MX beside others means nothing (RFC 7505 §3), nor does what cannot be a host.
        ("both.mistakes.example", Ok("10 mx.hopital.example")),
        ("strange.mistakes.example", Ok("20 mx.hopital.example")),
        ("stranger.mistakes.example", Err(DnsError::Temporary("no MX names a host".to_owned()))),
    ] {
        assert_eq!(mx(&resolver, name).await, expected.map(str::to_owned), "{name}");
    }
}

#[tokio::test]
async fn a_host_has_addresses_of_both_families() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    for (name, expected) in [
        ("mx1.hopital.example", Ok("192.0.2.1, 192.0.2.2, 2001:db8::1")),
        ("mx2.hopital.example", Ok("2001:db8::2")),
        ("alone.hopital.example", Ok("192.0.2.3")),
        ("alias.hopital.example", Ok("192.0.2.1, 192.0.2.2, 2001:db8::1")),
        ("elsewhere.hopital.example", Ok("192.0.2.9")),
        ("closed.hopital.example", Err(DnsError::NoRecords)),
        ("gone.hopital.example", Err(DnsError::NoSuchDomain)),
    ] {
        assert_eq!(addresses(&resolver, name).await, expected.map(str::to_owned), "{name}");
    }
}

#[tokio::test]
async fn aliases_in_a_circle_are_temporary() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    for name in ["circle.mistakes.example", "self.mistakes.example"] {
        for outcome in [mx(&resolver, name).await, addresses(&resolver, name).await] {
            assert!(matches!(outcome, Err(DnsError::Temporary(_))), "{name}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_broken_server_is_temporary_and_its_recovery_is_seen() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    for (fault, words) in
        [(Fault::ServFail, "Server Failure"), (Fault::Refused, "refused"), (Fault::Silence, "no answer")]
    {
        dns.fault("hopital.example", fault);
        let Err(DnsError::Temporary(reason)) = mx(&resolver, "hopital.example").await else { panic!("{fault:?}") };
        assert!(reason.to_lowercase().contains(&words.to_lowercase()), "{fault:?}: {reason}");
    }
    dns.mend("hopital.example");
    assert!(mx(&resolver, "hopital.example").await.is_ok());

    // Zones that the server does not have are refused, not absent.
    let outcome = mx(&resolver, "other.example.org").await;
    assert!(matches!(outcome, Err(DnsError::Temporary(_))), "{outcome:?}");
}

#[tokio::test]
async fn silence_has_an_end() {
    let dns = server().await;
    dns.fault("mx1.hopital.example", Fault::Silence);
    let servers = Servers::These(vec![dns.address()]);
    let resolver = Hickory::patient(&servers, Duration::from_secs(60), Duration::from_millis(300)).unwrap();
    let begun = tokio::time::Instant::now();
    let outcome = addresses(&resolver, "mx1.hopital.example").await;
    assert_eq!(outcome, Err(DnsError::Temporary("no answer from DNS within 0.3 s".to_owned())));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn another_server_is_asked_when_one_is_dead() {
    let dns = server().await;
    // Bound and never read: questions vanish there.
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver = asking(&[dead.local_addr().unwrap(), dns.address()]);
    assert_eq!(addresses(&resolver, "alone.hopital.example").await.as_deref(), Ok("192.0.2.3"));
    let broken = DnsServer::start().await;
    broken.zone("hopital.example", "");
    broken.fault("alone.hopital.example", Fault::ServFail);
    let resolver = asking(&[broken.address(), dns.address()]);
    assert_eq!(addresses(&resolver, "alone.hopital.example").await.as_deref(), Ok("192.0.2.3"));
}

#[tokio::test]
async fn large_answers_come_by_tcp_and_are_cut() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    let Ok(MxAnswer::Exchanges(exchanges)) = resolver.mx(&domain("many.large.example")).await else { panic!() };
    assert_eq!(exchanges.len(), 64);
    assert_eq!(resolver.texts("large.large.example").await.unwrap().len(), 20);
}

#[tokio::test]
async fn answers_are_remembered_for_their_time() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    dns.zone("slow.example", "@ 60 MX 10 mx\n");
    for _ in 0..5 {
        assert_eq!(mx(&resolver, "slow.example").await.as_deref(), Ok("10 mx.slow.example"));
    }
    assert_eq!(dns.questions("slow.example"), 1);
}

#[tokio::test]
async fn texts_are_joined_and_names_are_hosts() {
    let dns = server().await;
    let resolver = asking(&[dns.address()]);
    assert_eq!(resolver.texts("_dmarc.hopital.example").await.unwrap(), [b"v=DMARC1; p=none".to_vec()]);
    assert_eq!(resolver.texts("gone.hopital.example.").await, Err(DnsError::NoSuchDomain));
    assert_eq!(resolver.texts("a..b").await, Err(DnsError::NoSuchDomain));
    assert_eq!(resolver.names("192.0.2.1".parse().unwrap()).await.unwrap(), [domain("mx1.hopital.example")]);
    assert_eq!(resolver.names("192.0.2.2".parse().unwrap()).await, Err(DnsError::NoRecords));
    assert_eq!(resolver.names("192.0.2.3".parse().unwrap()).await, Err(DnsError::NoSuchDomain));
}

#[tokio::test]
async fn the_responder_of_the_demonstration_says_what_it_was_told() {
    use net::dns::responder::{Names, Responder};
    let (alone, closed, hospital) = (domain("alone.example"), domain("closed.example"), domain("hopital.example"));
    let mut names = Names::default();
    names.mx(&closed, &MxAnswer::Null);
    names.mx(&alone, &MxAnswer::Implicit);
    names.address(&alone, "127.0.0.1".parse().unwrap());
    names.address(&alone, "::1".parse().unwrap());
    let exchange = |preference| Exchange { preference, host: alone.clone() };
    names.mx(&hospital, &MxAnswer::Exchanges(vec![exchange(20), exchange(10)]));
    let responder = Responder::bind("127.0.0.1:0".parse().unwrap(), names).await.unwrap();
    let address = responder.address();
    tokio::spawn(responder.run());

    // Not for it, and no questions at all.
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for octets in [&b""[..], b"EHLO", &[0xff; 12], &[0; 512]] {
        stranger.send_to(octets, address).await.unwrap();
    }
    let resolver = asking(&[address]);
    assert_eq!(mx(&resolver, "hopital.example").await.as_deref(), Ok("10 alone.example, 20 alone.example"));
    assert_eq!(mx(&resolver, "HOPITAL.example").await.as_deref(), Ok("10 alone.example, 20 alone.example"));
    assert_eq!(mx(&resolver, "closed.example").await.as_deref(), Ok("null"));
    assert_eq!(mx(&resolver, "alone.example").await.as_deref(), Ok("implicit"));
    assert_eq!(addresses(&resolver, "alone.example").await.as_deref(), Ok("127.0.0.1, ::1"));
    assert_eq!(addresses(&resolver, "closed.example").await, Err(DnsError::NoRecords));
    assert_eq!(addresses(&resolver, "gone.example").await, Err(DnsError::NoSuchDomain));
}

#[test]
fn no_server_is_no_resolver() {
    assert!(Hickory::new(&Servers::These(Vec::new())).is_err());
}
