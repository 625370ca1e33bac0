//! The IMAP crate from outside: dialogues, properties, an independent oracle, and the security tests named after their
//! number.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "transcripts are files, and a session needs some moment to begin at")]

mod any;
mod codec;
mod corpus;
mod dialogues;
mod grammar;
mod limits;
mod oracle;
mod properties;
mod responses;
mod scripted;
mod view;
