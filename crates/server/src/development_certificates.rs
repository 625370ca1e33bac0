//! `sceau certs dev DIR`: an authority for development, and a server certificate for this machine by its loopback names.
//!
//! What exists is kept, so that clients which trust the authority go on trusting it; only a server certificate that ends
//! soon, or is not that of its key, is made anew.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use net::tls::CertificateFiles;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};

/// How long the authority is valid.
const AUTHORITY_VALID: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How long a server certificate is valid: clients of some makers refuse more than 398 days.
const SERVER_VALID: Duration = Duration::from_secs(390 * 86_400);

/// A server certificate with less than this left is made anew.
const SERVER_LEFT_MIN: Duration = Duration::from_secs(30 * 86_400);

/// Clocks of test machines differ; certificates begin this long ago.
const BEGINS_BEFORE: Duration = Duration::from_secs(86_400);

/// The files of a folder of development certificates.
#[derive(Clone, Debug)]
pub struct DevelopmentCertificates {
    /// What clients have to trust, PEM.
    pub authority: PathBuf,
    /// What the server shows.
    pub server: CertificateFiles,
}

impl DevelopmentCertificates {
    /// Makes what is missing in a folder.
    ///
    /// # Errors
    /// When files cannot be read or written, or hold something else.
    pub fn ensure(folder: &Path) -> anyhow::Result<DevelopmentCertificates> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let files = DevelopmentCertificates {
            authority: folder.join("ca.pem"),
            server: CertificateFiles { chain: folder.join("server.pem"), key: folder.join("server.key") },
        };
        let authority_key = folder.join("ca.key");
        if !files.authority.exists() || !authority_key.exists() {
            make_authority(&files.authority, &authority_key)?;
            make_server(&files, &authority_key)?;
        } else if !files.serves_for(SERVER_LEFT_MIN) {
            make_server(&files, &authority_key)?;
        }
        Ok(files)
    }

    /// Whether the server certificate can be used for at least this long.
    fn serves_for(&self, left: Duration) -> bool {
        let Ok(pem) = fs::read(&self.server.chain) else { return false };
        let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&pem) else { return false };
        let Ok(certificate) = pem.parse_x509() else { return false };
        let remaining = certificate.validity().time_to_expiration().map(|left| left.unsigned_abs());
        remaining.is_some_and(|remaining| remaining > left)
            && net::tls::TlsServer::open(vec![self.server.clone()], net::tls::ClientCertificates::Ignored).is_ok()
    }
}

fn make_authority(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let pair = KeyPair::generate()?;
    let mut params = params("Sceau development authority", AUTHORITY_VALID);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let made = params.self_signed(&pair)?;
    write_new(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write_new(certificate, made.pem().as_bytes(), 0o644)
}

fn make_server(files: &DevelopmentCertificates, authority_key: &Path) -> anyhow::Result<()> {
    let authority = fs::read_to_string(&files.authority).with_context(|| reading(&files.authority))?;
    let authority_key_pem = fs::read_to_string(authority_key).with_context(|| reading(authority_key))?;
    let signer = KeyPair::from_pem(&authority_key_pem).with_context(|| reading(authority_key))?;
    let issuer = Issuer::from_ca_cert_pem(&authority, signer).with_context(|| reading(&files.authority))?;
    let pair = KeyPair::generate()?;
    let mut params = params("localhost", SERVER_VALID);
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
        SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let made = params.signed_by(&pair, &issuer)?;
    write_new(&files.server.key, pair.serialize_pem().as_bytes(), 0o600)?;
    write_new(&files.server.chain, made.pem().as_bytes(), 0o644)
}

fn params(name: &str, valid: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Sceau development");
    let now = SystemTime::now();
    params.not_before = (now - BEGINS_BEFORE).into();
    params.not_after = (now + valid).into();
    params
}

pub(crate) fn reading(path: &Path) -> String {
    format!("reading {}", path.display())
}

/// Written beside and renamed into place: a half-written key would be found at the next start.
pub(crate) fn write_new(path: &Path, octets: &[u8], mode: u32) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_kept_and_what_is_broken_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let files = DevelopmentCertificates::ensure(folder.path()).unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let (authority, server) = (read(&files.authority), read(&files.server.chain));
        DevelopmentCertificates::ensure(folder.path()).unwrap();
        assert_eq!((read(&files.authority), read(&files.server.chain)), (authority.clone(), server.clone()));
        fs::write(&files.server.key, "").unwrap();
        DevelopmentCertificates::ensure(folder.path()).unwrap();
        assert_eq!(read(&files.authority), authority);
        assert_ne!(read(&files.server.chain), server);
        assert!(files.serves_for(SERVER_LEFT_MIN));
    }
}
