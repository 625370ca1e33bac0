//! xtext (RFC 3461 §4), and what RFC 6533 §3 puts in its place for addresses that are not ASCII.

use std::fmt::{self, Write};

/// Reads xtext: visible ASCII, where `+` stands before two upper-case hexadecimal digits and `=` not at all. None for
/// what is none, is empty, or hides anything but printable ASCII: no line end, NUL or escape sequence gets in this way.
pub fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'+' => hexadecimal(octets.next()?)? << 4 | hexadecimal(octets.next()?)?,
            b'=' | b' ' => return None,
            plain => plain,
        };
        decoded.push(Some(char::from(octet)).filter(is_printable)?);
    }
    Some(decoded).filter(|decoded| !decoded.is_empty())
}

/// Prints text of printable ASCII as xtext; every other octet hidden in `+XX`.
pub fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.bytes().try_for_each(|octet| match octet {
        b'+' | b'=' => write!(f, "+{octet:02X}"),
        visible if visible.is_ascii_graphic() => f.write_char(char::from(visible)),
        other => write!(f, "+{other:02X}"),
    })
}

/// Reads an address of type `utf-8` (RFC 6533 §3): characters as they are, or as `\x{E9}`; `\`, `+` and `=` only so.
pub(crate) fn decode_utf8_address(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (character, after) = match rest.strip_prefix("\\x{") {
            None => (
                Some(character).filter(|plain| !matches!(plain, '\\' | '+' | '=' | ' '))?,
                rest.strip_prefix(character)?,
            ),
            Some(escaped) => {
                let (digits, after) = escaped.split_once('}')?;
                (code_point(digits)?, after)
            }
        };
        decoded.push(Some(character).filter(|character| !character.is_control())?);
        rest = after;
    }
    Some(decoded).filter(|decoded| !decoded.is_empty())
}

/// `HEXPOINT`: two to six upper-case hexadecimal digits.
fn code_point(digits: &str) -> Option<char> {
    let upper = digits.bytes().all(|digit| hexadecimal(digit).is_some());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| upper && (2..=6).contains(&digits.len()))?;
    char::from_u32(number)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn is_printable(character: &char) -> bool {
    matches!(character, ' '..='~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Xtext<'t>(&'t str);

    impl fmt::Display for Xtext<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            encode(self.0, f)
        }
    }

    #[test]
    fn xtext_is_read_strictly() {
        for (text, decoded) in [
            ("QQ314159", Some("QQ314159")),
            ("a+2Bb+3Dc+20d", Some("a+b=c d")),
            ("+2B", Some("+")),
            ("", None),
            ("a=b", None),
            ("a b", None),
            ("a+2b", None),
            ("a+2", None),
            ("a+", None),
            ("a++2B", None),
            ("a+0D+0Ab", None),
            ("a+00", None),
            ("a+7F", None),
            ("a+E9", None),
            ("é", None),
        ] {
            assert_eq!(decode(text).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn addresses_that_are_not_ascii_are_read_in_both_forms() {
        for (text, decoded) in [
            ("anne@b.example", Some("anne@b.example")),
            ("zoé@b.example", Some("zoé@b.example")),
            (r"zo\x{E9}\x{2B}x@b.example", Some("zoé+x@b.example")),
            (r"\x{1F600}@b.example", Some("😀@b.example")),
            ("", None),
            ("a+2B@b.example", None),
            ("a=b", None),
            (r"a\b", None),
            (r"a\x{0A}b", None),
            (r"a\x{e9}", None),
            (r"a\x{+9}", None),
            (r"a\x{9}", None),
            (r"a\x{D800}", None),
            (r"a\x{E9", None),
            ("a\u{85}b", None),
        ] {
            assert_eq!(decode_utf8_address(text).as_deref(), decoded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(text in "[ -~]{1,40}") {
            let printed = Xtext(&text).to_string();
            prop_assert!(printed.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'='));
            prop_assert_eq!(decode(&printed), Some(text));
        }
    }
}
