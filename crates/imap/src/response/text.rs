//! Strings on the wire (RFC 9051 §4.3): atom, quoted or literal, whichever is needed.

/// Octets in a quoted string before a literal is used instead.
const QUOTED_OCTETS_MAX: usize = 1_000;

/// Whether octets above 127 may stand in quoted strings: only once the client enabled IMAP4rev2 (RFC 9051 §6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Ascii,
    Utf8,
}

/// `string`: quoted where it can be, else a literal.
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8], charset: Charset) {
    let quotable = |octet: &u8| match octet {
        0 | b'\r' | b'\n' => false,
        128.. => charset == Charset::Utf8,
        _ => true,
    };
    let utf8 = charset == Charset::Ascii || text.is_ascii() || std::str::from_utf8(text).is_ok();
    match utf8 && text.len() <= QUOTED_OCTETS_MAX && text.iter().all(quotable) {
        true => quoted(out, text),
        false => literal(out, text),
    }
}

/// `nstring`: `NIL` for nothing.
pub(crate) fn nstring(out: &mut Vec<u8>, text: Option<&str>, charset: Charset) {
    match text {
        None => out.extend_from_slice(b"NIL"),
        Some(text) => string(out, text.as_bytes(), charset),
    }
}

/// `astring`: an atom where it can be.
pub(crate) fn astring(out: &mut Vec<u8>, text: &[u8], charset: Charset) {
    let atom = |octet: &u8| crate::flag::is_atom_octet(*octet) || *octet == b']';
    // An unquoted NIL reads as nothing to some clients.
    match !text.is_empty() && !text.eq_ignore_ascii_case(b"NIL") && text.iter().all(atom) {
        true => out.extend_from_slice(text),
        false => string(out, text, charset),
    }
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for octet in text {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*octet);
    }
    out.push(b'"');
}

/// A literal holds no NUL (RFC 9051 §4.3): one that came in is shown as `?`.
fn literal(out: &mut Vec<u8>, text: &[u8]) {
    number(out, b"{", text.len() as u64);
    out.extend_from_slice(b"}\r\n");
    out.extend(text.iter().map(|octet| if *octet == 0 { b'?' } else { *octet }));
}

/// Prints `prefix` and a number without going through `fmt`: FETCH prints millions.
pub(crate) fn number(out: &mut Vec<u8>, prefix: &[u8], mut value: u64) {
    out.extend_from_slice(prefix);
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        at = index;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}
