//! TLS on both sides: which certificate is shown, which suites are allowed, and what a handshake established.
//!
//! Of a peer's certificate TLS proves possession of the key only; what it is worth, others judge.

mod alert;
mod certificate;
mod client;
mod peer;
mod possession;
mod server;

use std::io;
use std::time::Duration;

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};

pub use alert::Alert;
pub use certificate::{CertificateError, CertificateFiles};
pub use client::TlsClient;
pub use peer::Peer;
pub use possession::{CERTIFICATE_OCTETS_MAX, CHAIN_CERTIFICATES_MAX};
pub use server::{ClientCertificates, Reload, TlsServer};

/// Time a peer has for the whole handshake: a slow one holds a task and buffers for nothing.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(30);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection is under TLS already.
    #[error("the connection is already under TLS")]
    AlreadyTls,
    /// The peer did not finish in [`HANDSHAKE_TIME_MAX`].
    #[error("the handshake took too long")]
    TooSlow,
    /// The peer refused it and said why.
    #[error("handshake: the peer refuses: {0}")]
    Refused(Alert),
    /// The peer or the network failed it.
    #[error("handshake: {0}")]
    Failed(#[source] io::Error),
    /// Nothing that a server could be called.
    #[error("{0:?} is neither a host name nor an address")]
    Name(String),
}

impl HandshakeError {
    fn from_io(error: io::Error) -> HandshakeError {
        match Alert::in_error(&error) {
            Some(alert) => HandshakeError::Refused(alert),
            None => HandshakeError::Failed(error),
        }
    }
}

/// The one cryptographic provider: aws-lc-rs, with the TLS 1.2 suites C030, C02F, C02C, C02B and those of TLS 1.3.
pub fn crypto_provider() -> CryptoProvider {
    let mut chosen = provider::default_provider();
    chosen.cipher_suites.retain(|suite| {
        suite.tls13().is_some()
            || matches!(
                suite.suite(),
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
                    | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            )
    });
    chosen
}

/// Makes [`crypto_provider`] the process's default. Once, first in `main`; later calls change nothing.
pub fn install_crypto_provider() {
    let _already_there = crypto_provider().install_default();
}
