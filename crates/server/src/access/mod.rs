//! Access to mailboxes: pumps `imap::server::Session` over a stream, and executes its commands over the store.
//!
//! [`serve`] ends when the session does, or hands the stream back when the client asked for STARTTLS: the caller makes the
//! handshake, tells [`Conversation::tls_established`] what it found, and calls [`serve`] again with the TLS stream.

mod host;

pub use host::{Authenticating, EndCause, Host, SessionFacts, SignedIn};
