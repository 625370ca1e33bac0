//! Flags (RFC 9051 §2.3.2): system flags as bits, keywords as words.

use std::fmt;

/// Keywords on one message, or named in one command.
pub const KEYWORDS_MAX: usize = 100;

/// The five system flags a client may set, as bits. `\Recent` is a session's, never stored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(u8);

/// A keyword: an atom, `$Forwarded` or the client's own. Case is kept and does not count (RFC 9051 §2.3.2).
#[derive(Clone)]
pub struct Keyword(Box<str>);

/// System flags and keywords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The system flags.
    pub system: SystemFlags,
    /// The keywords, each once.
    pub keywords: Vec<Keyword>,
}

impl SystemFlags {
    /// `\Seen`.
    pub const SEEN: SystemFlags = SystemFlags(1);
    /// `\Answered`.
    pub const ANSWERED: SystemFlags = SystemFlags(2);
    /// `\Flagged`.
    pub const FLAGGED: SystemFlags = SystemFlags(4);
    /// `\Deleted`.
    pub const DELETED: SystemFlags = SystemFlags(8);
    /// `\Draft`.
    pub const DRAFT: SystemFlags = SystemFlags(16);
    /// None of them.
    pub const NONE: SystemFlags = SystemFlags(0);
    /// Each flag with its name, in the order in which we print them.
    pub const NAMED: [(SystemFlags, &'static str); 5] = [
        (SystemFlags::ANSWERED, "\\Answered"),
        (SystemFlags::FLAGGED, "\\Flagged"),
        (SystemFlags::DELETED, "\\Deleted"),
        (SystemFlags::SEEN, "\\Seen"),
        (SystemFlags::DRAFT, "\\Draft"),
    ];

    /// Flags from the bits that [`SystemFlags::bits`] gave; unknown bits are dropped.
    pub const fn from_bits(bits: u8) -> SystemFlags {
        SystemFlags(bits & 31)
    }

    /// The bits: 1 seen, 2 answered, 4 flagged, 8 deleted, 16 draft.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// True when all of `flags` are set.
    pub const fn contains(self, flags: SystemFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Those of either.
    pub const fn union(self, flags: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 | flags.0)
    }

    /// These without those.
    pub const fn without(self, flags: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 & !flags.0)
    }

    /// True when none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Keyword {
    /// Octets in a keyword: a bound of ours, far above any in use.
    pub const OCTETS_MAX: usize = 128;

    /// A keyword from its text; `None` when it is no atom (RFC 9051 §9 `flag-keyword`) or too long.
    pub fn new(text: &str) -> Option<Keyword> {
        let atom = (1..=Keyword::OCTETS_MAX).contains(&text.len()) && text.bytes().all(is_atom_octet);
        atom.then(|| Keyword(text.into()))
    }

    /// The text, in the case it came with.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `ATOM-CHAR` (RFC 9051 §9): printable ASCII without the specials, `]` included.
pub(crate) fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Flags {
    /// Adds a keyword unless it is there.
    pub fn insert(&mut self, keyword: Keyword) {
        if !self.keywords.contains(&keyword) {
            self.keywords.push(keyword);
        }
    }

    /// True when nothing is set.
    pub fn is_empty(&self) -> bool {
        self.system.is_empty() && self.keywords.is_empty()
    }
}

impl fmt::Display for Flags {
    /// Space-separated, without parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = SystemFlags::NAMED.iter().filter(|(flag, _)| self.system.contains(*flag)).map(|(_, name)| *name);
        for (index, name) in system.chain(self.keywords.iter().map(Keyword::as_str)).enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for SystemFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemFlags({})", Flags { system: *self, keywords: Vec::new() })
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
