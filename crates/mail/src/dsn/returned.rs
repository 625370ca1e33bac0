//! The part that brings the message back: `text/rfc822-headers` or `message/rfc822` (RFC 6522 §3, §4), or their kin for
//! addresses that are not ASCII (RFC 6533 §4, §5).

use super::Original;
use crate::crlf::CrlfCleaner;
use crate::header::field::fields;
use crate::quoted_printable::encode;

/// A part, ready.
pub(super) struct Returned {
    pub media_type: &'static str,
    pub encoding: &'static str,
    pub octets: Vec<u8>,
}

impl Returned {
    pub(super) fn of(original: Original<'_>, smtputf8: bool) -> Returned {
        match original {
            Original::Header(octets) => Returned::header(octets, smtputf8),
            Original::Full(octets) => Returned::full(octets, smtputf8),
        }
    }

    fn header(octets: &[u8], smtputf8: bool) -> Returned {
        let (clean, _) = CrlfCleaner::clean(header_of(octets));
        let mut octets = clean;
        if !octets.is_empty() && !octets.ends_with(b"\r\n") {
            octets.extend_from_slice(b"\r\n");
        }
        let is_global = smtputf8 && !octets.is_ascii() && std::str::from_utf8(&octets).is_ok();
        match (is_global, is_plain(&octets)) {
            (true, _) if lines_fit(&octets) => {
                Returned { media_type: "message/global-headers", encoding: "8bit", octets }
            }
            (_, true) => Returned { media_type: "text/rfc822-headers", encoding: "7bit", octets },
            (_, false) => Returned {
                media_type: "text/rfc822-headers; charset=utf-8",
                encoding: "quoted-printable",
                octets: encode(&octets),
            },
        }
    }

    /// No encoding may be put on a message within a message (RFC 2046 §5.2.1): one with lines that SMTP does not take is
    /// told by its header.
    fn full(octets: &[u8], smtputf8: bool) -> Returned {
        let (clean, _) = CrlfCleaner::clean(octets);
        if !lines_fit(&clean) {
            return Returned::header(octets, smtputf8);
        }
        let encoding = if clean.is_ascii() { "7bit" } else { "8bit" };
        let header = header_of(&clean);
        let is_global = smtputf8 && !header.is_ascii() && std::str::from_utf8(header).is_ok();
        let media_type = if is_global { "message/global" } else { "message/rfc822" };
        Returned { media_type, encoding, octets: clean }
    }
}

/// Up to the empty line, at most [`HEADER_OCTETS_MAX`] in whole fields.
fn header_of(octets: &[u8]) -> &[u8] {
    let mut end = 0;
    for field in fields(octets) {
        let next = end + field.octets.len();
        if next > HEADER_OCTETS_MAX {
            break;
        }
        end = next;
    }
    octets.get(..end).unwrap_or_default()
}

fn is_plain(octets: &[u8]) -> bool {
    octets.is_ascii() && lines_fit(octets)
}

fn lines_fit(octets: &[u8]) -> bool {
    let fits = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).len() <= LINE_OCTETS_MAX;
    !octets.contains(&0) && octets.split(|octet| *octet == b'\n').all(fits)
}

/// Octets of a header brought back.
const HEADER_OCTETS_MAX: usize = 64 << 10;

/// Octets of a line, CRLF excluded (RFC 5321 §4.5.3.1.6).
const LINE_OCTETS_MAX: usize = 998;
