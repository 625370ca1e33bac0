//! Commands from octets (RFC 9051 §9 `command`, RFC 3501 §9, and the extensions we announce).
//!
//! Recursive descent over one complete command with its literals in place. Never panics; nesting, counts and lengths are
//! bounded by named constants (bar S8, S10), the length of the whole by the framing.

mod cursor;
mod fetch;
mod list;
mod message;
mod search;

pub use cursor::{LiteralMode, Spelling};

use crate::command::{Command, Operation, Select, Tag};
use crate::mailbox::MailboxNameError;
use auth::sasl::Secret;
use cursor::Cursor;

/// Parentheses, NOT and OR inside each other.
pub const DEPTH_MAX: usize = 200;
/// Search keys in one command.
pub const SEARCH_KEYS_MAX: usize = 2_000;
/// Items of one FETCH.
pub const FETCH_ITEMS_MAX: usize = 200;
/// Header names in one FETCH item.
pub const HEADER_NAMES_MAX: usize = 500;
/// Steps of a part number.
pub const PART_STEPS_MAX: usize = 100;
/// Patterns of one LIST.
pub const PATTERNS_MAX: usize = 100;
/// Octets of a LIST reference or pattern.
pub const PATTERN_OCTETS_MAX: usize = 2_000;
/// Pairs in ID (RFC 2971 §3.3).
pub const ID_FIELDS_MAX: usize = 30;
/// Words of ENABLE, options of LIST, items of STATUS.
pub const WORDS_MAX: usize = 50;

/// Why octets are no command of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The tag, when there was one: BAD is tagged with it.
    pub tag: Option<Tag>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The grammar is broken: what was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Not a command we know.
    #[error("unknown command")]
    UnknownCommand,
    /// A bound of ours is passed: which.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A mailbox name that cannot be (NO rather than BAD: the grammar is fine).
    #[error(transparent)]
    MailboxName(#[from] MailboxNameError),
    /// The same in SELECT or EXAMINE: what was selected before is left (RFC 9051 §6.3.2).
    #[error(transparent)]
    SelectedName(MailboxNameError),
    /// A CHARSET we do not read (RFC 9051 §6.4.4: NO with BADCHARSET).
    #[error("unknown charset")]
    Charset,
    /// A special use we do not know (RFC 6154 §3: NO with USEATTR).
    #[error("unknown special use")]
    SpecialUse,
}

type Parsed<T> = Result<T, Problem>;

/// Reads one command: everything before its final CRLF, literals in place. Of APPEND, everything up to and with the
/// announcement of its message.
///
/// # Errors
/// [`ParseError`], with the tag when that much could be read.
pub fn command(octets: &[u8], spelling: Spelling) -> Result<(Tag, Command), ParseError> {
    let mut cursor = Cursor::new(octets, spelling);
    let tag = cursor.tag().map_err(|problem| ParseError { tag: None, problem })?;
    let parsed = cursor.space().and_then(|()| body(&mut cursor)).and_then(|command| cursor.end().map(|()| command));
    match parsed {
        Ok(command) => Ok((tag, command)),
        Err(problem) => Err(ParseError { tag: Some(tag), problem }),
    }
}

/// The tag alone, of a command that will not be read further.
pub fn tag(octets: &[u8]) -> Option<Tag> {
    Cursor::new(octets, Spelling::Ascii).tag().ok()
}

fn body(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let name = cursor.word()?.to_ascii_uppercase();
    let operation = match name.as_slice() {
        b"CAPABILITY" => return Ok(Command::Capability),
        b"LOGOUT" => return Ok(Command::Logout),
        b"STARTTLS" => return Ok(Command::StartTls),
        b"IDLE" => return Ok(Command::Idle),
        b"AUTHENTICATE" => return authenticate(cursor),
        b"LOGIN" => return login(cursor),
        b"ENABLE" => return enable(cursor),
        b"ID" => return id(cursor),
        b"APPEND" => return message::append(cursor).map(Command::Append),
        b"NOOP" => Operation::Noop,
        b"CHECK" => Operation::Check,
        b"CLOSE" => Operation::Close,
        b"UNSELECT" => Operation::Unselect,
        b"NAMESPACE" => Operation::Namespace,
        b"EXPUNGE" => Operation::Expunge { uids: None },
        b"SELECT" => Operation::Select(select(cursor)?),
        b"EXAMINE" => Operation::Examine(select(cursor)?),
        b"CREATE" => list::create(cursor)?,
        b"DELETE" => Operation::Delete(cursor.argument_mailbox()?),
        b"RENAME" => Operation::Rename { from: cursor.argument_mailbox()?, to: cursor.argument_mailbox()? },
        b"SUBSCRIBE" => Operation::Subscribe(cursor.argument_mailbox()?),
        b"UNSUBSCRIBE" => Operation::Unsubscribe(cursor.argument_mailbox()?),
        b"LIST" => Operation::List(list::list(cursor)?),
        b"LSUB" => list::lsub(cursor)?,
        b"STATUS" => list::status(cursor)?,
        b"UID" => {
            cursor.space()?;
            let name = cursor.word()?.to_ascii_uppercase();
            return message::uid_command(cursor, &name).map(Command::Operation);
        }
        other => return message::sequence_command(cursor, other).map(Command::Operation),
    };
    Ok(Command::Operation(operation))
}

fn authenticate(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mechanism = cursor.atom()?.to_ascii_uppercase();
    let initial_response = match cursor.eat(b' ') {
        false => None,
        true => {
            let base64 = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
            let response = cursor.take_while(base64);
            match response.is_empty() {
                true => return Err(Problem::Expected("an initial response in base64")),
                false => Some(Secret::new(String::from_utf8_lossy(response).into_owned())),
            }
        }
    };
    Ok(Command::Authenticate { mechanism, initial_response })
}

fn login(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let user = cursor.login_user()?;
    cursor.space()?;
    Ok(Command::Login { user, password: Secret::new(cursor.text()?) })
}

fn enable(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut names = Vec::new();
    while cursor.eat(b' ') {
        bounded(names.len(), WORDS_MAX, "capabilities")?;
        names.push(cursor.atom()?.to_ascii_uppercase());
    }
    match names.is_empty() {
        true => Err(Problem::Expected("a capability")),
        false => Ok(Command::Enable(names)),
    }
}

/// RFC 2971 §3.1.
fn id(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mut fields = Vec::new();
    if cursor.eat_word(b"NIL") {
        return Ok(Command::Id(fields));
    }
    cursor.expect(b'(', "a list or NIL")?;
    if cursor.eat(b')') {
        return Ok(Command::Id(fields));
    }
    loop {
        bounded(fields.len(), ID_FIELDS_MAX, "fields")?;
        let field = cursor.string_text()?;
        cursor.space()?;
        let value = match cursor.eat_word(b"NIL") {
            true => None,
            false => Some(cursor.string_text()?),
        };
        fields.push((field, value));
        match cursor.eat(b' ') {
            true => {}
            false => break,
        }
    }
    cursor.expect(b')', "the end of the list")?;
    Ok(Command::Id(fields))
}

fn select(cursor: &mut Cursor<'_>) -> Parsed<Select> {
    let mailbox = cursor.argument_mailbox().map_err(|problem| match problem {
        Problem::MailboxName(error) => Problem::SelectedName(error),
        problem => problem,
    })?;
    let mut select = Select { mailbox, condstore: false, qresync: None };
    if !cursor.eat(b' ') {
        return Ok(select);
    }
    cursor.expect(b'(', "select parameters")?;
    loop {
        match cursor.word()?.to_ascii_uppercase().as_slice() {
            b"CONDSTORE" => select.condstore = true,
            b"QRESYNC" if select.qresync.is_none() => select.qresync = Some(message::qresync(cursor)?),
            _ => return Err(Problem::Expected("CONDSTORE or QRESYNC")),
        }
        if !cursor.eat(b' ') {
            break;
        }
    }
    cursor.expect(b')', "the end of the select parameters")?;
    Ok(select)
}

/// Refuses the element after `max`.
fn bounded(count: usize, max: usize, what: &'static str) -> Parsed<()> {
    match count < max {
        true => Ok(()),
        false => Err(Problem::TooMany(what)),
    }
}
