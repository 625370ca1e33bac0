//! Assembles the rest: configuration, listeners, drivers that pump sessions, the life cycle, the command line.
//!
//! The only crate that spawns tasks (ARCHITECTURE.md, invariant 6). The binary `sceau` is a thin shell around it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this crate owns tasks, clocks and configuration files (ARCHITECTURE.md)"
)]

pub mod access;
pub mod config;
pub mod development_certificates;
pub mod sessions;
pub mod smtp_driver;
pub mod telemetry;
pub mod transfer;
