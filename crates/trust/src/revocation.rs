//! What is known of revocation: lists (RFC 5280 §5) and OCSP answers (RFC 6960), each with its own validity.

mod crl;
mod issued;
mod ocsp;
mod signature;

use std::fmt;
use std::sync::Arc;

use crate::anchors::Anchors;
use crate::dn::Dn;
use crate::timestamp;

pub use crl::Crl;
pub(crate) use issued::Issued;
pub use ocsp::OcspAnswer;

/// Octets of a revocation list; real ones have under one million.
pub const CRL_OCTETS_MAX: usize = 64 << 20;
/// Octets of an OCSP answer; real ones have about 2,000.
pub const OCSP_OCTETS_MAX: usize = 64 << 10;
/// Lists kept.
pub const CRLS_MAX: usize = 1_000;
/// OCSP answers kept; the oldest goes first.
pub const OCSP_ANSWERS_MAX: usize = 10_000;
/// Seconds by which an issuer's clock may be ahead of ours.
pub const CLOCK_SKEW_SECONDS: i64 = 300;

/// Lists and answers. Their signatures are verified against the issuer of the certificate in question when they are used;
/// lists are verified as well when they come in, or a forged one could push out the one in use.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    lists: Vec<Arc<Crl>>,
    answers: Vec<Arc<OcspAnswer>>,
}

/// Why octets are neither list nor answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// Beyond the limit of its kind.
    #[error("too large")]
    TooLarge,
    /// Not DER of that kind.
    #[error("not well-formed: {0}")]
    Malformed(&'static str),
    /// Of a kind we do not use: a delta, an indirect list, a version we do not know.
    #[error("not usable: {0}")]
    Unsupported(String),
    /// The responder says it cannot answer (RFC 6960 §2.3).
    #[error("the responder gave no answer (status {0})")]
    NoAnswer(u8),
    /// The list is older than the one of the same issuer that is there.
    #[error("older than the list in use")]
    Older,
    /// No authority we know signed it.
    #[error("no known authority signed it")]
    NotSigned,
    /// [`CRLS_MAX`] are there.
    #[error("more than {CRLS_MAX} lists")]
    TooMany,
}

/// What is known of a certificate's revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A valid list of its issuer does not hold it.
    NotInList,
    /// A valid answer of its issuer's responder says good.
    AnsweredGood,
    /// Nothing valid speaks about it.
    Unknown,
    /// It is revoked.
    Revoked {
        /// Whose certificate: of the chain, not always the leaf.
        of: Dn,
        /// Since when, seconds since 1970.
        since: i64,
        /// Which list or answer says so.
        says: &'static str,
    },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::NotInList => f.write_str("not in the issuer's revocation list"),
            Standing::AnsweredGood => f.write_str("good, says the issuer's OCSP responder"),
            Standing::Unknown => f.write_str("unknown"),
            Standing::Revoked { of, since, says } => {
                write!(f, "{of} was revoked at {}, says {says}", timestamp::to_rfc3339(*since))
            }
        }
    }
}

/// A certificate of a chain about which nothing valid speaks, and where its issuer says more could be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its subject.
    pub dn: Dn,
    /// The certificate of its issuer, DER; its path to a root was found.
    pub issuer: Vec<u8>,
    /// Where its issuer publishes lists: http and https only.
    pub crl_urls: Vec<String>,
    /// Where its issuer's responders are: http and https only.
    pub ocsp_urls: Vec<String>,
    /// The question for them, DER, to be sent by POST as `application/ocsp-request` (RFC 6960 appendix A).
    pub ocsp_request: Vec<u8>,
}

impl Revocations {
    /// Keeps a list that one of these authorities signed, in place of the one of the same issuer and scope.
    ///
    /// # Errors
    /// Not a list we can use, not signed, or older than what is there.
    pub fn add_crl(&mut self, der: &[u8], authorities: &Anchors) -> Result<Arc<Crl>, RevocationError> {
        let list = Arc::new(Crl::read(der)?);
        if !authorities.certificates().any(|authority| list.is_of(authority)) {
            return Err(RevocationError::NotSigned);
        }
        if let Some(known) = self.lists.iter_mut().find(|known| known.has_scope_of(&list)) {
            if list.this_update() < known.this_update() {
                return Err(RevocationError::Older);
            }
            *known = list.clone();
            return Ok(list);
        }
        if self.lists.len() >= CRLS_MAX {
            return Err(RevocationError::TooMany);
        }
        self.lists.push(list.clone());
        Ok(list)
    }

    /// Keeps an answer of an OCSP responder.
    ///
    /// # Errors
    /// Not an answer, or one that says nothing.
    pub fn add_ocsp(&mut self, der: &[u8]) -> Result<Arc<OcspAnswer>, RevocationError> {
        let answer = Arc::new(OcspAnswer::read(der)?);
        if self.answers.len() >= OCSP_ANSWERS_MAX {
            self.answers.remove(0);
        }
        self.answers.push(answer.clone());
        Ok(answer)
    }

    /// Forgets answers that are past their time. Lists stay: what they revoke stays revoked.
    pub fn forget_stale_answers(&mut self, now: i64) {
        self.answers.retain(|answer| answer.valid_until() > now);
    }

    /// The lists, in no order that means anything.
    pub fn lists(&self) -> &[Arc<Crl>] {
        &self.lists
    }

    /// The answers, oldest first.
    pub fn answers(&self) -> &[Arc<OcspAnswer>] {
        &self.answers
    }

    /// What is known of one certificate, issued by the holder of the issuer's key.
    pub(crate) fn standing(&self, certificate: &Issued<'_>, now: i64) -> Standing {
        let mut standing = Standing::Unknown;
        for list in &self.lists {
            match list.standing(certificate, now) {
                Standing::Unknown => {}
                revoked @ Standing::Revoked { .. } => return revoked,
                known => standing = known,
            }
        }
        for answer in &self.answers {
            match answer.standing(certificate, now) {
                Standing::Unknown => {}
                revoked @ Standing::Revoked { .. } => return revoked,
                known if standing == Standing::Unknown => standing = known,
                _ => {}
            }
        }
        standing
    }
}

/// The lists of a file, DER: one as it is, or all of a PEM file.
///
/// # Errors
/// A PEM file that cannot be read, or holds none.
pub fn lists_of(file: &[u8]) -> Result<Vec<Vec<u8>>, RevocationError> {
    use rustls_pki_types::CertificateRevocationListDer;
    use rustls_pki_types::pem::PemObject;
    if !file.windows(11).any(|window| window == b"-----BEGIN ") {
        return Ok(vec![file.to_vec()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(file);
    let lists: Result<Vec<Vec<u8>>, _> = lists.map(|list| list.map(|list| list.as_ref().to_vec())).collect();
    match lists {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        _ => Err(RevocationError::Malformed("no revocation list in PEM")),
    }
}
