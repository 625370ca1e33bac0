//! One certificate with its key: read from files, checked, and known by the names it is valid for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Where a certificate chain and its key are, both PEM; the leaf comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first, without the root.
    pub chain: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read as PEM of the right kind.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Key and certificate are no pair, or of an algorithm we do not serve.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The chain's file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A TLS server needs at least one.
    #[error("no certificate is configured")]
    None,
}

/// A loaded certificate.
pub(super) struct Certificate {
    pub(super) certified: Arc<CertifiedKey>,
    /// Lower case; `*.example.org` stands for one label (RFC 6125 §6.4.3).
    pub(super) names: Vec<String>,
    /// `tls-server-end-point`; absent where RFC 5929 §4.1 does not define it.
    pub(super) end_point: Option<Vec<u8>>,
}

/// When the two files were last changed: what the poll compares.
pub(super) type Stamp = (Option<SystemTime>, Option<SystemTime>);

impl CertificateFiles {
    /// Reads and checks both files.
    pub(super) fn load(&self) -> Result<Certificate, CertificateError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.chain)
            .and_then(Iterator::collect)
            .map_err(|error| unreadable(&self.chain, &error.to_string()))?;
        let leaf = chain.first().ok_or_else(|| unreadable(&self.chain, "holds no certificate"))?.clone();
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unreadable(&self.key, &error.to_string()))?;
        let unusable = |reason: String| CertificateError::Unusable { path: self.chain.clone(), reason };
        let signing_key =
            provider::sign::any_supported_type(&key).map_err(|error| unreadable(&self.key, &error.to_string()))?;
        let certified = CertifiedKey::new(chain, signing_key);
        certified.keys_match().map_err(|error| {
            unusable(format!("the certificate is not that of the key {} ({error})", self.key.display()))
        })?;
        let (_, parsed) = X509Certificate::from_der(&leaf).map_err(|error| unusable(error.to_string()))?;
        Ok(Certificate {
            names: names(&parsed),
            end_point: end_point_hash(&parsed, &leaf),
            certified: Arc::new(certified),
        })
    }

    /// Reads and checks both files, for who only shows them.
    pub(crate) fn certified(&self) -> Result<Arc<CertifiedKey>, CertificateError> {
        self.load().map(|certificate| certificate.certified)
    }

    /// The files' modification times; `None` for what cannot be read now.
    pub(super) fn stamp(&self) -> Stamp {
        let changed = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        (changed(&self.chain), changed(&self.key))
    }
}

impl Certificate {
    /// True when a client that asked for `server_name` may be shown this one.
    pub(super) fn is_for(&self, server_name: &str) -> bool {
        let parent = server_name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(zone) => parent.is_some_and(|parent| parent.eq_ignore_ascii_case(zone)),
            None => name.eq_ignore_ascii_case(server_name),
        })
    }
}

fn unreadable(path: &Path, reason: &str) -> CertificateError {
    CertificateError::File { path: path.to_owned(), reason: reason.to_owned() }
}

/// Only subject alternative names count (RFC 6125 §6.4.4).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(dns).collect()
}

/// What channels bind to under a certificate of somebody else's.
pub(super) fn end_point_of(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    end_point_hash(&certificate, der)
}

/// RFC 5929 §4.1: the hash of the certificate's own signature, SHA-256 where that is MD5 or SHA-1. Signatures without
/// exactly one hash (Ed25519, RSASSA-PSS left to its parameters) have none.
fn end_point_hash(certificate: &X509Certificate<'_>, der: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => &digest::SHA256,
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, der).as_ref().to_vec())
}
