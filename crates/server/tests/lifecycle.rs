//! A server in this process: it starts, tells its health, says goodbye, and refuses a second one on its data.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use server::config::Config;
use server::development_certificates::DevelopmentCertificates;
use server::lifecycle::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

fn config(folder: &Path, limits: &str) -> Config {
    let files = DevelopmentCertificates::ensure(&folder.join("certificates")).unwrap();
    let text = format!(
        "[server]\nname = \"localhost\"\ndata = \"data\"\nstop_seconds = 5\n\
         [admin]\nlisten = [\"127.0.0.1:0\"]\n\
         [limits]\n{limits}\n\
         [[certificate]]\nname = \"c\"\nchain = \"{}\"\nkey = \"{}\"\n\
         [[listener]]\nname = \"relay\"\nrole = \"relay\"\nlisten = [\"127.0.0.1:0\"]\n\
         [[listener]]\nname = \"imap\"\nrole = \"imap\"\nlisten = [\"127.0.0.1:0\"]\n\
         [[listener]]\nname = \"proxied\"\nrole = \"relay\"\nlisten = [\"127.0.0.1:0\"]\nproxy_from = [\"127.0.0.0/8\"]\n",
        files.server.chain.display(),
        files.server.key.display(),
    );
    Config::parse(&folder.join("sceau.toml"), &text).unwrap()
}

fn address(server: &Server, name: &str) -> SocketAddr {
    server.addresses().iter().find(|(known, _)| known == name).unwrap().1
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> Client {
        Client(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

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
