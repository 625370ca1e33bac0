//! Whole messages.

use mail::decode::TransferDecoder;
use mail::header;
use mail::mime::{
    Content, EnvelopeFields, Facts, HeaderText, Limits, MessageIndex, Part, Scanner, SectionText, TransferEncoding,
};

/// So small that fuzzing reaches them.
const LIMITS: Limits = Limits { parts: 20, depth: 5, header_octets: 2_000, kept_octets: 4_000, addresses: 10 };

/// A message: any chunking gives the same index, its parts lie inside each other, its size is bounded, and its stored form
/// reads back.
pub fn message(octets: &[u8]) {
    let index = scan(octets, octets.len().max(1));
    for size in [1, 2, 7, 64] {
        assert_eq!(scan(octets, size), index, "in chunks of {size}");
    }
    assert_eq!((index.root.header.start, index.root.body.end), (0, octets.len() as u64));
    assert_nested(&index.root, octets);
    let mut parts = 0;
    index.root.walk(&mut |_| parts += 1);
    assert!(parts <= LIMITS.parts + 1, "{parts} parts");
    assert!(depth(&index.root) <= LIMITS.depth + 1, "{} deep", depth(&index.root));
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2, 1], &[0]] {
        for text in [SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime] {
            if let Some(range) = index.root.section(path, text, 0) {
                assert!(range.start <= range.end && range.end <= octets.len() as u64);
            }
        }
    }
    assert_facts(&index, octets);
    let split = index.split();
    let stored = split.envelope.len() + split.structure.len() + split.header_texts.len();
    assert!(stored <= STORED_OCTETS_MAX, "an index of {stored} octets");
    assert_eq!(EnvelopeFields::from_stored(&split.envelope), Ok(index.envelope));
    assert_eq!(Part::from_stored(&split.structure), Ok(index.root));
    assert_eq!(HeaderText::from_stored(&split.header_texts), Ok(index.header_texts));
}

/// What is kept, the same decoded to UTF-8, and for each part what no limit is asked for.
const STORED_OCTETS_MAX: usize = 4 * LIMITS.kept_octets + 21 * 500;

fn scan(octets: &[u8], size: usize) -> MessageIndex {
    let mut scanner = Scanner::new(LIMITS);
    octets.chunks(size).for_each(|chunk| scanner.feed(chunk));
    scanner.finish()
}

fn depth(part: &Part) -> usize {
    match &part.content {
        Content::Leaf => 0,
        Content::Multipart(parts) => 1 + parts.iter().map(depth).max().unwrap_or(0),
        Content::Message(message) => 1 + depth(&message.part),
    }
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
            // The octets of an encoded message are not its own (RFC 2046 §5.2.1).
            assert!(!matches!(part.encoding, TransferEncoding::Base64 | TransferEncoding::QuotedPrintable));
            assert_eq!((message.part.header.start, message.part.body.end), (part.body.start, part.body.end));
            inside(&message.part);
        }
    }
}

/// What a plain look at all octets says as well.
fn assert_facts(MessageIndex { facts, header_texts, root, envelope }: &MessageIndex, octets: &[u8]) {
    let Facts { bare_cr, bare_lf, nul, eight_bit, longest_line, preview, .. } = facts;
    let pair = |at: usize| octets.get(at..at + 2) == Some(b"\r\n");
    let any = |octet: u8, bare: &dyn Fn(usize) -> bool| (0..octets.len()).any(|at| octets[at] == octet && bare(at));
    assert_eq!(facts.octets, octets.len() as u64);
    assert_eq!(*bare_cr, any(b'\r', &|at| !pair(at)));
    assert_eq!(*bare_lf, any(b'\n', &|at| at == 0 || !pair(at - 1)));
    assert_eq!((*nul, *eight_bit), (octets.contains(&0), !octets.is_ascii()));
    let lines = octets.split(|octet| *octet == b'\n');
    let longest = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).len()).max();
    assert_eq!(*longest_line, longest.unwrap_or(0) as u64);

    assert!(
        preview.chars().count() <= 200 && !preview.contains(|character: char| character.is_control()),
        "{preview:?}"
    );
    let header = octets.get(..root.header.end as usize).unwrap_or_default();
    assert!(header_texts.len() <= header::fields(header).count());
    assert!(header_texts.iter().all(|HeaderText { name, text }| {
        !name.bytes().any(|octet| octet.is_ascii_uppercase()) && !text.contains(['\r', '\n', '\0'])
    }));
    let EnvelopeFields { from, sender, reply_to, to, cc, bcc, .. } = envelope;
    for list in [from, sender, reply_to, to, cc, bcc] {
        // One more to end a group.
        assert!(list.len() <= LIMITS.addresses + 1);
    }
}
