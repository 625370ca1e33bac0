//! The SMTP dialogue (RFC 5321), server and client side, as state machines over bytes.
//!
//! A session takes bytes, answers and time, and gives actions; it opens no socket and reads no clock. Grammar, order and
//! limits are decided here, everything else is asked.

pub mod client;
pub mod client_name;
pub mod command;
pub mod dot_stuffing;
pub mod limits;
mod line;
pub mod line_ends;
pub mod reply;
pub mod server;
pub mod xtext;

pub use client_name::ClientName;
pub use line::LineError;
pub use reply::Reply;
