//! Flags: five system flags and up to 58 keywords of a mailbox, as the bits of one integer.

/// The system flags of RFC 9051 §2.3.2 that are kept. `\Recent` is the mailbox's watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemFlag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
}

/// The flags of one entry. Bits from [`FlagBits::KEYWORD_BIT_FIRST`] up mean what [`Keywords`] of the mailbox says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlagBits(pub i64);

/// Flags by name, independent of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The system flags.
    pub system: FlagBits,
    /// Keywords as given; compared without case (RFC 9051 §2.3.2), each once.
    pub keywords: Vec<String>,
}

/// The keywords a mailbox knows: the first has bit [`FlagBits::KEYWORD_BIT_FIRST`]. A place is never given to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords(Vec<String>);

/// What STORE does with the flags it names (RFC 9051 §6.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagOperation {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

impl SystemFlag {
    /// All of them.
    pub const ALL: [SystemFlag; 5] =
        [SystemFlag::Answered, SystemFlag::Flagged, SystemFlag::Deleted, SystemFlag::Seen, SystemFlag::Draft];

    /// Its bit, part of the format on disk.
    pub const fn bits(self) -> FlagBits {
        FlagBits(match self {
            SystemFlag::Answered => 1,
            SystemFlag::Flagged => 2,
            SystemFlag::Deleted => 4,
            SystemFlag::Seen => 8,
            SystemFlag::Draft => 16,
        })
    }

    /// `\Seen` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            SystemFlag::Answered => "\\Answered",
            SystemFlag::Flagged => "\\Flagged",
            SystemFlag::Deleted => "\\Deleted",
            SystemFlag::Seen => "\\Seen",
            SystemFlag::Draft => "\\Draft",
        }
    }
}

impl FlagBits {
    /// The lowest bit that means a keyword.
    pub const KEYWORD_BIT_FIRST: u32 = 5;
    /// The system flags.
    pub const SYSTEM: FlagBits = FlagBits(31);
    /// `\Seen`
    pub const SEEN: FlagBits = SystemFlag::Seen.bits();
    /// `\Deleted`
    pub const DELETED: FlagBits = SystemFlag::Deleted.bits();

    /// True when the flag is set.
    pub fn has(self, flag: SystemFlag) -> bool {
        self.0 & flag.bits().0 != 0
    }

    /// These and those.
    pub fn with(self, other: FlagBits) -> FlagBits {
        FlagBits(self.0 | other.0)
    }

    /// These without those.
    pub fn without(self, other: FlagBits) -> FlagBits {
        FlagBits(self.0 & !other.0)
    }

    /// What an operation makes of these.
    pub fn after(self, operation: FlagOperation, named: FlagBits) -> FlagBits {
        match operation {
            FlagOperation::Add => self.with(named),
            FlagOperation::Remove => self.without(named),
            FlagOperation::Replace => named,
        }
    }
}

impl Flags {
    /// No flag.
    pub fn none() -> Flags {
        Flags::default()
    }

    /// One or more system flags.
    pub fn system(flags: &[SystemFlag]) -> Flags {
        let system = flags.iter().fold(FlagBits(0), |bits, flag| bits.with(flag.bits()));
        Flags { system, keywords: Vec::new() }
    }
}

impl Keywords {
    /// Keywords of one mailbox: 58 bits of a 64-bit signed integer remain for them.
    pub const COUNT_MAX: usize = 58;
    /// Octets in a keyword.
    pub const OCTETS_MAX: usize = 100;

    /// Every keyword known, in the order of the bits.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The names of the keywords set in these flags.
    pub fn of(&self, flags: FlagBits) -> impl Iterator<Item = &str> {
        let bits = flags.0 >> FlagBits::KEYWORD_BIT_FIRST;
        self.0.iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1).map(|(_, name)| name.as_str())
    }

    /// The bit of a keyword, when the mailbox knows it.
    pub fn bit(&self, keyword: &str) -> Option<FlagBits> {
        let place = self.0.iter().position(|known| known.eq_ignore_ascii_case(keyword))?;
        Some(FlagBits(1 << (FlagBits::KEYWORD_BIT_FIRST as usize + place)))
    }

    /// The bits of these flags, leaving out keywords the mailbox does not know.
    pub fn bits_known(&self, flags: &Flags) -> FlagBits {
        flags.keywords.iter().filter_map(|name| self.bit(name)).fold(flags.system, FlagBits::with)
    }

    /// Adds what is missing. False when there is no bit left for one, or it is over [`Keywords::OCTETS_MAX`] or holds a
    /// space or control character.
    pub(crate) fn learn(&mut self, names: &[String]) -> bool {
        names.iter().all(|name| {
            if self.bit(name).is_some() {
                return true;
            }
            let storable =
                (1..=Keywords::OCTETS_MAX).contains(&name.len()) && name.bytes().all(|b| (33..127).contains(&b));
            let room = storable && self.0.len() < Keywords::COUNT_MAX;
            if room {
                self.0.push(name.clone());
            }
            room
        })
    }

    pub(crate) fn from_column(text: &str) -> Keywords {
        Keywords(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    pub(crate) fn to_column(&self) -> String {
        self.0.join(" ")
    }
}
