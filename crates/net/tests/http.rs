//! Fetching by HTTP from servers that answer as they like.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail loudly, and write their certificates")]

use std::sync::Arc;
use std::time::Duration;

use net::http::{HttpClient, HttpError, HttpLimits};
use net::tls::{CertificateFiles, ClientCertificates, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LIMITS: HttpLimits = HttpLimits { octets_max: 1_000, time_max: Duration::from_secs(5) };

/// Answers every connection with these octets and closes; gives the address and what was asked.
async fn server(answer: &'static [u8]) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, asked) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = vec![0; 4_096];
            let count = stream.read(&mut octets).await.unwrap();
            sender.send(String::from_utf8_lossy(octets.get(..count).unwrap()).into_owned()).unwrap();
            stream.write_all(answer).await.unwrap();
        }
    });
    (address, asked)
}

fn client() -> HttpClient {
    HttpClient::new(&[]).unwrap()
}

#[tokio::test]
async fn documents_are_fetched_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello",
    ] {
        let (address, mut asked) = server(answer).await;
        let body = client().get(&format!("http://{address}/list.xml?v=1"), LIMITS).await.unwrap();
        assert_eq!(body, b"hello");
        let asked = asked.recv().await.unwrap().to_ascii_lowercase();
        assert!(asked.starts_with("get /list.xml?v=1 http/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("host: {address}\r\n")), "{asked}");
    }
}

#[tokio::test]
async fn documents_are_sent() {
    let (address, mut asked) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let url = format!("http://{address}/");
    let body = client().post(&url, "application/ocsp-request", b"question".to_vec(), LIMITS).await.unwrap();
    assert_eq!(body, b"ok");
    let asked = asked.recv().await.unwrap();
    assert!(asked.starts_with("POST / HTTP/1.1\r\n") && asked.ends_with("\r\n\r\nquestion"), "{asked}");
    assert!(asked.contains("content-type: application/ocsp-request\r\n"), "{asked}");
}

#[tokio::test]
async fn bad_answers_are_errors() {
    let error = |answer: &'static [u8]| async move {
        let (address, _asked) = server(answer).await;
        client().get(&format!("http://{address}/"), LIMITS).await.unwrap_err()
    };
    assert!(matches!(error(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await, HttpError::Status(_)));
    // Redirects are not followed: what is configured is what is fetched.
    let moved = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(error(moved).await, HttpError::Status(_)));
    assert!(matches!(error(b"HTTP/1.1 204 No Content\r\n\r\n").await, HttpError::Status(_)));
    assert!(matches!(error(b"SSH-2.0-OpenSSH\r\n").await, HttpError::Exchange(_)));
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    assert!(matches!(error(cut).await, HttpError::Exchange(_)));
    let large: &'static [u8] =
        Box::leak([&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &[b'x'; 1_001]].concat().into_boxed_slice());
    assert!(matches!(error(large).await, HttpError::TooLarge(1_000)));
    let fitting: &'static [u8] =
        Box::leak([&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &[b'x'; 1_000]].concat().into_boxed_slice());
    let (address, _asked) = server(fitting).await;
    assert_eq!(client().get(&format!("http://{address}/"), LIMITS).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn slow_and_absent_servers_are_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = HttpLimits { time_max: Duration::from_millis(100), ..LIMITS };
    assert!(matches!(client().get(&format!("http://{address}/"), limits).await, Err(HttpError::TooSlow)));
    drop(listener);
    assert!(matches!(client().get(&format!("http://{address}/"), LIMITS).await, Err(HttpError::Connection(_))));
}

#[tokio::test]
async fn only_http_addresses_are_fetched() {
    for url in ["", "/etc/passwd", "file:///etc/passwd", "ldap://host/cn=x", "http://", "http:///x", "http://a b/"] {
        assert!(matches!(client().get(url, LIMITS).await, Err(HttpError::Url(_))), "{url}");
    }
}

#[tokio::test]
async fn https_is_believed_under_the_given_authority_only() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap().der().to_vec();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(net::tls::crypto_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
            let _ = stream.shutdown().await;
        }
    });
    let url = format!("https://localhost:{port}/");
    let known = HttpClient::new(std::slice::from_ref(&authority)).unwrap();
    assert_eq!(known.get(&url, LIMITS).await.unwrap(), b"hello");
    // Another name of the same server.
    assert!(matches!(known.get(&format!("https://127.0.0.1:{port}/"), LIMITS).await, Err(HttpError::Connection(_))));
    let other_key = rcgen::KeyPair::generate().unwrap();
    let mut other = rcgen::CertificateParams::default();
    other.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other = HttpClient::new(&[other.self_signed(&other_key).unwrap().der().to_vec()]).unwrap();
    assert!(matches!(other.get(&url, LIMITS).await, Err(HttpError::Connection(_))));
    assert!(matches!(client().get(&url, LIMITS).await, Err(HttpError::NoAuthority)));
    assert!(matches!(HttpClient::new(&[b"nonsense".to_vec()]), Err(HttpError::Authority(_))));
}

#[tokio::test]
async fn a_certificate_of_ours_is_shown_to_servers_that_ask() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, names: &[&str]| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let made = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let file = |ending: &str| folder.path().join(format!("{name}.{ending}"));
        std::fs::write(file("pem"), made.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        (CertificateFiles { chain: file("pem"), key: file("key") }, made.der().to_vec())
    };
    let (server_files, authority) = write("server", &["localhost"]);
    let (our_files, our_certificate) = write("us", &["us.example"]);
    let asked = ClientCertificates::Requested { hints: Vec::new() };
    let server = TlsServer::open(vec![server_files], asked).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut stream, peer) = server.accept(stream).await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let _ = stream.shutdown().await;
        peer.chain
    });
    let client = HttpClient::showing(std::slice::from_ref(&authority), Some(&our_files)).unwrap();
    client.post_authorized(&url, "text/plain", Vec::new(), "Basic eDp5", LIMITS).await.unwrap();
    assert_eq!(serving.await.unwrap(), [our_certificate]);
    std::fs::write(&our_files.key, "").unwrap();
    let refused = HttpClient::showing(&[authority], Some(&our_files));
    assert!(matches!(refused, Err(HttpError::Certificate(_))));
}
