//! Revocation lists.

use std::sync::OnceLock;

use webpki::{OwnedCertRevocationList, RevocationReason};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CLOCK_SKEW_SECONDS, CRL_OCTETS_MAX, Issued, RevocationError, Standing};
use crate::der::{self, Element, Malformed, Reader, context};
use crate::dn::Dn;
use crate::timestamp;

/// A revocation list (RFC 5280 §5): complete, of its own issuer.
#[derive(Debug)]
pub struct Crl {
    list: webpki::CertRevocationList<'static>,
    der: Box<[u8]>,
    issuer: Dn,
    issuer_der: Box<[u8]>,
    this_update: i64,
    next_update: i64,
    revoked: usize,
    scope: Scope,
    /// The key that was last asked, and whether the list is signed by it: hashing a megabyte for each connection is waste.
    signed_by: OnceLock<(Box<[u8]>, bool)>,
}

/// Which certificates of the issuer the list is about (RFC 5280 §5.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scope {
    /// Addresses of the distribution point; empty: any.
    urls: Vec<String>,
    users_only: bool,
    authorities_only: bool,
}

impl Crl {
    pub(super) fn read(der: &[u8]) -> Result<Crl, RevocationError> {
        if der.len() > CRL_OCTETS_MAX {
            return Err(RevocationError::TooLarge);
        }
        // webpki refuses deltas, indirect lists, lists by reason, unknown critical extensions, and lists without number.
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| unusable(&error))?;
        let list = webpki::CertRevocationList::from(list);
        let scope = match list.issuing_distribution_point() {
            Some(extension) => Scope::read(extension).map_err(|Malformed| RevocationError::Malformed("scope"))?,
            None => Scope::default(),
        };
        let facts = Facts::read(der).map_err(|Malformed| RevocationError::Malformed("no revocation list"))?;
        let issuer = Dn::from_der(facts.issuer).map_err(|_| RevocationError::Malformed("issuer"))?;
        Ok(Crl {
            issuer,
            issuer_der: facts.issuer.into(),
            this_update: facts.this_update,
            next_update: facts.next_update,
            revoked: facts.revoked,
            der: der.into(),
            list,
            scope,
            signed_by: OnceLock::new(),
        })
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Dn {
        &self.issuer
    }

    /// When it was issued, seconds since 1970.
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// Until when it is valid, seconds since 1970.
    pub fn next_update(&self) -> i64 {
        self.next_update
    }

    /// How many certificates it revokes.
    pub fn revoked(&self) -> usize {
        self.revoked
    }

    /// As it was received.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the holder of this certificate, DER, issued and signed it.
    pub(super) fn is_of(&self, authority: &[u8]) -> bool {
        X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
            *authority.subject().as_raw() == *self.issuer_der && self.is_signed_by(authority.public_key().raw)
        })
    }

    /// Whether `other` is of the same issuer about the same certificates.
    pub(super) fn has_scope_of(&self, other: &Crl) -> bool {
        self.issuer_der == other.issuer_der && self.scope == other.scope
    }

    /// What the list says about a certificate.
    pub(super) fn standing(&self, certificate: &Issued<'_>, now: i64) -> Standing {
        if *self.issuer_der != *certificate.issuer_name()
            || !self.scope.includes(certificate)
            || !certificate.issuer_may_sign_lists()
            || self.this_update > now + CLOCK_SKEW_SECONDS
            || !self.is_signed_by(certificate.issuer_key())
        {
            return Standing::Unknown;
        }
        let valid = now < self.next_update;
        match self.list.find_serial(certificate.serial()) {
            Ok(Some(entry)) => {
                // Revoked is for ever; only a hold may be lifted by the list that we do not have (RFC 5280 §5.3.1).
                let for_ever = entry.reason_code != Some(RevocationReason::CertificateHold);
                let since = i64::try_from(entry.revocation_date.as_secs()).unwrap_or(i64::MAX);
                match valid || for_ever {
                    true => Standing::Revoked { of: certificate.dn().clone(), since, says: "the revocation list" },
                    false => Standing::Unknown,
                }
            }
            Ok(None) if valid => Standing::NotInList,
            Ok(None) | Err(_) => Standing::Unknown,
        }
    }

    fn is_signed_by(&self, key: &[u8]) -> bool {
        let (asked, signed) = self.signed_by.get_or_init(|| (key.into(), self.verify(key)));
        if **asked == *key { *signed } else { self.verify(key) }
    }

    fn verify(&self, key: &[u8]) -> bool {
        super::signature::Signed::read(&self.der).is_ok_and(|signed| signed.is_by(key))
    }
}

fn unusable(error: &webpki::Error) -> RevocationError {
    match error {
        webpki::Error::BadDer | webpki::Error::TrailingData(_) | webpki::Error::BadDerTime => {
            RevocationError::Malformed("no revocation list")
        }
        other => RevocationError::Unsupported(format!("{other:?}")),
    }
}

/// What webpki does not tell of a list it read.
struct Facts<'d> {
    issuer: &'d [u8],
    this_update: i64,
    next_update: i64,
    revoked: usize,
}

impl<'d> Facts<'d> {
    fn read(der: &'d [u8]) -> Result<Facts<'d>, Malformed> {
        let mut tbs = Reader::new(der).sequence()?.sequence()?;
        tbs.optional(der::INTEGER)?;
        tbs.sequence()?;
        let issuer = tbs.expect(der::SEQUENCE)?.whole;
        let this_update = time(tbs.any()?)?;
        let next_update = time(tbs.any()?)?;
        let mut revoked = 0;
        if let Some(entries) = tbs.optional(der::SEQUENCE)? {
            let mut entries = entries.reader();
            while !entries.is_empty() {
                entries.any()?;
                revoked += 1;
            }
        }
        Ok(Facts { issuer, this_update, next_update, revoked })
    }
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 §5.1.2.4).
fn time(element: Element<'_>) -> Result<i64, Malformed> {
    match element.tag {
        der::GENERALIZED_TIME => timestamp::from_generalized(element.content).ok_or(Malformed),
        der::UTC_TIME => timestamp::from_utc(element.content).ok_or(Malformed),
        _ => Err(Malformed),
    }
}

impl Scope {
    fn read(extension: &[u8]) -> Result<Scope, Malformed> {
        // webpki gives the content of the SEQUENCE or the SEQUENCE itself, by version: both are read.
        let mut fields = match Reader::new(extension).optional(der::SEQUENCE)? {
            Some(sequence) if sequence.whole.len() == extension.len() => sequence.reader(),
            _ => Reader::new(extension),
        };
        let mut scope = Scope::default();
        while !fields.is_empty() {
            let field = fields.any()?;
            match field.tag {
                tag if tag == context(0) => {
                    let mut names = field.reader().expect(context(0))?.reader();
                    while !names.is_empty() {
                        let name = names.any()?;
                        if name.tag == 0x86 {
                            let url = std::str::from_utf8(name.content).map_err(|_| Malformed)?;
                            scope.urls.push(url.to_owned());
                        }
                    }
                }
                0x81 => scope.users_only = field.content != [0],
                0x82 => scope.authorities_only = field.content != [0],
                _ => return Err(Malformed),
            }
        }
        Ok(scope)
    }

    fn includes(&self, certificate: &Issued<'_>) -> bool {
        if (self.users_only && certificate.is_authority()) || (self.authorities_only && !certificate.is_authority()) {
            return false;
        }
        let points = certificate.distribution_points();
        self.urls.is_empty() || points.is_empty() || points.iter().any(|point| self.urls.contains(point))
    }
}
