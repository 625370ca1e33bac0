//! Bodies and their encodings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding;
use mail::decode::{TextDecoder, TransferDecoder};
use mail::mime::TransferEncoding::{self, Base64, Binary, QuotedPrintable};

/// A body: decoders give the same in one piece and in many, what any encoder makes of these octets becomes them again, and
/// text is what encoding_rs makes of the whole.
pub fn body(octets: &[u8]) {
    for encoding in [Base64, QuotedPrintable, Binary] {
        let whole = undone(&encoding, octets, octets.len().max(1));
        assert_eq!(whole, undone(&encoding, octets, 1));
        assert!(whole.len() <= octets.len(), "{encoding:?} grew");
        for charset in ["utf-8", "us-ascii", "iso-2022-jp", "utf-16", "gb18030"] {
            let text = text(&encoding, charset, octets, octets.len().max(1));
            assert_eq!(text, self::text(&encoding, charset, octets, 1), "{charset}");
            match Encoding::for_label(charset.as_bytes()).filter(|_| charset != "us-ascii") {
                Some(charset) => assert_eq!(text, charset.decode_without_bom_handling(&whole).0),
                None => assert!(std::str::from_utf8(&whole).map_or(true, |whole| whole == text)),
            }
        }
    }
    if let Ok(decoded) = STANDARD.decode(octets) {
        assert_eq!(undone(&Base64, octets, 3), decoded);
    }
    let lines: Vec<String> = octets.chunks(57).map(|line| STANDARD.encode(line) + "\r\n").collect();
    assert_eq!(undone(&Base64, lines.concat().as_bytes(), 5), octets);
    let escaped = |line: &[u8]| line.iter().map(|octet| format!("={octet:02X}")).collect::<String>() + "=\r\n";
    let lines: Vec<String> = octets.chunks(25).map(escaped).collect();
    assert_eq!(undone(&QuotedPrintable, lines.concat().as_bytes(), 5), octets);
}

fn undone(encoding: &TransferEncoding, octets: &[u8], size: usize) -> Vec<u8> {
    let mut decoder = TransferDecoder::new(encoding).expect("known");
    let mut decoded = Vec::new();
    octets.chunks(size).for_each(|chunk| decoder.feed(chunk, &mut decoded));
    decoder.finish(&mut decoded);
    decoded
}

fn text(encoding: &TransferEncoding, charset: &str, octets: &[u8], size: usize) -> String {
    let mut decoder = TextDecoder::new(encoding, Some(charset));
    let mut text = String::new();
    octets.chunks(size).for_each(|chunk| decoder.feed(chunk, &mut text));
    decoder.finish(&mut text);
    text
}
