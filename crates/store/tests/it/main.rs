//! The store through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, and they look at files"
)]

mod faults;
mod format;
mod keeping;
mod life;
mod model;
#[cfg(feature = "postgres")]
mod postgres_server;
mod sign_in_links;
mod vanished;
mod world;
