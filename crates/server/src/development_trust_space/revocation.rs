//! Revocation lists (RFC 5280 §5).

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use net::tls::CertificateFiles;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use x509_parser::prelude::X509Certificate;

use super::authority::Authority;
use crate::development_certificates::{reading, write_new};

/// Writes an authority's list. Its number is the time: it only grows (RFC 5280 §5.2.3).
pub(super) fn write(
    file: &Path,
    authority: &Authority,
    revoked: &[Vec<u8>],
    from: SystemTime,
    valid: Duration,
) -> anyhow::Result<()> {
    let seconds = from.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: from.into(),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    });
    let list = CertificateRevocationListParams {
        this_update: from.into(),
        next_update: (from + valid).into(),
        crl_number: SerialNumber::from(seconds),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    write_new(file, list.signed_by(&authority.issuer)?.der(), 0o644)
}

/// The serial number of the first certificate in a chain.
pub(super) fn serial(files: &CertificateFiles) -> anyhow::Result<Vec<u8>> {
    parsed(files, |certificate| certificate.raw_serial().to_vec())
}

/// Reads the first certificate of a chain.
pub(super) fn parsed<T>(files: &CertificateFiles, of: impl Fn(&X509Certificate<'_>) -> T) -> anyhow::Result<T> {
    let pem = fs::read(&files.chain).with_context(|| reading(&files.chain))?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).with_context(|| reading(&files.chain))?;
    let certificate = pem.parse_x509().with_context(|| reading(&files.chain))?;
    Ok(of(&certificate))
}
