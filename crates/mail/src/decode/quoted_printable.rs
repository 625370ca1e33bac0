//! quoted-printable (RFC 2045 §6.7).

use super::hexadecimal;

/// Decodes quoted-printable in chunks. White space before a line end goes (RFC 2045 §6.7, rule 3); an `=` that begins no
/// escape stays.
///
/// Whole lines are taken at once; only what a chunk cuts is held and decided octet by octet.
#[derive(Clone, Debug, Default)]
pub struct QuotedPrintable {
    /// What cannot be decided yet: an `=` and what follows it, or white space, perhaps with a CR, that may end a line.
    held: Vec<u8>,
}

impl QuotedPrintable {
    /// Takes encoded octets, appends decoded ones.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while let [octet, after @ ..] = rest {
            if self.held.is_empty() {
                rest = self.take_run(rest, out);
            } else {
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

    /// Takes up to the next `=` or line end, and that too. Gives what follows.
    fn take_run<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let stop = memchr::memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(stop).unwrap_or((rest, b""));
        match after {
            [b'=', b'\r', b'\n', after @ ..] | [b'=', b'\n', after @ ..] => {
                out.extend_from_slice(run);
                after
            }
            [b'=', after @ ..] => {
                out.extend_from_slice(run);
                if let [high, low, after @ ..] = after
                    && let Some(decoded) = hexadecimal(*high, *low)
                {
                    out.push(decoded);
                    return after;
                }
                self.held.push(b'=');
                after
            }
            [line_feed, after @ ..] => {
                let (text, line_end) = run.strip_suffix(b"\r").map_or((run, &b""[..]), |text| (text, b"\r"));
                out.extend_from_slice(without_blank_end(text));
                out.extend_from_slice(line_end);
                out.push(*line_feed);
                after
            }
            [] => {
                let text = without_blank_end(run.strip_suffix(b"\r").unwrap_or(run));
                let (text, end) = run.split_at_checked(text.len()).unwrap_or((run, b""));
                out.extend_from_slice(text);
                // A CR with nothing blank before it needs no decision.
                match end {
                    b"\r" => out.push(b'\r'),
                    end => self.held.extend_from_slice(end),
                }
                after
            }
        }
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
            ([.., b'\r'], b'\n') => {
                self.held.clear();
                out.extend_from_slice(b"\r\n");
            }
            ([.., b'\r'], _) => self.give_up(octet, out),
            (_, b'\r') => self.held.push(octet),
            ([b' ' | b'\t', ..], b'\n') => {
                self.held.clear();
                out.push(octet);
            }
            (_, b' ' | b'\t') if self.held.len() < HELD_OCTETS_MAX => self.held.push(octet),
            _ => self.give_up(octet, out),
        }
    }

    /// What was held is plain text after all.
    fn give_up(&mut self, octet: u8, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.hold(octet, out);
    }
}

/// The text without the white space at its end. Of more than is ever held, what would have been let go stays.
fn without_blank_end(text: &[u8]) -> &[u8] {
    let blank = text.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    let kept = blank.saturating_sub(1) / HELD_OCTETS_MAX * HELD_OCTETS_MAX;
    text.get(..text.len() - blank + kept).unwrap_or(text)
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
            (b"a \rb", b"a \rb"),
            (b"a \r", b"a"),
            (b"a\r", b"a\r"),
            (b"a=  b", b"a=  b"),
            (b"a =\r\nb", b"a b"),
            (b"", b""),
        ] {
            assert_eq!(decoded(&[encoded]), octets, "{encoded:?}");
        }
    }

    #[test]
    fn endless_white_space_is_cut_the_same_way_in_any_chunks() {
        for blanks in [1, 999, 1_000, 1_001, 2_000, 2_001, 2_500] {
            for end in ["\r\n", "\n", "x"] {
                let encoded = format!("a{}{end}b", " ".repeat(blanks));
                let whole = decoded(&[encoded.as_bytes()]);
                for size in [1, 7, 999, 1_000, 1_001] {
                    assert_eq!(decoded(&encoded.as_bytes().chunks(size).collect::<Vec<_>>()), whole, "{blanks} {size}");
                }
            }
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
