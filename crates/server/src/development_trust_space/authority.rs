//! The authorities of the space, and a stranger's.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use net::tls::CertificateFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use super::holder::Holder;
use super::name;
use crate::development_certificates::{reading, write_new};

/// How long an authority is valid.
const VALID: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Authorities begin before everything they issue, the expired certificate too.
const BEGINS_BEFORE: Duration = Duration::from_secs(4 * 365 * 86_400);

/// The infrastructure that the space trusts.
const OURS: &str = "IGC-SANTE DEVELOPPEMENT";

/// One authority.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    certificate: String,
}

/// Those of the space, and one outside.
pub(super) struct Authorities {
    pub(super) root: Authority,
    pub(super) organisations: Authority,
    foreign: Authority,
}

impl Authorities {
    /// Those in the folder, or new ones where one is missing: then nothing issued before is worth anything.
    pub(super) fn ensure(folder: &Path) -> anyhow::Result<(Authorities, bool)> {
        let files = |name: &str| (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        let names = ["root", "organisations", "foreign-root", "foreign-organisations"];
        let are_new = names.map(files).iter().any(|(certificate, key)| !certificate.exists() || !key.exists());
        let open = |file_name: &str, common: &str, infrastructure: &str, issuer: Option<&Authority>| {
            let params = params(common, infrastructure, issuer.is_none())?;
            let (certificate, key) = files(file_name);
            // RSA as the real ones; the stranger's are made faster.
            let algorithm =
                if infrastructure == OURS { &rcgen::PKCS_RSA_SHA256 } else { &rcgen::PKCS_ECDSA_P256_SHA256 };
            match are_new {
                true => Authority::make(params, issuer, algorithm, &certificate, &key),
                false => Authority::read(params, &certificate, &key),
            }
        };
        let root = open("root", "DEV AC RACINE IGC-SANTE ELEMENTAIRE", OURS, None)?;
        let organisations = "DEV AC IGC-SANTE ELEMENTAIRE ORGANISATIONS";
        let organisations = open("organisations", organisations, OURS, Some(&root))?;
        let foreign_root = open("foreign-root", "DEV AC RACINE ETRANGERE", "AUTRE IGC", None)?;
        let foreign = open("foreign-organisations", "DEV AC ETRANGERE", "AUTRE IGC", Some(&foreign_root))?;
        Ok((Authorities { root, organisations, foreign }, are_new))
    }

    /// Makes a holder's certificate and key.
    pub(super) fn issue(&self, holder: Holder, files: &CertificateFiles, crl_urls: &[String]) -> anyhow::Result<()> {
        let authority = if holder == Holder::Foreign { &self.foreign } else { &self.organisations };
        let name = holder.name();
        let (begin, end) = holder.validity();
        let mut params = CertificateParams::default();
        params.distinguished_name = name.to_rcgen()?;
        params.not_before = begin.into();
        params.not_after = end.into();
        params.subject_alt_names = vec![SanType::DnsName(name.common.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = holder.purposes();
        params.use_authority_key_identifier_extension = true;
        if !crl_urls.is_empty() {
            params.crl_distribution_points = vec![CrlDistributionPoint { uris: crl_urls.to_vec() }];
        }
        let key = KeyPair::generate_for(holder.algorithm())?;
        let made = params.signed_by(&key, &authority.issuer)?;
        write_new(&files.key, key.serialize_pem().as_bytes(), 0o600)?;
        write_new(&files.chain, (made.pem() + &authority.certificate).as_bytes(), 0o644)
    }
}

impl Authority {
    fn make(
        params: CertificateParams,
        issuer: Option<&Authority>,
        algorithm: &'static rcgen::SignatureAlgorithm,
        certificate_file: &Path,
        key_file: &Path,
    ) -> anyhow::Result<Authority> {
        let key = KeyPair::generate_for(algorithm)?;
        let made = match issuer {
            Some(issuer) => params.signed_by(&key, &issuer.issuer)?,
            None => params.self_signed(&key)?,
        };
        write_new(key_file, key.serialize_pem().as_bytes(), 0o600)?;
        write_new(certificate_file, made.pem().as_bytes(), 0o644)?;
        Ok(Authority { issuer: Issuer::new(params, key), certificate: made.pem() })
    }

    /// The issuer's name is taken from `params`: reading it back from the certificate, rcgen loses the second OU.
    fn read(params: CertificateParams, certificate_file: &Path, key_file: &Path) -> anyhow::Result<Authority> {
        let certificate = fs::read_to_string(certificate_file).with_context(|| reading(certificate_file))?;
        let key = fs::read_to_string(key_file).with_context(|| reading(key_file))?;
        let key = KeyPair::from_pem(&key).with_context(|| reading(key_file))?;
        Ok(Authority { issuer: Issuer::new(params, key), certificate })
    }
}

fn params(common: &str, infrastructure: &str, is_root: bool) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name::of_authority(common, infrastructure)?;
    let now = SystemTime::now();
    params.not_before = (now - BEGINS_BEFORE).into();
    params.not_after = (now + VALID).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(u8::from(is_root)));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = !is_root;
    Ok(params)
}
