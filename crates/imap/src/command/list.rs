//! What `LIST` and `STATUS` may ask (RFC 9051 §6.3.9, §6.3.11).

/// `LIST`, basic or extended (RFC 5258).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCommand {
    /// Which mailboxes.
    pub selection: ListSelection,
    /// Put before each pattern (RFC 9051 §6.3.9): see [`crate::list`].
    pub reference: String,
    /// One in the basic form, one or more in the extended one.
    pub patterns: Vec<ListPattern>,
    /// What to tell of each.
    pub returns: ListReturn,
    /// True in the extended form: an empty pattern is then no question for the delimiter.
    pub extended: bool,
}

/// A mailbox name with `*` and `%`, already decoded from modified UTF-7 where that is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPattern(pub String);

/// Selection options (RFC 5258 §3.1, RFC 6154 §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelection {
    /// `SUBSCRIBED`.
    pub subscribed: bool,
    /// `REMOTE`: nothing to us, we have none.
    pub remote: bool,
    /// `RECURSIVEMATCH`: parents of matches too, with CHILDINFO. Never alone.
    pub recursive_match: bool,
    /// `SPECIAL-USE`.
    pub special_use: bool,
}

/// Return options (RFC 5258 §3.2, RFC 5819, RFC 6154 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReturn {
    /// `SUBSCRIBED`.
    pub subscribed: bool,
    /// `CHILDREN`.
    pub children: bool,
    /// `SPECIAL-USE`.
    pub special_use: bool,
    /// `STATUS (…)`; empty when not asked.
    pub status: Vec<StatusItem>,
}

/// What a mailbox is for (RFC 6154 §2, RFC 8457).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialUse {
    /// `\All`: every message.
    All,
    /// `\Archive`.
    Archive,
    /// `\Drafts`.
    Drafts,
    /// `\Flagged`: every flagged message.
    Flagged,
    /// `\Important`.
    Important,
    /// `\Junk`.
    Junk,
    /// `\Sent`.
    Sent,
    /// `\Trash`.
    Trash,
}

/// What `STATUS` may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusItem {
    /// `MESSAGES`.
    Messages,
    /// `RECENT` (RFC 3501).
    Recent,
    /// `UIDNEXT`.
    UidNext,
    /// `UIDVALIDITY`.
    UidValidity,
    /// `UNSEEN`: how many.
    Unseen,
    /// `DELETED`: how many with `\Deleted`.
    Deleted,
    /// `SIZE` (RFC 8438).
    Size,
    /// `HIGHESTMODSEQ` (RFC 7162).
    HighestModSeq,
    /// `APPENDLIMIT` (RFC 7889).
    AppendLimit,
    /// `MAILBOXID` (RFC 8474).
    MailboxId,
}

impl StatusItem {
    /// Every item with its name on the wire.
    pub const NAMED: [(StatusItem, &'static str); 10] = [
        (StatusItem::Messages, "MESSAGES"),
        (StatusItem::Recent, "RECENT"),
        (StatusItem::UidNext, "UIDNEXT"),
        (StatusItem::UidValidity, "UIDVALIDITY"),
        (StatusItem::Unseen, "UNSEEN"),
        (StatusItem::Deleted, "DELETED"),
        (StatusItem::Size, "SIZE"),
        (StatusItem::HighestModSeq, "HIGHESTMODSEQ"),
        (StatusItem::AppendLimit, "APPENDLIMIT"),
        (StatusItem::MailboxId, "MAILBOXID"),
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        StatusItem::NAMED.iter().find(|(item, _)| *item == self).map_or("", |(_, name)| name)
    }
}

impl SpecialUse {
    /// Every use with its attribute on the wire.
    pub const NAMED: [(SpecialUse, &'static str); 8] = [
        (SpecialUse::All, "\\All"),
        (SpecialUse::Archive, "\\Archive"),
        (SpecialUse::Drafts, "\\Drafts"),
        (SpecialUse::Flagged, "\\Flagged"),
        (SpecialUse::Important, "\\Important"),
        (SpecialUse::Junk, "\\Junk"),
        (SpecialUse::Sent, "\\Sent"),
        (SpecialUse::Trash, "\\Trash"),
    ];

    /// The attribute, with its backslash.
    pub fn attribute(self) -> &'static str {
        SpecialUse::NAMED.iter().find(|(item, _)| *item == self).map_or("", |(_, name)| name)
    }

    /// Reads an attribute with its backslash, in any case.
    pub fn from_attribute(text: &str) -> Option<SpecialUse> {
        SpecialUse::NAMED.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(item, _)| *item)
    }
}
