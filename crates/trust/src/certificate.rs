//! Judging the chain a peer presented, after the handshake proved that it holds the key.
//!
//! Judged here and not in the handshake, so that a refusal is an SMTP reply with its cause (RFC 5321 §4.2).

mod path;
mod usage;

use mail::Domain;

use crate::anchors::Anchors;
use crate::dn::Dn;
use crate::revocation::{Missing, Revocations, Standing};
use crate::{Cause, timestamp};

pub(crate) use path::{crl_urls, ocsp_urls};

/// Certificates of a chain; a real one has two or three.
pub const CHAIN_CERTIFICATES_MAX: usize = 10;
/// Octets of a chain; a real one has about 4,000.
pub const CHAIN_OCTETS_MAX: usize = 64 << 10;

/// What is demanded of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificatePolicy {
    /// What the extended key usage must say.
    pub extended_key_usage: ExtendedKeyUsage,
    /// What becomes of a certificate of which nobody can say whether it is revoked.
    pub revocation_unknown: UnknownRevocation,
    /// What a server's host name has to do with its certificate.
    pub host_name: HostName,
}

/// What the extended key usage must say (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedKeyUsage {
    /// Serving or asking, either; a certificate that says nothing passes.
    #[default]
    Either,
    /// A server's says serverAuth, a client's says clientAuth.
    Strict,
}

/// What becomes of a certificate of which nobody can say whether it is revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownRevocation {
    /// It is refused for now: mail waits.
    #[default]
    Refuse,
    /// It passes.
    Accept,
}

/// What a server's host name has to do with its certificate. The identity is the subject, never the host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostName {
    /// Nothing.
    Off,
    /// A difference is told.
    #[default]
    Log,
    /// A difference makes it untrusted.
    Require,
}

impl Default for CertificatePolicy {
    fn default() -> CertificatePolicy {
        CertificatePolicy {
            extended_key_usage: ExtendedKeyUsage::Either,
            revocation_unknown: UnknownRevocation::Refuse,
            host_name: HostName::Log,
        }
    }
}

/// What a certificate is presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// By who connects to us.
    Client,
    /// By whom we connect to.
    Server,
    /// By who signed a document: the white list.
    Signer,
}

impl Purpose {
    /// `client`, `server`, `signer`: for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Client => "client",
            Purpose::Server => "server",
            Purpose::Signer => "signer",
        }
    }
}

/// A certificate that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its subject: the identity.
    pub dn: Dn,
    /// Who issued it.
    pub issuer: Dn,
    /// Its serial number, lower-case hexadecimal, without leading zeros.
    pub serial: String,
    /// The DNS names of its `subjectAltName`, lower case.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// SHA-256 of its DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// What is known of its revocation, and of its issuers': the weakest of them.
    pub standing: Standing,
    /// The subjects of the authorities up to the root.
    pub path: Vec<Dn>,
}

/// A certificate that is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Why, in a word.
    pub cause: Cause,
    /// Its subject, when it could be read. Nobody vouches for it.
    pub dn: Option<Dn>,
    /// Why, in an English sentence for logs and `sceau trust check`.
    pub explanation: String,
    /// What would end [`Cause::RevocationUnknown`]; empty for other causes.
    pub missing: Vec<Missing>,
}

impl Rejected {
    fn new(cause: Cause, dn: Option<&Dn>, explanation: impl Into<String>) -> Rejected {
        Rejected { cause, dn: dn.cloned(), explanation: explanation.into(), missing: Vec::new() }
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.cause, self.explanation)?;
        self.dn.as_ref().map_or(Ok(()), |dn| write!(f, " ({dn})"))
    }
}

impl std::error::Error for Rejected {}

impl Certificate {
    /// Whether its `subjectAltName` names this host (RFC 9525 §6.3). The common name does not count.
    pub fn names_host(&self, host: &Domain) -> bool {
        let host = host.as_str();
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == host,
        })
    }
}

/// Judges a chain, the leaf first, at `now` (seconds since 1970).
///
/// # Errors
/// It is not believed: the first of the causes in the order no certificate, validity of the leaf, chain, use, revocation.
pub fn judge(
    chain: &[Vec<u8>],
    purpose: Purpose,
    anchors: &Anchors,
    revocations: &Revocations,
    policy: &CertificatePolicy,
    now: i64,
) -> Result<Certificate, Rejected> {
    let leaf = read_leaf(chain)?;
    let dn = &leaf.dn;
    if now < leaf.not_before {
        let explanation = format!("valid from {}", timestamp::to_rfc3339(leaf.not_before));
        return Err(Rejected::new(Cause::NotYetValid, Some(dn), explanation));
    }
    if now > leaf.not_after {
        let explanation = format!("valid until {}", timestamp::to_rfc3339(leaf.not_after));
        return Err(Rejected::new(Cause::Expired, Some(dn), explanation));
    }
    let path = path::build(chain, purpose, anchors, now).map_err(|refused| refused.about(dn))?;
    usage::check(&path, purpose, policy.extended_key_usage)
        .map_err(|explanation| Rejected::new(Cause::Untrusted, Some(dn), explanation))?;
    let (standing, missing) = path.standing(revocations, now);
    match (&standing, policy.revocation_unknown) {
        (Standing::Revoked { .. }, _) => return Err(Rejected::new(Cause::Revoked, Some(dn), standing.to_string())),
        (Standing::Unknown, UnknownRevocation::Refuse) => {
            let explanation = "no valid revocation list and no valid OCSP answer speaks about it or its issuers";
            return Err(Rejected { missing, ..Rejected::new(Cause::RevocationUnknown, Some(dn), explanation) });
        }
        _ => {}
    }
    let path = path.authorities();
    Ok(Certificate { standing, path, ..leaf })
}

/// What can be read of a chain without believing it: for logs and `sceau trust check`.
///
/// # Errors
/// No certificate, too many octets, or not a certificate.
pub fn read_leaf(chain: &[Vec<u8>]) -> Result<Certificate, Rejected> {
    let Some(first) = chain.first() else {
        return Err(Rejected::new(Cause::NoCertificate, None, "no certificate was presented"));
    };
    let octets: usize = chain.iter().map(Vec::len).sum();
    if chain.len() > CHAIN_CERTIFICATES_MAX || octets > CHAIN_OCTETS_MAX {
        let explanation = format!("a chain of {} certificates and {octets} octets is too long", chain.len());
        return Err(Rejected::new(Cause::Untrusted, None, explanation));
    }
    path::read(first).map_err(|explanation| Rejected::new(Cause::Untrusted, None, explanation))
}
