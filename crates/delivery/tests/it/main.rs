//! Messages through every door into a real store: each verdict, one commit, nothing half done, octets identical.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, and they look at files and clocks"
)]

mod doors;
mod faults;
mod routing;
mod settle;
mod world;
