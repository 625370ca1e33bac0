//! What an access session asks of the server around it.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use auth::{Identity, sasl};
use tokio_util::sync::CancellationToken;

/// An answer about a login, on its way: hashing and directory take their time elsewhere.
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = sasl::Answer> + Send + 'a>>;

/// One connection, named for logs and for `sceau session list`.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Unique while the server runs; every log event of the session carries it.
    pub id: u64,
    /// The client, after PROXY protocol. Used for throttling, kept in the log only.
    pub peer: SocketAddr,
}

/// Why a session is ended from outside; decides the text of its BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// The account was disabled.
    Suspended,
    /// The server stops.
    ShutDown,
    /// `sceau session end`.
    Administrator,
}

/// A session that signed in, as the server around it sees it. Dropping it tells that the session is over.
pub struct SignedIn {
    /// Cancelled when the session has to end: the account was disabled, or an administrator ended it.
    pub end: CancellationToken,
    /// Kept for its `Drop`: a place in the session table, a permit of the per-account limit.
    pub place: Box<dyn Send + Sync>,
}

/// What the driver asks of the server around it. Implemented once by `server`, and by tests.
pub trait Host: Send + Sync + 'static {
    /// Answers a SASL question (passwords, SCRAM credentials, acting for another box), throttled per account and address.
    fn authenticate<'a>(&'a self, session: &'a SessionFacts, question: sasl::Question) -> Authenticating<'a>;

    /// A session proved who it is: enters it in the session table. `None` when the account has too many already.
    fn signed_in(&self, session: &SessionFacts, identity: &Identity) -> Option<SignedIn>;

    /// Counts one executed command for the metrics. Nothing by default.
    fn executed(&self, command: &'static str, outcome: &'static str, took: std::time::Duration) {
        let _ = (command, outcome, took);
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("ended", &self.end.is_cancelled()).finish_non_exhaustive()
    }
}
