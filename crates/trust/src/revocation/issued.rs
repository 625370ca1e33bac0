//! A certificate together with the one of its issuer.

use aws_lc_rs::digest;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Missing, ocsp};
use crate::certificate::{crl_urls, ocsp_urls};
use crate::dn::Dn;

/// A certificate whose path was found, and its issuer's.
pub(crate) struct Issued<'c> {
    certificate: X509Certificate<'c>,
    issuer: X509Certificate<'c>,
    issuer_certificate: &'c [u8],
    dn: Dn,
    distribution_points: Vec<String>,
}

impl<'c> Issued<'c> {
    /// From the DER of both.
    pub(crate) fn read(der: &'c [u8], issuer_certificate: &'c [u8]) -> Option<Issued<'c>> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (_, issuer) = X509Certificate::from_der(issuer_certificate).ok()?;
        let dn = Dn::from_der(certificate.subject().as_raw()).ok()?;
        let distribution_points = crl_urls(&certificate);
        Some(Issued { certificate, issuer, issuer_certificate, dn, distribution_points })
    }

    pub(crate) fn dn(&self) -> &Dn {
        &self.dn
    }

    /// The content of the INTEGER.
    pub(super) fn serial(&self) -> &[u8] {
        self.certificate.raw_serial()
    }

    /// The issuer's name as the certificate has it, DER.
    pub(super) fn issuer_name(&self) -> &[u8] {
        self.certificate.issuer().as_raw()
    }

    /// The issuer's SubjectPublicKeyInfo, DER.
    pub(super) fn issuer_key(&self) -> &[u8] {
        self.issuer.public_key().raw
    }

    /// The issuer's certificate.
    pub(super) fn issuer(&self) -> &X509Certificate<'c> {
        &self.issuer
    }

    pub(super) fn is_authority(&self) -> bool {
        self.certificate.is_ca()
    }

    /// Whether the issuer's key usage, where it says any, includes cRLSign (RFC 5280 §4.2.1.3).
    pub(super) fn issuer_may_sign_lists(&self) -> bool {
        let usage = self.issuer.key_usage();
        usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign()))
    }

    /// Where its issuer publishes lists.
    pub(super) fn distribution_points(&self) -> &[String] {
        &self.distribution_points
    }

    /// The hash of the issuer's name (RFC 6960 §4.1.1).
    pub(super) fn issuer_name_hash(&self, algorithm: &'static digest::Algorithm) -> digest::Digest {
        digest::digest(algorithm, self.issuer_name())
    }

    /// The hash of the issuer's key, without tag, length and unused bits (RFC 6960 §4.1.1).
    pub(super) fn issuer_key_hash(&self, algorithm: &'static digest::Algorithm) -> digest::Digest {
        digest::digest(algorithm, &self.issuer.public_key().subject_public_key.data)
    }

    /// What would be needed to know more.
    pub(crate) fn missing(&self) -> Missing {
        Missing {
            dn: self.dn.clone(),
            issuer: self.issuer_certificate.to_vec(),
            crl_urls: self.distribution_points.clone(),
            ocsp_urls: ocsp_urls(&self.certificate),
            ocsp_request: ocsp::request(self),
        }
    }
}
