//! Where messages come in, and what is known of how.

use std::net::IpAddr;
use std::sync::Arc;

use auth::Identity;
use mail::trace::Protocol;
use mail::{Domain, Refusal};
use policy::Bringer;
use store::message::Appended;
use store::{AccountId, Flags, MailboxId, StoreError, UnixMillis};

/// The door a message comes in by.
#[derive(Clone, Debug)]
pub enum Door {
    /// SMTP from another host.
    Relay(Peer),
    /// SMTP from a content filter of ours, which took the message from somebody else: nobody is asked for a certificate.
    Gateway,
    /// SMTP from somebody who signed in; the message may be mended (RFC 6409 §8).
    Submission(Identity),
    /// IMAP APPEND or an import: octets as they are, whatever they are.
    Append,
}

/// Who stands behind a relay session.
#[derive(Clone, Debug, Default)]
pub enum Peer {
    /// Anybody: the listener asks nobody (development only).
    #[default]
    Unasked,
    /// An operator of the trust space.
    Operator(Operator),
}

/// An operator whose certificate is believed, with the space that says so.
#[derive(Clone, Debug)]
pub struct Operator {
    /// What it showed.
    pub certificate: Arc<trust::Certificate>,
    /// As it was at MAIL.
    pub space: Arc<trust::Space>,
}

impl Peer {
    /// The subject of its certificate, where one was asked for.
    pub fn name(&self) -> Option<String> {
        match self {
            Peer::Unasked => None,
            Peer::Operator(operator) => Some(operator.certificate.dn.to_string()),
        }
    }
}

impl Operator {
    /// Whether it speaks for a domain.
    pub fn speaks_for(&self, domain: &Domain) -> bool {
        self.space.speaks_for(&self.certificate, domain).is_ok()
    }
}

impl Door {
    /// Who brings what comes in here.
    pub(crate) fn bringer(&self) -> Bringer {
        match self {
            Door::Relay(_) => Bringer::Peer,
            Door::Gateway => Bringer::Gateway,
            Door::Submission(_) | Door::Append => Bringer::Account,
        }
    }

    /// Who submits.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            Door::Submission(identity) => Some(identity.acting_for),
            Door::Relay(_) | Door::Gateway | Door::Append => None,
        }
    }

    /// The operator behind it, where one was asked for and believed.
    pub(crate) fn operator(&self) -> Option<&Operator> {
        match self {
            Door::Relay(Peer::Operator(operator)) => Some(operator),
            Door::Relay(Peer::Unasked) | Door::Gateway | Door::Submission(_) | Door::Append => None,
        }
    }
}

/// How a message came by SMTP: what its Received field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The argument of EHLO or HELO.
    pub client_name: String,
    /// Where it came from, after PROXY protocol.
    pub client_address: IpAddr,
    /// What TLS negotiated.
    pub tls: Option<TlsNames>,
    /// The `with` clause.
    pub protocol: Protocol,
}

/// TLS of a session, by the names a trace field carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsNames {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
}

/// A message that is durable: in the box of every recipient here, and in the queue for every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Names the message in our log, in its Received field and in the reply.
    pub message: String,
    /// Whose it is now, ascending.
    pub accounts: Vec<AccountId>,
    /// Where it is, by ascending account.
    pub copies: Vec<Appended>,
    /// Recipients it waits to leave for.
    pub queued: usize,
}

/// Where an appended message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendOrder {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The flags it has from the start.
    pub flags: Flags,
    /// INTERNALDATE; now where none is given (RFC 9051 §6.3.12).
    pub internal_date: Option<UnixMillis>,
}

/// Why a message was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Policy refused it.
    #[error("refused: {}", .0.rule())]
    Refused(Refusal),
    /// The mailbox is gone, the quota reached, or the store in trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}
