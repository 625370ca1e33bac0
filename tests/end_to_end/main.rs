//! The whole server against real clients, over the wire; and what the repository says about itself.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests own sockets, files, threads and a clock"
)]

mod architecture;
mod clients;
mod documents;
