//! TLS between operators: certificates shown by both sides, possession proven, nothing resumed, refusals recognised; with
//! OpenSSL as the other side too.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files, connections and processes"
)]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use net::tls::{
    Alert, CHAIN_CERTIFICATES_MAX, CertificateFiles, ClientCertificates, HandshakeError, Peer, Reload, TlsClient,
    TlsServer,
};
use net::{Connection, Listener};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;

/// A certificate under an authority of its own; the authority's is in the chain.
fn certificate(folder: &Path, name: &str) -> CertificateFiles {
    certificate_with(folder, name, 1)
}

/// The same, with the authority's certificate this often in the chain.
fn certificate_with(folder: &Path, name: &str, authorities: usize) -> CertificateFiles {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, format!("authority of {name}"));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let files = CertificateFiles { chain: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
    std::fs::write(&files.chain, made.pem() + &authority.pem().repeat(authorities)).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

fn chain(files: &CertificateFiles) -> Vec<Vec<u8>> {
    let read = |certificate: Result<CertificateDer<'_>, _>| certificate.unwrap().to_vec();
    CertificateDer::pem_file_iter(&files.chain).unwrap().map(read).collect()
}

fn asking(files: &CertificateFiles) -> TlsServer {
    TlsServer::open(vec![files.clone()], ClientCertificates::Requested { hints: Vec::new() }).unwrap()
}

type Side = (Connection<DuplexStream>, Peer);

/// Both outcomes of one handshake: the server's, the client's.
async fn shake_hands(
    server: &TlsServer,
    client: &TlsClient,
    host: &str,
) -> (Result<Side, HandshakeError>, Result<Side, HandshakeError>) {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let accepting = Connection::Plain(far).start_tls(server);
    let connecting = Connection::Plain(near).connect_tls(client, host);
    tokio::join!(accepting, connecting)
}

#[tokio::test]
async fn both_sides_get_the_whole_chain_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (certificate(folder.path(), "mx.a.example"), certificate(folder.path(), "mx.b.example"));
    let server = asking(&theirs);
    for (own, expected) in [(None, Vec::new()), (Some(ours.clone()), chain(&ours))] {
        let client = TlsClient::new(own).unwrap();
        for host in ["mx.b.example", "mx.elsewhere.example", "192.0.2.1", "2001:db8::1"] {
            let (accepted, connected) = shake_hands(&server, &client, host).await;
            let ((mut at_server, seen_by_server), (mut at_client, seen_by_client)) =
                (accepted.unwrap(), connected.unwrap());
            assert_eq!(seen_by_server.chain, expected, "{host}");
            assert_eq!(seen_by_client.chain, chain(&theirs), "{host}");
            assert_eq!((seen_by_client.version, seen_by_server.version), ("TLSv1.3", "TLSv1.3"));
            assert_eq!(seen_by_client.cipher, seen_by_server.cipher);
            assert_eq!(seen_by_client.tls_exporter, seen_by_server.tls_exporter);
            assert_eq!(seen_by_client.tls_server_end_point, seen_by_server.tls_server_end_point);
            at_client.write_all(b"EHLO").await.unwrap();
            let mut heard = [0; 4];
            at_server.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"EHLO");
        }
    }
}

#[tokio::test]
async fn a_listener_for_people_asks_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (certificate(folder.path(), "mx.a.example"), certificate(folder.path(), "mx.b.example"));
    let server = TlsServer::open(vec![theirs], ClientCertificates::Ignored).unwrap();
    let client = TlsClient::new(Some(ours)).unwrap();
    let (accepted, connected) = shake_hands(&server, &client, "mx.b.example").await;
    connected.unwrap();
    assert!(accepted.unwrap().1.chain.is_empty());
}

#[tokio::test]
async fn nobody_shows_a_certificate_whose_key_he_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (certificate(folder.path(), "mx.a.example"), certificate(folder.path(), "mx.b.example"));
    let server = asking(&theirs);
    // rustls checks the pair when it is loaded; a resolver of our own does not.
    let stolen = thief(&ours, &theirs);
    for versions in [[&rustls::version::TLS13], [&rustls::version::TLS12]] {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_root_certificates(trusting(&theirs))
            .with_client_cert_resolver(stolen.clone());
        let (near, far) = tokio::io::duplex(256 * 1024);
        let name = ServerName::try_from("mx.b.example").unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, near);
        let (accepted, _connected) = tokio::join!(Connection::Plain(far).start_tls(&server), connecting);
        let error = accepted.err().expect("the signature is wrong");
        assert!(error.to_string().contains("BadSignature"), "{error}");
    }
}

/// Shows one certificate and signs with the key of another.
fn thief(shown: &CertificateFiles, held: &CertificateFiles) -> Arc<rustls::sign::SingleCertAndKey> {
    let key = PrivateKeyDer::from_pem_file(&held.key).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let chain = CertificateDer::pem_file_iter(&shown.chain).unwrap().collect::<Result<_, _>>().unwrap();
    Arc::new(rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, key)))
}

fn trusting(files: &CertificateFiles) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::pem_file_iter(&files.chain).unwrap().last().unwrap().unwrap()).unwrap();
    roots
}

#[tokio::test]
async fn chains_have_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let plain = certificate(folder.path(), "mx.plain.example");
    let longest = certificate_with(folder.path(), "mx.longest.example", CHAIN_CERTIFICATES_MAX - 1);
    let endless = certificate_with(folder.path(), "mx.endless.example", CHAIN_CERTIFICATES_MAX);
    let show = |files: &CertificateFiles| TlsClient::new(Some(files.clone())).unwrap();

    let (accepted, _) = shake_hands(&asking(&plain), &show(&longest), "mx.plain.example").await;
    assert_eq!(accepted.unwrap().1.chain.len(), CHAIN_CERTIFICATES_MAX);
    let (accepted, _) = shake_hands(&asking(&plain), &show(&endless), "mx.plain.example").await;
    assert!(accepted.is_err());

    let (_, connected) = shake_hands(&asking(&longest), &show(&plain), "mx.longest.example").await;
    assert_eq!(connected.unwrap().1.chain.len(), CHAIN_CERTIFICATES_MAX);
    let (_, connected) = shake_hands(&asking(&endless), &show(&plain), "mx.endless.example").await;
    assert!(connected.is_err());
}

/// How two connections of one client, one after the other, were made.
async fn kinds(server: &TlsServer, config: &Arc<ClientConfig>) -> [HandshakeKind; 2] {
    let mut kinds = [HandshakeKind::Full; 2];
    for kind in &mut kinds {
        let (near, far) = tokio::io::duplex(256 * 1024);
        let name = ServerName::try_from("mx.b.example").unwrap();
        let connecting = TlsConnector::from(config.clone()).connect(name, near);
        let (accepted, connected) = tokio::join!(Connection::Plain(far).start_tls(server), connecting);
        let ((mut accepted, _), mut connected) = (accepted.unwrap(), connected.unwrap());
        // Tickets are read with the first octets.
        accepted.write_all(b"220").await.unwrap();
        connected.read_exact(&mut [0; 3]).await.unwrap();
        *kind = connected.get_ref().1.handshake_kind().unwrap();
    }
    kinds
}

#[tokio::test]
async fn where_certificates_are_asked_for_nothing_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "mx.b.example");
    let client = |version: &'static SupportedProtocolVersion| {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(trusting(&files))
            .with_client_auth_cert(
                CertificateDer::pem_file_iter(&files.chain).unwrap().collect::<Result<_, _>>().unwrap(),
                PrivateKeyDer::from_pem_file(&files.key).unwrap(),
            );
        Arc::new(config.unwrap())
    };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert_eq!(kinds(&asking(&files), &client(version)).await, [HandshakeKind::Full; 2], "{version:?}");
        // The same client resumes where nobody judges it, so it is not the client that does not try.
        let people = TlsServer::open(vec![files.clone()], ClientCertificates::Ignored).unwrap();
        assert_eq!(kinds(&people, &client(version)).await[1], HandshakeKind::Resumed, "{version:?}");
    }
}

#[tokio::test]
async fn our_certificate_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (certificate(folder.path(), "mx.a.example"), certificate(folder.path(), "mx.b.example"));
    let (server, client) = (asking(&theirs), TlsClient::new(Some(ours.clone())).unwrap());
    assert!(matches!(client.reload_if_changed(), Reload::Unchanged));
    std::thread::sleep(Duration::from_millis(20));
    let old = chain(&ours);
    certificate(folder.path(), "mx.a.example");
    let shown = shake_hands(&server, &client, "mx.b.example").await.0.unwrap().1.chain;
    assert_eq!(shown, chain(&ours));
    assert_ne!(shown, old);

    std::thread::sleep(Duration::from_millis(20));
    std::fs::write(&ours.key, "no key").unwrap();
    assert_eq!(shake_hands(&server, &client, "mx.b.example").await.0.unwrap().1.chain, shown);
}

#[tokio::test]
async fn what_is_no_name_is_not_connected_to() {
    let (near, _far) = tokio::io::duplex(1024);
    let failed = Connection::Plain(near).connect_tls(&TlsClient::new(None).unwrap(), "two words").await;
    assert!(matches!(failed.err().unwrap(), HandshakeError::Name(_)));
}

#[tokio::test]
async fn a_silent_server_is_left_after_the_time_of_a_handshake() {
    let (near, _far) = tokio::io::duplex(64 * 1024);
    let hasty = TlsClient::new(None).unwrap().with_handshake_time(Duration::from_millis(50));
    let failed = Connection::Plain(near).connect_tls(&hasty, "mx.b.example").await;
    assert!(matches!(failed.err().unwrap(), HandshakeError::TooSlow));
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `openssl s_server` on a port of its own, and where it is.
async fn s_server(files: &CertificateFiles, more: &[&str]) -> (Process, SocketAddr) {
    for _ in 0..20 {
        let free = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap().address();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-naccept", "9", "-accept", &free.to_string()])
            .args([Path::new("-cert"), &files.chain, Path::new("-cert_chain"), &files.chain])
            .args([Path::new("-key"), &files.key])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut process = Process(child);
        for _ in 0..500 {
            if process.0.try_wait().unwrap().is_some() {
                break; // somebody else took the port
            }
            // Seen in the kernel's table: a connection tried would count as one of those it accepts.
            if listens(free.port()) {
                return (process, free);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("openssl s_server does not start");
}

fn listens(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| line.contains(&format!(":{port:04X} 00000000:0000 0A")))
}

async fn open(address: SocketAddr) -> Connection {
    Connection::open(address, Duration::from_secs(5)).await.unwrap()
}

/// What happens after the handshake with a server that may not like us: the alert, wherever it comes up.
async fn refusal(address: SocketAddr, client: &TlsClient) -> Option<Alert> {
    let mut connection = match open(address).await.connect_tls(client, "mx.b.example").await {
        Ok((connection, _)) => connection,
        Err(HandshakeError::Refused(alert)) => return Some(alert),
        Err(error) => panic!("{error}"),
    };
    let talk = async {
        for _ in 0..50 {
            connection.write_all(b"EHLO mx.a.example\r\n").await?;
            connection.flush().await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        connection.read(&mut [0; 512]).await
    };
    let error = match talk.await {
        Ok(octets) => io::Error::other(format!("{octets} octets")),
        Err(error) => error,
    };
    connection.alert_behind(&error).await
}

#[tokio::test]
async fn openssl_as_server_sees_our_certificate_and_its_refusal_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (certificate(folder.path(), "mx.a.example"), certificate(folder.path(), "mx.b.example"));
    let authority = folder.path().join("authority.pem");
    let roots: String = std::fs::read_to_string(&ours.chain).unwrap();
    std::fs::write(&authority, &roots[roots.rfind("-----BEGIN").unwrap()..]).unwrap();
    let authority = authority.to_str().unwrap();
    let (shown, unshown) = (TlsClient::new(Some(ours.clone())).unwrap(), TlsClient::new(None).unwrap());
    let stranger = TlsClient::new(Some(theirs.clone())).unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let demanding = [version, "-Verify", "5", "-verify_return_error", "-CAfile", authority, "-naccept", "3"];
        let (mut process, address) = s_server(&theirs, &demanding).await;
        // Known: what it is told to say arrives.
        let (mut connection, peer) = open(address).await.connect_tls(&shown, "mx.b.example").await.unwrap();
        assert_eq!(peer.chain[0], chain(&theirs)[0]);
        assert_eq!(peer.version, if version == "-tls1_2" { "TLSv1.2" } else { "TLSv1.3" });
        process.0.stdin.as_mut().unwrap().write_all(b"220 mx.b.example\r\n").unwrap();
        let mut greeting = [0; 18];
        connection.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 mx.b.example\r\n");
        drop(connection);
        // A stranger, and nobody at all.
        for (client, names) in
            [(&stranger, ["unknown_ca", "unknown_ca"]), (&unshown, ["handshake_failure", "certificate_required"])]
        {
            let alert = refusal(address, client).await.expect("an alert");
            assert!(alert.concerns_our_certificate());
            assert_eq!(alert.to_string(), names[usize::from(version == "-tls1_3")], "{version}");
        }
    }
}

#[tokio::test]
async fn a_server_without_a_version_or_suite_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = certificate(folder.path(), "mx.b.example");
    let us = TlsClient::new(None).unwrap();
    for weak in [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ] {
        let (_process, address) = s_server(&theirs, weak).await;
        let failed = open(address).await.connect_tls(&us, "mx.b.example").await;
        assert!(failed.is_err(), "{weak:?}");
    }
}

fn s_client(address: SocketAddr, more: Vec<PathBuf>) -> Output {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string(), "-ign_eof", "-verify", "9"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl");
    child.stdin.take().unwrap().write_all(b"QUIT\r\n").unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn openssl_as_client_is_asked_and_gets_no_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (certificate(folder.path(), "mx.a.example"), certificate(folder.path(), "mx.b.example"));
    // A name as the hint: CN=hint.
    let hint = vec![0x30, 15, 0x31, 13, 0x30, 11, 0x06, 3, 0x55, 4, 3, 0x0c, 4, b'h', b'i', b'n', b't'];
    let asked = ClientCertificates::Requested { hints: vec![hint] };
    let server = TlsServer::open(vec![ours.clone()], asked).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    let session = folder.path().join("session");
    for version in ["-tls1_2", "-tls1_3"] {
        for shows in [false, true] {
            let mut arguments: Vec<PathBuf> = vec![version.into(), "-sess_out".into(), session.clone()];
            if shows {
                arguments.extend(["-cert".into(), theirs.chain.clone(), "-cert_chain".into(), theirs.chain.clone()]);
                arguments.extend(["-key".into(), theirs.key.clone()]);
            }
            let client = tokio::task::spawn_blocking(move || s_client(address, arguments));
            let (stream, _) = listener.accept().await;
            let (mut connection, peer) = Connection::Plain(stream).start_tls(&server).await.unwrap();
            let mut heard = [0; 6];
            connection.read_exact(&mut heard).await.unwrap();
            connection.write_all(b"221 bye\r\n").await.unwrap();
            connection.shutdown().await.unwrap();
            let output = client.await.unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(peer.chain.first(), shows.then(|| chain(&theirs)[0].clone()).as_ref(), "{text}");
            assert!(text.contains("CN = hint"), "{text}");
            assert!(text.contains("221 bye"), "{text}");
            assert!(!text.contains("TLS session ticket:"), "{text}");
            assert!(!text.contains("New Session Ticket arrived"), "{text}");
        }
    }
}
