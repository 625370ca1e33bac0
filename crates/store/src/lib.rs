//! Accounts, messages, mailboxes and events on disk, transactionally, with a feed of changes.
//!
//! Logic is written once, as functions over [`Snapshot`] (reads) and [`Transaction`] (writes), run by an engine: SQLite
//! by default, PostgreSQL behind the feature `postgres`. Start reading at [`Store`], then [`engine`], then [`message`].
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the store owns files and its writer thread, and measures its own commits"
)]

pub mod account;
pub mod address;
pub mod backup;
pub mod blob;
pub mod certificate;
pub mod change_feed;
pub mod credential;
pub mod disk;
pub mod domain;
pub mod engine;
pub mod entry;
pub mod error;
pub mod event;
pub mod export;
pub mod flags;
pub mod id;
pub mod identifier;
pub mod login_failure;
pub mod mailbox;
pub mod message;
pub mod metrics;
pub mod restore;
pub mod room;
pub mod schema;
mod store;
pub mod structure;
pub mod uid_set;
pub mod verify;

pub use blob::{BlobId, BlobReader, StageWriter, Staged};
pub use change_feed::{Change, Changes, News, QueueChanges, QueueNews};
pub use engine::{Row, Snapshot, Transaction, Value};
pub use entry::Entry;
pub use error::{EngineError, StoreError};
pub use flags::{FlagBits, Flags, Keywords, SystemFlag};
pub use id::{AccountId, MailboxId, MessageId, ModSeq, StructureId, ThreadId, Uid, UidValidity, UnixMillis};
pub use room::Room;
pub use store::{Config, EngineConfig, Store};
pub use uid_set::UidSet;
