//! Counting attachments, by the one definition at [`Attachments`].

use super::{Attachments, Content, Part};

/// Counts the attachments of a message.
pub(super) fn count(root: &Part) -> Attachments {
    let mut found = Attachments::default();
    visit(root, None, &mut found);
    found
}

fn visit(part: &Part, parent: Option<&Part>, found: &mut Attachments) {
    if let Content::Multipart(parts) = &part.content {
        parts.iter().for_each(|child| visit(child, Some(part), found));
        return;
    }
    let disposition = part.disposition.as_ref().map(|disposition| disposition.kind.as_str());
    let file_name = part.file_name().unwrap_or_default();
    let is_attachment =
        disposition == Some("attachment") || !file_name.is_empty() || !is_shown_as_text(part) && part.octets() > 0;
    if !is_attachment {
        return;
    }
    found.decoded_octets += part.decoded_octets;
    let is_shown_apart = |parent: &Part| parent.is("multipart", "report") || parent.is("multipart", "digest");
    let in_report = parent.is_some_and(is_shown_apart) && disposition != Some("attachment");
    let is_inline_image =
        part.media_type == "image" && (disposition == Some("inline") || (disposition.is_none() && part.id.is_some()));
    let is_signature = matches!(part.subtype.as_str(), "pkcs7-signature" | "x-pkcs7-signature")
        || file_name.eq_ignore_ascii_case("smime.p7s");
    let is_calendar = part.is("text", "calendar");
    let is_xdm = file_name.eq_ignore_ascii_case("IHE_XDM.zip");
    if !(in_report || is_inline_image || is_signature || is_calendar || is_xdm) {
        found.number += 1;
    }
}

fn is_shown_as_text(part: &Part) -> bool {
    matches!(part.media_type.as_str(), "text" | "multipart") && !part.is("text", "calendar")
}
