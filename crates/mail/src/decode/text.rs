//! From a part's body to UTF-8 text.

use encoding_rs::{CoderResult, Decoder, Encoding, WINDOWS_1252};

use super::TransferDecoder;
use crate::mime::TransferEncoding;

/// Decodes a part's body to UTF-8 text: transfer encoding, then charset.
pub struct TextDecoder {
    transfer: TransferDecoder,
    charset: Charset,
    octets: Vec<u8>,
}

/// How octets become characters.
enum Charset {
    Named(Decoder),
    /// UTF-8 where it is that, windows-1252 where not; an unfinished character of UTF-8 waits.
    Guessed {
        waiting: Vec<u8>,
    },
}

impl TextDecoder {
    /// For a body in `encoding` and `charset` (the Content-Type parameter). Where that is US-ASCII, absent or unknown, it is
    /// guessed: UTF-8, and what is none as windows-1252, since both are sent so. A transfer encoding nobody can undo is read
    /// as it is.
    pub fn new(encoding: &TransferEncoding, charset: Option<&str>) -> TextDecoder {
        let label = charset.map(str::trim).filter(|label| !label.eq_ignore_ascii_case("us-ascii"));
        let named = label.and_then(|label| Encoding::for_label_no_replacement(label.as_bytes()));
        TextDecoder {
            transfer: TransferDecoder::new(encoding).unwrap_or(TransferDecoder::Identity),
            charset: match named {
                Some(encoding) => Charset::Named(encoding.new_decoder_without_bom_handling()),
                None => Charset::Guessed { waiting: Vec::new() },
            },
            octets: Vec::new(),
        }
    }

    /// Takes encoded octets, appends text.
    pub fn feed(&mut self, chunk: &[u8], out: &mut String) {
        self.octets.clear();
        self.transfer.feed(chunk, &mut self.octets);
        self.charset.convert(&self.octets, false, out);
    }

    /// The input is over.
    pub fn finish(&mut self, out: &mut String) {
        self.octets.clear();
        self.transfer.finish(&mut self.octets);
        self.charset.convert(&self.octets, true, out);
    }
}

impl Charset {
    fn convert(&mut self, octets: &[u8], last: bool, out: &mut String) {
        match self {
            Charset::Named(decoder) => convert_named(decoder, octets, last, out),
            Charset::Guessed { waiting } if waiting.is_empty() => *waiting = guess(octets, last, out),
            Charset::Guessed { waiting } => {
                waiting.extend_from_slice(octets);
                *waiting = guess(waiting, last, out);
            }
        }
    }
}

fn convert_named(decoder: &mut Decoder, octets: &[u8], last: bool, out: &mut String) {
    let mut rest = octets;
    loop {
        // Room for any result: the worst charset gives three octets for one, and something held.
        out.reserve(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()));
        let (result, read, _) = decoder.decode_to_string(rest, out, last);
        rest = rest.get(read..).unwrap_or_default();
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// Appends the text, gives back the beginning of a character that may still be completed.
fn guess(octets: &[u8], last: bool, out: &mut String) -> Vec<u8> {
    let mut rest = octets;
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                return Vec::new();
            }
            Err(error) => error,
        };
        let (text, after) = rest.split_at_checked(error.valid_up_to()).unwrap_or((rest, b""));
        out.push_str(&String::from_utf8_lossy(text));
        let wrong = match error.error_len() {
            Some(octets) => octets,
            None if last => after.len(),
            None => return after.to_vec(),
        };
        let (wrong, after) = after.split_at_checked(wrong).unwrap_or((after, b""));
        out.push_str(&WINDOWS_1252.decode_without_bom_handling(wrong).0);
        rest = after;
    }
}

impl std::fmt::Debug for TextDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let charset = match &self.charset {
            Charset::Named(decoder) => decoder.encoding().name(),
            Charset::Guessed { .. } => "guessed",
        };
        f.debug_struct("TextDecoder").field("charset", &charset).finish_non_exhaustive()
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
            ("8bit", None, b"R\xe9sultat \xc3\xa9 \xc3", "Résultat é Ã"),
            ("8bit", Some("x-unknown"), b"\xe2\x82\xac \x80 \xe2\x82", "€ € â‚"),
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
