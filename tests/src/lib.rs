//! What the end-to-end tests and the bench share: a running server, plain clients, and messages to send.
//!
//! The clients are blocking and small on purpose: a test reads as the dialogue it holds, and the load generator of
//! `scripts/bench` costs little next to the server it measures.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests own sockets, files, threads and a clock"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and the panic names it"
)]

pub mod imap;
pub mod ledger;
pub mod letter;
pub mod postfix;
pub mod preload;
pub mod program;
pub mod random;
pub mod server;
pub mod serving;
pub mod sink;
pub mod smtp;
pub mod trusted;
pub mod welch;
pub mod wire;
