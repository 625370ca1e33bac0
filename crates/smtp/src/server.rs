//! The server side: a [`Session`] is one connection.
//!
//! ```text
//! let mut session = Session::new(config, now);
//! loop {
//!     while let Some(action) = session.poll() { /* do it, perhaps handle(Answered(..)) */ }
//!     // then read while session.wants_input(), or wait until session.deadline()
//! }
//! ```
//! Memory: see [`Session`].

mod auth;
mod bdat;
mod data;
mod ehlo;
mod mail;
mod rcpt;
mod session;
mod starttls;
mod state;

use std::sync::Arc;

use ::auth::{Identity, sasl};
use ::mail::{Domain, Envelope, ForwardPath, Refusal, ReversePath};

pub use session::Session;

use crate::ClientName;

/// What one listener's sessions are; shared between them.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Whom the listener serves.
    pub role: Role,
    /// Our name in the greeting and in the answer to EHLO.
    pub host_name: Domain,
    /// When the bytes become protected.
    pub tls: Tls,
    /// Announced with SIZE: octets on the wire.
    pub octets_max: u64,
    /// Announced with LIMITS RCPTMAX (RFC 9422): recipients of one transaction.
    pub recipients_max: usize,
    /// Announced with AUTH on a submission listener once TLS is there; `SCRAM-SHA-256-PLUS` only where the channel can
    /// be bound to.
    pub mechanisms: Vec<sasl::Mechanism>,
    /// What MAIL does on a submission listener when nobody has signed in.
    pub without_auth: WithoutAuth,
    /// Fresh randomness for each AUTH exchange; called by [`Session::handle`].
    pub nonce: fn() -> [u8; sasl::NONCE_OCTETS],
    /// Whether DSN (RFC 3461) is announced and its parameters are read.
    pub dsn: Dsn,
    /// Whether REQUIRETLS (RFC 8689) is announced under TLS and read.
    pub require_tls: RequireTls,
}

/// Whom a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Port 25: mail from other hosts, without AUTH.
    Relay,
    /// Ports 587 and 465: our users, who sign in first (RFC 6409).
    Submission,
}

/// What MAIL does on a submission listener when nobody has signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WithoutAuth {
    /// It is refused: 530 5.7.0.
    #[default]
    Refused,
    /// Under TLS it chooses among the boxes that the client's certificate is bound to: see [`Answer::SenderIs`].
    ByCertificate,
}

/// When the bytes of a listener become protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tls {
    /// From the first octet: nothing is said before [`Input::TlsEstablished`] (RFC 8314 §3.3).
    Implicit,
    /// By STARTTLS (RFC 3207).
    StartTls,
    /// Never: no STARTTLS is announced, and no AUTH. For tests and for hosts without a certificate.
    Never,
}

/// Whether delivery status notifications can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dsn {
    /// Not announced: RET, ENVID and NOTIFY are answered 555. Right until a queue honours them. ORCPT, which asks for
    /// nothing, is read all the same.
    #[default]
    Refused,
    /// Announced, parameters read.
    Announced,
}

/// Whether a client can ask that its message never travels unprotected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequireTls {
    /// Not announced: answered 555. Right until whatever relays holds itself to it.
    #[default]
    Refused,
    /// Announced and read under TLS, and only there (RFC 8689 §2).
    Announced,
}

/// What TLS established.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3`, as it enters Received.
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`, as it enters Received.
    pub cipher: String,
    /// What SCRAM-PLUS binds to.
    pub bindings: sasl::ChannelBindings,
    /// The certificates the client showed, DER, its own first: it holds the key of that one, nothing else is verified.
    pub peer_chain: Vec<Vec<u8>>,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// Octets from the client, TLS removed: at most [`crate::limits::INPUT_OCTETS_MAX`], and only while
    /// [`Session::wants_input`].
    Received(&'a [u8]),
    /// The handshake is over: the one of an implicit listener, or the one [`Action::StartTls`] asked for.
    TlsEstablished(TlsFacts),
    /// The answer to the open question.
    Answered(Answer),
    /// [`Session::deadline`] has come.
    DeadlinePassed,
    /// The client closed, or the connection broke.
    Ended,
    /// A chunk could not be stored: the rest of the body is swallowed, then refused with this.
    SpoolFailed(Refusal),
    /// The server stops: 421 4.3.2 as soon as no transaction runs. Said again: at once, except while a commit runs.
    ShutDown,
    /// The signed-in account was disabled: 421 at once, except while a commit runs.
    Suspended,
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub enum Action {
    /// Send these octets.
    Send(Vec<u8>),
    /// Find the answer and bring it with [`Input::Answered`]. No other question comes before that.
    Ask(Question),
    /// Append to the stage opened for [`Question::Body`]: message octets, dots unstuffed, every line ending in CRLF.
    /// Await it before reading more; on failure hand in [`Input::SpoolFailed`].
    Spool(Vec<u8>),
    /// Drop the stage opened for [`Question::Body`]: this message will not come. [`Action::Close`] implies it.
    Discard,
    /// Everything before is sent; begin the handshake on the connection. What was read but not handed in belongs to
    /// nobody: drop it (RFC 3207 §4.2).
    StartTls,
    /// Send what is queued, then close, giving the client a moment to read (shut down writing first).
    Close,
}

/// What a session must know from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Of an AUTH exchange. Answer: [`Answer::Sasl`].
    Sasl(sasl::Question),
    /// MAIL: may this sender begin? Answer: [`Answer::SenderAccepted`] or [`Answer::Refused`]; where nobody has signed in,
    /// on a listener where [`WithoutAuth::ByCertificate`] holds, [`Answer::SenderIs`] in place of the first.
    Sender {
        /// Where failures would be reported.
        reverse_path: ReversePath,
        /// `SIZE=`, when declared: there may be no room.
        declared_octets: Option<u64>,
    },
    /// RCPT: may the message go there? Answer: [`Answer::RecipientAccepted`] or [`Answer::Refused`].
    Recipient(ForwardPath),
    /// DATA or the first BDAT: open a stage. Answer: [`Answer::BodyReady`] or [`Answer::Refused`].
    Body,
    /// End of data: judge and commit what was spooled. Answer: [`Answer::Accepted`] or [`Answer::Refused`]; the stage
    /// is used up either way.
    Accept(Box<Transaction>),
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Sasl`].
    Sasl(sasl::Answer),
    /// To [`Question::Sender`]: yes.
    SenderAccepted,
    /// To [`Question::Sender`]: yes, and this is who it is, until the next MAIL.
    SenderIs(Identity),
    /// To [`Question::Recipient`]: yes.
    RecipientAccepted,
    /// To [`Question::Body`]: the stage is open.
    BodyReady,
    /// To [`Question::Accept`]: the message is durable.
    Accepted {
        /// Names the message in our log and in the reply; printable ASCII.
        message: String,
    },
    /// To any question but [`Question::Sasl`]: no.
    Refused(Refusal),
}

/// A complete message: where it goes, and what a trace field says of how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// One sender, one or more recipients.
    pub envelope: Envelope,
    /// What the client called itself.
    pub client: ClientName,
    /// The `with` clause of Received.
    pub protocol: Protocol,
    /// Who signed in; `None` on a relay listener.
    pub identity: Option<Identity>,
    /// Octets spooled.
    pub octets: u64,
}

/// The `with` clause of Received (RFC 3848, RFC 6531 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// HELO or EHLO.
    pub greeting: Greeting,
    /// TLS is there.
    pub tls: bool,
    /// Somebody signed in.
    pub authenticated: bool,
    /// `SMTPUTF8` was given with MAIL.
    pub smtputf8: bool,
}

/// How a client said hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Greeting {
    /// HELO: no extensions.
    Helo,
    /// EHLO.
    Ehlo,
}

impl Protocol {
    /// The registered keyword: `ESMTPS`, `UTF8SMTPSA`, …
    pub fn keyword(self) -> &'static str {
        let Protocol { greeting, tls, authenticated, smtputf8 } = self;
        match (greeting, smtputf8, tls, authenticated) {
            (Greeting::Helo, ..) => "SMTP",
            (Greeting::Ehlo, false, false, false) => "ESMTP",
            (Greeting::Ehlo, false, false, true) => "ESMTPA",
            (Greeting::Ehlo, false, true, false) => "ESMTPS",
            (Greeting::Ehlo, false, true, true) => "ESMTPSA",
            (Greeting::Ehlo, true, false, false) => "UTF8SMTP",
            (Greeting::Ehlo, true, false, true) => "UTF8SMTPA",
            (Greeting::Ehlo, true, true, false) => "UTF8SMTPS",
            (Greeting::Ehlo, true, true, true) => "UTF8SMTPSA",
        }
    }
}

impl SessionConfig {
    /// A session's share of its listener's configuration.
    pub fn shared(self) -> Arc<SessionConfig> {
        Arc::new(self)
    }
}

impl std::fmt::Debug for TlsFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsFacts({} {})", self.version, self.cipher)
    }
}
