//! Names of things on disk. Every id below an account carries its account, so that no row can be reached from another.

use std::fmt;
use std::num::NonZeroU32;

pub use auth::AccountId;
pub use directory::StructureId;

/// A mailbox of an account; printed, the MAILBOXID of RFC 8474. Never reused, kept across RENAME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId {
    /// Whose mailbox.
    pub account: AccountId,
    /// Its number within the account, from 1.
    pub number: u32,
}

/// A message of an account, whatever mailboxes hold it; printed, the EMAILID of RFC 8474.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Whose message.
    pub account: AccountId,
    /// Its number within the account, from 1.
    pub number: u32,
}

/// A conversation; printed, the THREADID of RFC 8474. It has the number of its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId {
    /// Whose conversation.
    pub account: AccountId,
    /// Number of its first message.
    pub number: u32,
}

/// Names a message within one mailbox and UIDVALIDITY (RFC 9051 §2.3.1.1). Never reused, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(NonZeroU32);

/// The incarnation of a mailbox name (RFC 9051 §2.3.1.1). Never zero; a name deleted and created again gets a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidValidity(pub u32);

/// A moment in the account's log of changes (RFC 7162 §3.1): each writing transaction on the account takes the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(pub i64);

/// Wall time: milliseconds since 1970-01-01 UTC. Passed in, never read here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl Uid {
    /// The first UID of a mailbox.
    pub const FIRST: Uid = Uid(NonZeroU32::MIN);

    /// `None` for zero.
    pub fn new(number: u32) -> Option<Uid> {
        NonZeroU32::new(number).map(Uid)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl MessageId {
    /// The key of the row: the account in the upper 31 bits, so that an account's messages lie together.
    pub(crate) fn key(self) -> i64 {
        self.account.0 << 32 | i64::from(self.number)
    }

    pub(crate) fn from_key(key: i64) -> MessageId {
        MessageId { account: AccountId(key >> 32), number: (key & 0xffff_ffff) as u32 }
    }
}

impl UnixMillis {
    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An object id of RFC 8474 §3: `F` and two numbers.
impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "F{}-{}", self.account, self.number)
    }
}

/// An object id of RFC 8474 §3: `M` and two numbers.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{}-{}", self.account, self.number)
    }
}

/// An object id of RFC 8474 §3: `T` and two numbers.
impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}-{}", self.account, self.number)
    }
}
