//! From a section specification to octets (RFC 9051 §6.4.5.1).

use std::ops::Range;

use super::{Content, Part};

/// What of a part is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionText {
    /// Nothing said: the body of the part, or with an empty path the whole message.
    Whole,
    /// `HEADER`, also the source of `HEADER.FIELDS`: of the message, or of an encapsulated one.
    Header,
    /// `TEXT`: the body of the message, or of an encapsulated one.
    Text,
    /// `MIME`: the part's own header; needs a path.
    Mime,
}

impl Part {
    /// The part a path of numbers names; the empty path names the message itself.
    ///
    /// A body that is not `multipart` has one part, number 1. The parts of an encapsulated multipart message are
    /// numbered directly below it (RFC 9051 §6.4.5.1, the example of part 4.2).
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        path.iter().enumerate().try_fold(self, |part, (depth, number)| {
            let index = usize::try_from(number.checked_sub(1)?).ok()?;
            // Only the message itself, and one encapsulated, has a part 1 while being no multipart.
            let holder = match (&part.content, depth) {
                (Content::Message(message), _) if depth > 0 => &message.part,
                (_, 0) => part,
                (Content::Multipart(_), _) => part,
                _ => return None,
            };
            match &holder.content {
                Content::Multipart(parts) => parts.get(index),
                _ if index == 0 => Some(holder),
                _ => None,
            }
        })
    }

    /// The octets of a section, in the message as clients see it: `prefix` octets of trace fields, then what was
    /// scanned. `None` when the message has no such section.
    pub fn section(&self, path: &[u32], text: SectionText, prefix: u64) -> Option<Range<u64>> {
        let part = self.part(path)?;
        let shifted = |range: &Range<u64>| range.start + prefix..range.end + prefix;
        // The trace fields are the beginning of the message's own header.
        let header =
            |part: &Part| if part.header.start == 0 { 0..part.header.end + prefix } else { shifted(&part.header) };
        match (text, &part.content) {
            (SectionText::Whole, _) if path.is_empty() => Some(0..part.body.end + prefix),
            (SectionText::Header, _) if path.is_empty() => Some(header(part)),
            (SectionText::Text, _) if path.is_empty() => Some(shifted(&part.body)),
            (SectionText::Mime, _) if path.is_empty() => None,
            (SectionText::Whole, _) => Some(shifted(&part.body)),
            (SectionText::Mime, _) => Some(header(part)),
            (SectionText::Header, Content::Message(message)) => Some(shifted(&message.part.header)),
            (SectionText::Text, Content::Message(message)) => Some(shifted(&message.part.body)),
            (SectionText::Header | SectionText::Text, _) => None,
        }
    }
}
