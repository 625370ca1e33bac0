//! TLS as clients see it: which certificate, which version and suite, what both sides bind to, and what changes by reloading.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use net::Connection;
use net::tls::{CertificateFiles, ClientCertificates, HandshakeError, Peer, Reload, TlsServer, crypto_provider};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate for one name, self-signed, in files.
fn certificate(folder: &Path, name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> CertificateFiles {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let made = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let stem = name.replace('*', "any");
    let files = CertificateFiles { chain: folder.join(format!("{stem}.pem")), key: folder.join(format!("{stem}.key")) };
    std::fs::write(&files.chain, made.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

/// Trusts any of these certificates.
fn client(trusted: &[&CertificateFiles], versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    use rustls::pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    for files in trusted {
        roots.add(CertificateDer::from_pem_file(&files.chain).unwrap()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

type Both = (TlsStream<DuplexStream>, Connection<DuplexStream>, Peer);

async fn shake_hands(server: &TlsServer, client: ClientConfig, name: &str) -> Result<Both, HandshakeError> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(client));
    let connecting = connector.connect(ServerName::try_from(name.to_owned()).unwrap(), near);
    let accepting = Connection::Plain(far).start_tls(server);
    let (connected, accepted) = tokio::join!(connecting, accepting);
    let (connection, peer) = accepted?;
    Ok((connected.map_err(HandshakeError::Failed)?, connection, peer))
}

fn presented(stream: &TlsStream<DuplexStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].as_ref().to_vec()
}

#[tokio::test]
async fn the_certificate_follows_the_name_and_the_first_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path(), "mail.example.org", &PKCS_ECDSA_P256_SHA256);
    let second = certificate(folder.path(), "*.sante.example", &PKCS_ECDSA_P256_SHA256);
    let server = TlsServer::open(vec![first.clone(), second.clone()], ClientCertificates::Ignored).unwrap();
    let versions = [&rustls::version::TLS13];
    for (name, expected) in [
        ("mail.example.org", Some(&first)),
        ("MAIL.example.org", Some(&first)),
        ("mss.sante.example", Some(&second)),
        // A wildcard stands for one label, and strangers get the default, which they then refuse.
        ("a.b.sante.example", None),
        ("elsewhere.example", None),
    ] {
        let outcome = shake_hands(&server, client(&[&first, &second], &versions), name).await;
        match expected {
            None => assert!(outcome.is_err(), "{name}"),
            Some(expected) => {
                use rustls::pki_types::pem::PemObject;
                let expected = CertificateDer::from_pem_file(&expected.chain).unwrap();
                assert_eq!(presented(&outcome.unwrap().0), expected.as_ref(), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn both_sides_bind_to_the_same_channel() {
    let folder = tempfile::tempdir().unwrap();
    for (algorithm, hash) in [(&PKCS_ECDSA_P256_SHA256, &digest::SHA256), (&PKCS_ECDSA_P384_SHA384, &digest::SHA384)] {
        let files = certificate(folder.path(), "mail.example.org", algorithm);
        let server = TlsServer::open(vec![files.clone()], ClientCertificates::Ignored).unwrap();
        let client = client(&[&files], &[&rustls::version::TLS13]);
        let (stream, _, peer) = shake_hands(&server, client, "mail.example.org").await.unwrap();
        let label = b"EXPORTER-Channel-Binding";
        let exported = stream.get_ref().1.export_keying_material([0_u8; 32], label, Some(b"")).unwrap();
        assert_eq!(peer.tls_exporter, Some(exported));
        // RFC 5929 §4.1: the hash of the certificate's own signature.
        let expected = digest::digest(hash, &presented(&stream));
        assert_eq!(peer.tls_server_end_point.as_deref(), Some(expected.as_ref()));
        assert_eq!((peer.version, peer.cipher.starts_with("TLS_")), ("TLSv1.3", true), "{}", peer.cipher);
    }
}

#[tokio::test]
async fn tls_1_2_has_the_four_suites_and_no_exporter_binding() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "mail.example.org", &PKCS_ECDSA_P256_SHA256);
    let server = TlsServer::open(vec![files.clone()], ClientCertificates::Ignored).unwrap();
    let config = client(&[&files], &[&rustls::version::TLS12]);
    let (stream, _, peer) = shake_hands(&server, config, "mail.example.org").await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!((peer.version, peer.cipher.as_str()), ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"));
    assert_eq!(peer.tls_exporter, None);
    assert!(peer.tls_server_end_point.is_some());

    let mut offered: Vec<CipherSuite> = crypto_provider().cipher_suites.iter().map(|suite| suite.suite()).collect();
    offered.retain(|suite| !format!("{suite:?}").starts_with("TLS13_"));
    offered.sort_by_key(|suite| u16::from(*suite));
    assert_eq!(offered.iter().map(|suite| u16::from(*suite)).collect::<Vec<_>>(), [0xC02B, 0xC02C, 0xC02F, 0xC030]);
}

#[tokio::test]
async fn what_the_client_cannot_do_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "mail.example.org", &PKCS_ECDSA_P256_SHA256);
    let server = TlsServer::open(vec![files], ClientCertificates::Ignored).unwrap();
    let (mut near, far) = tokio::io::duplex(1024);
    near.write_all(b"EHLO client.example.net\r\n").await.unwrap();
    let failed = Connection::Plain(far).start_tls(&server).await.err().unwrap();
    assert!(matches!(failed, HandshakeError::Failed(_)), "{failed}");
}

#[tokio::test]
async fn a_changed_certificate_is_served_to_new_connections_and_old_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let old = certificate(folder.path(), "mail.example.org", &PKCS_ECDSA_P256_SHA256);
    let server = TlsServer::open(vec![old.clone()], ClientCertificates::Ignored).unwrap();
    assert!(matches!(server.reload_if_changed(), Reload::Unchanged));
    let before = client(&[&old], &[&rustls::version::TLS13]);
    let (mut stream, mut connection, _) = shake_hands(&server, before, "mail.example.org").await.unwrap();

    std::thread::sleep(std::time::Duration::from_millis(20));
    let new = certificate(folder.path(), "mail.example.org", &PKCS_ECDSA_P256_SHA256);
    assert!(matches!(server.reload_if_changed(), Reload::Done));
    let after = client(&[&new], &[&rustls::version::TLS13]);
    let (fresh, _, _) = shake_hands(&server, after, "mail.example.org").await.unwrap();
    assert_ne!(presented(&fresh), presented(&stream));

    stream.write_all(b"still here").await.unwrap();
    let mut read = [0; 10];
    connection.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"still here");

    // A broken file leaves the good one in place.
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::write(&new.key, "no key").unwrap();
    assert!(matches!(server.reload_if_changed(), Reload::Failed(_)));
    let again = client(&[&new], &[&rustls::version::TLS13]);
    assert!(shake_hands(&server, again, "mail.example.org").await.is_ok());
}

#[test]
fn a_certificate_of_another_key_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let one = certificate(folder.path(), "one.example", &PKCS_ECDSA_P256_SHA256);
    let two = certificate(folder.path(), "two.example", &PKCS_ECDSA_P256_SHA256);
    let mixed = CertificateFiles { chain: one.chain, key: two.key };
    let error = TlsServer::open(vec![mixed], ClientCertificates::Ignored).err().unwrap().to_string();
    assert!(error.contains("one.example.pem") && error.contains("two.example.key"), "{error}");
    assert!(TlsServer::open(Vec::new(), ClientCertificates::Ignored).is_err());
}
