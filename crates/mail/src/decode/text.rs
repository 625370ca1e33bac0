//! From a part's body to UTF-8 text.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, WINDOWS_1252};

use super::TransferDecoder;
use crate::mime::TransferEncoding;

/// Decodes a part's body to UTF-8 text: transfer encoding, then charset.
pub struct TextDecoder {
    transfer: TransferDecoder,
    charset: Decoder,
    octets: Vec<u8>,
}

impl TextDecoder {
    /// For a body in `encoding` and `charset` (the Content-Type parameter). US-ASCII, no charset and an unknown one are
    /// read as UTF-8. A transfer encoding nobody can undo is read as it is.
    pub fn new(encoding: &TransferEncoding, charset: Option<&str>) -> TextDecoder {
        TextDecoder {
            transfer: TransferDecoder::new(encoding).unwrap_or(TransferDecoder::Identity),
            charset: charset.map_or(UTF_8, charset_of_text).new_decoder_without_bom_handling(),
            octets: Vec::new(),
        }
    }

    /// Takes encoded octets, appends text.
    pub fn feed(&mut self, chunk: &[u8], out: &mut String) {
        self.octets.clear();
        self.transfer.feed(chunk, &mut self.octets);
        self.convert(false, out);
    }

    /// The input is over.
    pub fn finish(&mut self, out: &mut String) {
        self.octets.clear();
        self.transfer.finish(&mut self.octets);
        self.convert(true, out);
    }

    fn convert(&mut self, last: bool, out: &mut String) {
        let mut rest = self.octets.as_slice();
        loop {
            // A place for any result: the worst charset gives three octets for one, and something held.
            out.reserve(self.charset.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()));
            let (result, read, _) = self.charset.decode_to_string(rest, out, last);
            rest = rest.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// `us-ascii` is how UTF-8 is mislabelled most often; WHATWG's table would make it windows-1252.
fn charset_of_text(label: &str) -> &'static Encoding {
    match super::super::header::words::charset_or_utf8(label) {
        encoding if encoding == WINDOWS_1252 && label.trim().eq_ignore_ascii_case("us-ascii") => UTF_8,
        encoding => encoding,
    }
}

impl std::fmt::Debug for TextDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextDecoder").field("charset", &self.charset.encoding().name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, charset: Option<&str>, body: &[u8], size: usize) -> String {
        let mut decoder = TextDecoder::new(&TransferEncoding::from_token(encoding), charset);
        let mut out = String::new();
        for chunk in body.chunks(size) {
            decoder.feed(chunk, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn bodies_become_text_whatever_the_chunks() {
        for (encoding, charset, body, text) in [
            ("quoted-printable", Some("iso-8859-1"), &b"R=E9sultat"[..], "Résultat"),
            ("base64", Some("utf-8"), b"UsOpc3VsdGF0", "Résultat"),
            ("8bit", None, "Résultat".as_bytes(), "Résultat"),
            ("8bit", Some("us-ascii"), "Résultat".as_bytes(), "Résultat"),
            ("7bit", Some("iso-2022-jp"), b"\x1b$BF|K\\\x1b(B", "日本"),
            ("x-uuencode", Some("utf-8"), b"begin", "begin"),
            ("8bit", Some("utf-16le"), b"a\0b\0", "ab"),
            ("8bit", Some("utf-8"), b"a\xc3", "a\u{fffd}"),
        ] {
            for size in 1..=body.len() {
                assert_eq!(decoded(encoding, charset, body, size), text, "{encoding} {charset:?} in {size}");
            }
        }
    }
}
