//! Every bound of the dialogue, with its unit and its source.

use std::time::Duration;

/// Octets in a command line, CRLF included: 512 (RFC 5321 §4.5.3.1.4) and room for every parameter we announce.
pub const COMMAND_LINE_OCTETS_MAX: usize = 2_048;

/// Octets in an AUTH command, and in a line of its exchange, CRLF included (RFC 4954 §4).
pub const AUTH_LINE_OCTETS_MAX: usize = 12_288;

/// Octets in a line of an exchange that carries a token, CRLF included: [`auth::sasl::TOKEN_OCTETS_MAX`] and the names
/// around it, in base64. RFC 4954 §4 has a client whose response does not fit the command send it so.
pub const TOKEN_LINE_OCTETS_MAX: usize = 18 * 1_024;

/// Octets in a reply line, CRLF included (RFC 5321 §4.5.3.1.5).
pub const REPLY_LINE_OCTETS_MAX: usize = 512;

/// Octets in a path, angle brackets included (RFC 5321 §4.5.3.1.3).
pub const PATH_OCTETS_MAX: usize = 256;

/// Octets in the value of ENVID as sent: identifiers in use are far shorter.
pub const ENVELOPE_ID_OCTETS_MAX: usize = 100;

/// Octets in the value of ORCPT as sent: the longest path (RFC 5321 §4.5.3.1.3) with its type, nearly all of it escaped.
pub const ORIGINAL_RECIPIENT_OCTETS_MAX: usize = 500;

/// Octets one `Received` input may bring; drivers read no more at once.
pub const INPUT_OCTETS_MAX: usize = 64 * 1_024;

/// Octets of input a session keeps while a question is open. Reaching it needs a driver that reads although
/// `wants_input` says no; the session then closes.
pub const BUFFERED_OCTETS_MAX: usize = 2 * INPUT_OCTETS_MAX;

/// Octets in a `Spool` chunk.
pub const SPOOL_OCTETS_MAX: usize = INPUT_OCTETS_MAX;

/// Octets of replies gathered before they are handed out (RFC 2920 §3.2); no command is executed above it.
pub const REPLIES_HIGH_WATER: usize = 8 * 1_024;

/// Recipients one transaction may have at least (RFC 5321 §4.5.3.1.8 asks for 100; ours is the bar of the field).
pub const RECIPIENTS_DEFAULT: usize = 1_000;

/// Commands refused for grammar or order in one session before it is closed with 421.
pub const BAD_COMMANDS_MAX: u32 = 20;

/// Failed AUTH commands in one session before it is closed with 421 (RFC 4954 §4 leaves the number to us).
pub const FAILED_AUTHENTICATIONS_MAX: u32 = 3;

/// A message so many times over the announced SIZE is not swallowed to its end: the session closes.
pub const OVERSIZE_FACTOR: u64 = 2;

/// Awaiting a command (RFC 5321 §4.5.3.2.7).
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Between our 354 and the first octets (RFC 5321 §4.5.3.2.4 gives the client's side two minutes as well).
pub const DATA_INITIATION_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// Between two blocks of a body (RFC 5321 §4.5.3.2.5).
pub const DATA_BLOCK_TIMEOUT: Duration = Duration::from_secs(3 * 60);
