//! Replies (RFC 5321 §4.2), and the one place that turns a reason into a code.

use std::borrow::Cow;
use std::io::Write;

use auth::sasl;
use mail::{EnhancedStatus, Language, Refusal, TrustCause};

use crate::command::{CommandError, ParameterError};
use crate::limits::REPLY_LINE_OCTETS_MAX;
use crate::line::LineError;
use crate::line_ends::BodyFault;

/// A code, a status (RFC 3463; RFC 2034 §3 exempts the greeting, EHLO, 334 and 354) and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<EnhancedStatus>,
    /// Lines are divided by `\n`.
    text: Cow<'static, str>,
}

/// To what command a [`Refusal`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA or BDAT, before the body or after it.
    Message,
}

impl Reply {
    const fn fixed(code: u16, status: (u8, u16, u16), text: &'static str) -> Reply {
        let (class, subject, detail) = status;
        Reply { code, status: Some(EnhancedStatus::new(class, subject, detail)), text: Cow::Borrowed(text) }
    }

    /// A reply with a text made for the occasion.
    pub fn new(code: u16, status: EnhancedStatus, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply { code, status: Some(status), text: text.into() }
    }

    /// A reply of those that bear no status; `\n` divides lines.
    pub fn bare(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply { code, status: None, text: text.into() }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The status.
    pub fn status(&self) -> Option<EnhancedStatus> {
        self.status
    }

    /// Appends the wire form: every line at most [`REPLY_LINE_OCTETS_MAX`] octets, what is not printable ASCII as `?`.
    pub fn print(&self, wire: &mut Vec<u8>) {
        // Three digits, separator, status and its space, CRLF.
        let status = self.status.map(|status| format!("{status} ")).unwrap_or_default();
        let room = REPLY_LINE_OCTETS_MAX - 4 - status.len() - 2;
        let mut lines = self.text.split('\n').flat_map(|line| wrap(line, room)).peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            // Writing to a Vec cannot fail.
            let _ = write!(wire, "{:03}{separator}{status}", self.code);
            wire.extend(line.chars().map(|character| match character {
                ' '..='~' => character as u8,
                _ => b'?',
            }));
            wire.extend_from_slice(b"\r\n");
        }
    }
}

/// Pieces of at most `room` characters, each of which prints as one octet.
fn wrap(line: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((end, _)) = text.char_indices().nth(room) else { return rest.take() };
        // At a space if there is one.
        let end = text.get(..end).and_then(|piece| piece.rfind(' ')).filter(|at| *at > 0).unwrap_or(end);
        let (piece, after) = text.split_at_checked(end)?;
        rest = Some(after.trim_start());
        Some(piece)
    })
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut wire = Vec::new();
        self.print(&mut wire);
        f.write_str(&String::from_utf8_lossy(&wire))
    }
}

// What the server says of itself.
pub(crate) const OK: Reply = Reply::fixed(250, (2, 0, 0), "ok");
pub(crate) const SENDER_ACCEPTED: Reply = Reply::fixed(250, (2, 1, 0), "sender accepted");
pub(crate) const RECIPIENT_ACCEPTED: Reply = Reply::fixed(250, (2, 1, 5), "recipient accepted");
pub(crate) const BYE: Reply = Reply::fixed(221, (2, 0, 0), "bye");
pub(crate) const READY_FOR_TLS: Reply = Reply::fixed(220, (2, 0, 0), "ready for TLS");
pub(crate) const SIGNED_IN: Reply = Reply::fixed(235, (2, 7, 0), "signed in");
pub(crate) const CANNOT_VERIFY: Reply = Reply::fixed(252, (2, 1, 5), "not told; send a message and see");
pub(crate) const HELP: Reply =
    Reply::fixed(214, (2, 0, 0), "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP STARTTLS AUTH QUIT");

/// Instead of a greeting (RFC 5321 §3.1): no session begins.
pub const TOO_MANY_SESSIONS: Reply = Reply::fixed(421, (4, 3, 2), "too many sessions, come back later");

/// Instead of a greeting: to whom nothing is served here (RFC 5321 §3.1).
pub const NOT_SERVED: Reply = Reply::fixed(554, (5, 7, 1), "no service for you here");

// Ends of sessions.
pub(crate) const IDLE: Reply = Reply::fixed(421, (4, 4, 2), "idle too long");
pub(crate) const STOPPING: Reply = Reply::fixed(421, (4, 3, 2), "the server stops, come back soon");
pub(crate) const FAULT: Reply = Reply::fixed(421, (4, 3, 0), "internal fault, come back later");
pub(crate) const TOO_MANY_BAD_COMMANDS: Reply = Reply::fixed(421, (4, 7, 0), "too many bad commands");
pub(crate) const TOO_MANY_FAILED_AUTHENTICATIONS: Reply = Reply::fixed(421, (4, 7, 0), "too many failed sign-ins");

// Commands out of order.
pub(crate) const HELLO_FIRST: Reply = Reply::fixed(503, (5, 5, 1), "say EHLO first");
pub(crate) const EHLO_NEEDED: Reply = Reply::fixed(503, (5, 5, 1), "an extension: say EHLO, not HELO");
pub(crate) const MAIL_FIRST: Reply = Reply::fixed(503, (5, 5, 1), "MAIL first");
pub(crate) const NESTED_MAIL: Reply = Reply::fixed(503, (5, 5, 1), "one MAIL at a time");
pub(crate) const IN_TRANSACTION: Reply = Reply::fixed(503, (5, 5, 1), "not within a transaction");
pub(crate) const CHUNKS_BEGUN: Reply = Reply::fixed(503, (5, 5, 1), "the body has begun with BDAT");
pub(crate) const NO_VALID_RECIPIENTS: Reply = Reply::fixed(554, (5, 5, 1), "no valid recipients");
pub(crate) const EARLY_OCTETS: Reply = Reply::fixed(554, (5, 5, 0), "octets sent before the reply they must await");
pub(crate) const TLS_ALREADY: Reply = Reply::fixed(503, (5, 5, 1), "TLS is there already");
pub(crate) const SIGNED_IN_ALREADY: Reply = Reply::fixed(503, (5, 5, 1), "signed in already");
pub(crate) const NOT_OFFERED: Reply = Reply::fixed(502, (5, 5, 1), "not offered here");
pub(crate) const TLS_FIRST: Reply = Reply::fixed(530, (5, 7, 0), "Must issue a STARTTLS command first");
pub(crate) const AUTHENTICATION_FIRST: Reply = Reply::fixed(530, (5, 7, 0), "Authentication required");
pub(crate) const MECHANISM_UNKNOWN: Reply = Reply::fixed(504, (5, 5, 4), "mechanism not offered");
pub(crate) const NOT_BASE64: Reply = Reply::fixed(501, (5, 5, 2), "not base64");
/// RFC 4954 §4.
pub(crate) const AUTH_LINE_TOO_LONG: Reply = Reply::fixed(500, (5, 5, 6), "line of the exchange too long");
pub(crate) const PARAMETERS_NEED_EHLO: Reply = Reply::fixed(555, (5, 5, 4), "parameters need EHLO");
/// RFC 6531 §3.5.
pub(crate) const SMTPUTF8_NEEDED: Reply = Reply::fixed(553, (5, 6, 7), "non-ASCII addresses need SMTPUTF8");

// Bodies.
pub(crate) const SEND_BODY: Reply = Reply { code: 354, status: None, text: Cow::Borrowed("end with <CRLF>.<CRLF>") };
pub(crate) const NUL_IN_BODY: Reply = Reply::fixed(554, (5, 6, 0), "the message holds a NUL: not accepted");

impl Reply {
    /// 250 for a message that is durable.
    pub(crate) fn accepted(message: &str) -> Reply {
        Reply::new(250, EnhancedStatus::new(2, 0, 0), format!("accepted as {message}"))
    }

    /// 250 for a chunk (RFC 3030 §2): octets of the message so far.
    pub(crate) fn octets_received(octets: u64) -> Reply {
        Reply::new(250, EnhancedStatus::new(2, 0, 0), format!("{octets} octets received"))
    }

    /// 421 with a reason that is not ours.
    pub(crate) fn farewell(refusal: &Refusal, language: Language) -> Reply {
        Reply::new(421, EnhancedStatus::new(4, 7, 0), refusal.sentence(language))
    }

    /// The answer to a command that was refused.
    pub fn refused(refusal: &Refusal, moment: Moment, language: Language) -> Reply {
        Reply::new(code(refusal, moment), refusal.status(), refusal.sentence(language))
    }

    /// The answer to a body that cannot be a message.
    pub(crate) fn body_fault(fault: BodyFault, language: Language) -> Reply {
        match fault {
            BodyFault::BareLineEnd => Reply::refused(&Refusal::BareLineEnd, Moment::Message, language),
            BodyFault::Nul => NUL_IN_BODY,
        }
    }
}

/// Codes of RFC 5321 §4.2.3 and §4.3.2. A reason this table does not name gets its class's general code.
fn code(refusal: &Refusal, moment: Moment) -> u16 {
    match (refusal, moment) {
        (Refusal::MessageTooLarge { .. }, _) => 552,
        (Refusal::Trust { cause: TrustCause::TlsRequired, .. }, _) => 530, // RFC 3207 §4
        (Refusal::Trust { cause, .. }, _) if !cause.is_transient() => 550,
        (Refusal::QuotaExceeded | Refusal::StoreFull | Refusal::TooManyRecipients { .. }, _)
            if refusal.status().class == 4 =>
        {
            452
        }
        (
            Refusal::SenderNotYours { .. }
            | Refusal::AuthorForeign { .. }
            | Refusal::AccountSuspended
            | Refusal::RecipientUnlisted { .. },
            _,
        ) => 550,
        _ => match (refusal.status().class, moment) {
            (4, _) => 451,
            (_, Moment::Sender | Moment::Recipient) => 550,
            (_, Moment::Message) => 554,
        },
    }
}

impl From<LineError> for Reply {
    fn from(error: LineError) -> Reply {
        match error {
            LineError::TooLong => Reply::fixed(500, (5, 5, 2), "line too long"),
            LineError::BareLineEnd => Reply::fixed(500, (5, 5, 2), "lines end in CRLF, and hold no other CR or LF"),
            LineError::NotText => Reply::fixed(500, (5, 5, 2), "control characters or broken UTF-8"),
        }
    }
}

impl From<&CommandError> for Reply {
    fn from(error: &CommandError) -> Reply {
        let invalid = EnhancedStatus::new(5, 5, 4);
        match error {
            CommandError::UnknownVerb => Reply::fixed(500, (5, 5, 1), "command not recognized"),
            CommandError::NotImplemented => Reply::fixed(502, (5, 5, 1), "command not implemented"),
            CommandError::Usage(usage) => Reply::new(501, invalid, format!("syntax: {usage}")),
            CommandError::ChunkSize => Reply::fixed(501, (5, 5, 4), "syntax: BDAT octets [LAST]"),
            CommandError::ReversePath(error) => Reply::new(501, error.sender_status(), format!("sender: {error}")),
            CommandError::ForwardPath(error) => {
                Reply::new(501, error.recipient_status(), format!("recipient: {error}"))
            }
            CommandError::Parameter(ParameterError::Unknown) => {
                Reply::fixed(555, (5, 5, 4), "parameter not recognized")
            }
            CommandError::Parameter(error) => Reply::new(501, invalid, error.to_string()),
        }
    }
}

/// RFC 4954 §6.
impl From<sasl::Failure> for Reply {
    fn from(failure: sasl::Failure) -> Reply {
        match failure {
            sasl::Failure::Credentials => Reply::fixed(535, (5, 7, 8), "wrong user name or password"),
            sasl::Failure::Cancelled => Reply::fixed(501, (5, 7, 0), "cancelled"),
            sasl::Failure::Malformed => Reply::fixed(501, (5, 5, 2), "malformed response"),
            sasl::Failure::Unavailable => Reply::fixed(454, (4, 7, 0), "cannot verify now, try again later"),
            sasl::Failure::Certificate(cause) => {
                let (code, class) = if cause.is_transient() { (454, 4) } else { (535, 5) };
                let text = format!("{} [{}]", cause.sentence(Language::English), cause.word());
                Reply::new(code, EnhancedStatus::new(class, 7, if class == 4 { 0 } else { 8 }), text)
            }
            sasl::Failure::Throttled => Reply::fixed(454, (4, 7, 0), "too many failures lately, try again later"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_within_512_octets_of_ascii() {
        for octets in [0, 1, 500, 501, 502, 503, 504, 1_500] {
            for text in ["a".repeat(octets), "mot ".repeat(octets / 4), "é".repeat(octets)] {
                let reply = Reply::new(550, EnhancedStatus::new(5, 7, 1), text).to_string();
                let lines: Vec<&str> = reply.split_inclusive("\r\n").collect();
                assert!(lines.iter().all(|line| line.len() <= REPLY_LINE_OCTETS_MAX && line.is_ascii()));
                let (last, before) = lines.split_last().expect("at least one line");
                assert!(last.starts_with("550 5.7.1 ") && last.ends_with("\r\n"));
                assert!(before.iter().all(|line| line.starts_with("550-5.7.1 ")));
            }
        }
    }

    #[test]
    fn nothing_in_a_text_can_add_a_reply() {
        let reply = Reply::new(550, EnhancedStatus::new(5, 1, 1), "a\r\n250 ok\0\u{1b}[0m");
        assert_eq!(reply.to_string(), "550-5.1.1 a?\r\n550 5.1.1 250 ok??[0m\r\n");
    }

    #[test]
    fn codes_follow_reason_and_moment() {
        let table = [
            (Refusal::RecipientUnknown, Moment::Recipient, 550),
            (Refusal::RecipientDisabled, Moment::Recipient, 550),
            (Refusal::PostmasterMissing, Moment::Recipient, 451),
            (Refusal::RecipientUnlisted { domain: "b.example".into() }, Moment::Recipient, 550),
            (Refusal::SenderNotYours { address: "a@b.example".into() }, Moment::Sender, 550),
            (Refusal::SenderNotYours { address: "a@b.example".into() }, Moment::Message, 550),
            (Refusal::SenderMissing, Moment::Message, 554),
            (Refusal::MessageTooLarge { octets_max: 7 }, Moment::Sender, 552),
            (Refusal::MessageTooLarge { octets_max: 7 }, Moment::Message, 552),
            (Refusal::TooManyRecipients { max: 7 }, Moment::Recipient, 452),
            (Refusal::QuotaExceeded, Moment::Recipient, 452),
            (Refusal::Loop { received_max: 50 }, Moment::Message, 554),
            (Refusal::BareLineEnd, Moment::Message, 554),
            (Refusal::ContentMalformed, Moment::Message, 554),
            (Refusal::StoreFull, Moment::Sender, 452),
            (Refusal::StoreTrouble, Moment::Message, 451),
            (Refusal::AccountSuspended, Moment::Sender, 550),
            (Refusal::AuthorForeign { address: "a@b.example".into() }, Moment::Message, 550),
            (Refusal::WhiteListMissing, Moment::Sender, 451),
            (Refusal::Trust { cause: TrustCause::DnMismatch, about: None }, Moment::Message, 550),
            (Refusal::Trust { cause: TrustCause::RevocationUnknown, about: None }, Moment::Sender, 451),
            (Refusal::Trust { cause: TrustCause::TlsRequired, about: None }, Moment::Sender, 530),
        ];
        for (refusal, moment, expected) in table {
            let reply = Reply::refused(&refusal, moment, Language::English);
            assert_eq!(reply.code(), expected, "{refusal:?} {moment:?}");
            assert_eq!(reply.code() / 100, u16::from(refusal.status().class), "{refusal:?}: code and status disagree");
            for language in [Language::English, Language::French] {
                let text = Reply::refused(&refusal, moment, language).to_string();
                assert!(text.ends_with(&format!("[{}]\r\n", refusal.rule())), "{text}");
            }
        }
    }
}
