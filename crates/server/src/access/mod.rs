//! Access to mailboxes: pumps `imap::server::Session` over a stream, and executes its commands over the store.
//!
//! [`serve`] returns when the session is over, or when the client asked for STARTTLS: the caller then makes the handshake,
//! tells [`Conversation::tls_established`], and calls [`serve`] again with the TLS stream.
//!
//! Start reading at `conversation`, the pump; `executor` says how one command runs; one file per group of commands follows.
//! No read transaction of the store is ever open while a socket is waited for, and a session that only waits holds neither
//! buffer nor list.

mod append;
mod change;
mod conversation;
mod executor;
mod fetch;
mod flags;
mod host;
mod list;
mod mailboxes;
mod recent;
mod search;
mod select;
mod selected;
mod wire;

pub use conversation::{Context, Conversation, Outcome, serve};
pub use host::{Authenticating, Host};
