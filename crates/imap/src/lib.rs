//! The IMAP dialogue (IMAP4rev1, RFC 3501; IMAP4rev2, RFC 9051) and the view of a selected mailbox, as values over bytes.
//!
//! Start with [`server::Session`]: it frames commands, keeps the states, signs in, and asks for everything that needs the
//! store as an [`command::Operation`]. [`response`] prints what the answer consists of, and [`view`] says which message
//! has which number and what a client may be told when. Nothing here performs I/O.

pub mod command;
pub mod date;
pub mod flag;
pub mod list;
pub mod mailbox;
pub mod parse;
pub mod response;
pub mod sequence;
pub mod server;
pub mod utf7;
pub mod view;

pub use command::{Command, Operation};
pub use flag::{Flags, Keyword, SystemFlags};
pub use mailbox::MailboxName;
pub use sequence::{Messages, Numbering, Ranges, SequenceSet};
