//! The vocabulary of the admin socket: one JSON object per line each way.

use serde::{Deserialize, Serialize};

use super::CertificateNamed;

/// What may be asked. The reply is an object with `done` (whatever the request gives) or `failed` (a sentence).
///
/// Not printable by `Debug`: some hold a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Adds a structure. Gives a [`StructureView`].
    StructureAdd {
        /// As people read it.
        name: String,
    },
    /// Gives a [`crate::trust_space::TrustStatus`].
    TrustStatus,
    /// Gives a [`TrustView`].
    TrustShow {
        /// A domain, or a distinguished name.
        what: String,
    },
    /// Fetches all lists now. Gives a [`crate::trust_space::TrustStatus`].
    TrustRefresh,
    /// Gives the [`StructureView`]s.
    StructureList,
    /// Adds a domain to a structure. Gives a [`DomainView`].
    DomainAdd {
        /// The structure's number or name.
        structure: String,
        /// The domain.
        domain: String,
    },
    /// Names who reads `postmaster@` of a domain.
    DomainPostmaster {
        /// The domain.
        domain: String,
        /// An address of the account.
        account: String,
    },
    /// Gives the [`DomainView`]s.
    DomainList,
    /// Adds an account. Gives a [`Request::AccountPassword`] reply.
    AccountAdd {
        /// Its address; the domain must be there.
        address: String,
        /// The person's name.
        name: String,
        /// `fr` or `en`.
        language: String,
        /// Octets it may hold; zero for no limit.
        quota_octets: u64,
        /// Its password; one is generated when missing.
        password: Option<String>,
    },
    /// Gives the [`AccountView`]s.
    AccountList,
    /// Gives an [`AccountView`].
    AccountShow {
        /// An address of the account.
        account: String,
    },
    /// Gives an account another address.
    AccountAddress {
        /// An address of the account.
        account: String,
        /// The new one.
        address: String,
    },
    /// Sets the password. Gives `{"account": …, "password": …}`, the password only when it was generated.
    AccountPassword {
        /// An address of the account.
        account: String,
        /// The password; one is generated when missing.
        password: Option<String>,
    },
    /// Ends an account's sessions and lets it sign in no more.
    AccountDisable {
        /// An address of the account.
        account: String,
    },
    /// Undoes that.
    AccountEnable {
        /// An address of the account.
        account: String,
    },
    /// Lets software that shows a certificate sign in to an account. Gives `{"account": …, "number": …, "certificate": …}`.
    AccountCertificateAdd {
        /// An address of the account.
        account: String,
        /// Which certificate.
        certificate: CertificateNamed,
    },
    /// Gives the [`super::CertificateView`]s of an account.
    AccountCertificateList {
        /// An address of the account.
        account: String,
    },
    /// Takes a certificate from an account, whose sessions end.
    AccountCertificateRemove {
        /// An address of the account.
        account: String,
        /// Its number within the account.
        number: i64,
    },
    /// Lets the person of a national identifier sign in to an account with a token.
    AccountIdentifierAdd {
        /// An address of the account.
        account: String,
        /// The identifier.
        identifier: String,
        /// Whether the account is this person's own.
        holder: bool,
    },
    /// Gives the [`super::IdentifierView`]s of an account.
    AccountIdentifierList {
        /// An address of the account.
        account: String,
    },
    /// Takes an identifier from an account, whose sessions end.
    AccountIdentifierRemove {
        /// An address of the account.
        account: String,
        /// The identifier.
        identifier: String,
    },
    /// Gives the [`SessionView`]s.
    SessionList,
    /// Ends one session, or all of an account.
    SessionEnd {
        /// The session's number.
        session: Option<u64>,
        /// An address of the account.
        account: Option<String>,
    },
    /// Gives a [`QueueListView`](super::QueueListView).
    QueueList {
        /// `NAME/NUMBER`, `NAME`, a domain, or `all`; all when missing.
        selection: Option<String>,
        /// Entries at most.
        limit: u32,
    },
    /// Gives a [`QueueMessageView`](super::QueueMessageView).
    QueueShow {
        /// `NAME`, or `NAME/NUMBER`.
        name: String,
    },
    /// Lets entries that wait be tried at once. Gives `{"entries": …}`, as the next three do.
    QueueRetry {
        /// As in [`Request::QueueList`].
        selection: String,
    },
    /// Lets entries wait until they are released.
    QueueHold {
        /// As in [`Request::QueueList`].
        selection: String,
    },
    /// Lets entries that are held be tried at once.
    QueueRelease {
        /// As in [`Request::QueueList`].
        selection: String,
    },
    /// Gives entries up; their senders are told.
    QueueFail {
        /// As in [`Request::QueueList`].
        selection: String,
    },
    /// Brings a message in; its octets follow the line. Gives `{"uid": …}`.
    Append {
        /// An address of the account.
        account: String,
        /// The mailbox's name; made when missing.
        mailbox: String,
        /// Flags and keywords.
        flags: Vec<String>,
        /// INTERNALDATE, seconds since 1970.
        internal_date: Option<i64>,
        /// Octets that follow.
        octets: u64,
    },
    /// Checks the store. Gives lines, `{"progress": …}` and `{"fault": …}`, then the end.
    Verify,
    /// Copies the store, configuration and certificates into a folder of the server's machine.
    Backup {
        /// The folder.
        destination: std::path::PathBuf,
    },
    /// Brings back a mailbox of a backup under another name, or one message of it.
    Restore {
        /// The backup's folder.
        backup: std::path::PathBuf,
        /// An address of the account.
        account: String,
        /// The mailbox in the backup.
        mailbox: String,
        /// The message; the whole mailbox when missing.
        uid: Option<u32>,
        /// The mailbox it goes to; a new one named after the first when missing.
        into: Option<String>,
    },
    /// Gives every message of an account: `mailbox`, then `record` and octets for each.
    Export {
        /// An address of the account.
        account: String,
    },
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// A structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructureView {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// Its name.
    pub domain: String,
    /// The structure's number.
    pub structure: i64,
    /// The number of the account that reads `postmaster@`.
    pub postmaster: Option<i64>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its number: what logs carry.
    pub id: i64,
    /// Its addresses, the first one first.
    pub addresses: Vec<String>,
    /// The person's name.
    pub name: String,
    /// The structure's number.
    pub structure: i64,
    /// `fr` or `en`.
    pub language: String,
    /// `active` or `disabled`.
    pub state: String,
    /// Octets its messages take.
    pub used_octets: u64,
    /// Octets they may take; zero for no limit.
    pub quota_octets: u64,
    /// Messages in its mailboxes.
    pub messages: u64,
    /// Seconds since 1970.
    pub created: i64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its number.
    pub id: u64,
    /// `relay`, `submission`, `imap`.
    pub protocol: String,
    /// Where it comes from.
    pub peer: String,
    /// The number of who signed in.
    pub person: Option<i64>,
    /// The number of the box acted for.
    pub acting_for: Option<i64>,
    /// How long it has been open.
    pub age_seconds: u64,
}

impl Request {
    /// Whether events come before the reply.
    pub fn is_streamed(&self) -> bool {
        matches!(self, Request::Verify | Request::Backup { .. } | Request::Restore { .. } | Request::Export { .. })
    }
}

impl Failed {
    /// From anything that says what happened.
    pub fn because(error: impl std::fmt::Display) -> Failed {
        Failed(error.to_string())
    }
}

/// What the white list says of a domain, or of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TrustView {
    /// Of a domain.
    Domain {
        /// The domain.
        domain: String,
        /// Whether it is listed.
        listed: bool,
        /// The subjects that may speak for it.
        operators: Vec<String>,
    },
    /// Of a subject.
    Subject {
        /// The subject.
        subject: String,
        /// Whether it is listed.
        listed: bool,
        /// The domains it may speak for.
        domains: Vec<String>,
    },
}
