//! One connection to the server, plain or under TLS, read by lines and by counts.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned, client::WantsClientCert,
    pki_types::ServerName,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use socket2::{Domain, Socket, Type};

/// No answer of a healthy server takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Whom to trust, and which versions of TLS to offer.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Trusts the authorities of a PEM file, with TLS 1.2 and 1.3.
    pub fn from_file(authorities: &Path) -> Result<Trust> {
        Trust::with_versions(authorities, rustls::ALL_VERSIONS)
    }

    /// Trusts the authorities of a PEM file, with the versions given.
    pub fn with_versions(authorities: &Path, versions: &[&'static rustls::SupportedProtocolVersion]) -> Result<Trust> {
        let config = trusting(authorities, versions)?.with_no_client_auth();
        Ok(Trust(Arc::new(config)))
    }

    /// Trusts the authorities of a PEM file, and shows the certificate of another one with its chain.
    pub fn showing(authorities: &Path, chain: &Path, key: &Path) -> Result<Trust> {
        let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        let config = trusting(authorities, rustls::ALL_VERSIONS)?.with_client_auth_cert(chain, key)?;
        Ok(Trust(Arc::new(config)))
    }
}

fn trusting(
    authorities: &Path,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authorities)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    Ok(builder.with_root_certificates(roots))
}

/// A connection and what was read from it but not yet taken.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    read: Vec<u8>,
    taken: usize,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects without TLS.
    pub fn plain(address: SocketAddr) -> Result<Wire> {
        let socket =
            TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("connecting to {address}"))?;
        Wire::over(socket)
    }

    /// Connects without TLS, from an address of 127.0.0.0/8: each is another client to the server.
    pub fn plain_from(source: Ipv4Addr, address: SocketAddr) -> Result<Wire> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket
            .connect_timeout(&address.into(), PATIENCE)
            .with_context(|| format!("connecting to {address} from {source}"))?;
        Wire::over(socket.into())
    }

    /// Speaks over a connection already made.
    pub fn over(socket: TcpStream) -> Result<Wire> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Wire { stream: Stream::Plain(socket), read: Vec::new(), taken: 0 })
    }

    /// Connects, and hands over TLS at once.
    pub fn tls(address: SocketAddr, trust: &Trust) -> Result<Wire> {
        Wire::plain(address)?.upgrade(trust)
    }

    /// Begins TLS on a plain connection, and completes the handshake.
    pub fn upgrade(self, trust: &Trust) -> Result<Wire> {
        let Stream::Plain(mut socket) = self.stream else { bail!("TLS is already there") };
        if self.taken < self.read.len() {
            bail!(
                "the server sent octets before the handshake: {:?}",
                String::from_utf8_lossy(&self.read[self.taken..])
            );
        }
        let mut session = ClientConnection::new(Arc::clone(&trust.0), ServerName::try_from("localhost")?)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket).context("TLS handshake")?;
        }
        Ok(Wire { stream: Stream::Tls(Box::new(StreamOwned::new(session, socket))), read: Vec::new(), taken: 0 })
    }

    /// The connection below.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// Gives up TLS without a word (no close_notify), as an attacker on the path would.
    #[must_use]
    pub fn into_socket(self) -> TcpStream {
        match self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => tls.into_parts().1,
        }
    }

    /// Sends close_notify, and keeps the connection below (RFC 8446 §6.1).
    pub fn close_tls(self) -> Result<TcpStream> {
        let Stream::Tls(tls) = self.stream else { bail!("there is no TLS to close") };
        let (mut session, mut socket) = tls.into_parts();
        session.send_close_notify();
        while session.wants_write() {
            session.write_tls(&mut socket)?;
        }
        Ok(socket)
    }

    /// How long a read may wait.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        Ok(self.socket().set_read_timeout(Some(patience))?)
    }

    /// Sends octets.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) -> Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(octets.as_ref())?,
            Stream::Tls(tls) => {
                tls.write_all(octets.as_ref())?;
                tls.flush()?;
            }
        }
        Ok(())
    }

    /// The next line, without its CRLF.
    pub fn line(&mut self) -> Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let waiting = &self.read[self.taken..];
            if let Some(at) = find_crlf(waiting, searched) {
                let line = waiting[..at].to_vec();
                self.taken += at + 2;
                return Ok(line);
            }
            searched = waiting.len().saturating_sub(1);
            if self.more()? == 0 {
                bail!("the connection ended inside a line: {:?}", String::from_utf8_lossy(&self.read[self.taken..]));
            }
        }
    }

    /// The next `octets` octets.
    pub fn exactly(&mut self, octets: usize) -> Result<Vec<u8>> {
        while self.read.len() - self.taken < octets {
            if self.more()? == 0 {
                bail!("the connection ended inside a literal");
            }
        }
        let taken = self.read[self.taken..self.taken + octets].to_vec();
        self.taken += octets;
        Ok(taken)
    }

    /// Reads until what was read ends in a line that starts with `start`; gives how many octets came.
    /// For answers too large to keep as lines.
    pub fn until_last_line_starts_with(&mut self, start: &[u8]) -> Result<(usize, Vec<u8>)> {
        let mut octets = 0;
        loop {
            let waiting = &self.read[self.taken..];
            if waiting.ends_with(b"\r\n") {
                let body = &waiting[..waiting.len() - 2];
                let line = body.iter().rposition(|octet| *octet == b'\n').map_or(body, |at| &body[at + 1..]);
                if line.starts_with(start) {
                    let line = line.to_vec();
                    octets += waiting.len();
                    self.taken = self.read.len();
                    return Ok((octets, line));
                }
            }
            // Keep only what the last line may be made of.
            let keep = waiting.len().min(8_192);
            octets += waiting.len() - keep;
            self.taken = self.read.len() - keep;
            if self.more()? == 0 {
                bail!("the connection ended before {:?}", String::from_utf8_lossy(start));
            }
        }
    }

    /// Everything until the connection ends; an abort counts as an end.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.more() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
                    Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) | None => return Err(error),
                    Some(_) => break,
                },
            }
        }
        let rest = self.read[self.taken..].to_vec();
        self.taken = self.read.len();
        Ok(rest)
    }

    /// What comes within `patience`, if anything.
    pub fn within(&mut self, patience: Duration) -> Result<Vec<u8>> {
        self.set_patience(patience)?;
        while let Ok(1..) = self.more() {}
        self.set_patience(PATIENCE)?;
        let came = self.read[self.taken..].to_vec();
        self.taken = self.read.len();
        Ok(came)
    }

    fn more(&mut self) -> Result<usize> {
        if self.taken > 0 {
            self.read.drain(..self.taken);
            self.taken = 0;
        }
        let before = self.read.len();
        self.read.resize(before + 65_536, 0);
        let result = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut self.read[before..]),
            Stream::Tls(tls) => tls.read(&mut self.read[before..]),
        };
        let count = match &result {
            Ok(count) => *count,
            Err(_) => 0,
        };
        self.read.truncate(before + count);
        match result {
            // A peer that leaves without close_notify has left all the same.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error).context("reading from the server"),
            Ok(count) => Ok(count),
        }
    }
}

fn find_crlf(octets: &[u8], from: usize) -> Option<usize> {
    octets.get(from..)?.windows(2).position(|two| two == b"\r\n").map(|at| at + from)
}
