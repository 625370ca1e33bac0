//! Mail in the formats that other programs keep: Maildir and mbox, for `sceau import` and `sceau export`.
//!
//! Readers are iterators that give a [`Record`] or say what is wrong with one and go on: a bad record costs one record.

pub mod maildir;
pub mod mbox;

use std::path::PathBuf;

/// A message somewhere else, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Mailbox name with `/` between its levels; `INBOX` for the top.
    pub mailbox: String,
    /// What the file name or header said of it.
    pub flags: RecordFlags,
    /// When it arrived there, seconds since 1970; `None` when the format does not say.
    pub internal_date: Option<i64>,
    /// Where its octets are.
    pub octets: Octets,
}

/// The octets of a [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Octets {
    /// A whole file.
    File(PathBuf),
    /// In memory, line ends as found: mbox messages.
    Memory(Vec<u8>),
}

/// System flags and keywords (RFC 9051 §2.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFlags {
    /// `\Seen`
    pub seen: bool,
    /// `\Answered`
    pub answered: bool,
    /// `\Flagged`
    pub flagged: bool,
    /// `\Deleted`
    pub deleted: bool,
    /// `\Draft`
    pub draft: bool,
    /// Keywords, without order.
    pub keywords: Vec<String>,
}

/// What went wrong with one record; the others go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A message over [`mbox::MESSAGE_OCTETS_MAX`].
    #[error("the message at octet {offset} has more than {max} octets", max = mbox::MESSAGE_OCTETS_MAX)]
    TooLarge {
        /// Where it begins.
        offset: u64,
    },
    /// The file does not begin as an mbox does.
    #[error("no line beginning with `From ` at octet {offset}: this is no mbox")]
    NoMbox {
        /// Where the line was awaited.
        offset: u64,
    },
}
