//! The access driver end to end, without a network: whole IMAP conversations over pipes, on a store in a temporary folder.

mod player;
mod transcripts;
mod world;
