//! How one command runs: reads and writes of the store, responses gathered on the way, changes told at its end.

use auth::{AccountId, Identity};
use imap::command::{Operation, Tag};
use imap::response::{Code, Responses, code_of};
use imap::server::{Completed, Enabled};
use imap::view::Allowed;
use store::{Changes, EngineError, Snapshot, StoreError, Transaction, UnixMillis};
use tracing::{error, warn};

use super::conversation::Context;
use super::selected::Selected;
use super::wire::{Disconnected, HIGH_WATER_OCTETS, Wire};
use crate::sessions::{self, SessionId};

/// Runs commands for one signed-in session.
pub struct Executor<'c, 's> {
    pub(super) context: &'c Context,
    pub(super) place: &'c sessions::Session,
    pub(super) identity: Identity,
    pub(super) mailbox: &'c mut Option<Box<Selected>>,
    pub(super) changes: &'c mut Changes,
    pub(super) wire: &'c mut Wire<'s>,
    pub(super) responses: Responses,
}

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// The client is gone.
    Disconnected,
    /// The command is answered by this.
    Answer(Completed),
    /// The store did not do it.
    Store(StoreError),
}

impl From<Disconnected> for Stop {
    fn from(_: Disconnected) -> Stop {
        Stop::Disconnected
    }
}

impl From<Completed> for Stop {
    fn from(completed: Completed) -> Stop {
        Stop::Answer(completed)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

impl<'c, 's> Executor<'c, 's> {
    pub fn new(
        context: &'c Context,
        place: &'c sessions::Session,
        identity: Identity,
        mailbox: &'c mut Option<Box<Selected>>,
        changes: &'c mut Changes,
        wire: &'c mut Wire<'s>,
        enabled: Enabled,
    ) -> Executor<'c, 's> {
        Executor { context, place, identity, mailbox, changes, wire, responses: Responses::new(enabled) }
    }

    /// Runs a command; its untagged responses are sent, or wait to be sent with its completion.
    pub async fn execute(&mut self, tag: &Tag, operation: Operation) -> Result<Completed, Disconnected> {
        let allowed = match operation.holds_expunges() {
            true => Allowed::NoExpunge,
            false => Allowed::Everything,
        };
        let result = self.run(tag, operation).await;
        self.finish(result, allowed).await
    }

    /// Tells what changed, and turns trouble into what the client hears.
    pub(super) async fn finish(
        &mut self,
        result: Result<Completed, Stop>,
        allowed: Allowed,
    ) -> Result<Completed, Disconnected> {
        match self.tell_changes(allowed).await {
            Ok(()) | Err(Stop::Answer(_)) => {}
            Err(Stop::Disconnected) => return Err(Disconnected),
            // The command was done all the same; the changes are told when they can be read.
            Err(Stop::Store(error)) => {
                error!(session = self.session().0, account = self.account().0, %error, "changes cannot be told");
            }
        }
        let completed = match result {
            Ok(completed) => completed,
            Err(Stop::Disconnected) => return Err(Disconnected),
            Err(Stop::Answer(completed)) => completed,
            Err(Stop::Store(error)) => self.failed(&error),
        };
        let octets = self.responses.take();
        self.wire.send(octets).await?;
        Ok(completed)
    }

    async fn run(&mut self, tag: &Tag, operation: Operation) -> Result<Completed, Stop> {
        match operation {
            Operation::Noop => Ok(Completed::ok("NOOP completed")),
            Operation::Check => Ok(Completed::ok("CHECK completed")),
            Operation::Select(select) => self.select(select, super::selected::Access::ReadWrite).await,
            Operation::Examine(select) => self.select(select, super::selected::Access::ReadOnly).await,
            Operation::Create { mailbox, special_use } => self.create(mailbox, special_use).await,
            Operation::Delete(mailbox) => self.delete(mailbox).await,
            Operation::Rename { from, to } => self.rename(from, to).await,
            Operation::Subscribe(mailbox) => self.subscribe(mailbox).await,
            Operation::Unsubscribe(mailbox) => self.unsubscribe(mailbox).await,
            Operation::List(list) => self.list(list).await,
            Operation::Lsub { reference, pattern } => self.lsub(&reference, &pattern).await,
            Operation::Namespace => {
                self.responses.namespace();
                Ok(Completed::ok("NAMESPACE completed"))
            }
            Operation::Status { mailbox, items } => self.status(mailbox, items).await,
            Operation::Close => self.close().await,
            Operation::Unselect => Ok(self.unselect()),
            Operation::Expunge { uids } => self.expunge(uids).await,
            Operation::Search(search) => Box::pin(self.search(tag, search)).await,
            Operation::Fetch { messages, items, modifiers } => Box::pin(self.fetch(messages, items, modifiers)).await,
            Operation::Store(change) => self.store_flags(change).await,
            Operation::Copy { messages, to } => self.copy(messages, to).await,
            Operation::Move { messages, to } => self.r#move(messages, to).await,
        }
    }

    /// Sends what is gathered once it is much; memory per command stays bounded by the largest single step.
    pub(super) async fn send_when_much(&mut self) -> Result<(), Disconnected> {
        match self.responses.len() >= HIGH_WATER_OCTETS {
            true => self.wire.send(self.responses.take()).await,
            false => Ok(()),
        }
    }

    /// The account whose mailboxes these are.
    pub(super) fn account(&self) -> AccountId {
        self.identity.acting_for
    }

    /// The session, as logs name it.
    pub(super) fn session(&self) -> SessionId {
        self.place.id()
    }

    /// Asked between the steps of a long command: a session that is to end does not finish it.
    pub(super) fn go_on(&self) -> Result<(), Stop> {
        match self.place.ending() {
            None => Ok(()),
            Some(_) => Err(Completed::no(Some(Code::Unavailable), "The session ends").into()),
        }
    }

    pub(super) fn enabled(&self) -> Enabled {
        self.responses.enabled()
    }

    /// Reads, on a thread that may block.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Snapshot) -> Result<T, StoreError> + Send + 'static,
    {
        self.context.store.read(read).await
    }

    /// Writes; answers after the commit. The closure may run more than once.
    pub(super) async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    {
        self.context.store.transaction(write).await
    }

    /// What the client hears of the store's trouble, and what the log keeps.
    fn failed(&self, error: &StoreError) -> Completed {
        match error {
            StoreError::Engine(EngineError::Full) | StoreError::QuotaExceeded => {
                warn!(session = self.session().0, account = self.account().0, %error, "imap command refused");
            }
            StoreError::Engine(_) | StoreError::Damaged(_) => {
                error!(session = self.session().0, account = self.account().0, %error, "imap command failed");
            }
            _ => {}
        }
        answer_to(error, &self.identity)
    }
}

/// The one place where reasons of the store become IMAP's words.
pub fn answer_to(error: &StoreError, identity: &Identity) -> Completed {
    match error {
        StoreError::NoSuchMailbox => Completed::no(Some(Code::NonExistent), "No such mailbox"),
        StoreError::MailboxExists => Completed::no(Some(Code::AlreadyExists), "The mailbox exists already"),
        StoreError::Inbox => Completed::no(Some(Code::Cannot), "INBOX can neither be created nor deleted"),
        StoreError::HasChildren => Completed::no(Some(Code::HasChildren), "The mailbox has mailboxes below it"),
        StoreError::MailboxName("special use taken") => {
            Completed::no(Some(Code::UseAttr), "Another mailbox has this special use")
        }
        StoreError::MailboxName(why) => Completed::no(Some(Code::Cannot), format!("Mailbox name not allowed: {why}")),
        StoreError::TooManyMailboxes => Completed::no(Some(Code::Limit), "Too many mailboxes"),
        StoreError::TooManyKeywords => Completed::no(Some(Code::Limit), "Too many keywords in this mailbox"),
        StoreError::NoUidLeft => Completed::no(Some(Code::Limit), "The mailbox has no UID left"),
        StoreError::NoSuchMessage => Completed::no(Some(Code::ExpungeIssued), "Some messages are gone"),
        StoreError::Damaged(_) => {
            Completed::no(Some(Code::ServerBug), "Stored data is damaged, tell the administrator")
        }
        StoreError::Unknown(_) | StoreError::Taken(_) => Completed::no(Some(Code::ServerBug), "Internal error"),
        StoreError::Engine(_) | StoreError::QuotaExceeded | StoreError::AccountDisabled => {
            let refusal = error.refusal();
            Completed::no(code_of(&refusal), refusal.sentence(identity.language))
        }
    }
}

/// Wall time, for INTERNALDATE, SAVEDATE and the events of the store.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
