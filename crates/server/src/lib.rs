//! Assembles the rest: drivers that pump sessions over sockets, configuration, life cycle. The binary `sceau` is a thin shell.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this crate owns tasks, clocks and configuration files"
)]

pub mod access;
