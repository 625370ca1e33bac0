//! TLS as a server: which certificate answers, which suites are allowed, and what a handshake established.

mod certificate;
mod peer;
mod server;

use std::io;
use std::time::Duration;

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};

pub use certificate::{CertificateError, CertificateFiles};
pub use peer::Peer;
pub use server::{Reload, TlsServer};

/// Time a client has for the whole handshake: a slow one holds a task and buffers for nothing.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(30);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection is under TLS already.
    #[error("the connection is already under TLS")]
    AlreadyTls,
    /// The client did not finish in [`HANDSHAKE_TIME_MAX`].
    #[error("the handshake took too long")]
    TooSlow,
    /// The client or the network failed it.
    #[error("handshake: {0}")]
    Failed(#[from] io::Error),
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
