//! quoted-printable (RFC 2045 §6.7).

use super::hexadecimal;

/// Decodes quoted-printable in chunks. White space before a line end goes (RFC 2045 §6.7, rule 3); an `=` that begins no
/// escape stays.
#[derive(Clone, Debug, Default)]
pub struct QuotedPrintable {
    /// What cannot be decided yet: an `=` and what follows it, or white space that may be before a line end.
    held: Vec<u8>,
}

impl QuotedPrintable {
    /// Takes encoded octets, appends decoded ones.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.held.is_empty() {
                let plain = rest.iter().position(|octet| matches!(octet, b'=' | b' ' | b'\t')).unwrap_or(rest.len());
                let (text, after) = rest.split_at(plain);
                out.extend_from_slice(text);
                rest = after;
            }
            if let [octet, after @ ..] = rest {
                self.hold(*octet, out);
                rest = after;
            }
        }
    }

    /// The input is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self.held.first() {
            // White space at the very end, or a soft line break cut short.
            Some(b'=') if self.held.iter().skip(1).all(|octet| octet.is_ascii_whitespace()) => {}
            Some(b'=') => out.append(&mut self.held),
            _ => {}
        }
        self.held.clear();
    }

    fn hold(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), octet) {
            ([], b'=' | b' ' | b'\t') => self.held.push(octet),
            ([], _) => out.push(octet),
            // An escape.
            ([b'='], _) if octet.is_ascii_hexdigit() => self.held.push(octet),
            ([b'=', high], low) if high.is_ascii_hexdigit() => match hexadecimal(*high, low) {
                Some(decoded) => {
                    out.push(decoded);
                    self.held.clear();
                }
                None => self.give_up(octet, out),
            },
            // A soft line break, white space before its end allowed.
            ([b'=', ..], b'\n') => self.held.clear(),
            ([b'=', .., b'\r'], _) => self.give_up(octet, out),
            ([b'=', ..], b'\r') => self.held.push(octet),
            ([b'=', ..], b' ' | b'\t') if self.held.len() < HELD_OCTETS_MAX => self.held.push(octet),
            ([b'=', ..], _) => self.give_up(octet, out),
            // White space, perhaps before a line end.
            (_, b' ' | b'\t') if self.held.len() < HELD_OCTETS_MAX => self.held.push(octet),
            (_, b'\r' | b'\n') => {
                self.held.clear();
                out.push(octet);
            }
            _ => self.give_up(octet, out),
        }
    }

    /// What was held is plain text after all.
    fn give_up(&mut self, octet: u8, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.hold(octet, out);
    }
}

/// Octets held: a line of quoted-printable has at most 76 (RFC 2045 §6.7), and white space longer than this is kept.
const HELD_OCTETS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(chunks: &[&[u8]]) -> Vec<u8> {
        let mut decoder = QuotedPrintable::default();
        let mut out = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn quoted_printable_decodes_whatever_comes() {
        for (encoded, octets) in [
            (&b"R=E9sultat"[..], &b"R\xe9sultat"[..]),
            (b"a=\r\nb", b"ab"),
            (b"a= \t\r\nb", b"ab"),
            (b"a=\nb", b"ab"),
            (b"a  \r\nb", b"a\r\nb"),
            (b"a b", b"a b"),
            (b"a=e9b", b"a\xe9b"),
            (b"a=3Db==41", b"a=b=A"),
            (b"a=G1", b"a=G1"),
            (b"a=1G", b"a=1G"),
            (b"a=", b"a"),
            (b"a  ", b"a"),
            (b"a=\rb", b"a=\rb"),
            (b"", b""),
        ] {
            assert_eq!(decoded(&[encoded]), octets, "{encoded:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn cutting_changes_nothing(encoded in "[=0-9A-Fa-f \\t\\r\\n]{0,40}", cut: usize) {
            let (left, right) = encoded.as_bytes().split_at(cut % (encoded.len() + 1));
            proptest::prop_assert_eq!(decoded(&[left, right]), decoded(&[encoded.as_bytes()]));
        }
    }
}
