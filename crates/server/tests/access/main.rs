//! The access driver end to end, without a network: whole IMAP conversations over pipes, on a store in a temporary folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and owns its files"
)]

mod batches;
mod damage;
mod ending;
mod large;
mod mime;
mod player;
mod recent;
mod silent_race;
mod trace;
mod tracking;
mod transcripts;
mod trimmed;
mod world;
