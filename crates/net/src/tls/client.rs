//! TLS as a client: our own certificate shown, the server's chain handed over unjudged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::{Stamp, end_point_of};
use super::possession::Possession;
use super::server::broken_build;
use super::{CertificateError, CertificateFiles, HANDSHAKE_TIME_MAX, HandshakeError, Peer, Reload, crypto_provider};

/// Connects to other operators. What a handshake proves is that the server holds the key of the certificate it shows:
/// [`Peer::chain`] is to be judged before anything is sent.
pub struct TlsClient {
    files: Option<CertificateFiles>,
    stamp: Mutex<Option<Stamp>>,
    config: ArcSwap<ClientConfig>,
    handshake_time: Duration,
}

impl TlsClient {
    /// Reads the certificate that servers are shown when they ask; without one they see none.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub fn new(files: Option<CertificateFiles>) -> Result<TlsClient, CertificateError> {
        let stamp = files.as_ref().map(CertificateFiles::stamp);
        let config = config(files.as_ref())?;
        let config = ArcSwap::from_pointee(config);
        Ok(TlsClient { files, stamp: Mutex::new(stamp), config, handshake_time: HANDSHAKE_TIME_MAX })
    }

    /// Gives servers another time than [`HANDSHAKE_TIME_MAX`].
    #[must_use]
    pub fn with_handshake_time(self, handshake_time: Duration) -> TlsClient {
        TlsClient { handshake_time, ..self }
    }

    /// Reads the certificate again.
    ///
    /// # Errors
    /// As [`TlsClient::new`]; the old one then stays.
    pub fn reload(&self) -> Result<(), CertificateError> {
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = self.files.as_ref().map(CertificateFiles::stamp);
        self.config.store(Arc::new(config(self.files.as_ref())?));
        Ok(())
    }

    /// [`TlsClient::reload`] when a file's modification time differs from the one last read.
    pub fn reload_if_changed(&self) -> Reload {
        let stamp = self.files.as_ref().map(CertificateFiles::stamp);
        if *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) == stamp {
            return Reload::Unchanged;
        }
        match self.reload() {
            Ok(()) => Reload::Done,
            Err(error) => Reload::Failed(error),
        }
    }

    /// Shakes hands within [`HANDSHAKE_TIME_MAX`], with the certificate that is in its files now. A host name is sent (RFC 6066 §3), the literal of an address is not.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] when the server sends an alert, [`HandshakeError::TooSlow`],
    /// [`HandshakeError::Failed`], [`HandshakeError::Name`].
    pub async fn connect<S>(&self, stream: S, host: &str) -> Result<(TlsStream<S>, Peer), HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Reload::Failed(error) = self.reload_if_changed() {
            tracing::error!(%error, "the old certificate stays");
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| HandshakeError::Name(host.to_owned()))?;
        let handshake = Box::pin(TlsConnector::from(self.config.load_full()).connect(name, stream));
        let result = tokio::time::timeout(self.handshake_time, handshake).await;
        let stream = result.map_err(|_| HandshakeError::TooSlow)?.map_err(HandshakeError::from_io)?;
        let connection = stream.get_ref().1;
        let leaf = connection.peer_certificates().and_then(|chain| chain.first());
        let end_point = leaf.and_then(|leaf| end_point_of(leaf));
        let peer = Peer::of(connection, end_point.as_deref());
        Ok((stream, peer))
    }
}

fn config(files: Option<&CertificateFiles>) -> Result<ClientConfig, CertificateError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| broken_build(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Possession::new(&[])));
    let mut config = match files {
        // Shown whatever authorities the server hints at: operators' hints are often incomplete.
        Some(files) => {
            let certified = files.load()?.certified;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    // Every connection shows certificates anew, to be judged as they are now.
    config.resumption = Resumption::disabled();
    Ok(config)
}
