//! The other operator: a server that does as it is told, and keeps every octet it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use net::Connection;
use net::tls::{CertificateFiles, ClientCertificates, TlsServer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use server::development_trust_space::Holder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::World;

/// A peer that listens; it stops when dropped.
pub struct Peer {
    pub address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    task: tokio::task::JoinHandle<()>,
}

/// What it heard.
#[derive(Default)]
pub struct Heard {
    /// Connections made to it.
    pub connections: usize,
    /// Lines of commands, under TLS.
    pub commands: Vec<String>,
    /// Every octet after each 354, up to and with the end of data.
    pub bodies: Vec<Vec<u8>>,
    /// Recipients of accepted messages.
    pub accepted: Vec<String>,
    /// The same, one by one.
    pub taken: Vec<Taken>,
    /// How many certificates clients showed.
    pub client_chain: usize,
}

/// A recipient of an accepted message.
pub struct Taken {
    /// The line of RCPT.
    pub recipient: String,
    /// Nothing was said on that connection afterwards: perhaps our answer was not heard.
    pub was_last: bool,
}

/// How it behaves.
#[derive(Clone)]
pub struct Behaviour {
    pub greeting: &'static str,
    pub tls: Tls,
    /// What it announces under TLS.
    pub extensions: Vec<&'static str>,
    /// Answers to a verb (`END` for the end of data), one after the other; then those of a peer that takes everything.
    pub answers: BTreeMap<&'static str, VecDeque<&'static str>>,
    /// Waits before it answers the end of data.
    pub pause: Duration,
}

#[derive(Clone)]
pub enum Tls {
    Missing,
    Refused,
    /// With this certificate; the client is asked for one.
    Shown(CertificateFiles),
    /// The same, and no certificate of a client is good enough.
    Refusing(CertificateFiles, &'static rustls::SupportedProtocolVersion),
}

/// An answer that closes the connection without a word.
pub const DROP: &str = "DROP";

impl Behaviour {
    /// Takes everything, as the holder of that certificate.
    pub fn good(world: &World, holder: Holder) -> Behaviour {
        Behaviour {
            greeting: "220 mx.clinique.example ESMTP\r\n",
            tls: Tls::Shown(world.made.certificate(holder)),
            extensions: vec!["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "SIZE 60000000"],
            answers: BTreeMap::new(),
            pause: Duration::ZERO,
        }
    }

    pub fn answering(mut self, verb: &'static str, answers: &[&'static str]) -> Behaviour {
        self.answers.insert(verb, answers.iter().copied().collect());
        self
    }
}

impl Peer {
    pub async fn start(behaviour: Behaviour) -> Peer {
        Peer::start_at("127.0.0.1:0", behaviour).await
    }

    pub async fn start_at(address: &str, behaviour: Behaviour) -> Peer {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let shared = Arc::new(Mutex::new(behaviour));
        let listening = heard.clone();
        let task = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                listening.lock().unwrap().connections += 1;
                let session = Session {
                    connection: Some(Connection::Plain(stream)),
                    behaviour: shared.clone(),
                    heard: listening.clone(),
                    input: Vec::new(),
                    said_after: Vec::new(),
                };
                sessions.spawn(session.run());
            }
        });
        Peer { address, heard, task }
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Session {
    connection: Option<Connection>,
    behaviour: Arc<Mutex<Behaviour>>,
    heard: Arc<Mutex<Heard>>,
    input: Vec<u8>,
    /// What was taken last, by number.
    said_after: Vec<usize>,
}

impl Session {
    async fn run(mut self) {
        let _ended = self.converse().await;
    }

    async fn converse(&mut self) -> std::io::Result<()> {
        let Behaviour { greeting, tls, extensions, pause, .. } = self.behaviour.lock().unwrap().clone();
        self.say(greeting).await?;
        let mut protected = false;
        let mut in_transaction = false;
        let mut recipients: Vec<String> = Vec::new();
        loop {
            let line = self.line().await?;
            for taken in self.said_after.drain(..) {
                self.heard.lock().unwrap().taken[taken].was_last = false;
            }
            let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            if protected {
                self.heard.lock().unwrap().commands.push(line.clone());
            }
            let scripted = match protected {
                true => self.behaviour.lock().unwrap().answers.get_mut(&*verb).and_then(VecDeque::pop_front),
                false => None,
            };
            if verb == "MAIL" {
                in_transaction = scripted.is_none_or(|answer| answer.starts_with('2'));
                recipients.clear();
            }
            if verb == "RCPT" && in_transaction && scripted.is_none_or(|answer| answer.starts_with('2')) {
                recipients.push(line.clone());
            }
            if let Some(answer) = scripted {
                if answer == DROP {
                    return Ok(());
                }
                self.say(answer).await?;
                if answer.starts_with("421") {
                    return Ok(());
                }
                continue;
            }
            match (&*verb, &tls) {
                ("EHLO", Tls::Missing) if !protected => self.say("250 mx.clinique.example\r\n").await?,
                ("EHLO", _) if !protected => self.say("250-mx.clinique.example\r\n250 STARTTLS\r\n").await?,
                ("EHLO", _) => {
                    let lines: String = extensions.iter().map(|one| format!("250-{one}\r\n")).collect();
                    self.say(&format!("250-mx.clinique.example\r\n{lines}250 HELP\r\n")).await?;
                }
                ("STARTTLS", Tls::Shown(files)) => {
                    self.say("220 go on\r\n").await?;
                    let asked = ClientCertificates::Requested { hints: Vec::new() };
                    let server = TlsServer::open(vec![files.clone()], asked).unwrap();
                    let plain = self.connection.take().unwrap();
                    let shaken = plain.start_tls(&server).await.map_err(std::io::Error::other)?;
                    self.heard.lock().unwrap().client_chain = shaken.1.chain.len();
                    self.connection = Some(shaken.0);
                    protected = true;
                }
                ("STARTTLS", Tls::Refusing(files, version)) => {
                    self.say("220 go on\r\n").await?;
                    let Some(Connection::Plain(stream)) = self.connection.take() else { panic!("it is plain") };
                    let stream = refusing(files, version).accept(stream).await?;
                    self.connection = Some(Connection::Tls(Box::new(stream)));
                    protected = true;
                }
                ("STARTTLS", _) => self.say("454 4.7.0 not now\r\n").await?,
                ("RCPT" | "DATA" | "BDAT", _) if !in_transaction => self.say("503 5.5.1 MAIL first\r\n").await?,
                ("DATA", _) if recipients.is_empty() => self.say("554 5.5.1 RCPT first\r\n").await?,
                ("RCPT", _) => self.say("250 2.1.5 taken\r\n").await?,
                ("MAIL", _) => self.say("250 2.1.0 well\r\n").await?,
                ("DATA", _) => {
                    self.say("354 go on\r\n").await?;
                    let body = self.body().await?;
                    self.heard.lock().unwrap().bodies.push(body);
                    tokio::time::sleep(pause).await;
                    self.finish(&mut recipients).await?;
                }
                ("BDAT", _) => {
                    let octets: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
                    let chunk = self.take(octets).await?;
                    {
                        let mut heard = self.heard.lock().unwrap();
                        if heard.bodies.last().is_none_or(|body| body.ends_with(b"(last)")) {
                            heard.bodies.push(Vec::new());
                        }
                        let body = heard.bodies.last_mut().unwrap();
                        body.extend_from_slice(&chunk);
                        if line.ends_with("LAST") {
                            body.extend_from_slice(b"(last)");
                        }
                    }
                    match line.ends_with("LAST") {
                        true => self.finish(&mut recipients).await?,
                        false => self.say("250 2.0.0 more\r\n").await?,
                    }
                }
                ("QUIT", _) => {
                    self.say("221 2.0.0 bye\r\n").await?;
                    return Ok(());
                }
                _ => self.say("250 2.0.0 well\r\n").await?,
            }
        }
    }

    async fn finish(&mut self, recipients: &mut Vec<String>) -> std::io::Result<()> {
        let scripted = self.behaviour.lock().unwrap().answers.get_mut("END").and_then(VecDeque::pop_front);
        match scripted {
            Some(DROP) => return Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(answer) => self.say(answer).await?,
            None => {
                {
                    let mut heard = self.heard.lock().unwrap();
                    for recipient in recipients.iter() {
                        self.said_after.push(heard.taken.len());
                        heard.taken.push(Taken { recipient: recipient.clone(), was_last: true });
                    }
                    heard.accepted.append(recipients);
                }
                self.say("250 2.0.0 taken\r\n").await?;
            }
        }
        Ok(())
    }

    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        let connection = self.connection.as_mut().unwrap();
        connection.write_all(text.as_bytes()).await?;
        connection.flush().await
    }

    async fn line(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line = self.input.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8(line).unwrap());
            }
            self.more().await?;
        }
    }

    /// Up to the first CRLF `.` CRLF.
    async fn body(&mut self) -> std::io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let rest = &self.input[searched..];
            let end = match self.input.starts_with(b".\r\n") {
                true => Some(3),
                false => rest.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| searched + at + 5),
            };
            searched = self.input.len().saturating_sub(4);
            match end {
                Some(end) => return Ok(self.input.drain(..end).collect()),
                None => self.more().await?,
            }
        }
    }

    async fn take(&mut self, octets: usize) -> std::io::Result<Vec<u8>> {
        while self.input.len() < octets {
            self.more().await?;
        }
        Ok(self.input.drain(..octets).collect())
    }

    async fn more(&mut self) -> std::io::Result<()> {
        let mut octets = [0; 64 * 1024];
        match self.connection.as_mut().unwrap().read(&mut octets).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.input.extend_from_slice(&octets[..count]);
                Ok(())
            }
        }
    }
}

/// A server that believes an authority nobody has a certificate of.
fn refusing(files: &CertificateFiles, version: &'static rustls::SupportedProtocolVersion) -> tokio_rustls::TlsAcceptor {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let chain = CertificateDer::pem_file_iter(&files.chain).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let config = rustls::ServerConfig::builder_with_protocol_versions(&[version])
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config).into()
}
