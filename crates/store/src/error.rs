//! What can go wrong in the store.

use mail::Refusal;

/// Trouble of the engine or the disk below it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No room: the disk is full, or free space is under the reserve.
    #[error("no room left in the store")]
    Full,
    /// Reading or writing failed; what was not acknowledged is not there.
    #[error("input or output failed: {0}")]
    Disk(String),
    /// A write could not be made durable. Nothing is accepted any more until the process restarts and verifies.
    #[error("the store is poisoned: a sync failed, restart and verify")]
    Poisoned,
    /// The engine asks to run the transaction again (SQLSTATE 40001, 40P01).
    #[error("concurrent transactions collided")]
    Collision,
    /// A constraint of the schema was broken.
    #[error("a constraint was broken: {0}")]
    Constraint(String),
    /// The store is closing.
    #[error("the store is closing")]
    Closed,
    /// Anything else: a mistake in a statement, a version too new.
    #[error("{0}")]
    Other(String),
}

/// Why the store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no such structure, domain, account or address.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// The mailbox does not exist, or no longer.
    #[error("there is no such mailbox")]
    NoSuchMailbox,
    /// A mailbox of that name exists (RFC 9051 §6.3.4).
    #[error("the mailbox exists already")]
    MailboxExists,
    /// INBOX can neither be deleted nor created (RFC 9051 §6.3.4, §6.3.5).
    #[error("INBOX cannot be created or deleted")]
    Inbox,
    /// The mailbox has children and so cannot be deleted (RFC 9051 §6.3.5).
    #[error("the mailbox has children")]
    HasChildren,
    /// The name breaks a bound of ours, or another mailbox has the special use.
    #[error("the mailbox name is not allowed: {0}")]
    MailboxName(&'static str),
    /// The account has as many mailboxes as it may have.
    #[error("the account has too many mailboxes")]
    TooManyMailboxes,
    /// The message is gone.
    #[error("there is no such message")]
    NoSuchMessage,
    /// The account's quota would be exceeded (RFC 9208).
    #[error("the quota is exceeded")]
    QuotaExceeded,
    /// The account is disabled.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The mailbox has no bit left for another keyword.
    #[error("the mailbox has too many keywords")]
    TooManyKeywords,
    /// The mailbox has given its last UID, 4,294,967,295.
    #[error("the mailbox has no UID left")]
    NoUidLeft,
    /// Somebody has that name already.
    #[error("that {0} is taken")]
    Taken(&'static str),
    /// What is on disk is not what was written.
    #[error("damaged data: {0}")]
    Damaged(String),
}

impl StoreError {
    /// What a client hears, without the cause.
    pub fn refusal(&self) -> Refusal {
        match self {
            StoreError::Engine(EngineError::Full) => Refusal::StoreFull,
            StoreError::QuotaExceeded => Refusal::QuotaExceeded,
            StoreError::AccountDisabled => Refusal::RecipientDisabled,
            _ => Refusal::StoreTrouble,
        }
    }
}
