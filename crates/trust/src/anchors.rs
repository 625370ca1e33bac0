//! The authorities that are believed.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Roots, and intermediate authorities known beside those a peer sends.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    roots: Vec<Root>,
    intermediates: Vec<CertificateDer<'static>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) anchor: TrustAnchor<'static>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// Why a certificate is no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// Neither DER nor PEM of certificates.
    #[error("not a certificate")]
    NotACertificate,
    /// Not marked as an authority (RFC 5280 §4.2.1.9).
    #[error("{0} is not an authority's certificate")]
    NotAnAuthority(String),
    /// More than [`Anchors::CERTIFICATES_MAX`].
    #[error("more than {max} certificates", max = Anchors::CERTIFICATES_MAX)]
    TooMany,
}

impl Anchors {
    /// Roots, or intermediates, at most.
    pub const CERTIFICATES_MAX: usize = 100;

    /// Believes in these: the certificates of a file, PEM or DER.
    ///
    /// # Errors
    /// A certificate that cannot be read or is no authority's.
    pub fn add_roots(&mut self, file: &[u8]) -> Result<(), AnchorError> {
        for der in authorities(file)? {
            if self.roots.iter().any(|known| known.der == der) {
                continue;
            }
            let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| AnchorError::NotACertificate)?;
            let (not_before, not_after) =
                (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
            let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| AnchorError::NotACertificate)?.to_owned();
            self.roots.push(Root { anchor, not_before, not_after, der });
        }
        if self.roots.len() > Anchors::CERTIFICATES_MAX { Err(AnchorError::TooMany) } else { Ok(()) }
    }

    /// Knows these on the way from a peer to a root: the certificates of a file, PEM or DER.
    ///
    /// # Errors
    /// A certificate that cannot be read or is no authority's.
    pub fn add_intermediates(&mut self, file: &[u8]) -> Result<(), AnchorError> {
        for der in authorities(file)? {
            if !self.intermediates.contains(&der) {
                self.intermediates.push(der);
            }
        }
        if self.intermediates.len() > Anchors::CERTIFICATES_MAX { Err(AnchorError::TooMany) } else { Ok(()) }
    }

    /// Whether nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The subjects of all authorities, DER: what a server asks clients for (RFC 8446 §4.2.4).
    pub fn hints(&self) -> Vec<Vec<u8>> {
        let mut hints = Vec::new();
        for der in self.certificates() {
            if let Ok((_, parsed)) = X509Certificate::from_der(der) {
                hints.push(parsed.subject().as_raw().to_vec());
            }
        }
        hints
    }

    /// All of them, DER, roots first.
    pub fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.roots.iter().map(|root| &root.der).chain(&self.intermediates)
    }

    pub(crate) fn roots(&self) -> &[Root] {
        &self.roots
    }

    pub(crate) fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }
}

fn authorities(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, AnchorError> {
    let is_pem = file.windows(11).any(|window| window == b"-----BEGIN ");
    let certificates = match is_pem {
        true => CertificateDer::pem_slice_iter(file).collect::<Result<Vec<_>, _>>(),
        false => Ok(vec![CertificateDer::from(file.to_vec())]),
    };
    let certificates = certificates.map_err(|_| AnchorError::NotACertificate)?;
    if certificates.is_empty() {
        return Err(AnchorError::NotACertificate);
    }
    for der in &certificates {
        match X509Certificate::from_der(der) {
            Ok(([], parsed)) => {
                if !parsed.is_ca() {
                    return Err(AnchorError::NotAnAuthority(parsed.subject().to_string()));
                }
            }
            _ => return Err(AnchorError::NotACertificate),
        }
    }
    Ok(certificates)
}
