//! The TLS server of a listener: several certificates, chosen by server name, re-read when their files change.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs as provider;
use rustls::server::{ClientHello, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::{SigningKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::{Certificate, Stamp};
use super::{CertificateError, CertificateFiles, HANDSHAKE_TIME_MAX, HandshakeError, Peer, crypto_provider};

/// TLS 1.2 sessions remembered; TLS 1.3 resumes by tickets, which cost no memory here.
const SESSIONS_REMEMBERED_MAX: usize = 1_024;

/// Tickets given after a TLS 1.3 handshake: rustls gives two, but a mail client reconnects one connection at a time.
const TICKETS_SENT: usize = 1;

/// A TLS server. The first certificate is the default; the others answer to their own names (RFC 6066 §3).
///
/// Each certificate has a `ServerConfig` of its own, so that the one presented is known afterwards: channel binding
/// (RFC 5929 §4.1) needs it.
pub struct TlsServer {
    files: Vec<CertificateFiles>,
    stamps: Mutex<Vec<Stamp>>,
    served: ArcSwap<Vec<Served>>,
    resumption: Resumption,
}

struct Served {
    certificate: Certificate,
    config: Arc<ServerConfig>,
}

/// Shared by all certificates and kept when they change, so that a renewal drops no client's tickets.
struct Resumption {
    sessions: Arc<dyn StoresServerSessions>,
    tickets: Arc<dyn ProducesTickets>,
}

/// What [`TlsServer::reload_if_changed`] did.
#[derive(Debug)]
pub enum Reload {
    /// No file has changed.
    Unchanged,
    /// New connections see the new certificates.
    Done,
    /// The old ones are still served.
    Failed(CertificateError),
}

impl TlsServer {
    /// Reads all certificates.
    ///
    /// # Errors
    /// The first certificate that cannot be served, or [`CertificateError::None`].
    pub fn open(files: Vec<CertificateFiles>) -> Result<TlsServer, CertificateError> {
        let tickets = provider::Ticketer::new().map_err(|error| broken_build(&error))?;
        let resumption = Resumption { sessions: ServerSessionMemoryCache::new(SESSIONS_REMEMBERED_MAX), tickets };
        let stamps = files.iter().map(CertificateFiles::stamp).collect();
        let served = load(&files, &resumption)?;
        Ok(TlsServer { files, stamps: Mutex::new(stamps), served: ArcSwap::from_pointee(served), resumption })
    }

    /// Reads all certificates again; connections that exist are not touched.
    ///
    /// # Errors
    /// As [`TlsServer::open`]; the old certificates are then still served.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let stamps = self.files.iter().map(CertificateFiles::stamp).collect();
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        self.served.store(Arc::new(load(&self.files, &self.resumption)?));
        Ok(())
    }

    /// [`TlsServer::reload`] when a file's modification time differs from the one last read.
    pub fn reload_if_changed(&self) -> Reload {
        let stamps: Vec<Stamp> = self.files.iter().map(CertificateFiles::stamp).collect();
        if *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) == stamps {
            return Reload::Unchanged;
        }
        match self.reload() {
            Ok(()) => Reload::Done,
            Err(error) => Reload::Failed(error),
        }
    }

    /// Shakes hands within [`HANDSHAKE_TIME_MAX`].
    ///
    /// # Errors
    /// [`HandshakeError::TooSlow`], [`HandshakeError::Failed`].
    pub async fn accept<S>(&self, stream: S) -> Result<(TlsStream<S>, Peer), HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Boxed: the handshake's state goes when it is over, and the session's task keeps no room for it.
        let handshake = Box::pin(async {
            let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
            let (config, end_point) = self.choose(&start.client_hello());
            let stream = start.into_stream(config).await?;
            let peer = Peer::of(stream.get_ref().1, end_point.as_deref());
            Ok::<_, std::io::Error>((stream, peer))
        });
        let result = tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await;
        Ok(result.map_err(|_| HandshakeError::TooSlow)??)
    }

    /// The first certificate valid for the name asked for whose key the client can verify; then any it can verify for
    /// that name's sake; else the default. Hospital software that sends no name gets the default.
    fn choose(&self, hello: &ClientHello<'_>) -> (Arc<ServerConfig>, Option<Vec<u8>>) {
        let served = self.served.load();
        let verifiable = |key: &dyn SigningKey| key.choose_scheme(hello.signature_schemes()).is_some();
        let named = |one: &&Served| hello.server_name().is_some_and(|name| one.certificate.is_for(name));
        let usable = |one: &&Served| verifiable(one.certificate.certified.key.as_ref());
        let chosen = served
            .iter()
            .find(|one| named(one) && usable(one))
            .or_else(|| served.iter().find(usable))
            .or_else(|| served.first());
        #[expect(clippy::expect_used, reason = "`load` never returns an empty list")]
        let chosen = chosen.expect("at least one certificate");
        (chosen.config.clone(), chosen.certificate.end_point.clone())
    }
}

fn load(files: &[CertificateFiles], resumption: &Resumption) -> Result<Vec<Served>, CertificateError> {
    if files.is_empty() {
        return Err(CertificateError::None);
    }
    files
        .iter()
        .map(|files| {
            let certificate = files.load()?;
            let config = config(&certificate, resumption).map_err(|error| broken_build(&error))?;
            Ok(Served { certificate, config: Arc::new(config) })
        })
        .collect()
}

fn config(certificate: &Certificate, resumption: &Resumption) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.certified.clone())));
    config.session_storage = resumption.sessions.clone();
    config.ticketer = resumption.tickets.clone();
    config.send_tls13_tickets = TICKETS_SENT;
    Ok(config)
}

/// What only a fault of the provider or of this build can cause.
fn broken_build(error: &rustls::Error) -> CertificateError {
    CertificateError::Unusable { path: "TLS".into(), reason: error.to_string() }
}
