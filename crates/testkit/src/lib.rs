//! What tests share: the dialogue runner and its fellows. A dev-dependency only.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests read transcripts from files")]

pub mod dialogue;
pub mod dns_server;
pub mod faulty_disk;
