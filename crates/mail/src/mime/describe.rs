//! From what a header says to what the index says of a part.

use super::header_facts::HeaderFacts;
use super::{Content, Part, TransferEncoding};

/// A part that begins at `offset`, of which nothing is known.
pub(super) fn empty_part(offset: u64) -> Part {
    Part {
        header: offset..offset,
        body: offset..offset,
        lines: 0,
        media_type: "text".into(),
        subtype: "plain".into(),
        parameters: Vec::new(),
        disposition: None,
        id: None,
        description: None,
        md5: None,
        languages: Vec::new(),
        location: None,
        encoding: TransferEncoding::SevenBit,
        decoded_octets: 0,
        content: Content::Leaf,
    }
}

/// Takes over what the header says. Without a readable Content-Type a part is text, and in a digest a message
/// (RFC 2045 §5.2, RFC 2046 §5.1.5).
pub(super) fn describe(part: &mut Part, facts: &mut HeaderFacts, in_digest: bool) {
    if in_digest {
        (part.media_type, part.subtype) = ("message".into(), "rfc822".into());
    }
    let content_type = facts.content_type.take().unwrap_or_default();
    if let Some((media_type, subtype)) = content_type.value.split_once('/')
        && is_media_token(media_type)
        && is_media_token(subtype)
    {
        (part.media_type, part.subtype) = (media_type.to_owned(), subtype.to_owned());
        part.parameters = content_type.parameters;
    }
    part.disposition = facts.disposition.take();
    part.id = facts.id.take();
    part.description = facts.description.take();
    part.md5 = facts.md5.take();
    part.languages = std::mem::take(&mut facts.languages);
    part.location = facts.location.take();
    part.encoding = facts.encoding.take().unwrap_or_default();
}

/// A token (RFC 2045 §5.1) of the length a registered name may have (RFC 6838 §4.2).
fn is_media_token(text: &str) -> bool {
    (1..=127).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
}

/// The boundary of a multipart; an empty one, which RFC 2046 §5.1.1 forbids, separates nothing.
pub(super) fn delimiter_of(part: &Part) -> Option<Vec<u8>> {
    let boundary = part.parameter("boundary").filter(|_| part.media_type == "multipart")?.trim_end();
    (1..=BOUNDARY_OCTETS_MAX).contains(&boundary.len()).then(|| boundary.as_bytes().to_vec())
}

/// Octets of a boundary: RFC 2046 §5.1.1 allows 70.
const BOUNDARY_OCTETS_MAX: usize = 500;

/// True for a message whose structure is looked into: only one that is not transfer-encoded, which RFC 2046 §5.2.1 demands.
pub(super) fn encapsulates(part: &Part) -> bool {
    part.media_type == "message" && matches!(part.subtype.as_str(), "rfc822" | "global") && part.encoding.is_identity()
}
