//! The system's own notices, by the smart host; and that nothing else takes it.

use auth::sasl::Secret;
use base64::Engine;
use mail::header::DateTime;
use mail::notice::{Notice, Words};
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator};
use net::tls::TlsClient;
use queue::notice::{QueuedNotice, StagedNotice};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use server::development_certificates::DevelopmentCertificates;
use server::development_trust_space::Holder;
use server::outbound::{Signature, SmartHost};
use smtp::client::Credentials;
use trust::certificate::{CertificatePolicy, HostName, UnknownRevocation};
use trust::{Anchors, Space};

use crate::peer::{Behaviour, Peer, Tls};
use crate::world::{World, now};

/// A key, and what DNS says of it.
fn key() -> (PrivateKeyDer<'static>, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let public = base64::engine::general_purpose::STANDARD.encode(rcgen::PublicKeyData::subject_public_key_info(&pair));
    let record = format!("v=DKIM1; k=rsa; p={public}");
    let strings = record.as_bytes().chunks(200).map(|chunk| format!("\"{}\"", std::str::from_utf8(chunk).unwrap()));
    let strings = strings.collect::<Vec<_>>().join(" ");
    (PrivatePkcs8KeyDer::from(pair.serialize_der()).into(), format!("s1._domainkey TXT {strings}\n"))
}

async fn insert(world: &World, name: &'static str, to: &'static str) {
    let notice = Notice::write(Words {
        from: &"no-reply@operateur-a.example".parse().unwrap(),
        to: &to.parse().unwrap(),
        date: DateTime::utc(now().seconds()),
        message_id: "n1@operateur-a.example",
        subject: "Un message vous attend",
        text: "Un message vous attend, reçu à l'instant.\n.\n \n",
    });
    let notice = StagedNotice::stage(&world.store, notice).await.unwrap();
    let structure = world.structure;
    let inserted = world.store.transaction(move |tx| notice.insert(tx, name, structure, now())).await;
    inserted.unwrap();
}

/// What a verifier that asks our DNS says of a message's signature.
async fn verdict(world: &World, message: &[u8]) -> DkimResult {
    let port = world.dns.address().port();
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    (udp.port, tcp.port) = (port, port);
    let server = NameServerConfig::new(world.dns.address().ip(), true, vec![udp, tcp]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let verifier = MessageAuthenticator::new(config, ResolverOpts::default()).unwrap();
    let parsed = AuthenticatedMessage::parse(message).unwrap();
    let verified = verifier.verify_dkim(&parsed).await;
    assert_eq!(verified.len(), 1, "{}", String::from_utf8_lossy(message));
    verified[0].result().clone()
}

/// A smart host at `localhost`, believed under the authority of the development certificates.
fn smart_host(world: &World, certificates: &DevelopmentCertificates, port: u16) -> (SmartHost, String) {
    let mut anchors = Anchors::default();
    anchors.add_roots(&std::fs::read(&certificates.authority).unwrap()).unwrap();
    let policy = CertificatePolicy {
        revocation_unknown: UnknownRevocation::Accept,
        host_name: HostName::Require,
        ..CertificatePolicy::default()
    };
    world.dns.zone("localhost", "@ A 127.0.0.1\n");
    let (key, record) = key();
    let domain = "operateur-a.example".parse().unwrap();
    let smart_host = SmartHost {
        host: "localhost".parse().unwrap(),
        port,
        credentials: Some(Credentials { login: "sceau".into(), password: Secret::new("secret".into()) }),
        sender: Some("no-reply@operateur-a.example".parse().unwrap()),
        signature: Some(Signature::new(key, &domain, "s1").unwrap()),
        authorities: Space { anchors: anchors.into(), policy, ..Space::default() },
        tls: TlsClient::new(None).unwrap(),
    };
    (smart_host, record)
}

#[tokio::test]
async fn a_notice_leaves_signed_by_the_smart_host_even_to_an_address_that_is_a_box_here() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let certificates = DevelopmentCertificates::ensure(folder.path()).unwrap();
    let behaviour = Behaviour {
        tls: Tls::Shown(certificates.server.clone()),
        extensions: vec!["AUTH PLAIN", "SIZE"],
        ..Behaviour::good(&world, Holder::Valid)
    };
    let peer = Peer::start(behaviour.answering("AUTH", &["235 2.7.0 welcome\r\n"; 2])).await;
    let (smart_host, record) = smart_host(&world, &certificates, peer.address.port());
    world.dns.zone("operateur-a.example", &record);
    world.smart_host = Some(smart_host);
    world.run(world.settings(1));
    insert(&world, "n1", "ann@mail.example").await;
    world.gone("n1").await;
    insert(&world, "n2", crate::world::SENDER).await;
    world.gone("n2").await;
    let body = {
        let heard = peer.heard();
        assert_eq!(heard.client_chain, 0, "our certificate is for the trust space");
        assert!(heard.commands.iter().any(|line| line.starts_with("MAIL FROM:<no-reply@operateur-a.example>")));
        assert_eq!(heard.accepted, ["RCPT TO:<ann@mail.example>", "RCPT TO:<ann@hopital.example>"]);
        String::from_utf8(heard.bodies[0].strip_suffix(b".\r\n").unwrap().to_vec()).unwrap()
    };
    let received = body.replace("\r\n..", "\r\n.");
    assert_eq!(verdict(&world, received.as_bytes()).await, DkimResult::Pass, "{received}");
}

#[tokio::test]
async fn lines_of_white_space_at_the_end_do_not_break_a_signature() {
    let world = World::new().await;
    let (key, record) = key();
    world.dns.zone("operateur-a.example", &record);
    let signature = Signature::new(key, &"operateur-a.example".parse().unwrap(), "s1").unwrap();
    let message = "From: no-reply@operateur-a.example\r\nSubject: x\r\n\r\nBonjour\r\n \r\n\t\r\n";
    let signed = signature.field(message.as_bytes()).unwrap() + message;
    assert_eq!(verdict(&world, signed.as_bytes()).await, DkimResult::Pass, "{signed}");
    let changed = signed.replace("Bonjour", "Bonsoir");
    assert_ne!(verdict(&world, changed.as_bytes()).await, DkimResult::Pass);
}

#[tokio::test]
async fn a_smart_host_that_is_not_believed_gets_nothing_and_nobody_is_told() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let certificates = DevelopmentCertificates::ensure(folder.path()).unwrap();
    // A certificate of the trust space, of another name and another authority.
    let peer = Peer::start(Behaviour::good(&world, Holder::Valid)).await;
    world.smart_host = Some(smart_host(&world, &certificates, peer.address.port()).0);
    let mut settings = world.settings(1);
    settings.retry.give_up_after = std::time::Duration::from_secs(3);
    world.run(settings);
    insert(&world, "n1", "ann@mail.example").await;
    assert_eq!(world.attempt("n1").await, "tls untrusted localhost");
    world.gone("n1").await;
    assert!(peer.heard().commands.is_empty());
    assert!(world.reports(0).await.is_empty(), "a notice causes no notice");
}

#[tokio::test]
async fn what_people_write_is_no_notice() {
    let world = World::new().await;
    world.send("m1", &["paul@clinique.example"], b"Subject: Result\r\n\r\nWell.\r\n").await;
    let shown = world.show("m1").await.unwrap();
    let entries = shown.entries.into_iter().map(|(entry, _)| entry).collect();
    assert_eq!(QueuedNotice::of(shown.message, entries), None);
}
