//! The queue through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, and they look at files"
)]

mod life;
mod operator;
#[cfg(feature = "postgres")]
#[path = "../../../store/tests/it/postgres_server.rs"]
mod postgres_server;
mod simulation;
mod world;
