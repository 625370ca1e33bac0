//! What a FETCH needs of each message, settled once before the first read.

use imap::command::{FetchItem, FetchModifiers, SectionText};
use imap::sequence::Ranges;
use imap::server::Enabled;
use store::message::Wanted;
use store::{ModSeq, Uid, UidSet};

use super::store_mod_sequence;
use crate::access::flags::KeywordTable;

/// A FETCH made ready.
#[derive(Debug)]
pub struct Plan {
    /// In the order asked.
    pub items: Vec<FetchItem>,
    /// Which source has all that is asked.
    pub source: Source,
    /// Only messages changed after this are told.
    pub changed_since: Option<ModSeq>,
    /// Messages whose `\Seen` this FETCH set: their flags are told too.
    pub seen: UidSet,
    /// The mailbox's keywords.
    pub keywords: KeywordTable,
    /// UIDs that are `\Recent` to this session.
    pub recent: Ranges,
    /// What the client has enabled.
    pub enabled: Enabled,
}

/// Where the items come from; each is dearer than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Three columns of the entries.
    Flags,
    /// The entries: dates, sizes and ids too.
    Entries,
    /// The messages' rows, and their blobs where octets are asked for.
    Messages(Wanted),
}

impl Plan {
    pub fn new(
        mut items: Vec<FetchItem>,
        modifiers: &FetchModifiers,
        seen: UidSet,
        keywords: KeywordTable,
        recent: Ranges,
        enabled: Enabled,
    ) -> Plan {
        // CHANGEDSINCE asks for MODSEQ implicitly (RFC 7162 §3.1.4.1).
        if modifiers.changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
        let source = source(&items);
        let changed_since = modifiers.changed_since.map(store_mod_sequence);
        Plan { items, source, changed_since, seen, keywords, recent, enabled }
    }

    /// True when the message is to be told at all.
    pub fn wants(&self, mod_sequence: ModSeq) -> bool {
        self.changed_since.is_none_or(|since| mod_sequence > since)
    }

    /// True when flags are told although not asked for: this FETCH changed them (RFC 9051 §6.4.5).
    pub fn tells_seen(&self, uid: Uid) -> bool {
        !self.seen.is_empty() && self.seen.contains(uid) && !self.items.contains(&FetchItem::Flags)
    }
}

fn source(items: &[FetchItem]) -> Source {
    let narrow = |item: &FetchItem| matches!(item, FetchItem::Flags | FetchItem::Uid | FetchItem::ModSeq);
    let in_entry = |item: &FetchItem| {
        narrow(item)
            || matches!(
                item,
                FetchItem::InternalDate | FetchItem::Rfc822Size | FetchItem::SaveDate | FetchItem::EmailId
            )
    };
    if items.iter().all(narrow) {
        return Source::Flags;
    }
    if items.iter().all(in_entry) {
        return Source::Entries;
    }
    let mut wanted = Wanted::default();
    for item in items {
        match item {
            FetchItem::Envelope => wanted.envelope = true,
            FetchItem::Preview { .. } => wanted.preview = true,
            FetchItem::Body | FetchItem::BodyStructure | FetchItem::BinarySize(_) => {
                wanted.structure = true;
                wanted.trace_prefix = true;
            }
            // The whole message needs no structure to be found.
            FetchItem::Rfc822 => wanted.trace_prefix = true,
            FetchItem::BodySection { section, .. } if section.part.0.is_empty() && section.text == SectionText::All => {
                wanted.trace_prefix = true;
            }
            FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::BodySection { .. }
            | FetchItem::Binary { .. } => {
                wanted.structure = true;
                wanted.trace_prefix = true;
            }
            _ => {}
        }
    }
    Source::Messages(wanted)
}

#[cfg(test)]
mod tests {
    use imap::command::{PartNumber, Peek, Section};

    use super::*;

    fn body(text: SectionText) -> FetchItem {
        FetchItem::BodySection {
            section: Section { part: PartNumber(Vec::new()), text },
            peek: Peek::Peek,
            partial: None,
        }
    }

    #[test]
    fn nothing_is_read_that_was_not_asked_for() {
        let trace = Wanted { trace_prefix: true, ..Wanted::default() };
        for (items, expected) in [
            (vec![FetchItem::Flags, FetchItem::Uid], Source::Flags),
            (vec![FetchItem::Uid, FetchItem::Rfc822Size], Source::Entries),
            (vec![FetchItem::Envelope], Source::Messages(Wanted { envelope: true, ..Wanted::default() })),
            (vec![body(SectionText::All)], Source::Messages(trace)),
            (vec![body(SectionText::Header)], Source::Messages(Wanted { structure: true, ..trace })),
            (vec![FetchItem::ThreadId], Source::Messages(Wanted::default())),
        ] {
            assert_eq!(source(&items), expected, "{items:?}");
        }
    }
}
