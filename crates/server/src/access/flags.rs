//! Flags between the wire and the store.

use imap::{Flags, Keyword, SystemFlags};
use store::flags::SystemFlag;
use store::{FlagBits, Keywords};

/// Each system flag in both vocabularies.
const PAIRS: [(SystemFlags, SystemFlag); 5] = [
    (SystemFlags::ANSWERED, SystemFlag::Answered),
    (SystemFlags::FLAGGED, SystemFlag::Flagged),
    (SystemFlags::DELETED, SystemFlag::Deleted),
    (SystemFlags::SEEN, SystemFlag::Seen),
    (SystemFlags::DRAFT, SystemFlag::Draft),
];

/// System flags as the store's bits.
pub fn bits(flags: SystemFlags) -> FlagBits {
    let named = PAIRS.iter().filter(|(wire, _)| flags.contains(*wire));
    named.fold(FlagBits::default(), |bits, (_, kept)| bits.with(kept.bits()))
}

/// The system flags among the store's bits.
pub fn system(bits: FlagBits) -> SystemFlags {
    let set = PAIRS.iter().filter(|(_, kept)| bits.has(*kept));
    set.fold(SystemFlags::NONE, |flags, (wire, _)| flags.union(*wire))
}

/// Flags of a command, as the store takes them.
pub fn to_store(flags: &Flags) -> store::Flags {
    let keywords = flags.keywords.iter().map(|keyword| keyword.as_str().to_owned()).collect();
    store::Flags { system: bits(flags.system), keywords }
}

/// The keywords of a mailbox, ready for printing.
#[derive(Clone, Debug, Default)]
pub struct KeywordTable {
    known: Keywords,
    /// By place; `None` for one that is no keyword of IMAP, which the store let in by another door.
    wire: Vec<Option<Keyword>>,
}

impl KeywordTable {
    /// The table of a mailbox.
    pub fn new(known: Keywords) -> KeywordTable {
        let wire = known.names().map(Keyword::new).collect();
        KeywordTable { known, wire }
    }

    /// As the store has them.
    pub fn known(&self) -> &Keywords {
        &self.known
    }

    /// The keywords set in these flags.
    pub fn of(&self, flags: FlagBits) -> impl Iterator<Item = &Keyword> {
        let bits = flags.0 >> FlagBits::KEYWORD_BIT_FIRST;
        let set = self.wire.iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1);
        set.filter_map(|(_, keyword)| keyword.as_ref())
    }

    /// Every flag that occurs or may occur in the mailbox: untagged `FLAGS` (RFC 9051 §7.3.5).
    pub fn all(&self) -> Flags {
        Flags { system: system(FlagBits::SYSTEM), keywords: self.wire.iter().flatten().cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_flags_survive_the_way_to_the_store_and_back() {
        for octet in 0..32 {
            let flags = SystemFlags::from_bits(octet);
            assert_eq!(system(bits(flags)), flags);
        }
        assert_eq!(bits(SystemFlags::SEEN), FlagBits::SEEN);
        assert_eq!(bits(SystemFlags::DELETED), FlagBits::DELETED);
    }
}
