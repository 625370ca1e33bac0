//! Where messages come in, and what is known of how.

use std::net::IpAddr;

use auth::Identity;
use mail::Refusal;
use mail::trace::Protocol;
use store::message::Appended;
use store::{Flags, MailboxId, StoreError, UnixMillis};

/// The door a message comes in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// SMTP from another host.
    Relay,
    /// SMTP from somebody who signed in; the message may be mended (RFC 6409 §8).
    Submission(Identity),
    /// IMAP APPEND or an import: octets as they are, whatever they are.
    Append,
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

/// A message that is durable in the box of every recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Names the message in our log, in its Received field and in the reply.
    pub message: String,
    /// Where it is, by ascending account.
    pub copies: Vec<Appended>,
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
