//! Fields of a header block.

use std::borrow::Cow;

/// One field, its place in the block included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// As written, without the colon; empty for a line that is no field.
    pub name: &'a [u8],
    /// After the colon, folding and last line end included.
    pub value: &'a [u8],
    /// The whole field, line ends included: what HEADER.FIELDS copies.
    pub octets: &'a [u8],
}

impl<'a> Field<'a> {
    /// True when the name is `name`, whatever the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Cuts name from value. White space before the colon is obsolete syntax (RFC 5322 §4.5), taken; a line end there is
    /// none: what is folded before its colon is no field.
    pub(crate) fn cut(octets: &'a [u8]) -> Field<'a> {
        let cut = memchr::memchr(b':', octets).and_then(|colon| octets.split_at_checked(colon));
        let named = cut.map(|(name, value)| (without_blank_end(name), value.get(1..).unwrap_or_default()));
        match named.filter(|(name, _)| is_field_name(name)) {
            Some((name, value)) => Field { name, value, octets },
            None => Field { name: b"", value: octets, octets },
        }
    }
}

fn without_blank_end(name: &[u8]) -> &[u8] {
    let blank = name.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    name.get(..name.len() - blank).unwrap_or(name)
}

/// `ftext` (RFC 5322 §3.6.8): printable ASCII without the colon.
pub(crate) fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|octet| matches!(octet, b'!'..=b'~') && *octet != b':')
}

/// The fields of a header block, up to its empty line or the end. A line that is no field comes with an empty name.
pub fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        if rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            return None;
        }
        let end = memchr::memchr_iter(b'\n', rest)
            .map(|line_feed| line_feed + 1)
            .find(|end| !matches!(rest.get(*end), Some(b' ' | b'\t')))
            .unwrap_or(rest.len());
        let (octets, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(Field::cut(octets))
    })
}

/// A value on one line, trimmed, as UTF-8 (RFC 5322 §2.2.3). Octets that are no UTF-8 are read as windows-1252; NUL and
/// line ends that fold nothing become spaces.
pub fn unfold(value: &[u8]) -> String {
    let value = value.trim_ascii();
    let text = match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(value).0,
    };
    if memchr::memchr3(b'\r', b'\n', 0, value).is_none() {
        return text.into_owned();
    }
    let mut line = String::with_capacity(text.len());
    let mut pieces = text.split(['\r', '\n', '\0']).filter(|piece| !piece.is_empty());
    line.extend(pieces.next());
    for piece in pieces {
        if !piece.starts_with([' ', '\t']) {
            line.push(' ');
        }
        line.push_str(piece);
    }
    line
}

/// The ids in a Message-ID, In-Reply-To or References value, without angle brackets, at most `max`.
///
/// White space inside an id comes from folding that should not be, and is dropped.
pub fn message_ids(value: &str, max: usize) -> Vec<String> {
    value
        .split('>')
        .take(value.matches('>').count())
        .filter_map(|piece| piece.rsplit_once('<'))
        .map(|(_, id)| id.split_ascii_whitespace().collect::<String>())
        .filter(|id| (1..=MESSAGE_ID_OCTETS_MAX).contains(&id.len()))
        .take(max)
        .collect()
}

/// Octets of a message id we keep: what a line may hold (RFC 5322 §2.1.1).
const MESSAGE_ID_OCTETS_MAX: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_with_their_folding() {
        let header = b"Subject : a\r\n b\r\nnot a field\r\nX\r\n : z\r\nX:\n\ty\n\r\nBody: no\r\n";
        let cut: Vec<(&[u8], &[u8])> = fields(header).map(|field| (field.name, field.octets)).collect();
        assert_eq!(
            cut,
            [
                (&b"Subject"[..], &b"Subject : a\r\n b\r\n"[..]),
                (&b""[..], &b"not a field\r\n"[..]),
                (&b""[..], &b"X\r\n : z\r\n"[..]),
                (&b"X"[..], &b"X:\n\ty\n"[..]),
            ]
        );
    }

    #[test]
    fn values_unfold_to_one_line() {
        for (value, line) in [
            (&b" a\r\n b "[..], "a b"),
            (b"a\r\n\tb", "a\tb"),
            (b"a\rb\nc\0d", "a b c d"),
            (b"\xe9t\xe9", "été"),
            ("été".as_bytes(), "été"),
            (b"\r\n \r\n", ""),
        ] {
            assert_eq!(unfold(value), line, "{value:?}");
        }
    }

    #[test]
    fn message_ids_are_found_among_anything() {
        for (value, ids) in [
            ("<a@b>", vec!["a@b"]),
            ("Your message of Monday <a@b> and <c@d>x <e", vec!["a@b", "c@d"]),
            ("<a\r\n @b>", vec!["a@b"]),
            ("<<a@b>>", vec!["a@b"]),
            ("a@b", vec![]),
            ("<>", vec![]),
        ] {
            assert_eq!(message_ids(value, 10), ids, "{value}");
        }
        assert_eq!(message_ids(&"<a@b>".repeat(50), 7).len(), 7);
    }
}
