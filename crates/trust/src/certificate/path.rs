//! From a leaf to a root.

use aws_lc_rs::digest;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use super::{Certificate, Purpose, Rejected};
use crate::anchors::Anchors;
use crate::dn::Dn;
use crate::revocation::{Issued, Missing, Revocations, Standing};
use crate::{Cause, timestamp};

/// A chain whose signatures, validities and constraints hold: leaf, intermediates, root. DER.
pub(super) struct Path {
    certificates: Vec<CertificateDer<'static>>,
}

/// Why there is none.
pub(super) struct NoPath {
    cause: Cause,
    explanation: String,
}

impl NoPath {
    fn untrusted(explanation: impl Into<String>) -> NoPath {
        NoPath { cause: Cause::Untrusted, explanation: explanation.into() }
    }

    pub(super) fn about(self, dn: &Dn) -> Rejected {
        Rejected::new(self.cause, Some(dn), self.explanation)
    }
}

/// Reads a certificate without believing it.
pub(super) fn read(der: &[u8]) -> Result<Certificate, String> {
    let parsed = parse(der)?;
    let dn = Dn::from_der(parsed.subject().as_raw()).map_err(|error| format!("its subject: {error}"))?;
    let issuer = Dn::from_der(parsed.issuer().as_raw()).map_err(|error| format!("its issuer: {error}"))?;
    let mut names = Vec::new();
    if let Ok(Some(alternative)) = parsed.subject_alternative_name() {
        for name in &alternative.value.general_names {
            // What is no host name could only be meant for those who print it.
            if let GeneralName::DNSName(name) = name
                && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._*".contains(&octet))
            {
                names.push(name.to_ascii_lowercase());
            }
        }
    }
    Ok(Certificate {
        dn,
        issuer,
        serial: serial(parsed.raw_serial()),
        names,
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        fingerprint: hexadecimal(digest::digest(&digest::SHA256, der).as_ref()),
        standing: Standing::Unknown,
        path: Vec::new(),
    })
}

pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err("octets follow the certificate".to_owned()),
        Err(_) => Err("the certificate is not valid DER".to_owned()),
    }
}

fn serial(raw: &[u8]) -> String {
    let text = hexadecimal(raw);
    let trimmed = text.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Extended key usages are looked at by `usage`, with our own words.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        purposes.into_iter().try_for_each(|purpose| purpose.map(|_| ()))
    }
}

/// Finds a path to a root that is valid now.
pub(super) fn build(chain: &[Vec<u8>], purpose: Purpose, anchors: &Anchors, now: i64) -> Result<Path, NoPath> {
    let [first, others @ ..] = chain else {
        return Err(NoPath::untrusted("no certificate was presented"));
    };
    let time = u64::try_from(now).map_err(|_| NoPath::untrusted("the clock is before 1970"))?;
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(time));
    let valid_roots: Vec<_> =
        anchors.roots().iter().filter(|root| root.not_before <= now && now <= root.not_after).collect();
    if valid_roots.is_empty() {
        return Err(NoPath::untrusted("no configured root is valid now"));
    }
    let roots: Vec<TrustAnchor<'_>> = valid_roots.iter().map(|root| root.anchor.clone()).collect();
    let mut intermediates: Vec<CertificateDer<'_>> =
        others.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    intermediates.extend(anchors.intermediates().iter().map(|der| CertificateDer::from(der.as_ref())));
    let der = CertificateDer::from(first.as_slice());
    let leaf = EndEntityCert::try_from(&der).map_err(|error| refused(&error, purpose))?;
    let path = leaf
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &roots, &intermediates, time, AnyUsage, None, None)
        .map_err(|error| refused(&error, purpose))?;
    let mut certificates = vec![der.clone().into_owned()];
    certificates.extend(path.intermediate_certificates().map(|certificate| certificate.der().into_owned()));
    let anchor = path.anchor();
    let root = valid_roots.iter().find(|root| root.anchor == *anchor);
    certificates.extend(root.map(|root| root.der.clone()));
    Ok(Path { certificates })
}

fn refused(error: &Error, purpose: Purpose) -> NoPath {
    let at = |time: &UnixTime| timestamp::to_rfc3339(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    let (cause, explanation) = match error {
        Error::CertExpired { not_after, .. } => {
            (Cause::Expired, format!("a certificate of its chain was valid until {}", at(not_after)))
        }
        Error::CertNotValidYet { not_before, .. } => {
            (Cause::NotYetValid, format!("a certificate of its chain is valid from {}", at(not_before)))
        }
        Error::UnknownIssuer => (Cause::Untrusted, "its chain does not lead to a configured root".to_owned()),
        Error::CaUsedAsEndEntity => (Cause::Untrusted, "it is an authority's certificate, or self-signed".to_owned()),
        Error::InvalidSignatureForPublicKey => (Cause::Untrusted, "a signature of its chain is wrong".to_owned()),
        Error::UnsupportedCertVersion => {
            (Cause::Untrusted, "a certificate of its chain is not of version 3".to_owned())
        }
        other => (Cause::Untrusted, format!("its chain is refused ({other:?}) for a {}", purpose.word())),
    };
    NoPath { cause, explanation: explanation.chars().take(300).collect() }
}

impl Path {
    /// Leaf first, DER.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// The subjects above the leaf.
    pub(super) fn authorities(&self) -> Vec<Dn> {
        let above = self.certificates.iter().skip(1);
        above
            .filter_map(|der| parse(der).ok().and_then(|parsed| Dn::from_der(parsed.subject().as_raw()).ok()))
            .collect()
    }

    /// The weakest standing of all but the root, and what would be needed to know more.
    pub(super) fn standing(&self, revocations: &Revocations, now: i64) -> (Standing, Vec<Missing>) {
        let mut weakest: Option<Standing> = None;
        let mut missing = Vec::new();
        for (der, issuer) in self.certificates.iter().zip(self.certificates.iter().skip(1)) {
            let Some(issued) = Issued::read(der, issuer) else {
                // Both were read before; were they not, nothing would be known.
                weakest = Some(Standing::Unknown);
                continue;
            };
            match revocations.standing(&issued, now) {
                revoked @ Standing::Revoked { .. } => return (revoked, Vec::new()),
                Standing::Unknown => {
                    missing.push(issued.missing());
                    weakest = Some(Standing::Unknown);
                }
                known => weakest = weakest.or(Some(known)),
            }
        }
        (weakest.unwrap_or(Standing::Unknown), missing)
    }
}

/// The http and https addresses of a certificate's lists (RFC 5280 §4.2.1.13).
pub(crate) fn crl_urls(parsed: &X509Certificate<'_>) -> Vec<String> {
    use x509_parser::extensions::DistributionPointName;
    let mut urls = Vec::new();
    for extension in parsed.extensions() {
        let ParsedExtension::CRLDistributionPoints(points) = extension.parsed_extension() else { continue };
        for point in points.points.iter().filter(|point| point.crl_issuer.is_none() && point.reasons.is_none()) {
            if let Some(DistributionPointName::FullName(names)) = &point.distribution_point {
                urls.extend(names.iter().filter_map(url));
            }
        }
    }
    urls
}

/// The http and https addresses of its issuer's OCSP responders (RFC 5280 §4.2.2.1).
pub(crate) fn ocsp_urls(parsed: &X509Certificate<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    for extension in parsed.extensions() {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else { continue };
        let responders =
            access.accessdescs.iter().filter(|one| one.access_method.to_id_string() == "1.3.6.1.5.5.7.48.1");
        urls.extend(responders.filter_map(|one| url(&one.access_location)));
    }
    urls
}

fn url(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) if uri.starts_with("http://") || uri.starts_with("https://") => Some((*uri).to_owned()),
        _ => None,
    }
}
