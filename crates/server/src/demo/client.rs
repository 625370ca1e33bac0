//! A mail client of a hundred lines, strangers' side of the proof: TLS with the authority's certificate alone, SMTP
//! submission, IMAP; and another operator's side of port 25.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use net::tls::{CertificateFiles, TlsClient};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection, by lines.
pub struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    protection: String,
    tag: u32,
    exists: u32,
}

/// A connection, in clear or under TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Wire {
    /// Connects to a port of this machine and verifies the name `localhost` against one authority.
    pub async fn connect(port: u16, authority: &Path) -> anyhow::Result<Wire> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(net::tls::crypto_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(ServerName::try_from("localhost")?, dial(port).await?).await?;
        let connection = stream.get_ref().1;
        let version = connection.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
        let suite = connection.negotiated_cipher_suite().map_or_else(String::new, |one| format!("{:?}", one.suite()));
        Ok(Wire::over(Box::new(stream), format!("{version}, {suite}")))
    }

    /// Connects to a relay port of this machine as another operator does: STARTTLS, this certificate shown, the server's not
    /// judged. Without a certificate it stays in clear.
    pub async fn as_operator(port: u16, host: &str, certificate: Option<CertificateFiles>) -> anyhow::Result<Wire> {
        let mut wire = Wire::over(Box::new(dial(port).await?), String::new());
        wire.reply("220").await?;
        wire.command("EHLO localhost", "250").await?;
        let Some(certificate) = certificate else { return Ok(wire) };
        wire.command("STARTTLS", "220").await?;
        let client = TlsClient::new(Some(certificate))?;
        let (stream, _unjudged) = client.connect(wire.stream.into_inner(), host).await?;
        let mut wire = Wire::over(Box::new(stream), String::new());
        wire.command("EHLO localhost", "250").await?;
        Ok(wire)
    }

    fn over(stream: Box<dyn Stream>, protection: String) -> Wire {
        Wire { stream: BufReader::new(stream), protection, tag: 0, exists: 0 }
    }

    /// `TLSv1_3, TLS13_AES_256_GCM_SHA384`.
    pub fn protection(&self) -> &str {
        &self.protection
    }

    /// Messages in the mailbox selected, as the server said last.
    pub fn exists(&self) -> u32 {
        self.exists
    }

    async fn send(&mut self, octets: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(octets).await?;
        Ok(self.stream.flush().await?)
    }

    /// One line without its CRLF.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        ensure!(line.ends_with(b"\r\n"), "the server closed the connection");
        line.truncate(line.len() - 2);
        let line = String::from_utf8(line).context("the server sent no UTF-8")?;
        if let Some(number) = line.strip_prefix("* ").and_then(|line| line.strip_suffix(" EXISTS")) {
            self.exists = number.parse().context("no number of messages")?;
        }
        Ok(line)
    }

    /// Reads an SMTP reply of any number of lines; it must have this code. Gives its last line.
    pub async fn reply(&mut self, code: &str) -> anyhow::Result<String> {
        loop {
            let line = self.line().await?;
            ensure!(line.starts_with(code), "the server said: {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    /// Sends an SMTP command and reads its reply.
    pub async fn command(&mut self, command: &str, code: &str) -> anyhow::Result<String> {
        self.send(format!("{command}\r\n").as_bytes()).await?;
        self.reply(code).await
    }

    /// Sends an SMTP command and gives the last line of its reply, whatever it is.
    pub async fn ask(&mut self, command: &str) -> anyhow::Result<String> {
        self.command(command, "").await
    }

    /// Signs in to SMTP with AUTH PLAIN (RFC 4616).
    pub async fn smtp_sign_in(&mut self, login: &str, password: &str) -> anyhow::Result<()> {
        let response = BASE64.encode(format!("\0{login}\0{password}"));
        self.command(&format!("AUTH PLAIN {response}"), "235").await.map(|_| ())
    }

    /// Sends a body after 354, dots stuffed (RFC 5321 §4.5.2), and reads the verdict.
    pub async fn body(&mut self, message: &[u8]) -> anyhow::Result<String> {
        let mut stuffed = Vec::with_capacity(message.len() + 1_024);
        for line in message.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        stuffed.extend_from_slice(b".\r\n");
        self.send(&stuffed).await?;
        self.reply("250").await
    }

    /// Sends an IMAP command and reads to its OK; gives the untagged lines before it.
    pub async fn imap(&mut self, command: &str) -> anyhow::Result<Vec<String>> {
        let tag = self.imap_begin(command).await?;
        self.imap_finish(&tag).await
    }

    /// Sends an IMAP command; gives its tag.
    pub async fn imap_begin(&mut self, command: &str) -> anyhow::Result<String> {
        self.tag += 1;
        let tag = format!("a{}", self.tag);
        self.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    /// Reads to the OK of a command.
    pub async fn imap_finish(&mut self, tag: &str) -> anyhow::Result<Vec<String>> {
        let mut untagged = Vec::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix(tag) {
                Some(outcome) if outcome.starts_with(" OK") => return Ok(untagged),
                Some(outcome) => bail!("the server said:{outcome}"),
                None => untagged.push(line),
            }
        }
    }

    /// Ends an IDLE (RFC 2177).
    pub async fn idle_done(&mut self, tag: &str) -> anyhow::Result<()> {
        self.send(b"DONE\r\n").await?;
        self.imap_finish(tag).await.map(|_| ())
    }

    /// Reads the literal of one FETCH, and to its OK.
    pub async fn imap_literal(&mut self, command: &str) -> anyhow::Result<Vec<u8>> {
        let tag = self.imap_begin(command).await?;
        let octets = loop {
            let line = self.line().await?;
            ensure!(line.starts_with("* "), "the server said: {line}");
            let announced = line.strip_suffix('}').and_then(|line| line.rsplit_once('{')).map(|(_, number)| number);
            if let Some(octets) = announced.and_then(|number| number.parse().ok()) {
                break octets;
            }
        };
        let mut literal = vec![0; octets];
        self.stream.read_exact(&mut literal).await?;
        self.imap_finish(&tag).await?;
        Ok(literal)
    }
}

async fn dial(port: u16) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An IMAP quoted string; what the demo quotes holds neither quotes nor backslashes.
pub fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
