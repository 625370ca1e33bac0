//! Line ends of what leaves: CR and LF only ever together (RFC 5321 §2.3.8), whatever was appended, imported or written
//! by ourselves.
//!
//! A CR or LF on its own is the raw material of SMTP smuggling at the next hop (CVE-2023-51764 and its kin; S2). What is
//! stored stays as it came: the cleaning is done on the way out.

use memchr::memchr2;

/// Turns each CR or LF on its own into CRLF, in octets that come in pieces; wherever they are cut, the result is the same.
///
/// A last line without line end stays without one: whoever ends the body knows whether it needs one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrlfCleaner {
    after_cr: bool,
    added: u64,
}

impl CrlfCleaner {
    /// Stands before the first octet.
    pub fn new() -> CrlfCleaner {
        CrlfCleaner::default()
    }

    /// Appends the next piece to `clean`. A CR is written as CRLF at once: an LF that follows it is not written again.
    pub fn write(&mut self, piece: &[u8], clean: &mut Vec<u8>) {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            match rest.strip_prefix(b"\n") {
                Some(after) => rest = after,
                None => self.added += 1,
            }
        }
        clean.reserve(rest.len() + 2);
        while let (plain, Some((end, after))) = split_before_odd_end(rest) {
            clean.extend_from_slice(plain);
            clean.extend_from_slice(b"\r\n");
            // A CR that ends the piece may yet get its LF.
            match end == b'\r' && after.is_empty() {
                true => self.after_cr = true,
                false => self.added += 1,
            }
            rest = after;
        }
        clean.extend_from_slice(rest);
    }

    /// Says that no piece follows; gives the octets that were added, one for each CR or LF that stood alone. None: nothing
    /// was changed, and a signature over the octets still holds.
    pub fn finish(self) -> u64 {
        self.added + u64::from(self.after_cr)
    }

    /// What a whole text becomes, and the octets that were added.
    pub fn clean(text: &[u8]) -> (Vec<u8>, u64) {
        let mut cleaner = CrlfCleaner::new();
        let mut clean = Vec::new();
        cleaner.write(text, &mut clean);
        (clean, cleaner.finish())
    }
}

/// What comes before the first CR or LF that is not half of a CRLF within `text`, that octet, and what follows it. Without
/// one, all is rest.
fn split_before_odd_end(text: &[u8]) -> (&[u8], Option<(u8, &[u8])>) {
    let mut plain = 0;
    while let Some(rest) = text.get(plain..)
        && let Some(at) = memchr2(b'\r', b'\n', rest)
    {
        match rest.get(at..) {
            Some([b'\r', b'\n', ..]) => plain += at + 2,
            Some([end, after @ ..]) => return (text.get(..plain + at).unwrap_or_default(), Some((*end, after))),
            _ => break,
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_pieces<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<u8>, u64) {
        let mut cleaner = CrlfCleaner::new();
        let mut clean = Vec::new();
        for piece in pieces {
            cleaner.write(piece, &mut clean);
        }
        (clean, cleaner.finish())
    }

    #[test]
    fn s2_each_cr_or_lf_alone_becomes_crlf() {
        for (text, clean, added) in [
            (&b""[..], &b""[..], 0),
            (b"a", b"a", 0),
            (b"a\r\nb\r\n", b"a\r\nb\r\n", 0),
            (b"a\nb", b"a\r\nb", 1),
            (b"a\rb", b"a\r\nb", 1),
            (b"a\r", b"a\r\n", 1),
            (b"\n", b"\r\n", 1),
            (b"a\r\r\nb", b"a\r\n\r\nb", 1),
            (b"a\n\rb", b"a\r\n\r\nb", 2),
            (b"a\n\r\nb", b"a\r\n\r\nb", 1),
            (b"a\n.\nMAIL", b"a\r\n.\r\nMAIL", 2),
            (b"a\r.\rMAIL", b"a\r\n.\r\nMAIL", 2),
            (b"a\r\n.\rMAIL", b"a\r\n.\r\nMAIL", 1),
            (b"a\0\n", b"a\0\r\n", 1),
        ] {
            assert_eq!(CrlfCleaner::clean(text), (clean.to_vec(), added), "{:?}", String::from_utf8_lossy(text));
            for cut in 0..=text.len() {
                let (left, right) = text.split_at(cut);
                assert_eq!(in_pieces([left, right]), (clean.to_vec(), added), "{text:?} cut at {cut}");
            }
            assert_eq!(in_pieces(text.chunks(1)), (clean.to_vec(), added));
        }
    }

    proptest! {
        #[test]
        fn wherever_it_is_cut_the_result_is_the_same(text in "[\r\n.a]{0,40}", cuts: Vec<u8>) {
            let text = text.into_bytes();
            let (clean, added) = CrlfCleaner::clean(&text);
            let mut pieces = Vec::new();
            let mut rest = &text[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(usize::from(cut % 5).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(in_pieces(pieces), (clean.clone(), added));
            prop_assert_eq!(clean.len() as u64, text.len() as u64 + added);
            prop_assert_eq!(added == 0, clean == text);
        }

        #[test]
        fn what_is_clean_stays(text: Vec<u8>) {
            let (clean, _) = CrlfCleaner::clean(&text);
            let without = String::from_utf8_lossy(&clean).replace("\r\n", "");
            prop_assert!(!without.contains(['\r', '\n']));
            prop_assert_eq!(CrlfCleaner::clean(&clean), (clean, 0));
        }
    }
}
