//! What mailboxes are called, and what they are for.

use std::fmt;

use crate::StoreError;

/// A mailbox name in UTF-8 with `/` between levels. INBOX is written so whatever case it came in (RFC 9051 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(pub(super) Box<str>);

/// What a mailbox is for (RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl MailboxName {
    /// Between levels.
    pub const SEPARATOR: char = '/';
    /// Octets in a name.
    pub const OCTETS_MAX: usize = 1_000;
    /// Levels of a name.
    pub const LEVELS_MAX: usize = 32;

    /// The INBOX.
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".into())
    }

    /// Checks a name: 1 to 1,000 octets, levels not empty, no control character. One `/` at the end, by which CREATE
    /// declares that names below will follow (RFC 9051 §6.3.4), is left out.
    ///
    /// # Errors
    /// [`StoreError::MailboxName`].
    pub fn parse(text: &str) -> Result<MailboxName, StoreError> {
        let text = text.strip_suffix(MailboxName::SEPARATOR).unwrap_or(text);
        let (first, rest) = text.split_once(MailboxName::SEPARATOR).map_or((text, None), |(a, b)| (a, Some(b)));
        if text.len() > MailboxName::OCTETS_MAX {
            return Err(StoreError::MailboxName("too long"));
        }
        if text.chars().any(|character| character.is_control() || character == '\u{fffd}') {
            return Err(StoreError::MailboxName("control character"));
        }
        if text.split(MailboxName::SEPARATOR).any(str::is_empty) {
            return Err(StoreError::MailboxName("empty level"));
        }
        if text.split(MailboxName::SEPARATOR).count() > MailboxName::LEVELS_MAX {
            return Err(StoreError::MailboxName("too many levels"));
        }
        Ok(MailboxName(match (first.eq_ignore_ascii_case("INBOX"), rest) {
            (true, None) => "INBOX".into(),
            (true, Some(rest)) => format!("INBOX/{rest}").into(),
            (false, _) => text.into(),
        }))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for INBOX.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name one level up.
    pub fn parent(&self) -> Option<MailboxName> {
        self.0.rsplit_once(MailboxName::SEPARATOR).map(|(parent, _)| MailboxName(parent.into()))
    }

    /// True when this name lies below the other.
    pub fn is_below(&self, other: &MailboxName) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.starts_with(MailboxName::SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [SpecialUse; 7] = [
        SpecialUse::All,
        SpecialUse::Archive,
        SpecialUse::Drafts,
        SpecialUse::Flagged,
        SpecialUse::Junk,
        SpecialUse::Sent,
        SpecialUse::Trash,
    ];

    /// The attribute: `\Sent` and so on.
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::All => "\\All",
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Flagged => "\\Flagged",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }

    /// Reads an attribute, without regard to case.
    pub fn from_attribute(text: &str) -> Option<SpecialUse> {
        SpecialUse::ALL.into_iter().find(|one| one.attribute().eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_inbox_has_one_spelling() {
        let long = "x".repeat(1_001);
        let deep = "x/".repeat(40);
        for wrong in ["", "/", "a//b", "/a", "a\0b", "a\nb", &long, &deep] {
            assert!(MailboxName::parse(wrong).is_err(), "{wrong:?}");
        }
        for (given, kept) in [("inbox", "INBOX"), ("Inbox/a", "INBOX/a"), ("a/b/", "a/b"), ("../x", "../x"), ("é", "é")]
        {
            assert_eq!(MailboxName::parse(given).unwrap().as_str(), kept);
        }
    }
}
