//! Delivery status notifications (RFC 3461–3464, RFC 6522, RFC 6533): what became of a message, for people and for
//! programs.
//!
//! A [`Report`] prints as `multipart/report`: a text in French and English with the cause, the remote's answer and what to
//! do; the same for programs; then the header of the message, or all of it.

mod cause;
mod print;
mod returned;
mod status_part;
mod text_part;

use crate::envelope::{ForwardPath, OriginalRecipient};
use crate::header::DateTime;
use crate::header::print::without_controls;
use crate::{Address, BodyKind, Domain, EnhancedStatus};

pub use cause::Cause;

/// One notification, about one message, to its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Our name (RFC 3464 §2.2.2).
    pub reporting_mta: Domain,
    /// Who reads the answers to it: a postmaster.
    pub from: Address,
    /// The reverse-path of the message. There is no report to the null one (RFC 5321 §6.1).
    pub to: Address,
    /// Now.
    pub date: DateTime,
    /// The `Message-ID` of the report, without angle brackets: random, so that its boundary is too.
    pub message_id: String,
    /// When the message came here (RFC 3464 §2.2.5).
    pub arrival: DateTime,
    /// `ENVID` (RFC 3464 §2.2.1).
    pub envelope_id: Option<String>,
    /// The `Message-ID` of the message, as written between its angle brackets.
    pub original_message_id: Option<String>,
    /// The name of the message in our logs.
    pub queue_name: String,
    /// The message was sent with SMTPUTF8: so may be the report (RFC 6533 §3).
    pub smtputf8: bool,
    /// At least one; each told of on its own.
    pub recipients: Vec<RecipientReport>,
}

/// What became of the message for one recipient (RFC 3464 §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientReport {
    /// Where it was to go (RFC 3464 §2.3.2).
    pub final_recipient: ForwardPath,
    /// `ORCPT` (RFC 3464 §2.3.1).
    pub original: Option<OriginalRecipient>,
    /// What happened.
    pub action: Action,
    /// Its code (RFC 3464 §2.3.4).
    pub status: EnhancedStatus,
    /// Why: chooses the words for people.
    pub cause: Cause,
    /// The name of the host that answered (RFC 3464 §2.3.5).
    pub remote_mta: Option<String>,
    /// What it said (RFC 3464 §2.3.6).
    pub diagnostic: Option<Diagnostic>,
    /// When it was last tried (RFC 3464 §2.3.7).
    pub last_attempt: Option<DateTime>,
    /// Until when it will be tried (RFC 3464 §2.3.9), with [`Action::Delayed`] only.
    pub will_retry_until: Option<DateTime>,
}

/// What happened (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It will not arrive.
    Failed,
    /// It has not arrived yet.
    Delayed,
    /// It is in the recipient's box.
    Delivered,
    /// It went to a host that may not tell more.
    Relayed,
    /// It went to several addresses in place of this one.
    Expanded,
}

/// The answer of another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The reply code (RFC 5321 §4.2).
    pub code: u16,
    /// The enhanced one, when there was one.
    pub status: Option<EnhancedStatus>,
    /// Its text, lines joined by a space; anything the other side likes.
    pub text: String,
}

/// What a report brings back of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Original<'a> {
    /// Its header.
    Header(&'a [u8]),
    /// All of it, header first.
    Full(&'a [u8]),
}

/// A report, ready to travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The message: CRLF everywhere, no line over 998 octets.
    pub octets: Vec<u8>,
    /// What `BODY=` must say.
    pub body: BodyKind,
    /// Whether it needs SMTPUTF8.
    pub smtputf8: bool,
}

/// Octets up to which a message is brought back whole; of a longer one the header.
pub const ORIGINAL_OCTETS_MAX: u64 = 1 << 20;

impl Action {
    /// The word of the field.
    pub fn word(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }
}

impl Report {
    /// What it is mostly about: the worst that happened.
    pub fn action(&self) -> Action {
        self.recipients.iter().map(|recipient| recipient.action).min().unwrap_or(Action::Failed)
    }
}

/// Another's text for one line of people's: white space and control characters become single spaces, and what turns the
/// direction of writing goes, lest an answer show as what it is not.
fn plain(text: &str) -> String {
    let turns = |character: char| matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    without_controls(text).replace(turns, "")
}
