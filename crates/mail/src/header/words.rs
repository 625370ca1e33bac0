//! Encoded-words (RFC 2047), read.

use encoding_rs::{Encoding, UTF_8};

/// Decodes the encoded-words of an unfolded value; what is none stays as it is.
///
/// Taken beyond the RFC, because it is sent: encoded-words touching other text or longer than 75 octets, and characters
/// cut between two of them. Control characters become spaces, so that nothing decoded can end a line.
pub fn decode_words(value: &str) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    let mut run = Run::default();
    let mut rest = value;
    while let Some(start) = memchr::memmem::find(rest.as_bytes(), b"=?") {
        let (before, candidate) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let Some(word) = Word::parse(candidate) else {
            run.end(&mut text);
            text.push_str(before);
            text.push_str("=?");
            rest = candidate.get(2..).unwrap_or_default();
            continue;
        };
        // White space between two encoded-words is not part of the text (RFC 2047 §6.2).
        if run.encoding.is_none() || !before.trim_ascii().is_empty() {
            run.end(&mut text);
            text.push_str(before);
        }
        run.push(&word, &mut text);
        rest = candidate.get(word.octets..).unwrap_or_default();
    }
    run.end(&mut text);
    text.push_str(rest);
    text
}

/// `=?charset?encoding?text?=`.
struct Word<'a> {
    encoding: &'static Encoding,
    is_base64: bool,
    text: &'a str,
    octets: usize,
}

impl<'a> Word<'a> {
    /// Each part ends at the next `?`, so that no input is looked at more than a few times.
    fn parse(candidate: &'a str) -> Option<Word<'a>> {
        let mut parts = candidate.get(2..)?.splitn(4, '?');
        let (charset, encoding, text, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if !end.starts_with('=') || charset.len() > CHARSET_OCTETS_MAX {
            return None;
        }
        let is_base64 = match encoding {
            "b" | "B" => true,
            "q" | "Q" => false,
            _ => return None,
        };
        let octets = "=?".len() + charset.len() + encoding.len() + text.len() + "????=".len() - 1;
        Some(Word { encoding: charset_or_utf8(charset), is_base64, text, octets })
    }
}

/// The charset named, a language after `*` left out (RFC 2231 §5); UTF-8 where it is unknown.
pub(crate) fn charset_or_utf8(charset: &str) -> &'static Encoding {
    let name = charset.split('*').next().unwrap_or(charset);
    Encoding::for_label_no_replacement(name.as_bytes()).unwrap_or(UTF_8)
}

/// Neighbouring encoded-words of one charset: decoded together, for characters cut between them.
#[derive(Default)]
struct Run {
    encoding: Option<&'static Encoding>,
    octets: Vec<u8>,
}

impl Run {
    fn push(&mut self, word: &Word<'_>, text: &mut String) {
        if self.encoding != Some(word.encoding) {
            self.end(text);
            self.encoding = Some(word.encoding);
        }
        match word.is_base64 {
            true => decode_base64(word.text.as_bytes(), &mut self.octets),
            false => decode_q(word.text.as_bytes(), &mut self.octets),
        }
    }

    fn end(&mut self, text: &mut String) {
        if let Some(encoding) = self.encoding.take() {
            let (decoded, _) = encoding.decode_without_bom_handling(&self.octets);
            text.extend(decoded.chars().map(|character| if character.is_control() { ' ' } else { character }));
            self.octets.clear();
        }
    }
}

fn decode_base64(text: &[u8], out: &mut Vec<u8>) {
    let mut decoder = crate::decode::Base64::default();
    decoder.feed(text, out);
    decoder.finish(out);
}

/// The `Q` encoding (RFC 2047 §4.2): quoted-printable with `_` for space.
fn decode_q(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let [octet, after @ ..] = rest {
        rest = after;
        match (octet, after) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, beyond @ ..]) => match crate::decode::hexadecimal(*high, *low) {
                Some(octet) => {
                    out.push(octet);
                    rest = beyond;
                }
                None => out.push(b'='),
            },
            (octet, _) => out.push(*octet),
        }
    }
}

/// Octets of a charset's name: the longest registered one has 45 (RFC 2978 §2.3).
const CHARSET_OCTETS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_decode() {
        for (value, text) in [
            ("plain", "plain"),
            ("=?ISO-8859-1?Q?R=E9sultat_d=27analyse?=", "Résultat d'analyse"),
            ("=?utf-8?B?UsOpc3VsdGF0?=", "Résultat"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?= \t =?iso-8859-15?q?=A4?=", "a€"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("x=?utf-8?q?a?=y", "xay"),
            // A character cut between two words.
            ("=?utf-8?B?w4M=?= =?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "Ãé"),
            ("=?utf-8*fr?q?=C3=A9?=", "é"),
            ("=?windows-1252?q?=80?=", "€"),
            ("=?no-such?q?=C3=A9?=", "é"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?utf-8?q??=", ""),
            ("=?utf-8?q?=G1=?=", "=G1="),
            ("=?utf-8?q?a=0D=0ABcc:x?=", "a  Bcc:x"),
            ("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
            ("=?=?utf-8?q?a?=", "=?a"),
        ] {
            assert_eq!(decode_words(value), text, "{value}");
        }
    }
}
