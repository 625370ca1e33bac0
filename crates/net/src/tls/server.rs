//! The TLS server of a listener: several certificates, chosen by server name, re-read when their files change.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs as provider;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::{SigningKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::{Certificate, Stamp};
use super::possession::Possession;
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
    clients: Clients,
}

/// What a listener wants to know of its clients' certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for: where people connect, programs and card readers would prompt them.
    Ignored,
    /// They are asked for, and none is refused: [`Peer::chain`] is there to be judged. Sessions are never resumed, so
    /// that a client is judged anew each time.
    Requested {
        /// Subjects, DER, of the authorities that certificates should come from; clients choose theirs by them.
        hints: Vec<Vec<u8>>,
    },
    /// As `Requested`, of clients that call the server by one of these names (RFC 6066 §3); the others are not asked.
    RequestedUnder {
        /// Host names, lower case.
        names: Vec<String>,
        /// As in `Requested`.
        hints: Vec<Vec<u8>>,
    },
}

struct Served {
    certificate: Certificate,
    config: Arc<ServerConfig>,
    /// For those who are asked for a certificate because of the name they gave.
    asking: Option<Arc<ServerConfig>>,
}

/// How clients are treated, whichever certificate they are shown.
enum Clients {
    /// Nobody in particular, and welcome back: kept when certificates change, so that a renewal drops no tickets.
    Resuming { sessions: Arc<dyn StoresServerSessions>, tickets: Arc<dyn ProducesTickets> },
    /// With certificates of their own, and never without showing them.
    Shown(Arc<Possession>),
    /// The one or the other, by the name they give the server.
    ByName { others: Box<Clients>, names: Vec<String>, named: Box<Clients> },
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
    pub fn open(files: Vec<CertificateFiles>, clients: ClientCertificates) -> Result<TlsServer, CertificateError> {
        let shown = |hints: Vec<Vec<u8>>| Clients::Shown(Arc::new(Possession::new(&hints)));
        let clients = match clients {
            ClientCertificates::Ignored => Clients::resuming()?,
            ClientCertificates::Requested { hints } => shown(hints),
            ClientCertificates::RequestedUnder { names, hints } => {
                Clients::ByName { others: Box::new(Clients::resuming()?), names, named: Box::new(shown(hints)) }
            }
        };
        let stamps = files.iter().map(CertificateFiles::stamp).collect();
        let served = load(&files, &clients)?;
        Ok(TlsServer { files, stamps: Mutex::new(stamps), served: ArcSwap::from_pointee(served), clients })
    }

    /// Reads all certificates again; connections that exist are not touched.
    ///
    /// # Errors
    /// As [`TlsServer::open`]; the old certificates are then still served.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let stamps = self.files.iter().map(CertificateFiles::stamp).collect();
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        self.served.store(Arc::new(load(&self.files, &self.clients)?));
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
    /// [`HandshakeError::TooSlow`], [`HandshakeError::Refused`], [`HandshakeError::Failed`].
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
        result.map_err(|_| HandshakeError::TooSlow)?.map_err(HandshakeError::from_io)
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
        let config = match (&self.clients, &chosen.asking, hello.server_name()) {
            (Clients::ByName { names, .. }, Some(asking), Some(name))
                if names.iter().any(|asked| asked.eq_ignore_ascii_case(name)) =>
            {
                asking
            }
            _ => &chosen.config,
        };
        (config.clone(), chosen.certificate.end_point.clone())
    }
}

impl Clients {
    fn resuming() -> Result<Clients, CertificateError> {
        Ok(Clients::Resuming {
            sessions: ServerSessionMemoryCache::new(SESSIONS_REMEMBERED_MAX),
            tickets: provider::Ticketer::new().map_err(|error| broken_build(&error))?,
        })
    }
}

fn load(files: &[CertificateFiles], clients: &Clients) -> Result<Vec<Served>, CertificateError> {
    if files.is_empty() {
        return Err(CertificateError::None);
    }
    files
        .iter()
        .map(|files| {
            let certificate = files.load()?;
            let made =
                |clients: &Clients| config(&certificate, clients).map(Arc::new).map_err(|error| broken_build(&error));
            let (config, asking) = match clients {
                Clients::ByName { others, named, .. } => (made(others)?, Some(made(named)?)),
                all => (made(all)?, None),
            };
            Ok(Served { certificate, config, asking })
        })
        .collect()
}

fn config(certificate: &Certificate, clients: &Clients) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(crypto_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let shown = Arc::new(SingleCertAndKey::from(certificate.certified.clone()));
    // `max_early_data_size` stays 0: early data can be replayed (RFC 8446 §8).
    Ok(match clients {
        // Its two kinds come one by one.
        Clients::ByName { others, .. } => return self::config(certificate, others),
        Clients::Resuming { sessions, tickets } => {
            let mut config = builder.with_no_client_auth().with_cert_resolver(shown);
            config.session_storage = sessions.clone();
            config.ticketer = tickets.clone();
            config.send_tls13_tickets = TICKETS_SENT;
            config
        }
        Clients::Shown(possession) => {
            let mut config = builder.with_client_cert_verifier(possession.clone()).with_cert_resolver(shown);
            // There is no ticketer unless one is set.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config
        }
    })
}

/// What only a fault of the provider or of this build can cause.
pub(super) fn broken_build(error: &rustls::Error) -> CertificateError {
    CertificateError::Unusable { path: "TLS".into(), reason: error.to_string() }
}
