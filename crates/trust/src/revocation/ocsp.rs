//! OCSP (RFC 6960, RFC 5019): the question for a certificate, and the verification of answers.

use aws_lc_rs::digest;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::signature::Signed;
use super::{CLOCK_SKEW_SECONDS, Issued, OCSP_OCTETS_MAX, RevocationError, Standing};
use crate::der::{self, Malformed, Reader, context};
use crate::timestamp;

/// Seconds for which an answer without `nextUpdate` is believed: its responder always has news (RFC 6960 §2.4).
const NO_NEXT_UPDATE_SECONDS: i64 = 3_600;
/// Statuses in one answer; responders give one.
const STATUSES_MAX: usize = 32;

/// The answer of a responder (RFC 6960 §4.2), not yet verified.
#[derive(Clone, Debug)]
pub struct OcspAnswer {
    /// The BasicOCSPResponse, DER.
    basic: Box<[u8]>,
    responder: Responder,
    statuses: Vec<Status>,
    /// Certificates of delegated responders, DER.
    certificates: Vec<Box<[u8]>>,
}

#[derive(Clone, Debug)]
enum Responder {
    /// Its name, DER.
    Name(Box<[u8]>),
    /// SHA-1 of its key.
    KeyHash(Box<[u8]>),
}

#[derive(Clone, Debug)]
struct Status {
    algorithm: &'static digest::Algorithm,
    issuer_name_hash: Box<[u8]>,
    issuer_key_hash: Box<[u8]>,
    serial: Box<[u8]>,
    word: Word,
    this_update: i64,
    until: i64,
}

#[derive(Clone, Copy, Debug)]
enum Word {
    Good,
    Revoked { since: i64 },
    Unknown,
}

impl From<Malformed> for RevocationError {
    fn from(_: Malformed) -> RevocationError {
        RevocationError::Malformed("no OCSP answer")
    }
}

impl OcspAnswer {
    pub(super) fn read(octets: &[u8]) -> Result<OcspAnswer, RevocationError> {
        if octets.len() > OCSP_OCTETS_MAX {
            return Err(RevocationError::TooLarge);
        }
        let mut outer = Reader::new(octets);
        let mut response = outer.sequence()?;
        outer.end()?;
        match response.expect(der::ENUMERATED)?.content {
            [0] => {}
            [status] => return Err(RevocationError::NoAnswer(*status)),
            _ => return Err(Malformed.into()),
        }
        let mut bytes = response.expect(context(0))?.reader().sequence()?;
        if der::dotted(bytes.expect(der::OID)?.content)? != "1.3.6.1.5.5.7.48.1.1" {
            return Err(RevocationError::Unsupported("not a basic OCSP response".to_owned()));
        }
        let basic = bytes.expect(der::OCTET_STRING)?.content;
        Ok(OcspAnswer::basic(basic)?)
    }

    fn basic(octets: &[u8]) -> Result<OcspAnswer, Malformed> {
        let mut outer = Reader::new(octets);
        let mut basic = outer.sequence()?;
        outer.end()?;
        let signed = Signed::next(&mut basic)?;
        let mut certificates = Vec::new();
        if let Some(given) = basic.optional(context(0))? {
            let mut given = given.reader().sequence()?;
            while !given.is_empty() {
                certificates.push(given.expect(der::SEQUENCE)?.whole.into());
            }
        }
        basic.end()?;
        let mut data = Reader::new(signed.data).sequence()?;
        data.optional(context(0))?;
        let responder = data.any()?;
        let responder = match responder.tag {
            tag if tag == context(1) => Responder::Name(responder.content.into()),
            tag if tag == context(2) => {
                Responder::KeyHash(responder.reader().expect(der::OCTET_STRING)?.content.into())
            }
            _ => return Err(Malformed),
        };
        data.expect(der::GENERALIZED_TIME)?;
        let mut given = data.sequence()?;
        let mut statuses = Vec::new();
        while !given.is_empty() {
            // Hashes we do not compute are passed over; so would be a critical extension we do not know, there is none.
            if let Some(status) = Status::read(given.sequence()?)? {
                statuses.push(status);
            }
            if statuses.len() > STATUSES_MAX {
                return Err(Malformed);
            }
        }
        Ok(OcspAnswer { basic: octets.into(), responder, statuses, certificates })
    }

    /// Until when anything in it is valid, seconds since 1970.
    pub fn valid_until(&self) -> i64 {
        self.statuses.iter().map(|status| status.until).max().unwrap_or(i64::MIN)
    }

    /// What the answer says about a certificate.
    pub(super) fn standing(&self, certificate: &Issued<'_>, now: i64) -> Standing {
        let Some(status) = self.statuses.iter().find(|status| status.is_about(certificate)) else {
            return Standing::Unknown;
        };
        if status.this_update > now + CLOCK_SKEW_SECONDS || !self.is_authorized(certificate, now) {
            return Standing::Unknown;
        }
        let valid = now < status.until;
        match status.word {
            Word::Good if valid => Standing::AnsweredGood,
            // Unlike a list, an answer does not tell a hold from the end reliably: past its time it says nothing.
            Word::Revoked { since } if valid => {
                Standing::Revoked { of: certificate.dn().clone(), since, says: "the OCSP responder" }
            }
            _ => Standing::Unknown,
        }
    }

    /// Whether the issuer signed it, or a responder that the issuer itself appointed (RFC 6960 §4.2.2.2).
    fn is_authorized(&self, certificate: &Issued<'_>, now: i64) -> bool {
        let Ok(signed) = Signed::read(&self.basic) else {
            return false;
        };
        if self.responder.is(certificate.issuer()) && signed.is_by(certificate.issuer_key()) {
            return true;
        }
        let appointed = |der: &[u8]| {
            let Ok((_, responder)) = X509Certificate::from_der(der) else {
                return false;
            };
            let extended = responder.extended_key_usage().ok().flatten();
            let valid =
                responder.validity().not_before.timestamp() <= now && now <= responder.validity().not_after.timestamp();
            self.responder.is(&responder)
                && valid
                && extended.is_some_and(|usage| usage.value.ocsp_signing)
                && responder.issuer().as_raw() == certificate.issuer().subject().as_raw()
                && Signed::read(der).is_ok_and(|signature| signature.is_by(certificate.issuer_key()))
                && signed.is_by(responder.public_key().raw)
        };
        self.certificates.iter().any(|der| appointed(der))
    }
}

impl Responder {
    fn is(&self, certificate: &X509Certificate<'_>) -> bool {
        match self {
            Responder::Name(name) => **name == *certificate.subject().as_raw(),
            Responder::KeyHash(hash) => {
                let key = &certificate.public_key().subject_public_key.data;
                **hash == *digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key).as_ref()
            }
        }
    }
}

impl Status {
    /// One SingleResponse; none when its hash is not one we compute.
    fn read(mut response: Reader<'_>) -> Result<Option<Status>, Malformed> {
        let mut id = response.sequence()?;
        let oid = der::dotted(id.sequence()?.expect(der::OID)?.content)?;
        let issuer_name_hash = id.expect(der::OCTET_STRING)?.content.into();
        let issuer_key_hash = id.expect(der::OCTET_STRING)?.content.into();
        let serial = id.expect(der::INTEGER)?.content.into();
        id.end()?;
        let word = response.any()?;
        let word = match word.tag {
            0x80 => Word::Good,
            0xa1 => {
                let since = word.reader().expect(der::GENERALIZED_TIME)?.content;
                Word::Revoked { since: timestamp::from_generalized(since).ok_or(Malformed)? }
            }
            0x82 => Word::Unknown,
            _ => return Err(Malformed),
        };
        let time = |content| timestamp::from_generalized(content).ok_or(Malformed);
        let this_update = time(response.expect(der::GENERALIZED_TIME)?.content)?;
        let until = match response.optional(context(0))? {
            Some(next) => time(next.reader().expect(der::GENERALIZED_TIME)?.content)?,
            None => this_update.saturating_add(NO_NEXT_UPDATE_SECONDS),
        };
        let algorithm = match oid.as_str() {
            "1.3.14.3.2.26" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "2.16.840.1.101.3.4.2.1" => &digest::SHA256,
            _ => return Ok(None),
        };
        Ok(Some(Status { algorithm, issuer_name_hash, issuer_key_hash, serial, word, this_update, until }))
    }

    fn is_about(&self, certificate: &Issued<'_>) -> bool {
        *self.serial == *certificate.serial()
            && *self.issuer_name_hash == *certificate.issuer_name_hash(self.algorithm).as_ref()
            && *self.issuer_key_hash == *certificate.issuer_key_hash(self.algorithm).as_ref()
    }
}

/// The question about one certificate (RFC 6960 §4.1), without nonce so that responders may answer from a cache
/// (RFC 5019 §4), with SHA-1 as identifier because all responders know it: it only names the issuer.
pub(super) fn request(certificate: &Issued<'_>) -> Vec<u8> {
    let algorithm = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    let sha1: &[u8] = &[0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00];
    let id = [
        sha1,
        &encoded(der::OCTET_STRING, certificate.issuer_name_hash(algorithm).as_ref()),
        &encoded(der::OCTET_STRING, certificate.issuer_key_hash(algorithm).as_ref()),
        &encoded(der::INTEGER, certificate.serial()),
    ]
    .concat();
    // OCSPRequest { tbsRequest { requestList { Request { CertID } } } }
    (0..5).fold(id, |content, _| encoded(der::SEQUENCE, &content))
}

fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => octets.push(short),
        Ok(length) => octets.extend([0x81, length]),
        Err(_) => {
            let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
            octets.push(0x82);
            octets.extend(length.to_be_bytes());
        }
    }
    octets.extend_from_slice(content);
    octets
}
