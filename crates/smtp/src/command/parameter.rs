//! The parameters of MAIL and RCPT (RFC 5321 §4.1.2 `esmtp-param`).

use std::collections::BTreeSet;
use std::fmt;

use mail::BodyKind;
use mail::envelope::{Notify, OriginalRecipient, Returned};
use smtp_proto::{
    MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_REQUIRETLS, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8,
    RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request,
};

use super::{CommandError, Mail, Offered, Rcpt};
use crate::limits::{ENVELOPE_ID_OCTETS_MAX, ORIGINAL_RECIPIENT_OCTETS_MAX};
use crate::xtext;

/// Why a parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Not announced, or never heard of.
    #[error("parameter not recognized")]
    Unknown,
    /// The same keyword twice.
    #[error("parameter given twice")]
    Repeated,
    /// The value is none of those the keyword takes.
    #[error("{0}")]
    Value(&'static str),
}

const SIZE: ParameterError = ParameterError::Value("SIZE takes 1 to 20 digits");
const BODY: ParameterError = ParameterError::Value("BODY takes 7BIT or 8BITMIME");
const SMTPUTF8: ParameterError = ParameterError::Value("SMTPUTF8 takes no value");
const REQUIRETLS: ParameterError = ParameterError::Value("REQUIRETLS takes no value");
const AUTH: ParameterError = ParameterError::Value("AUTH takes an address in xtext, or <>");
const RET: ParameterError = ParameterError::Value("RET takes FULL or HDRS");
const ENVID: ParameterError = ParameterError::Value("ENVID takes xtext of printable ASCII, at most 100 octets");
const NOTIFY: ParameterError = ParameterError::Value("NOTIFY takes NEVER alone, or SUCCESS, FAILURE, DELAY once each");
const ORCPT: ParameterError =
    ParameterError::Value("ORCPT takes a type, a semicolon and an address in xtext, at most 500 octets");
/// Of several, when smtp-proto does not say which.
const SOME: ParameterError = ParameterError::Value("parameter value not recognized");

#[derive(Default)]
pub(super) struct MailParameters {
    pub declared_octets: Option<u64>,
    pub body: BodyKind,
    pub smtputf8: bool,
    pub returned: Option<Returned>,
    pub envelope_id: Option<String>,
    pub require_tls: bool,
}

#[derive(Default)]
pub(super) struct RcptParameters {
    pub original: Option<OriginalRecipient>,
    pub notify: Option<Notify>,
}

/// Reads what follows the path of MAIL.
pub(super) fn mail(text: &str, offered: Offered, usage: &'static str) -> Result<MailParameters, CommandError> {
    let mut read = MailParameters::default();
    if text.is_empty() {
        return Ok(read);
    }
    // What smtp-proto reads: keywords with one of few words. Numbers and xtext are ours: its numbers start again after
    // saturating, and it drops what is no xtext.
    let mut words = String::new();
    each(text, usage, |keyword, value| {
        match (keyword, value) {
            ("SIZE", value) => read.declared_octets = Some(value.and_then(digits).ok_or(SIZE)?),
            ("ENVID", value) if offered.dsn => read.envelope_id = Some(value.and_then(envelope_id).ok_or(ENVID)?),
            ("AUTH", value) if offered.auth => {
                value.and_then(xtext::decode).ok_or(AUTH)?;
            }
            ("BODY", Some(value)) if is_one_of(value, &["7BIT", "8BITMIME"]) => push(&mut words, keyword, Some(value)),
            ("RET", Some(value)) if offered.dsn && is_one_of(value, &["FULL", "HDRS"]) => {
                push(&mut words, keyword, Some(value));
            }
            ("SMTPUTF8", None) => push(&mut words, keyword, None),
            ("REQUIRETLS", None) if offered.require_tls => push(&mut words, keyword, None),
            // BINARYMIME is not announced (RFC 3030 §3).
            ("BODY", _) => return Err(BODY),
            ("RET", _) if offered.dsn => return Err(RET),
            ("SMTPUTF8", _) => return Err(SMTPUTF8),
            ("REQUIRETLS", _) if offered.require_tls => return Err(REQUIRETLS),
            _ => return Err(ParameterError::Unknown),
        }
        Ok(())
    })?;
    if words.is_empty() {
        return Ok(read);
    }
    let line = format!("MAIL FROM:<>{words}\r\n");
    let Ok(Request::Mail { from }) = Request::parse(&mut line.as_bytes().iter()) else {
        return Err(SOME.into());
    };
    let has = |flag| from.flags & flag != 0;
    if has(MAIL_BODY_BINARYMIME) {
        return Err(BODY.into());
    }
    read.body = if has(MAIL_BODY_8BITMIME) { BodyKind::EightBitMime } else { BodyKind::SevenBit };
    read.smtputf8 = has(MAIL_SMTPUTF8);
    read.require_tls = has(MAIL_REQUIRETLS);
    read.returned = match (has(MAIL_RET_FULL), has(MAIL_RET_HDRS)) {
        (true, _) => Some(Returned::Full),
        (false, true) => Some(Returned::Header),
        (false, false) => None,
    };
    Ok(read)
}

/// Reads what follows the path of RCPT.
pub(super) fn rcpt(text: &str, offered: Offered, usage: &'static str) -> Result<RcptParameters, CommandError> {
    let mut read = RcptParameters::default();
    if text.is_empty() {
        return Ok(read);
    }
    let mut words = String::new();
    each(text, usage, |keyword, value| {
        match (keyword, value) {
            // Taken although DSN is not announced: unlike NOTIFY it asks for nothing but to be told to the recipient
            // (Original-Recipient, RFC 8098 §2.3).
            ("ORCPT", value) => read.original = Some(value.and_then(original).ok_or(ORCPT)?),
            ("NOTIFY", Some(value)) if offered.dsn && is_notify(value) => push(&mut words, keyword, Some(value)),
            ("NOTIFY", _) if offered.dsn => return Err(NOTIFY),
            _ => return Err(ParameterError::Unknown),
        }
        Ok(())
    })?;
    if words.is_empty() {
        return Ok(read);
    }
    let line = format!("RCPT TO:<>{words}\r\n");
    let Ok(Request::Rcpt { to }) = Request::parse(&mut line.as_bytes().iter()) else {
        return Err(SOME.into());
    };
    read.notify = Some(notify(to.flags).ok_or(NOTIFY)?);
    Ok(read)
}

fn push(words: &mut String, keyword: &str, value: Option<&str>) {
    words.push(' ');
    words.push_str(keyword);
    if let Some(value) = value {
        words.push('=');
        words.push_str(value);
    }
}

fn is_one_of(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// `ENVID=` (RFC 3461 §4.4).
fn envelope_id(value: &str) -> Option<String> {
    xtext::decode(value).filter(|_| value.len() <= ENVELOPE_ID_OCTETS_MAX)
}

/// `ORCPT=` (RFC 3461 §4.2, RFC 6533 §3).
fn original(value: &str) -> Option<OriginalRecipient> {
    let (address_type, encoded) = value.split_once(';').filter(|_| value.len() <= ORIGINAL_RECIPIENT_OCTETS_MAX)?;
    // `addr-type = atom`: those in use are of letters, digits and hyphens, and enter headers as they are.
    let is_atom = is_keyword(address_type);
    let mut original = OriginalRecipient { address_type: address_type.to_owned(), address: String::new() };
    original.address = match original.is_utf8() {
        true => xtext::decode_utf8_address(encoded)?,
        false => xtext::decode(encoded)?,
    };
    Some(original).filter(|_| is_atom)
}

/// Walks over ` KEYWORD[=value]`s, keywords in upper case, none twice.
fn each(
    text: &str,
    usage: &'static str,
    mut take: impl FnMut(&str, Option<&str>) -> Result<(), ParameterError>,
) -> Result<(), CommandError> {
    let mut seen = BTreeSet::new();
    for parameter in text.strip_prefix(' ').ok_or(CommandError::Usage(usage))?.split(' ') {
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        };
        if !is_keyword(keyword) || !value.is_none_or(is_value) {
            return Err(CommandError::Usage(usage));
        }
        let keyword = keyword.to_ascii_uppercase();
        take(&keyword, value)?;
        if !seen.insert(keyword) {
            return Err(ParameterError::Repeated.into());
        }
    }
    Ok(())
}

fn is_keyword(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

/// `esmtp-value`: visible ASCII but `=` (RFC 5321 §4.1.2), and what is not ASCII (RFC 6531 §3.3), which only ORCPT takes.
fn is_value(text: &str) -> bool {
    let is_visible = |character: char| !character.is_ascii() || (character.is_ascii_graphic() && character != '=');
    !text.is_empty() && text.chars().all(is_visible)
}

/// A number of 1 to 20 digits (RFC 1870 §5), at most the greatest 64 bits hold.
pub(super) fn digits(text: &str) -> Option<u64> {
    if !(1..=20).contains(&text.len()) || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// `NEVER` alone, or any of the others once each.
fn is_notify(value: &str) -> bool {
    let words: Vec<String> = value.split(',').map(str::to_ascii_uppercase).collect();
    let known = words.iter().all(|word| matches!(word.as_str(), "NEVER" | "SUCCESS" | "FAILURE" | "DELAY"));
    let once = words.iter().collect::<BTreeSet<_>>().len() == words.len();
    let never_alone = words.len() == 1 || words.iter().all(|word| word != "NEVER");
    known && once && never_alone
}

fn notify(flags: u64) -> Option<Notify> {
    let has = |flag| flags & flag != 0;
    if has(RCPT_NOTIFY_NEVER) {
        return Some(Notify::Never);
    }
    let on = Notify::On {
        success: has(RCPT_NOTIFY_SUCCESS),
        failure: has(RCPT_NOTIFY_FAILURE),
        delay: has(RCPT_NOTIFY_DELAY),
    };
    (flags & (RCPT_NOTIFY_SUCCESS | RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY) != 0).then_some(on)
}

pub(super) fn print_mail(mail: &Mail, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(octets) = mail.declared_octets {
        write!(f, " SIZE={octets}")?;
    }
    f.write_str(match mail.body {
        BodyKind::SevenBit => "",
        BodyKind::EightBitMime => " BODY=8BITMIME",
        BodyKind::BinaryMime => " BODY=BINARYMIME",
    })?;
    f.write_str(if mail.smtputf8 { " SMTPUTF8" } else { "" })?;
    f.write_str(match mail.returned {
        None => "",
        Some(Returned::Full) => " RET=FULL",
        Some(Returned::Header) => " RET=HDRS",
    })?;
    if let Some(id) = &mail.envelope_id {
        f.write_str(" ENVID=")?;
        xtext::encode(id, f)?;
    }
    f.write_str(if mail.require_tls { " REQUIRETLS" } else { "" })
}

pub(super) fn print_rcpt(rcpt: &Rcpt, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match rcpt.notify {
        None => {}
        Some(Notify::Never) => f.write_str(" NOTIFY=NEVER")?,
        Some(Notify::On { success, failure, delay }) => {
            let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
            let words: Vec<_> = words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
            write!(f, " NOTIFY={}", words.join(","))?;
        }
    }
    match &rcpt.original {
        None => Ok(()),
        Some(original) => {
            write!(f, " ORCPT={};", original.address_type)?;
            match original.is_utf8() {
                true => f.write_str(&original.ascii_address()),
                false => xtext::encode(&original.address, f),
            }
        }
    }
}
