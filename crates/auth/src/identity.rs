//! Who a session is.

use std::fmt;

use mail::Language;

/// Names an account for ever; never reused. This, not the address, is what logs carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// A session's identity is a pair: the person who proved who they are, and the box acted for (the same, or a shared one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who signed in.
    pub person: AccountId,
    /// Whose mailboxes are served and whose addresses may be written from.
    pub acting_for: AccountId,
    /// The language in which this person is answered.
    pub language: Language,
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
