//! The parameters of MAIL and RCPT (RFC 5321 §4.1.2 `esmtp-param`).

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use mail::BodyKind;
use mail::envelope::OriginalRecipient;
use smtp_proto::{
    MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8, RCPT_NOTIFY_DELAY,
    RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request,
};

use super::{CommandError, Mail, Offered, Rcpt};

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
    #[error("parameter value not recognized")]
    Value,
}

/// `RET=`: what a failure report brings back (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// `FULL`: the message.
    Full,
    /// `HDRS`: its header.
    Header,
}

/// `NOTIFY=`: when a report is wanted (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// `NEVER`, which stands alone.
    Never,
    /// Any of the others, at least one.
    On {
        /// `SUCCESS`.
        success: bool,
        /// `FAILURE`.
        failure: bool,
        /// `DELAY`.
        delay: bool,
    },
}

#[derive(Default)]
pub(super) struct MailParameters {
    pub declared_octets: Option<u64>,
    pub body: BodyKind,
    pub smtputf8: bool,
    pub returned: Option<Returned>,
    pub envelope_id: Option<String>,
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
    each(text, usage, |keyword, value| match (keyword, value) {
        ("SIZE", value) => {
            read.declared_octets = Some(value.and_then(digits).ok_or(ParameterError::Value)?);
            Ok(())
        }
        ("BODY", Some(_)) | ("SMTPUTF8", None) => Ok(()),
        ("BODY" | "SMTPUTF8", _) => Err(ParameterError::Value),
        ("AUTH", value) if offered.auth => value.filter(|value| is_xtext(value)).map(drop).ok_or(ParameterError::Value),
        ("RET", Some(_)) if offered.dsn => Ok(()),
        ("ENVID", value) if offered.dsn => value.filter(|value| is_xtext(value)).map(drop).ok_or(ParameterError::Value),
        _ => Err(ParameterError::Unknown),
    })?;
    // Numbers are ours to read: smtp-proto's start again after saturating.
    let is_size = |parameter: &&str| parameter.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("SIZE="));
    let others: Vec<&str> = text.split(' ').filter(|parameter| !is_size(parameter)).collect();
    if others.iter().all(|parameter| parameter.is_empty()) {
        return Ok(read);
    }
    let line = format!("MAIL FROM:<>{}\r\n", others.join(" "));
    let Ok(Request::Mail { from }) = Request::parse(&mut line.as_bytes().iter()) else {
        return Err(ParameterError::Value.into());
    };
    // BINARYMIME is not announced (RFC 3030 §3).
    if from.flags & MAIL_BODY_BINARYMIME != 0 {
        return Err(ParameterError::Value.into());
    }
    read.body = match from.flags & MAIL_BODY_8BITMIME {
        0 => BodyKind::SevenBit,
        _ => BodyKind::EightBitMime,
    };
    read.smtputf8 = from.flags & MAIL_SMTPUTF8 != 0;
    read.returned = match (from.flags & MAIL_RET_FULL != 0, from.flags & MAIL_RET_HDRS != 0) {
        (true, _) => Some(Returned::Full),
        (false, true) => Some(Returned::Header),
        (false, false) => None,
    };
    read.envelope_id = from.env_id.map(|id| printable(&id)).transpose()?;
    Ok(read)
}

/// Reads what follows the path of RCPT.
pub(super) fn rcpt(text: &str, offered: Offered, usage: &'static str) -> Result<RcptParameters, CommandError> {
    if text.is_empty() {
        return Ok(RcptParameters::default());
    }
    each(text, usage, |keyword, value| match (keyword, value) {
        ("NOTIFY", Some(value)) if offered.dsn => match is_notify(value) {
            true => Ok(()),
            false => Err(ParameterError::Value),
        },
        // Taken although DSN is not announced: unlike NOTIFY it asks for nothing but to be told to the recipient
        // (Original-Recipient, RFC 8098 §2.3).
        ("ORCPT", Some(value)) if value.split_once(';').is_some_and(|(_, address)| is_xtext(address)) => Ok(()),
        ("ORCPT", _) => Err(ParameterError::Value),
        ("NOTIFY", _) if offered.dsn => Err(ParameterError::Value),
        _ => Err(ParameterError::Unknown),
    })?;
    let line = format!("RCPT TO:<>{text}\r\n");
    let Ok(Request::Rcpt { to }) = Request::parse(&mut line.as_bytes().iter()) else {
        return Err(ParameterError::Value.into());
    };
    let address_type = || "rfc822".to_owned(); // the only one smtp-proto lets through
    Ok(RcptParameters {
        original: to
            .orcpt
            .map(|address| printable(&address))
            .transpose()?
            .map(|address| OriginalRecipient { address_type: address_type(), address }),
        notify: notify(to.flags),
    })
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

/// `esmtp-value`: visible ASCII but `=`.
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'=')
}

/// A number of 1 to 20 digits (RFC 1870 §5), at most the greatest 64 bits hold.
pub(super) fn digits(text: &str) -> Option<u64> {
    if !(1..=20).contains(&text.len()) || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// `xtext` (RFC 3461 §4): visible ASCII, `+` only before two upper-case hexadecimal digits. smtp-proto drops what is not.
fn is_xtext(text: &str) -> bool {
    let is_hexadecimal = |octet: &u8| matches!(octet, b'0'..=b'9' | b'A'..=b'F');
    let mut pieces = text.as_bytes().split(|octet| *octet == b'+');
    pieces.next().is_some()
        && !text.is_empty()
        && pieces.all(|piece| piece.get(..2).is_some_and(|pair| pair.iter().all(is_hexadecimal)))
}

/// What was hidden in xtext must not be a line end, a NUL or an escape sequence.
fn printable(decoded: &str) -> Result<String, ParameterError> {
    match !decoded.is_empty() && decoded.bytes().all(|octet| (b' '..=b'~').contains(&octet)) {
        true => Ok(decoded.to_owned()),
        false => Err(ParameterError::Value),
    }
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
    match &mail.envelope_id {
        None => Ok(()),
        Some(id) => {
            f.write_str(" ENVID=")?;
            print_xtext(id, f)
        }
    }
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
            print_xtext(&original.address, f)
        }
    }
}

fn print_xtext(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => write!(f, "+{octet:02X}")?,
            visible if visible.is_ascii_graphic() => f.write_char(char::from(visible))?,
            other => write!(f, "+{other:02X}")?,
        }
    }
    Ok(())
}
