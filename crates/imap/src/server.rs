//! The server's side of a session (RFC 9051 §3), as a value: bytes and answers go in, actions come out.

mod append;
mod capability;
mod framing;
mod question;
mod session;
mod sign_in;

pub use question::{Action, Answer, Completed, Enabled, Farewell, Input, Question, Then};
pub use session::{Config, Random, Session, Transport};

/// Octets of a command with its literals, CRLF included, before sign-in (bar S8).
pub const COMMAND_OCTETS_MAX_BEFORE_SIGN_IN: usize = 8 * 1024;
/// Of an AUTHENTICATE with a token, under TLS, before sign-in: [`auth::sasl::TOKEN_OCTETS_MAX`] in base64.
pub const AUTHENTICATE_OCTETS_MAX: usize = 18 * 1024;
/// The same afterwards: RFC 7162 §4 asks for 8,192 at least; long UID sets need more.
pub const COMMAND_OCTETS_MAX: usize = 64 * 1024;
/// Octets of a line over [`COMMAND_OCTETS_MAX`], beyond that, which are dropped unkept until the line ends and is answered BAD
/// (RFC 7162 §4); a client that still goes on is no client.
pub const DROPPED_OCTETS_MAX: usize = 1024 * 1024;
/// Octets of a literal sent without waiting while LITERAL- is what we announce, before sign-in (RFC 7888 §5).
pub const LITERAL_MINUS_OCTETS_MAX: u64 = 4_096;
/// Octets of one [`Action::Spool`].
pub const SPOOL_OCTETS_MAX: usize = 64 * 1024;
/// A refused literal that the client sends anyhow is read and dropped up to so many times APPENDLIMIT; beyond, the
/// connection is closed (RFC 7888 §4 leaves the choice).
pub const SWALLOWED_LITERALS_MAX: u64 = 2;
/// Commands refused as BAD in a row before the connection is closed: whoever that is speaks something else.
pub const BAD_COMMANDS_MAX: u32 = 20;
