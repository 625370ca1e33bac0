//! The client side: greets, protects, signs in, then sends messages one after the other.
//!
//! ```text
//! Session::new(config, now)  …  Action::Ready
//!   handle(Message(envelope))  …  Action::WantBody
//!   handle(Body(piece))*, handle(BodyEnd)  …  Action::Done(outcome)
//!   handle(Message(envelope)) or handle(Quit)
//! ```
//! Whatever goes wrong with the connection is [`Action::Failed`], then [`Action::Close`].

mod announced;
mod session;

use auth::sasl::Secret;
use mail::{EnhancedStatus, Envelope};

pub use announced::{Announced, Extension};
pub use session::Session;

use crate::ClientName;
use crate::line_ends::BodyFault;

/// How to speak to a server.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Our name in EHLO.
    pub name: ClientName,
    /// How the connection is protected.
    pub tls: Tls,
    /// Whom to sign in as; refused in the clear.
    pub credentials: Option<Credentials>,
    /// How bodies are sent.
    pub transfer: Transfer,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By the driver, before the first octet.
    Implicit,
    /// By STARTTLS; where it is missing or refused, nothing is sent (S5).
    StartTls,
    /// Not at all.
    Never,
}

/// How bodies are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// DATA.
    #[default]
    Data,
    /// BDAT where CHUNKING is announced, else DATA.
    Chunks,
}

/// A user name and its password, for AUTH PLAIN.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user name.
    pub login: String,
    /// The password.
    pub password: Secret,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// Octets from the server, TLS removed.
    Received(&'a [u8]),
    /// The handshake that [`Action::StartTls`] asked for is over, and the peer is who it should be.
    TlsEstablished,
    /// Send a message to these; only after [`Action::Ready`] or [`Action::Done`].
    Message(Box<Envelope>),
    /// A piece of the message, without dots added; only after [`Action::WantBody`].
    Body(&'a [u8]),
    /// The message is whole.
    BodyEnd,
    /// Say QUIT; only after [`Action::Ready`] or [`Action::Done`].
    Quit,
    /// [`Session::deadline`] has come.
    DeadlinePassed,
    /// The server closed, or the connection broke.
    Ended,
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub enum Action {
    /// Send these octets.
    Send(Vec<u8>),
    /// Begin the handshake; drop what was read and not handed in.
    StartTls,
    /// Greeted, protected and signed in as configured.
    Ready,
    /// Hand in the body, piece by piece.
    WantBody,
    /// What became of the message.
    Done(Outcome),
    /// What broke. The message on its way, if any, was not accepted as far as we know.
    Failed(Failure),
    /// Close the connection.
    Close,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The reply to each RCPT, in the order of the envelope.
    pub recipients: Vec<Response>,
    /// The reply that decided: to the end of data, or to what was refused before.
    pub message: Response,
    /// To what it replied.
    pub decided: Decided,
}

/// What the reply that decided was a reply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// MAIL: whatever the recipients were answered counts for nothing.
    Mail,
    /// The RCPTs: all were refused, each by its reply.
    Recipients,
    /// DATA, BDAT or the end of the content: it holds for the recipients that were accepted.
    Content,
}

/// A server's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The three digits.
    pub code: u16,
    /// The status, where there was one.
    pub status: Option<EnhancedStatus>,
    /// The text; lines are divided by `\n`.
    pub text: String,
}

/// What broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server refused `command`, and without it nothing can go on.
    #[error("{command} was answered {code} {text}", code = response.code, text = response.text)]
    Refused {
        /// The verb, or `greeting`.
        command: &'static str,
        /// The answer.
        response: Response,
    },
    /// TLS is wanted, and STARTTLS is not announced.
    #[error("the server does not offer STARTTLS")]
    NoTls,
    /// There is a password to send, and no TLS or no AUTH PLAIN to send it by.
    #[error("the server does not offer AUTH PLAIN under TLS")]
    NoAuthentication,
    /// The message needs an extension that is not announced.
    #[error("the server does not offer {0}, which this message needs")]
    Unsupported(Extension),
    /// What came is no SMTP, or came when nothing was asked.
    #[error("the server breaks the protocol: {0}")]
    Protocol(&'static str),
    /// The body must not travel (S2).
    #[error("the message holds {0}")]
    Body(#[from] BodyFault),
    /// The server let us wait beyond RFC 5321 §4.5.3.2.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The connection ended.
    #[error("the connection ended")]
    Ended,
    /// The driver handed in what was not asked for.
    #[error("an input came out of order")]
    Misused,
}

impl Response {
    /// Whether the code says yes (2xx).
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Whether trying again later may help (4xx).
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }
}
