//! Listeners, TLS, the PROXY protocol, the clock and randomness: the only crate that owns sockets.
//!
//! Nothing here knows a mail protocol. A [`Listener`] accepts, [`proxy`] says who is really there,
//! a [`Connection`] turns into TLS when asked, and [`tls::Peer`] says what the handshake established.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this crate owns the sockets and the clock (ARCHITECTURE.md)"
)]

pub mod clock;
pub mod connection;
pub mod dns;
pub mod http;
pub mod listener;
pub mod proxy;
pub mod sender_authentication;
pub mod tls;

pub use clock::{Clock, Randomness, SystemClock, SystemRandomness};
pub use connection::Connection;
pub use listener::Listener;
