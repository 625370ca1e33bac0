//! Flags between the wire and the store.

use imap::{Flags, SystemFlags};
use store::{FlagBits, Keywords};

/// Each system flag in both vocabularies, in the order in which we print them.
const PAIRS: [(SystemFlags, store::flags::SystemFlag); 5] = [
    (SystemFlags::ANSWERED, store::flags::SystemFlag::Answered),
    (SystemFlags::FLAGGED, store::flags::SystemFlag::Flagged),
    (SystemFlags::DELETED, store::flags::SystemFlag::Deleted),
    (SystemFlags::SEEN, store::flags::SystemFlag::Seen),
    (SystemFlags::DRAFT, store::flags::SystemFlag::Draft),
];

/// System flags as the store's bits.
pub fn bits(flags: SystemFlags) -> FlagBits {
    PAIRS
        .iter()
        .filter(|(wire, _)| flags.contains(*wire))
        .fold(FlagBits::default(), |bits, (_, kept)| bits.with(kept.bits()))
}

/// Flags of a command, as the store takes them.
pub fn to_store(flags: &Flags) -> store::Flags {
    let keywords = flags.keywords.iter().map(|keyword| keyword.as_str().to_owned()).collect();
    store::Flags { system: bits(flags.system), keywords }
}

/// Appends the flags of one message, space-separated, `\Recent` last: the inside of `FLAGS (…)`.
pub fn print(out: &mut Vec<u8>, flags: FlagBits, recent: bool, keywords: &Keywords) {
    let mut separate = false;
    let mut push = |out: &mut Vec<u8>, name: &str| {
        if std::mem::replace(&mut separate, true) {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    };
    for (_, flag) in PAIRS {
        if flags.has(flag) {
            push(out, flag.name());
        }
    }
    for keyword in keywords.of(flags) {
        push(out, keyword);
    }
    if recent {
        push(out, "\\Recent");
    }
}

/// Every flag a mailbox knows: the inside of the untagged `FLAGS (…)`.
pub fn print_known(out: &mut Vec<u8>, keywords: &Keywords) {
    let system = FlagBits::SYSTEM;
    print(out, system, false, keywords);
    for keyword in keywords.names() {
        out.push(b' ');
        out.extend_from_slice(keyword.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_print_in_one_order() {
        let mut out = Vec::new();
        print(&mut out, bits(SystemFlags::SEEN.union(SystemFlags::ANSWERED)), true, &Keywords::default());
        assert_eq!(out, b"\\Answered \\Seen \\Recent");
        out.clear();
        print(&mut out, FlagBits::default(), false, &Keywords::default());
        assert_eq!(out, b"");
        print_known(&mut out, &Keywords::default());
        assert_eq!(out, b"\\Answered \\Flagged \\Deleted \\Seen \\Draft");
    }
}
