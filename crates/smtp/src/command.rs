//! Commands, read strictly (RFC 5321 §4.1).
//!
//! Every line is checked here before smtp-proto sees any of it, and smtp-proto sees only the parameters of MAIL and RCPT,
//! behind a fixed path: it reads keywords and their few words, never a path, a number, xtext or a verb. What it takes too kindly
//! (unknown hosts, arguments to DATA, spaces after the colon, quotes in paths, saturating numbers) is refused by us.

mod parameter;
mod path;

use std::fmt;

use mail::envelope::{Notify, OriginalRecipient, Returned};
use mail::{BodyKind, EnhancedStatus, ForwardPath, ReversePath};

pub use parameter::ParameterError;
pub use path::PathError;

use crate::ClientName;

/// A command in good form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `EHLO name`.
    Ehlo(ClientName),
    /// `HELO name`.
    Helo(ClientName),
    /// `MAIL FROM:<path> [parameters]`.
    Mail(Mail),
    /// `RCPT TO:<path> [parameters]`.
    Rcpt(Rcpt),
    /// `DATA`.
    Data,
    /// `BDAT octets [LAST]` (RFC 3030).
    Bdat(Chunk),
    /// `RSET`.
    Rset,
    /// `NOOP [text]`.
    Noop,
    /// `VRFY text`.
    Vrfy,
    /// `EXPN text`.
    Expn,
    /// `HELP [text]`.
    Help,
    /// `QUIT`.
    Quit,
    /// `STARTTLS` (RFC 3207).
    StartTls,
    /// `AUTH mechanism [initial-response]` (RFC 4954).
    Auth(Auth),
}

/// The arguments of MAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender.
    pub reverse_path: ReversePath,
    /// The path was written with non-ASCII characters: needs SMTPUTF8 (RFC 6531 §3.1).
    pub internationalized: bool,
    /// `SIZE=`; what no 64 bits hold is the greatest number.
    pub declared_octets: Option<u64>,
    /// `BODY=`.
    pub body: BodyKind,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 §4.3).
    pub returned: Option<Returned>,
    /// `ENVID=`, decoded (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// `REQUIRETLS` (RFC 8689 §3).
    pub require_tls: bool,
}

/// The arguments of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// The recipient.
    pub forward_path: ForwardPath,
    /// The path or `ORCPT=` was written with non-ASCII characters.
    pub internationalized: bool,
    /// `ORCPT=` (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
    /// `NOTIFY=` (RFC 3461 §4.1).
    pub notify: Option<Notify>,
}

/// The arguments of BDAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Octets that follow the command line.
    pub octets: u64,
    /// Whether the message ends with them.
    pub last: Last,
}

/// Whether a chunk is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// `LAST` was said.
    Yes,
    /// More chunks follow.
    No,
}

/// The arguments of AUTH.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// The mechanism as written.
    pub mechanism: String,
    /// The initial response, still in base64; `=` when it is empty.
    pub initial_response: Option<String>,
}

/// What a listener offers, where it decides what can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// RET, ENVID and NOTIFY (RFC 3461); ORCPT is always read.
    pub dsn: bool,
    /// `AUTH=` with MAIL (RFC 4954 §5).
    pub auth: bool,
    /// `REQUIRETLS` with MAIL (RFC 8689 §3).
    pub require_tls: bool,
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No verb of RFC 5321 or of the extensions we know.
    #[error("unknown verb")]
    UnknownVerb,
    /// A verb that exists and is not offered here.
    #[error("verb not implemented")]
    NotImplemented,
    /// The arguments are not in the form given.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// BDAT whose size cannot be read: what follows cannot be told from commands.
    #[error("chunk size unreadable")]
    ChunkSize,
    /// The sender's path.
    #[error("reverse-path: {0}")]
    ReversePath(PathError),
    /// The recipient's path.
    #[error("forward-path: {0}")]
    ForwardPath(PathError),
    /// A parameter.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

impl Command {
    /// Reads a line, given without its CRLF: UTF-8 without control characters.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn parse(line: &str, offered: Offered) -> Result<Command, CommandError> {
        // White space before CRLF is tolerated (RFC 5321 §4.1.1); nothing else is.
        let line = line.trim_end_matches(' ');
        let (verb, arguments) = match line.split_once(' ') {
            Some((verb, arguments)) => (verb, Some(arguments)),
            None => (line, None),
        };
        let alone = |command, usage| arguments.map_or(Ok(command), |_| Err(CommandError::Usage(usage)));
        let is = |name: &str| verb.eq_ignore_ascii_case(name);
        match verb.len() {
            4 if is("MAIL") => mail(arguments, offered),
            4 if is("RCPT") => rcpt(arguments, offered),
            4 if is("DATA") => alone(Command::Data, "DATA"),
            4 if is("BDAT") => bdat(arguments),
            4 if is("EHLO") => client_name(arguments).map(Command::Ehlo).ok_or(CommandError::Usage("EHLO domain")),
            4 if is("HELO") => client_name(arguments).map(Command::Helo).ok_or(CommandError::Usage("HELO domain")),
            4 if is("RSET") => alone(Command::Rset, "RSET"),
            4 if is("NOOP") => Ok(Command::Noop),
            4 if is("QUIT") => alone(Command::Quit, "QUIT"),
            4 if is("HELP") => Ok(Command::Help),
            4 if is("VRFY") => arguments.map(|_| Command::Vrfy).ok_or(CommandError::Usage("VRFY address")),
            4 if is("EXPN") => arguments.map(|_| Command::Expn).ok_or(CommandError::Usage("EXPN list")),
            4 if is("AUTH") => auth(arguments),
            8 if is("STARTTLS") => alone(Command::StartTls, "STARTTLS"),
            _ if ELSEWHERE.into_iter().any(is) => Err(CommandError::NotImplemented),
            _ => Err(CommandError::UnknownVerb),
        }
    }
}

/// Verbs of RFC 5321 appendix F, of LMTP and of extensions that are not announced.
const ELSEWHERE: [&str; 8] = ["ETRN", "ATRN", "BURL", "LHLO", "TURN", "SEND", "SOML", "SAML"];

const MAIL_USAGE: &str = "MAIL FROM:<address> [parameters]";
const RCPT_USAGE: &str = "RCPT TO:<address> [parameters]";
const AUTH_USAGE: &str = "AUTH mechanism [initial-response]";

fn client_name(arguments: Option<&str>) -> Option<ClientName> {
    arguments?.parse().ok()
}

fn mail(arguments: Option<&str>, offered: Offered) -> Result<Command, CommandError> {
    let path = after(arguments, "FROM:").ok_or(CommandError::Usage(MAIL_USAGE))?;
    let (path, rest) = path::split(path).ok_or(CommandError::Usage(MAIL_USAGE))?;
    let reverse_path = path::reverse(path).map_err(CommandError::ReversePath)?;
    let parameters = parameter::mail(rest, offered, MAIL_USAGE)?;
    Ok(Command::Mail(Mail {
        reverse_path,
        internationalized: !path.is_ascii(),
        declared_octets: parameters.declared_octets,
        body: parameters.body,
        smtputf8: parameters.smtputf8,
        returned: parameters.returned,
        envelope_id: parameters.envelope_id,
        require_tls: parameters.require_tls,
    }))
}

fn rcpt(arguments: Option<&str>, offered: Offered) -> Result<Command, CommandError> {
    let path = after(arguments, "TO:").ok_or(CommandError::Usage(RCPT_USAGE))?;
    let (path, rest) = path::split(path).ok_or(CommandError::Usage(RCPT_USAGE))?;
    let forward_path = path::forward(path).map_err(CommandError::ForwardPath)?;
    let parameters = parameter::rcpt(rest, offered, RCPT_USAGE)?;
    Ok(Command::Rcpt(Rcpt {
        forward_path,
        internationalized: !path.is_ascii() || !rest.is_ascii(),
        original: parameters.original,
        notify: parameters.notify,
    }))
}

/// What follows `prefix`, read in any case.
fn after<'a>(arguments: Option<&'a str>, prefix: &str) -> Option<&'a str> {
    let (found, rest) = arguments?.split_at_checked(prefix.len())?;
    found.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn bdat(arguments: Option<&str>) -> Result<Command, CommandError> {
    let (size, last) = match arguments.ok_or(CommandError::ChunkSize)?.split_once(' ') {
        None => (arguments.unwrap_or_default(), Last::No),
        Some((size, last)) if last.eq_ignore_ascii_case("LAST") => (size, Last::Yes),
        Some(_) => return Err(CommandError::ChunkSize),
    };
    // What no 64 bits hold cannot be swallowed either.
    let octets = parameter::digits(size).filter(|octets| *octets < u64::MAX).ok_or(CommandError::ChunkSize)?;
    Ok(Command::Bdat(Chunk { octets, last }))
}

fn auth(arguments: Option<&str>) -> Result<Command, CommandError> {
    let arguments = arguments.ok_or(CommandError::Usage(AUTH_USAGE))?;
    let (mechanism, initial_response) = match arguments.split_once(' ') {
        Some((mechanism, response)) => (mechanism, Some(response)),
        None => (arguments, None),
    };
    // RFC 4422 §3.1: letters, digits, hyphen and underscore.
    let named = |name: &str| name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
    let one_word = initial_response.is_none_or(is_word);
    match !mechanism.is_empty() && named(mechanism) && one_word {
        true => Ok(Command::Auth(Auth {
            mechanism: mechanism.to_owned(),
            initial_response: initial_response.map(str::to_owned),
        })),
        false => Err(CommandError::Usage(AUTH_USAGE)),
    }
}

impl PathError {
    /// The status where the path was a sender's, RFC 3463 §3.2.
    pub(crate) fn sender_status(&self) -> EnhancedStatus {
        EnhancedStatus::new(5, 1, 7)
    }

    /// The status where the path was a recipient's.
    pub(crate) fn recipient_status(&self) -> EnhancedStatus {
        EnhancedStatus::new(5, 1, 3)
    }
}

/// Without CRLF; reads back as the same command.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Ehlo(name) => write!(f, "EHLO {name}"),
            Command::Helo(name) => write!(f, "HELO {name}"),
            Command::Mail(mail) => {
                write!(f, "MAIL FROM:{}", mail.reverse_path)?;
                parameter::print_mail(mail, f)
            }
            Command::Rcpt(rcpt) => {
                write!(f, "RCPT TO:{}", rcpt.forward_path)?;
                parameter::print_rcpt(rcpt, f)
            }
            Command::Data => f.write_str("DATA"),
            Command::Bdat(Chunk { octets, last: Last::No }) => write!(f, "BDAT {octets}"),
            Command::Bdat(Chunk { octets, last: Last::Yes }) => write!(f, "BDAT {octets} LAST"),
            Command::Rset => f.write_str("RSET"),
            Command::Noop => f.write_str("NOOP"),
            // What was asked is not kept: the answer never depends on it.
            Command::Vrfy => f.write_str("VRFY postmaster"),
            Command::Expn => f.write_str("EXPN list"),
            Command::Help => f.write_str("HELP"),
            Command::Quit => f.write_str("QUIT"),
            Command::StartTls => f.write_str("STARTTLS"),
            Command::Auth(Auth { mechanism, initial_response: None }) => write!(f, "AUTH {mechanism}"),
            Command::Auth(Auth { mechanism, initial_response: Some(response) }) => {
                write!(f, "AUTH {mechanism} {response}")
            }
        }
    }
}

/// An initial response holds a password.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({})", self.mechanism)
    }
}
