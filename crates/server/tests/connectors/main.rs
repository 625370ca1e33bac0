//! Hospital software and people with tokens, against a whole server in this process: by the clients they use, and by hand.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

mod certificates;
mod ending;
mod provider;
mod real_clients;
mod tokens;
mod world;
