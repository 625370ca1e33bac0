//! A server in this process: it starts, tells its health, says goodbye, and refuses a second one on its data.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use server::admin::{self, Request};
use server::config::Config;
use server::development_certificates::DevelopmentCertificates;
use server::lifecycle::Server;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn config(folder: &Path, limits: &str) -> Config {
    let files = DevelopmentCertificates::ensure(&folder.join("certificates")).unwrap();
    let text = format!(
        "[server]\nname = \"localhost\"\ndata = \"data\"\nstop_seconds = 5\n\
         [admin]\nlisten = [\"127.0.0.1:0\"]\n\
         [limits]\n{limits}\n\
         [[certificate]]\nname = \"c\"\nchain = \"{}\"\nkey = \"{}\"\n\
         [[listener]]\nname = \"relay\"\nrole = \"relay\"\ntrust = \"off\"\nlisten = [\"127.0.0.1:0\"]\n\
         [[listener]]\nname = \"imap\"\nrole = \"imap\"\nlisten = [\"127.0.0.1:0\"]\n\
         [[listener]]\nname = \"imaps\"\nrole = \"imap\"\nlisten = [\"127.0.0.1:0\"]\ntls = \"implicit\"\n\
         [[listener]]\nname = \"proxied\"\nrole = \"relay\"\ntrust = \"off\"\nlisten = [\"127.0.0.1:0\"]\nproxy_from = [\"127.0.0.0/8\"]\n",
        files.server.chain.display(),
        files.server.key.display(),
    );
    Config::parse(&folder.join("sceau.toml"), &text).unwrap()
}

fn address(server: &Server, name: &str) -> SocketAddr {
    server.addresses().iter().find(|(known, _)| known == name).unwrap().1
}

struct Client<S = TcpStream>(BufReader<S>);

impl Client {
    async fn connect(address: SocketAddr) -> Client {
        Client(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }
}

impl Client<TlsStream<TcpStream>> {
    async fn connect_tls(address: SocketAddr, folder: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(folder.join("certificates/ca.pem")).unwrap();
        roots.add(authority).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(net::tls::crypto_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Client(BufReader::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()))
    }

    /// Signs in by IMAP; gives the tagged line.
    async fn sign_in(&mut self, account: &str, password: &str) -> String {
        assert!(self.line().await.starts_with("* OK "));
        self.send(format!("a LOGIN {account} {password}\r\n").as_bytes()).await;
        loop {
            let line = self.line().await;
            if line.starts_with("a ") {
                return line;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        let reading = self.0.read_line(&mut line);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("a line in time").unwrap();
        line
    }

    async fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).await.unwrap();
    }

    /// Everything up to the end of the connection.
    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        let reading = self.0.read_to_string(&mut rest);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the end in time").unwrap();
        rest
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut client = Client::connect(address).await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await;
    client.rest().await
}

#[tokio::test]
async fn sessions_are_greeted_served_and_bidden_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(config(folder.path(), "")).await.unwrap();
    let mut smtp = Client::connect(address(&server, "relay")).await;
    assert!(smtp.line().await.starts_with("220 localhost"));
    let mut imap = Client::connect(address(&server, "imap")).await;
    assert!(imap.line().await.starts_with("* OK "));

    let admin = address(&server, "admin");
    assert!(get(admin, "/health/live").await.starts_with("HTTP/1.1 200"));
    assert!(get(admin, "/health/ready").await.ends_with("ready\n"));
    let metrics = get(admin, "/metrics").await;
    assert!(metrics.contains("sceau_sessions_open{protocol=\"relay\"} 1"), "{metrics}");

    let stopping = tokio::spawn(server.stop_now());
    assert!(smtp.line().await.starts_with("421 4.3.2 "));
    assert!(imap.line().await.starts_with("* BYE "));
    assert_eq!((smtp.rest().await, imap.rest().await), (String::new(), String::new()));
    tokio::time::timeout(Duration::from_secs(4), stopping).await.expect("no session holds the stop up").unwrap();
}

#[tokio::test]
async fn a_transaction_that_does_not_end_in_time_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "");
    config.stop_within = Duration::from_millis(300);
    let server = Server::start(config).await.unwrap();
    let mut smtp = Client::connect(address(&server, "relay")).await;
    smtp.line().await;
    smtp.send(b"HELO a.example\r\nMAIL FROM:<a@a.example>\r\n").await;
    smtp.line().await;
    assert!(smtp.line().await.starts_with("250 2.1.0 "));
    let stopping = tokio::spawn(server.stop_now());
    assert_eq!(smtp.rest().await, "421 4.3.2 the server stops, come back soon\r\n");
    tokio::time::timeout(Duration::from_secs(4), stopping).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn one_server_on_one_folder_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(config(folder.path(), "")).await.unwrap();
    let second = Server::start(config(folder.path(), "")).await.err().unwrap().to_string();
    assert!(second.ends_with("is in use by another process"), "{second}");
    first.stop_now().await;
    Server::start(config(folder.path(), "")).await.unwrap().stop_now().await;
}

#[tokio::test]
async fn too_many_sessions_are_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(config(folder.path(), "sessions_per_address = 1")).await.unwrap();
    let mut first = Client::connect(address(&server, "relay")).await;
    first.line().await;
    let mut second = Client::connect(address(&server, "relay")).await;
    assert_eq!(second.rest().await, "421 4.3.2 too many sessions, come back later\r\n");
    let mut third = Client::connect(address(&server, "imap")).await;
    assert_eq!(third.rest().await, "* BYE [UNAVAILABLE] too many sessions, come back later\r\n");
    drop(first);
    server.stop_now().await;
}

#[tokio::test]
async fn behind_a_proxy_the_client_is_the_one_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(config(folder.path(), "")).await.unwrap();
    let mut client = Client::connect(address(&server, "proxied")).await;
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0, 25]);
    client.send(&header).await;
    assert!(client.line().await.starts_with("220 localhost"));
    let sessions = server.assembly().sessions.list();
    assert_eq!(sessions[0].peer.to_string(), "192.0.2.7");
    let mut without = Client::connect(address(&server, "proxied")).await;
    without.send(b"EHLO client.example.net\r\n").await;
    let greeted = without.0.read(&mut [0; 1]).await.unwrap_or(0);
    assert_eq!(greeted, 0, "whoever sends no header is not greeted");
    server.stop_now().await;
}

/// What is logged, to be looked at.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn mail_to_a_postmaster_nobody_named_is_put_off_and_the_log_says_what_to_set() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    let server = Server::start(config.clone()).await.unwrap();
    ask(&config, Request::StructureAdd { name: "A".into() }).await;
    ask(&config, Request::DomainAdd { structure: "A".into(), domain: "a.example".into() }).await;
    let mut client = Client::connect(address(&server, "relay")).await;
    client.line().await;
    client.send(b"HELO client.example.net\r\nMAIL FROM:<zoe@b.example>\r\n").await;
    client.line().await;
    client.line().await;
    for recipient in ["Postmaster", "postmaster", "postmaster@a.example", "POSTMASTER@A.example"] {
        client.send(format!("RCPT TO:<{recipient}>\r\n").as_bytes()).await;
        assert!(client.line().await.starts_with("451 4.3.5 "), "{recipient}");
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let said = logged.lines().filter(|line| line.contains("set server.postmaster to an address")).count();
    assert_eq!(said, 4, "{logged}");
    server.stop_now().await;
}

/// Asks through the admin socket.
async fn ask(config: &Config, request: Request) -> Value {
    let mut client = admin::Client::of(config).await.unwrap();
    assert!(client.is_server());
    client.ask(request).await.unwrap()
}

#[tokio::test]
async fn sessions_see_what_commands_change_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    let server = Server::start(config.clone()).await.unwrap();
    ask(&config, Request::StructureAdd { name: "A".into() }).await;
    ask(&config, Request::DomainAdd { structure: "A".into(), domain: "a.example".into() }).await;
    let account = "anne@a.example".to_owned();
    let added = Request::AccountAdd {
        address: account.clone(),
        name: "Anne".into(),
        language: "fr".into(),
        quota_octets: 0,
        password: None,
    };
    let password = ask(&config, added).await["password"].as_str().unwrap().to_owned();
    let imaps = address(&server, "imaps");

    let mut session = Client::connect_tls(imaps, folder.path()).await;
    assert!(session.sign_in(&account, &password).await.starts_with("a OK"));
    let listed = ask(&config, Request::SessionList).await;
    assert_eq!((&listed[0]["person"], &listed[0]["acting_for"]), (&Value::from(1), &Value::from(1)));

    ask(&config, Request::AccountDisable { account: account.clone() }).await;
    assert!(session.rest().await.contains("* BYE "), "the account was disabled");
    let mut refused = Client::connect_tls(imaps, folder.path()).await;
    assert!(refused.sign_in(&account, &password).await.starts_with("a NO [AUTHENTICATIONFAILED]"));

    ask(&config, Request::AccountEnable { account: account.clone() }).await;
    let mut session = Client::connect_tls(imaps, folder.path()).await;
    assert!(session.sign_in(&account, &password).await.starts_with("a OK"));
    let changed = Request::AccountPassword { account: account.clone(), password: None };
    let new = ask(&config, changed).await["password"].as_str().unwrap().to_owned();
    assert!(session.rest().await.contains("* BYE "), "the password was changed");
    let mut old = Client::connect_tls(imaps, folder.path()).await;
    assert!(old.sign_in(&account, &password).await.starts_with("a NO"), "the old password is remembered no more");
    let mut session = Client::connect_tls(imaps, folder.path()).await;
    assert!(session.sign_in(&account, &new).await.starts_with("a OK"));

    let listed = ask(&config, Request::SessionList).await;
    let mine = listed.as_array().unwrap().iter().find(|one| one["person"] == 1).unwrap()["id"].as_u64();
    assert_eq!(ask(&config, Request::SessionEnd { session: mine, account: None }).await["ended"], 1);
    assert!(session.rest().await.contains("* BYE "), "an administrator ended it");
    server.stop_now().await;
}
