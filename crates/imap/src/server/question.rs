//! What goes into a session and what comes out.

use std::borrow::Cow;

use auth::sasl;
use mail::{Language, Refusal};

use crate::command::{AppendMessage, Operation, Tag};
use crate::mailbox::MailboxName;
use crate::response::{Code, Status};

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Octets came from the client. Not to be given while a question is open: leave them in the socket.
    Received(&'a [u8]),
    /// The handshake asked for by [`Action::StartTls`] is over.
    TlsEstablished(sasl::ChannelBindings),
    /// The answer to the one open question.
    Answered(Answer),
    /// Untagged responses about changes, while [`super::Session::is_idle`].
    Output(Vec<u8>),
    /// A chunk of an APPEND could not be kept. The rest is swallowed and the command refused.
    SpoolFailed(Refusal),
    /// [`super::Session::deadline`] is reached.
    DeadlinePassed,
    /// The client closed its side.
    Ended,
    /// The session has to end; it says BYE at the next place between responses.
    Leave(Farewell),
}

/// Why the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server stops.
    ShutDown,
    /// The account was disabled.
    Suspended,
    /// An administrator ended the session.
    Administrator,
    /// The sign-in is as old as one by certificate or token may grow.
    Expired,
    /// The account has too many sessions.
    TooManySessions,
}

/// What the driver is to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these octets; wait until they are taken.
    Send(Vec<u8>),
    /// Answer this, after everything before was sent. Feed nothing but the answer (or [`Input::Ended`]) meanwhile.
    Ask(Question),
    /// The next octets of the message being appended, at most 64 KiB.
    Spool(Vec<u8>),
    /// The message being appended is given up: drop its stage. No answer.
    AbandonAppend,
    /// Make the TLS handshake, then give [`Input::TlsEstablished`].
    StartTls,
    /// Close the connection. The last action.
    Close,
}

/// What the session needs to know. At most one is open.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// Of the SASL exchange, or of LOGIN. Answered by [`Answer::Sasl`].
    Sasl(sasl::Question),
    /// Execute a command. Untagged responses go straight to the socket; answered by [`Answer::Completed`].
    Operation {
        /// Its tag, which ESEARCH responses name (RFC 9051 §7.3.4).
        tag: Tag,
        /// The command.
        operation: Operation,
        /// What the client has enabled, this command included.
        enabled: Enabled,
    },
    /// An APPEND begins: may it, and is there room? Answered by [`Answer::AppendReady`] (open a stage), or
    /// [`Answer::Completed`] with a refusal.
    AppendStart {
        /// Where to.
        mailbox: MailboxName,
        /// What is announced.
        message: AppendMessage,
    },
    /// All octets were spooled: commit, then tell changes. Answered by [`Answer::Completed`].
    AppendFinish {
        /// What the client has enabled.
        enabled: Enabled,
    },
}

/// The answer to the one open [`Question`].
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Sasl`].
    Sasl(sasl::Answer),
    /// To [`Question::AppendStart`]: the stage is open.
    AppendReady,
    /// To the others: the tagged completion.
    Completed(Completed),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// OK, NO or BAD.
    pub status: Status,
    /// The response code.
    pub code: Option<Code>,
    /// What a person reads, without CR or LF.
    pub text: Cow<'static, str>,
    /// The state that follows.
    pub then: Then,
}

/// What a completion does to the session's state (RFC 9051 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Stay,
    /// A mailbox is now selected: SELECT and EXAMINE with OK.
    Selected,
    /// No mailbox is selected any more: CLOSE, UNSELECT, and a SELECT or EXAMINE that failed (RFC 9051 §6.3.2).
    Unselected,
}

/// What the client has enabled (RFC 9051 §6.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enabled {
    /// `IMAP4rev2`: no RECENT, ESEARCH always, names in UTF-8.
    pub rev2: bool,
    /// `CONDSTORE`, by ENABLE or by use (RFC 7162 §3.1): FETCH responses about flags carry MODSEQ and UID.
    pub condstore: bool,
}

impl Completed {
    /// `OK` with a text, the state unchanged.
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Completed {
        Completed { status: Status::Ok, code: None, text: text.into(), then: Then::Stay }
    }

    /// `NO` with a code and a text.
    pub fn no(code: Option<Code>, text: impl Into<Cow<'static, str>>) -> Completed {
        Completed { status: Status::No, code, text: text.into(), then: Then::Stay }
    }

    /// `BAD`: the command is well-formed, and wrong here.
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Completed {
        Completed { status: Status::Bad, code: None, text: text.into(), then: Then::Stay }
    }

    /// `NO` for a reason of the closed list, in the person's language.
    pub fn refused(refusal: &Refusal, language: Language) -> Completed {
        Completed::no(crate::response::code_of(refusal), refusal.sentence(language))
    }

    /// With a response code.
    pub fn code(self, code: Code) -> Completed {
        Completed { code: Some(code), ..self }
    }

    /// With another state to follow.
    pub fn then(self, then: Then) -> Completed {
        Completed { then, ..self }
    }
}
