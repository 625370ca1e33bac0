//! A server with connector listeners, a development trust space, two boxes, and a line to speak to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use server::admin::{Client, Request};
use server::config::Config;
use server::development_certificates::DevelopmentCertificates;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan};
use server::lifecycle::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The box of a hospital's software, and a person's.
pub const DPI: &str = "dpi@a.example";
pub const ANNE: &str = "anne@a.example";
pub const PASSWORD: &str = "quatre mots au hasard";

pub struct World {
    pub folder: tempfile::TempDir,
    pub space: DevelopmentTrustSpace,
    pub server: Server,
    config: Config,
}

impl World {
    /// `more`: further sections of the configuration.
    pub async fn new(more: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let files = DevelopmentCertificates::ensure(&folder.path().join("certificates")).unwrap();
        let space = DevelopmentTrustSpace::ensure(&folder.path().join("space"), &Plan::default()).unwrap();
        let [organisations, root] = space.revocation_lists();
        let mut text = format!(
            "[server]\nname = \"localhost\"\ndata = \"data\"\nstop_seconds = 1\n\
             [passwords]\nnever_slowed = [\"127.0.0.0/8\"]\n\
             [trust]\nroots = [{:?}]\nintermediates = [{:?}]\n\
             [trust.white_list]\nfile = {:?}\nverification = \"unsigned\"\n\
             [trust.revocation]\nfiles = [{organisations:?}, {root:?}]\n\
             [[certificate]]\nname = \"c\"\nchain = {:?}\nkey = {:?}\n",
            space.roots(),
            space.organisations(),
            space.white_list(),
            files.server.chain,
            files.server.key,
        );
        for (name, role, tls, certificates) in [
            ("submissions", "submission", "implicit", "ignored"),
            ("imaps", "imap", "implicit", "ignored"),
            ("connector-submissions", "submission", "implicit", "requested"),
            ("connector-submission", "submission", "starttls", "requested"),
            ("connector-imaps", "imap", "implicit", "requested"),
            ("connector-imap", "imap", "starttls", "requested"),
            ("without-auth", "submission", "implicit", "sign-in"),
        ] {
            text.push_str(&format!(
                "[[listener]]\nname = \"{name}\"\nrole = \"{role}\"\nlisten = [\"127.0.0.1:0\"]\ntls = \"{tls}\"\n\
                 client_certificates = \"{certificates}\"\n"
            ));
        }
        text.push_str(
            "[[listener]]\nname = \"by-name\"\nrole = \"submission\"\nlisten = [\"127.0.0.1:0\"]\ntls = \"implicit\"\n\
             client_certificates = \"requested\"\nclient_certificates_for = [\"localhost\"]\n",
        );
        text.push_str(more);
        let file = folder.path().join("sceau.toml");
        std::fs::write(&file, &text).unwrap();
        let config = Config::parse(&file, &text).unwrap();
        let server = Server::start(config.clone()).await.unwrap();
        let world = World { folder, space, server, config };
        world.ask(Request::StructureAdd { name: "A".into() }).await;
        world.ask(Request::DomainAdd { structure: "1".into(), domain: "a.example".into() }).await;
        for address in [DPI, ANNE] {
            let (address, password) = (address.to_owned(), Some(PASSWORD.to_owned()));
            let (name, language) = ("N".into(), "en".into());
            world.ask(Request::AccountAdd { address, name, language, quota_octets: 0, password }).await;
        }
        world.ask(Request::AccountAddress { account: DPI.into(), address: "labo@a.example".into() }).await;
        world.wait_for_trust().await;
        world
    }

    /// Lists are read as the server starts.
    async fn wait_for_trust(&self) {
        for _ in 0..200 {
            let trust = self.server.assembly().trust.as_ref().unwrap();
            let chain = chain(&self.space.certificate(Holder::Connector).chain);
            if trust.client(&chain).await.is_some_and(|verdict| verdict.is_ok()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the trust space does not come up");
    }

    /// Through the admin socket.
    pub async fn ask(&self, request: Request) -> Value {
        self.try_ask(request).await.unwrap()
    }

    pub async fn try_ask(&self, request: Request) -> Result<Value, server::admin::Failed> {
        let mut client = Client::of(&self.config).await.unwrap();
        assert!(client.is_server());
        let reply = client.ask(request).await;
        client.close().await;
        reply
    }

    pub fn address(&self, listener: &str) -> SocketAddr {
        self.server.addresses().iter().find(|(name, _)| name == listener).unwrap().1
    }

    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("certificates/ca.pem")
    }

    /// Speaks to a listener with TLS from the first octet, showing a certificate or none; up to the first greeting.
    pub async fn connect(&self, listener: &str, shown: Option<Holder>) -> Line {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority()).unwrap()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(net::tls::crypto_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(holder) => {
                let files = self.space.certificate(holder);
                let chain = chain(&files.chain).into_iter().map(CertificateDer::from).collect();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.key).unwrap()).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address(listener)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let mut line = Line(BufReader::new(stream));
        line.read().await;
        line
    }

    /// [`World::connect`] to a submission listener, EHLO said; gives what is announced too.
    pub async fn smtp(&self, listener: &str, shown: Option<Holder>) -> (Line, String) {
        let mut line = self.connect(listener, shown).await;
        let announced = line.smtp("EHLO dpi.a.example").await;
        (line, announced)
    }

    pub async fn bind(&self, account: &str, holder: Holder) -> i64 {
        let certificate = server::admin::CertificateNamed::Subject(holder.name().to_string());
        let done = self.ask(Request::AccountCertificateAdd { account: account.into(), certificate }).await;
        done["number"].as_i64().unwrap()
    }

    pub async fn link(&self, account: &str, identifier: &str, holder: bool) {
        let (account, identifier) = (account.to_owned(), identifier.to_owned());
        self.ask(Request::AccountIdentifierAdd { account, identifier, holder }).await;
    }
}

pub fn chain(file: &std::path::Path) -> Vec<Vec<u8>> {
    CertificateDer::pem_file_iter(file).unwrap().map(|certificate| certificate.unwrap().to_vec()).collect()
}

pub fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// One connection.
pub struct Line(BufReader<TlsStream<TcpStream>>);

impl Line {
    pub async fn read(&mut self) -> String {
        let mut line = String::new();
        let reading = self.0.read_line(&mut line);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("a line in time").unwrap();
        line
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> String {
        let mut rest = String::new();
        let reading = self.0.read_to_string(&mut rest);
        let _ = tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the end in time");
        rest
    }

    pub async fn send(&mut self, text: &str) {
        self.0.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    }

    /// Sends a command, gives the whole reply.
    pub async fn smtp(&mut self, command: &str) -> String {
        self.send(command).await;
        let mut reply = String::new();
        loop {
            let line = self.read().await;
            reply.push_str(&line);
            if line.len() < 4 || line.as_bytes()[3] != b'-' {
                return reply;
            }
        }
    }

    /// Sends a command under the tag `a`, gives its completion or the next continuation.
    pub async fn imap(&mut self, command: &str) -> String {
        self.send(command).await;
        loop {
            let line = self.read().await;
            if line.starts_with("a ") || line.starts_with("+ ") || line.is_empty() {
                return line;
            }
        }
    }
}
