//! What an access session asks of the server around it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use auth::sasl;

use crate::sessions::Session;

/// An answer about a login, on its way: hashing and directory take their time elsewhere.
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = sasl::Answer> + Send + 'a>>;

/// What the driver asks of the server around it. Implemented once by `server`, and by tests.
pub trait Host: Send + Sync + 'static {
    /// Answers a SASL question (passwords, SCRAM credentials, acting for another box), slowed per account and address.
    fn authenticate<'a>(&'a self, session: &'a Session, question: sasl::Question) -> Authenticating<'a>;

    /// Counts one executed command for the metrics: its name, `OK`, `NO` or `BAD`, and its duration. Nothing by default.
    fn executed(&self, command: &'static str, outcome: &'static str, took: Duration) {
        let _ = (command, outcome, took);
    }

    /// Counts a refusal that a client is told, by its rule. Nothing by default.
    fn refused(&self, rule: &'static str) {
        let _ = rule;
    }
}
