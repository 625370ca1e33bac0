//! Where a session stands; each state owns what is true in it.

use auth::sasl;
use mail::envelope::Recipient;
use mail::{Envelope, Refusal};

use super::Greeting;
use crate::ClientName;
use crate::command::{Chunk, Last};
use crate::dot_stuffing::DotReader;
use crate::line_ends::{BodyFault, LineEnds};
use crate::reply::Reply;

/// States without `Asked` in their name read; the others wait for the answer to the open question.
#[derive(Debug)]
pub(super) enum State {
    /// A TLS handshake runs: nothing is read here.
    Handshake,
    /// EHLO is awaited.
    Greeted,
    /// The client has said who it is.
    Ready(Hello),
    /// A response line of an AUTH exchange is awaited.
    Authenticating(Box<Authentication>),
    AuthenticationAsked(Box<Authentication>),
    SenderAsked(Box<Opened>),
    /// MAIL was accepted: RCPT, then DATA or BDAT.
    Envelope(Box<Opened>),
    RecipientAsked(Box<Opened>, Box<Recipient>),
    BodyAsked(Box<Opened>, Transfer),
    /// Between 354 and the lone dot.
    Data(Box<Incoming<DotReader>>),
    /// Within a chunk: so many octets are left of it.
    Chunk(Box<Incoming<LineEnds>>, u64, Last),
    /// Between chunks.
    Chunks(Box<Incoming<LineEnds>>),
    AcceptAsked(Hello),
    /// Octets of a refused chunk are dropped, then the reply is given.
    Swallowing(Box<Swallow>),
    /// Over.
    Closed,
}

/// What the client said it is.
#[derive(Debug)]
pub(super) struct Hello {
    pub greeting: Greeting,
    pub client: ClientName,
}

/// An AUTH exchange on its way.
#[derive(Debug)]
pub(super) struct Authentication {
    pub hello: Hello,
    pub mechanism: sasl::Mechanism,
    pub exchange: sasl::Exchange,
}

/// A transaction that MAIL has opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub hello: Hello,
    pub envelope: Envelope,
}

/// How the body comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transfer {
    Data,
    Bdat(Chunk),
}

/// A body on its way.
#[derive(Debug)]
pub(super) struct Incoming<Reader> {
    pub opened: Opened,
    pub reader: Reader,
    pub body: Body,
}

/// What is known of a body.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Message octets seen.
    pub octets: u64,
    /// Why it will be refused at its end.
    pub fault: Option<Fault>,
}

/// Why a body is swallowed rather than spooled.
#[derive(Debug)]
pub(super) enum Fault {
    TooLarge,
    Content(BodyFault),
    Spool(Refusal),
}

/// A chunk that will be refused.
#[derive(Debug)]
pub(super) struct Swallow {
    pub left: u64,
    pub reply: Reply,
    pub then: State,
}

impl State {
    /// True where the answer to a question is awaited.
    pub fn is_asking(&self) -> bool {
        matches!(
            self,
            State::AuthenticationAsked(_)
                | State::SenderAsked(_)
                | State::RecipientAsked(..)
                | State::BodyAsked(..)
                | State::AcceptAsked(_)
        )
    }

    /// True where stopping costs the client nothing.
    pub fn is_between_transactions(&self) -> bool {
        matches!(self, State::Greeted | State::Ready(_) | State::Authenticating(_) | State::Handshake)
    }

    /// What the client said it is, once it has.
    pub fn hello(&self) -> Option<&Hello> {
        match self {
            State::Handshake | State::Greeted | State::Closed => None,
            State::Ready(hello) | State::AcceptAsked(hello) => Some(hello),
            State::Authenticating(it) | State::AuthenticationAsked(it) => Some(&it.hello),
            State::SenderAsked(opened) | State::Envelope(opened) => Some(&opened.hello),
            State::RecipientAsked(opened, _) | State::BodyAsked(opened, _) => Some(&opened.hello),
            State::Data(incoming) => Some(&incoming.opened.hello),
            State::Chunk(incoming, ..) | State::Chunks(incoming) => Some(&incoming.opened.hello),
            State::Swallowing(swallow) => swallow.then.hello(),
        }
    }

    /// The state after RSET: the greeting is kept, the transaction is not. Only for states that read commands.
    pub fn reset(self) -> State {
        match self {
            State::Envelope(opened) => State::Ready(opened.hello),
            State::Chunks(incoming) => State::Ready(incoming.opened.hello),
            other => other,
        }
    }
}
