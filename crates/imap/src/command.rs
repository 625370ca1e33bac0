//! Commands of IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) with the extensions we announce, as types.
//!
//! [`Operation`]s need the store and leave the session as questions; everything else the session answers itself.

mod fetch;
mod list;
mod print;
mod search;

pub use fetch::{FetchItem, FetchModifiers, PartNumber, Partial, Peek, Section, SectionText};
pub use list::{ListCommand, ListPattern, ListReturn, ListSelection, SpecialUse, StatusItem};
pub use print::print;
pub use search::{HeaderName, ModSeqType, SearchCommand, SearchKey, SearchProgram, SearchReturn, StringMatch};

use auth::sasl::Secret;

use crate::date::DateTime;
use crate::flag::Flags;
use crate::mailbox::MailboxName;
use crate::sequence::{Messages, Numbering, Numbers, Ranges, SequenceSet};

/// What the client puts before a command and finds again on its completion (RFC 9051 §2.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Tag(Box<str>);

/// One command without its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `CAPABILITY` (RFC 9051 §6.1.1).
    Capability,
    /// `LOGOUT` (RFC 9051 §6.1.3).
    Logout,
    /// `STARTTLS` (RFC 9051 §6.2.1).
    StartTls,
    /// `AUTHENTICATE` (RFC 9051 §6.2.2) with the initial response of SASL-IR (RFC 4959).
    Authenticate {
        /// The mechanism's name, in upper case.
        mechanism: String,
        /// The initial response still in base64; `=` is an empty one.
        initial_response: Option<Secret>,
    },
    /// `LOGIN` (RFC 9051 §6.2.3).
    Login {
        /// The user name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// `ENABLE` (RFC 9051 §6.3.1): capability names in upper case.
    Enable(Vec<String>),
    /// `ID` (RFC 2971): what the client says of itself.
    Id(Vec<(String, Option<String>)>),
    /// `IDLE` (RFC 9051 §6.3.13).
    Idle,
    /// `APPEND` up to and with the announcement of its first literal (RFC 9051 §6.3.12).
    Append(Append),
    /// A command over the store.
    Operation(Operation),
}

/// A command that needs the store: leaves the session as a question and is answered by a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `NOOP`: tells what has changed (RFC 9051 §6.1.2).
    Noop,
    /// `CHECK` (RFC 3501 §6.4.1); `NOOP` to us.
    Check,
    /// `SELECT` (RFC 9051 §6.3.2).
    Select(Select),
    /// `EXAMINE` (RFC 9051 §6.3.3).
    Examine(Select),
    /// `CREATE` (RFC 9051 §6.3.4, RFC 6154 §3).
    Create {
        /// The new mailbox.
        mailbox: MailboxName,
        /// `USE (…)`; empty when not given.
        special_use: Vec<SpecialUse>,
    },
    /// `DELETE` (RFC 9051 §6.3.5).
    Delete(MailboxName),
    /// `RENAME` (RFC 9051 §6.3.6).
    Rename {
        /// The old name.
        from: MailboxName,
        /// The new name.
        to: MailboxName,
    },
    /// `SUBSCRIBE` (RFC 9051 §6.3.7).
    Subscribe(MailboxName),
    /// `UNSUBSCRIBE` (RFC 9051 §6.3.8).
    Unsubscribe(MailboxName),
    /// `LIST` (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
    List(ListCommand),
    /// `LSUB` (RFC 3501 §6.3.9).
    Lsub {
        /// Put before the pattern.
        reference: String,
        /// What to match.
        pattern: ListPattern,
    },
    /// `NAMESPACE` (RFC 9051 §6.3.10).
    Namespace,
    /// `STATUS` (RFC 9051 §6.3.11).
    Status {
        /// The mailbox.
        mailbox: MailboxName,
        /// What to tell, in the order asked, never empty.
        items: Vec<StatusItem>,
    },
    /// `CLOSE` (RFC 9051 §6.4.1): expunges silently.
    Close,
    /// `UNSELECT` (RFC 9051 §6.4.2): expunges nothing.
    Unselect,
    /// `EXPUNGE` (RFC 9051 §6.4.3), or `UID EXPUNGE` (§6.4.9) with the UIDs it is held to.
    Expunge {
        /// `None` for plain `EXPUNGE`.
        uids: Option<Messages>,
    },
    /// `SEARCH` and `UID SEARCH` (RFC 9051 §6.4.4).
    Search(SearchCommand),
    /// `FETCH` and `UID FETCH` (RFC 9051 §6.4.5). `UID FETCH` always carries [`FetchItem::Uid`].
    Fetch {
        /// Which messages.
        messages: Messages,
        /// What of them, macros expanded, each once, in the order asked, never empty.
        items: Vec<FetchItem>,
        /// `CHANGEDSINCE` and `VANISHED`.
        modifiers: FetchModifiers,
    },
    /// `STORE` and `UID STORE` (RFC 9051 §6.4.6).
    Store(Store),
    /// `COPY` and `UID COPY` (RFC 9051 §6.4.7).
    Copy {
        /// Which messages.
        messages: Messages,
        /// Where to.
        to: MailboxName,
    },
    /// `MOVE` and `UID MOVE` (RFC 9051 §6.4.8).
    Move {
        /// Which messages.
        messages: Messages,
        /// Where to.
        to: MailboxName,
    },
}

/// The arguments of `SELECT` and `EXAMINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// `(CONDSTORE)` (RFC 7162 §3.1.8).
    pub condstore: bool,
    /// `(QRESYNC (…))` (RFC 7162 §3.2.5). The session refuses it until QRESYNC is enabled.
    pub qresync: Option<Qresync>,
}

/// The parameters of `QRESYNC` (RFC 7162 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qresync {
    /// The UIDVALIDITY the client knows.
    pub uid_validity: u32,
    /// The last MODSEQ the client knows, at least 1.
    pub mod_sequence: u64,
    /// The UIDs the client knows; all when `None`.
    pub known_uids: Option<Ranges>,
    /// Sequence numbers and the UIDs they had, of equal count.
    pub sequence_match: Option<(Ranges, Ranges)>,
}

/// The arguments of `STORE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Which messages.
    pub messages: Messages,
    /// `UNCHANGEDSINCE` (RFC 7162 §3.1.3); 0 is allowed and matches nothing.
    pub unchanged_since: Option<u64>,
    /// What to do with the flags.
    pub how: StoreMode,
    /// Whether the new flags are to be told.
    pub answer: StoreAnswer,
    /// The flags.
    pub flags: Flags,
}

/// What `STORE` does with its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// `FLAGS`.
    Replace,
    /// `+FLAGS`.
    Add,
    /// `-FLAGS`.
    Remove,
}

/// Whether `STORE` tells the new flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAnswer {
    /// Told by FETCH responses.
    Told,
    /// `.SILENT`.
    Silent,
}

/// `APPEND`: the mailbox, and what comes with its first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub mailbox: MailboxName,
    /// The first message. MULTIAPPEND (RFC 3502) has more, each announced on its own.
    pub message: AppendMessage,
}

/// One message of `APPEND`, still to come as a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendMessage {
    /// The flags it starts with.
    pub flags: Flags,
    /// Its INTERNALDATE; now, when not given.
    pub date: Option<DateTime>,
    /// The octets of the literal, at least 1.
    pub octets: u64,
    /// Whether it may hold NUL.
    pub kind: LiteralKind,
}

/// The two kinds of literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// `{n}`: no NUL.
    Literal,
    /// `~{n}`: any octet (RFC 9051 §4.3.2).
    Literal8,
}

impl Tag {
    /// Octets in a tag: a bound of ours.
    pub const OCTETS_MAX: usize = 128;

    /// A tag from its text; `None` when it breaks the grammar (RFC 9051 §9 `tag`) or is too long.
    pub fn new(text: &str) -> Option<Tag> {
        let grammar = |octet| crate::flag::is_atom_octet(octet) && octet != b'+' || octet == b']';
        let valid = (1..=Tag::OCTETS_MAX).contains(&text.len()) && text.bytes().all(grammar);
        valid.then(|| Tag(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Operation {
    /// The command's name for logs and metrics, without its `UID`.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Noop => "NOOP",
            Operation::Check => "CHECK",
            Operation::Select(_) => "SELECT",
            Operation::Examine(_) => "EXAMINE",
            Operation::Create { .. } => "CREATE",
            Operation::Delete(_) => "DELETE",
            Operation::Rename { .. } => "RENAME",
            Operation::Subscribe(_) => "SUBSCRIBE",
            Operation::Unsubscribe(_) => "UNSUBSCRIBE",
            Operation::List(_) => "LIST",
            Operation::Lsub { .. } => "LSUB",
            Operation::Namespace => "NAMESPACE",
            Operation::Status { .. } => "STATUS",
            Operation::Close => "CLOSE",
            Operation::Unselect => "UNSELECT",
            Operation::Expunge { .. } => "EXPUNGE",
            Operation::Search(_) => "SEARCH",
            Operation::Fetch { .. } => "FETCH",
            Operation::Store(_) => "STORE",
            Operation::Copy { .. } => "COPY",
            Operation::Move { .. } => "MOVE",
        }
    }

    /// True for the commands of the selected state (RFC 9051 §6.4).
    pub fn needs_selected(&self) -> bool {
        matches!(
            self,
            Operation::Check
                | Operation::Close
                | Operation::Unselect
                | Operation::Expunge { .. }
                | Operation::Search(_)
                | Operation::Fetch { .. }
                | Operation::Store(_)
                | Operation::Copy { .. }
                | Operation::Move { .. }
        )
    }

    /// True when the command makes the session aware of mod-sequences (RFC 7162 §3.1).
    pub fn enables_condstore(&self) -> bool {
        match self {
            Operation::Select(select) | Operation::Examine(select) => select.condstore || select.qresync.is_some(),
            Operation::Status { items, .. } => items.contains(&StatusItem::HighestModSeq),
            Operation::Search(search) => search.program.key.uses_mod_sequence(),
            Operation::Fetch { items, modifiers, .. } => {
                modifiers.changed_since.is_some() || items.contains(&FetchItem::ModSeq)
            }
            Operation::Store(store) => store.unchanged_since.is_some(),
            _ => false,
        }
    }
}

impl Operation {
    /// True when `EXPUNGE` may not be told while this runs: `FETCH`, `STORE` and `SEARCH` without `UID` (RFC 9051 §7.5.1).
    pub fn holds_expunges(&self) -> bool {
        match self {
            Operation::Fetch { messages, .. } => messages.numbering == Numbering::Sequence,
            Operation::Store(store) => store.messages.numbering == Numbering::Sequence,
            Operation::Search(search) => search.numbering == Numbering::Sequence,
            _ => false,
        }
    }
}

impl From<SequenceSet> for Numbers {
    fn from(set: SequenceSet) -> Numbers {
        Numbers::Set(set)
    }
}
