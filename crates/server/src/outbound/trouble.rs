//! What goes wrong on the way, in the words of the queue.

use mail::TrustCause;
use mail::dsn::Cause;
use net::dns::DnsError;
use net::tls::HandshakeError;
use policy::mx::NoExchange;
use queue::{Answer, Stage};
use smtp::client::{Extension, Failure, Response};

/// Why a host, or the whole destination, could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// How far it came.
    pub stage: Stage,
    /// Why.
    pub cause: Cause,
    /// What the other side said, if it was the one.
    pub answer: Option<Answer>,
    /// For the log.
    pub detail: String,
    /// Whether waiting helps.
    pub lasting: Lasting,
}

/// Whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    /// It may: the message waits.
    ForNow,
    /// It will not: the sender is told.
    ForGood,
}

impl Trouble {
    /// One that may pass.
    pub(super) fn new(stage: Stage, cause: Cause, detail: impl ToString) -> Trouble {
        Trouble { stage, cause, answer: None, detail: detail.to_string(), lasting: Lasting::ForNow }
    }

    /// One that will not pass by itself.
    pub(super) fn for_good(stage: Stage, cause: Cause, detail: impl ToString) -> Trouble {
        Trouble { lasting: Lasting::ForGood, ..Trouble::new(stage, cause, detail) }
    }

    pub(super) fn of_trust(cause: TrustCause, detail: impl ToString) -> Trouble {
        Trouble::new(Stage::Tls, Cause::Trust(cause), detail)
    }

    pub(super) fn of_dns(error: &DnsError) -> Trouble {
        let (cause, trouble): (_, fn(Stage, Cause, &DnsError) -> Trouble) = match error {
            DnsError::NoSuchDomain => {
                (Cause::NoSuchDomain, |stage, cause, error| Trouble::for_good(stage, cause, error))
            }
            DnsError::NoRecords => (Cause::NoMailServer, |stage, cause, error| Trouble::for_good(stage, cause, error)),
            DnsError::Temporary(_) => (Cause::DnsTrouble, |stage, cause, error| Trouble::new(stage, cause, error)),
        };
        trouble(Stage::Dns, cause, error)
    }

    pub(super) fn of_exchanges(error: NoExchange) -> Trouble {
        let cause = match error {
            NoExchange::Null => Cause::NoMailServer,
            NoExchange::Ourselves => Cause::MailLoop,
        };
        Trouble::for_good(Stage::Dns, cause, error)
    }

    pub(super) fn of_handshake(error: &HandshakeError) -> Trouble {
        let cause = match error {
            HandshakeError::Refused(alert) if alert.concerns_our_certificate() => Cause::CertificateRefused,
            HandshakeError::TooSlow => Cause::TimedOut,
            _ => Cause::TlsFailed,
        };
        Trouble::new(Stage::Tls, cause, error)
    }

    /// What ended a session; `stage`: where it stood.
    pub(super) fn of_session(failure: &Failure, stage: Stage) -> Trouble {
        match failure {
            Failure::Refused { command, response } => {
                let stage = match *command {
                    "greeting" | "EHLO" => Stage::Greeting,
                    "STARTTLS" => Stage::Tls,
                    "AUTH" => Stage::Auth,
                    _ => stage,
                };
                // Who announces STARTTLS and refuses it offers none (S5).
                let cause = match *command {
                    "STARTTLS" => Cause::Trust(TrustCause::TlsRequired),
                    _ => Cause::of_answer(response.code, response.status),
                };
                Trouble { answer: Some(answer(response)), ..Trouble::new(stage, cause, failure) }
            }
            Failure::NoTls => Trouble::of_trust(TrustCause::TlsRequired, failure),
            Failure::NoAuthentication => Trouble::new(Stage::Auth, Cause::ProtocolError, failure),
            Failure::Unsupported(extension) => Trouble::for_good(Stage::Mail, cause_of_lack(*extension), failure),
            Failure::Body(_) => Trouble::for_good(Stage::Content, Cause::ContentUnreadable, failure),
            Failure::TimedOut => Trouble::new(stage, Cause::TimedOut, failure),
            Failure::Ended => Trouble::new(stage, Cause::ConnectionLost, failure),
            Failure::Protocol(_) | Failure::Misused => Trouble::new(stage, Cause::ProtocolError, failure),
        }
    }
}

/// What the sender is told when a host lacks what the message needs (RFC 6152 §3, RFC 6531 §3.5, RFC 8689 §5).
pub(super) fn cause_of_lack(extension: Extension) -> Cause {
    match extension {
        Extension::EightBitMime | Extension::BinaryMime => Cause::EightBitUnsupported,
        Extension::Smtputf8 => Cause::Utf8Unsupported,
        Extension::RequireTls => Cause::RequireTlsUnsupported,
    }
}

/// A reply, as the queue keeps it.
pub(super) fn answer(response: &Response) -> Answer {
    Answer { code: response.code, status: response.status, text: response.text.replace('\n', " ") }
}
