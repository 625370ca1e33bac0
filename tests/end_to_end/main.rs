//! The whole server against real clients, over the wire; and what the repository says about itself.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests own sockets, files, threads and a clock"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a panic here is a failed test")]

mod architecture;
mod clients;
mod demo;
mod documents;
mod durability;
mod idle;
mod relay;
mod security;
