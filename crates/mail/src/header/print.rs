//! Printing fields: folded at 78, encoded where not ASCII, and closed to injection (RFC 5322 §2.1.1, RFC 2047).
//!
//! Whatever text comes in, what leaves has its only line ends where we fold and at the end: control characters become
//! spaces before anything else.

use std::borrow::Cow;

use crate::Address;

/// Octets a line should have, line end excluded (RFC 5322 §2.1.1).
const LINE_OCTETS: usize = 78;

/// Octets a line may have (RFC 5322 §2.1.1).
const LINE_OCTETS_MAX: usize = 998;

/// Octets of an encoded-word (RFC 2047 §2).
const WORD_OCTETS_MAX: usize = 75;

/// `name: text` with its CRLF. Control characters become spaces, what is not ASCII becomes encoded-words.
pub fn unstructured_field(name: &str, text: &str) -> String {
    let clean = without_controls(text);
    let encode =
        !clean.is_ascii() || clean.contains("=?") || clean.split(' ').any(|word| word.len() > TOKEN_OCTETS_MAX);
    match encode {
        true => fold(name, encoded_words(&clean).iter().map(String::as_str)),
        false => fold(name, clean.split(' ')),
    }
}

/// `name: "Display Name" <address>, …` with its CRLF. A local part that is not ASCII stays UTF-8 (RFC 6532 §3.2).
pub fn address_field(name: &str, addresses: &[(Option<&str>, &Address)]) -> String {
    let mut words: Vec<String> = Vec::new();
    for (index, (display_name, address)) in addresses.iter().enumerate() {
        let comma = if index + 1 < addresses.len() { "," } else { "" };
        match display_name.map(without_controls).filter(|display_name| !display_name.is_empty()) {
            None => words.push(format!("{address}{comma}")),
            Some(display_name) => {
                words.extend(phrase(&display_name));
                words.push(format!("<{address}>{comma}"));
            }
        }
    }
    fold(name, words.iter().map(String::as_str))
}

/// A text for a place that only takes ASCII: itself, or as encoded-words, on one line.
pub fn ascii_text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\t')) {
        return Cow::Borrowed(text);
    }
    let clean = without_controls(text);
    match clean.is_ascii() {
        true => Cow::Owned(clean),
        false => Cow::Owned(encoded_words(&clean).join(" ")),
    }
}

/// A parameter for a place that only takes ASCII: itself, or `name*` and the extended form of the value (RFC 2231 §4).
pub fn ascii_parameter<'a>(name: &'a str, value: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
    if value.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\t')) {
        return (Cow::Borrowed(name), Cow::Borrowed(value));
    }
    let mut extended = String::from("utf-8''");
    for octet in value.bytes() {
        match octet.is_ascii_alphanumeric() || b"-._~!#$&+".contains(&octet) {
            true => extended.push(char::from(octet)),
            false => extended.push_str(&format!("%{octet:02X}")),
        }
    }
    (Cow::Owned(format!("{name}*")), Cow::Owned(extended))
}

/// Joins words with single spaces after `name: `, a line end before a space where the line would pass 78 octets.
///
/// The words hold no CR or LF, or lose them here: this is the last door before the wire.
pub(crate) fn fold<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> String {
    let name: String = name.chars().filter(|character| character.is_ascii_graphic() && *character != ':').collect();
    let mut field = format!("{name}:");
    let mut line_octets = field.len();
    let mut words_on_line = 0;
    for word in words.filter(|word| !word.is_empty()) {
        // The name stays with the first word: a first line without any text is obsolete syntax (RFC 5322 §4.2).
        if line_octets + 1 + word.len() > LINE_OCTETS
            && (words_on_line > 0 || line_octets + word.len() >= LINE_OCTETS_MAX)
        {
            field.push_str("\r\n");
            line_octets = 0;
            words_on_line = 0;
        }
        field.push(' ');
        field.extend(word.chars().map(|character| if is_line_danger(character) { ' ' } else { character }));
        line_octets += 1 + word.len();
        words_on_line += 1;
    }
    field.push_str("\r\n");
    field
}

fn is_line_danger(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\0')
}

/// White space and control characters, Unicode's line separators included, become single spaces.
pub(crate) fn without_controls(text: &str) -> String {
    let blank = |character: char| character.is_whitespace() || character.is_control();
    text.split(blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A display name: atoms, a quoted-string, or encoded-words (RFC 5322 §3.2.5, RFC 2047 §5 rule 3).
fn phrase(name: &str) -> Vec<String> {
    let is_atom = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~ ".contains(&octet);
    let is_short = name.split(' ').all(|word| word.len() <= TOKEN_OCTETS_MAX);
    if !name.is_ascii() || name.contains("=?") || !is_short {
        return encoded_words(name);
    }
    if name.bytes().all(is_atom) {
        return name.split(' ').map(str::to_owned).collect();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"").split(' ').map(str::to_owned).collect()
}

/// Encoded-words of at most 75 octets, each whole characters (RFC 2047 §5), in the shorter of the two encodings.
fn encoded_words(text: &str) -> Vec<String> {
    let escaped = text.bytes().filter(|octet| !is_plain_in_q(*octet) && *octet != b' ').count();
    let is_q = escaped * 6 < text.len();
    let (open, room) = match is_q {
        true => ("=?utf-8?Q?", WORD_OCTETS_MAX - "=?utf-8?Q??=".len()),
        false => ("=?utf-8?B?", (WORD_OCTETS_MAX - "=?utf-8?B??=".len()) / 4 * 3),
    };
    let mut words = Vec::new();
    let mut word = String::new();
    let mut used = 0;
    for character in text.chars() {
        let cost = match is_q {
            true if character == ' ' || u8::try_from(character).is_ok_and(is_plain_in_q) => 1,
            true => character.len_utf8() * 3,
            false => character.len_utf8(),
        };
        if used + cost > room {
            words.push(encoded_word(open, &word, is_q));
            word.clear();
            used = 0;
        }
        word.push(character);
        used += cost;
    }
    if !word.is_empty() {
        words.push(encoded_word(open, &word, is_q));
    }
    words
}

fn encoded_word(open: &str, text: &str, is_q: bool) -> String {
    let mut word = String::from(open);
    match is_q {
        false => push_base64(text.as_bytes(), &mut word),
        true => text.bytes().for_each(|octet| match octet {
            b' ' => word.push('_'),
            plain if is_plain_in_q(plain) => word.push(char::from(plain)),
            other => word.push_str(&format!("={other:02X}")),
        }),
    }
    word + "?="
}

/// What may stand for itself even in a phrase (RFC 2047 §5 rule 3).
fn is_plain_in_q(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!*+-/".contains(&octet)
}

fn push_base64(octets: &[u8], out: &mut String) {
    for group in octets.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let value = bits >> (18 - 6 * position) & 63;
            let character = BASE64.get(value as usize).copied().unwrap_or(b'A');
            out.push(if position > group.len() { '=' } else { char::from(character) });
        }
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Octets of a word that is printed as it is: with a field name before it, it fits a line.
const TOKEN_OCTETS_MAX: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{AddressListItem, decode_words, fields, parse_addresses, unfold};

    #[test]
    fn fields_print() {
        let anne: Address = "anne@a.example".parse().unwrap();
        let quoted: Address = "\"a b\"@a.example".parse().unwrap();
        for (printed, expected) in [
            (unstructured_field("Subject", "Plain text"), "Subject: Plain text\r\n"),
            (unstructured_field("Subject", ""), "Subject:\r\n"),
            (unstructured_field("Subject", "Résultat"), "Subject: =?utf-8?B?UsOpc3VsdGF0?=\r\n"),
            (
                unstructured_field("Subject", "Résultat d'analyse sanguine"),
                "Subject: =?utf-8?Q?R=C3=A9sultat_d=27analyse_sanguine?=\r\n",
            ),
            (unstructured_field("Subject", "a\r\nBcc: x@y\0z"), "Subject: a Bcc: x@y z\r\n"),
            (unstructured_field("Sub\r\nject:", "a"), "Subject: a\r\n"),
            (address_field("To", &[]), "To:\r\n"),
            (
                address_field("To", &[(None, &anne), (Some("Anne"), &quoted)]),
                "To: anne@a.example, Anne <\"a b\"@a.example>\r\n",
            ),
            (address_field("To", &[(Some("Dupont, \"A\""), &anne)]), "To: \"Dupont, \\\"A\\\"\" <anne@a.example>\r\n"),
            (address_field("To", &[(Some("René"), &anne)]), "To: =?utf-8?B?UmVuw6k=?= <anne@a.example>\r\n"),
            (address_field("To", &[(Some("x>\r\nBcc: <y"), &anne)]), "To: \"x> Bcc: <y\" <anne@a.example>\r\n"),
        ] {
            assert_eq!(printed, expected);
        }
    }

    #[test]
    fn ascii_forms() {
        assert_eq!(ascii_text("plain"), "plain");
        assert_eq!(ascii_text("é"), "=?utf-8?B?w6k=?=");
        assert_eq!(ascii_parameter("name", "a b.pdf"), ("name".into(), "a b.pdf".into()));
        assert_eq!(ascii_parameter("name", "é b"), ("name*".into(), "utf-8''%C3%A9%20b".into()));
    }

    proptest::proptest! {
        #[test]
        fn s11_nothing_leaves_its_field(text: String) {
            let address: Address = "a@b.example".parse().unwrap();
            let printed = [unstructured_field("Subject", &text), address_field("From", &[(Some(&text), &address)])];
            for field in &printed {
                proptest::prop_assert!(field.is_ascii());
                proptest::prop_assert!(field.lines().all(|line| line.len() <= LINE_OCTETS_MAX));
                proptest::prop_assert!(!field.contains('\0') && field.ends_with("\r\n"));
                proptest::prop_assert!(!field.replace("\r\n", "").contains(['\r', '\n']));
                proptest::prop_assert_eq!(fields(field.as_bytes()).count(), 1);
            }
            let subject = decode_words(&unfold(&printed[0].as_bytes()["Subject:".len()..]));
            proptest::prop_assert_eq!(subject, without_controls(&text));
            let read = parse_addresses(&unfold(&printed[1].as_bytes()["From:".len()..]), 9);
            let [AddressListItem::Mailbox(read)] = read.as_slice() else { panic!("{read:?}") };
            proptest::prop_assert_eq!(read.decoded_name().unwrap_or_default(), without_controls(&text));
            proptest::prop_assert_eq!(read.address(), Some(address));
        }
    }
}
