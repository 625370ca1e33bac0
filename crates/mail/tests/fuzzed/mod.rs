//! What must hold of any input, whoever sent it: each function takes any octets and panics when a promise is broken.
//! `tests/fuzz` makes targets of them; `corpus.rs` replays the seeds, `properties.rs` generates input.
#![allow(dead_code, reason = "each target uses its part")]

use mail::decode::{TextDecoder, TransferDecoder};
use mail::header;
use mail::message::SubmissionEdit;
use mail::mime::{
    Content, EnvelopeFields, HeaderText, Limits, MessageIndex, Part, Scanner, SectionText, TransferEncoding,
};

/// A message: any chunking gives the same index, its parts lie inside each other, and its stored form reads back.
pub fn message(octets: &[u8]) {
    let limits = Limits { parts: 20, depth: 5, header_octets: 2_000, kept_octets: 4_000, addresses: 10 };
    let index = scan(octets, octets.len().max(1), limits);
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(scan(octets, size, limits), index, "in chunks of {size}");
    }
    assert_eq!(index.facts.octets, octets.len() as u64);
    assert_eq!((index.root.header.start, index.root.body.end), (0, octets.len() as u64));
    assert_nested(&index.root, octets);
    let mut parts = 0;
    index.root.walk(&mut |_| parts += 1);
    assert!(parts <= limits.parts + 1, "{parts} parts");
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2, 1], &[0]] {
        for text in [SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime] {
            if let Some(range) = index.root.section(path, text, 0) {
                assert!(range.start <= range.end && range.end <= octets.len() as u64);
            }
        }
    }
    let split = index.split();
    assert_eq!(EnvelopeFields::from_stored(&split.envelope), Ok(index.envelope));
    assert_eq!(Part::from_stored(&split.structure), Ok(index.root));
    assert_eq!(HeaderText::from_stored(&split.header_texts), Ok(index.header_texts));
}

fn scan(octets: &[u8], size: usize, limits: Limits) -> MessageIndex {
    let mut scanner = Scanner::new(limits);
    octets.chunks(size).for_each(|chunk| scanner.feed(chunk));
    scanner.finish()
}

/// Header, body and what the body holds follow each other; the decoded count is what the decoder gives.
fn assert_nested(part: &Part, octets: &[u8]) {
    assert!(
        part.header.start <= part.header.end && part.header.end == part.body.start && part.body.start <= part.body.end
    );
    let body = octets.get(part.body.start as usize..part.body.end as usize).unwrap_or_default();
    let inside = |inner: &Part| {
        assert!(part.body.start <= inner.header.start && inner.body.end <= part.body.end);
        assert_nested(inner, octets);
    };
    match &part.content {
        Content::Leaf => {
            if let Some(mut decoder) = TransferDecoder::new(&part.encoding) {
                let mut decoded = Vec::new();
                decoder.feed(body, &mut decoded);
                decoder.finish(&mut decoded);
                assert_eq!(decoded.len() as u64, part.decoded_octets);
            }
        }
        Content::Multipart(parts) => {
            parts.iter().for_each(inside);
            assert!(parts.windows(2).all(|pair| matches!(pair, [one, next] if one.body.end <= next.header.start)));
        }
        Content::Message(message) => {
            assert_eq!((message.part.header.start, message.part.body.end), (part.body.start, part.body.end));
            inside(&message.part);
        }
    }
}

/// Octets read as a stored index: an index or an error, whatever they are.
pub fn stored(octets: &[u8]) {
    let _ = EnvelopeFields::from_stored(octets);
    let _ = Part::from_stored(octets);
    let _ = HeaderText::from_stored(octets);
}

/// A header value: every reader gives something, and nothing decoded can end a line when printed again.
pub fn header_value(octets: &[u8]) {
    let value = header::unfold(octets);
    assert!(!value.contains(['\r', '\n', '\0']));
    let text = header::decode_words(&value);
    assert!(!text.contains(['\r', '\n', '\0']));
    let addresses = header::parse_addresses(&value, 100);
    assert!(addresses.len() <= 101);
    let _ = header::parse_parameterised(&value);
    let _ = header::message_ids(&value, 100);
    let base = header::base_subject(&text);
    assert_eq!(header::base_subject(&base.text).text, base.text);
    if let Some(date) = header::DateTime::parse(&value) {
        assert_eq!(header::DateTime::parse(&date.to_string()), Some(date));
    }
    let printed = header::unstructured_field("Subject", &text);
    assert_eq!(header::fields(printed.as_bytes()).count(), 1);
    assert!(printed.is_ascii() && !printed.trim_end().replace("\r\n", "").contains(['\r', '\n', '\0']));
}

/// A body: decoders give the same in one piece and in many.
pub fn body(octets: &[u8]) {
    for encoding in [TransferEncoding::Base64, TransferEncoding::QuotedPrintable, TransferEncoding::Binary] {
        for charset in ["utf-8", "us-ascii", "iso-2022-jp", "utf-16", "gb18030"] {
            let text = |size: usize| {
                let mut decoder = TextDecoder::new(&encoding, Some(charset));
                let mut text = String::new();
                octets.chunks(size).for_each(|chunk| decoder.feed(chunk, &mut text));
                decoder.finish(&mut text);
                text
            };
            assert_eq!(text(1), text(octets.len().max(1)));
        }
    }
}

/// A submission: the edit is the same in one piece and in many, and doing it twice changes nothing more.
pub fn submission(octets: &[u8]) {
    let edited = |octets: &[u8], size: usize| {
        let mut edit = SubmissionEdit::new(header::DateTime::utc(0), "id@a.example".into());
        let mut out = Vec::new();
        octets.chunks(size).for_each(|chunk| edit.feed(chunk, &mut out));
        edit.finish(&mut out);
        out
    };
    let once = edited(octets, octets.len().max(1));
    assert_eq!(edited(octets, 1), once);
    assert_eq!(edited(&once, once.len().max(1)), once);
    assert!(header::fields(&once).all(|field| !field.is("bcc")));
}
