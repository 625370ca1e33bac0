//! Assembles the rest: configuration, listeners, drivers that pump sessions, the life cycle, the command line.
//!
//! The only crate that spawns tasks (ARCHITECTURE.md, invariant 6). The binary `sceau` is a thin shell around it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this crate owns tasks, clocks and configuration files (ARCHITECTURE.md)"
)]

#[macro_use]
mod say;

pub mod access;
pub mod admin;
pub mod assembly;
pub mod authenticator;
pub mod certificate_sign_in;
pub mod cli;
pub mod config;
pub mod data_folder;
pub mod demo;
pub mod development_certificates;
pub mod development_trust_space;
mod doors;
pub mod identity_provider;
pub mod lifecycle;
mod machine;
mod operator;
pub mod outbound;
mod sender_authentication;
pub mod sessions;
mod smtp_answers;
pub mod smtp_driver;
pub mod telemetry;
pub mod transfer;
pub mod trust_space;
