//! The relay in one process: a real queue, a real DNS server, the development trust space, and peers that do as told.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

mod answers;
mod audit;
mod content;
mod delivered;
mod killed;
mod notices;
mod peer;
mod program;
mod route;
mod world;
