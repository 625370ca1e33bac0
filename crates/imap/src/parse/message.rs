//! Arguments of the commands on messages, other than FETCH items and SEARCH keys.

use super::cursor::{Cursor, LiteralMode};
use super::{Parsed, Problem, fetch, search};
use crate::command::{Append, AppendMessage, LiteralKind, Operation, Qresync, Store, StoreAnswer, StoreMode};
use crate::sequence::{Bound, Messages, Numbering, Ranges};

/// COPY, MOVE, FETCH, STORE, SEARCH with sequence numbers; anything else is no command.
pub(super) fn sequence_command(cursor: &mut Cursor<'_>, name: &[u8]) -> Parsed<Operation> {
    message_command(cursor, name, Numbering::Sequence)
}

/// What may follow `UID`.
pub(super) fn uid_command(cursor: &mut Cursor<'_>, name: &[u8]) -> Parsed<Operation> {
    match name {
        b"EXPUNGE" => Ok(Operation::Expunge { uids: Some(messages(cursor, Numbering::Uid)?) }),
        _ => message_command(cursor, name, Numbering::Uid),
    }
}

fn message_command(cursor: &mut Cursor<'_>, name: &[u8], numbering: Numbering) -> Parsed<Operation> {
    Ok(match name {
        b"COPY" => Operation::Copy { messages: messages(cursor, numbering)?, to: cursor.argument_mailbox()? },
        b"MOVE" => Operation::Move { messages: messages(cursor, numbering)?, to: cursor.argument_mailbox()? },
        b"FETCH" => fetch::fetch(cursor, numbering)?,
        b"STORE" => Operation::Store(store(cursor, numbering)?),
        b"SEARCH" => Operation::Search(search::search(cursor, numbering)?),
        _ => return Err(Problem::UnknownCommand),
    })
}

/// A space and a set.
pub(super) fn messages(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parsed<Messages> {
    cursor.space()?;
    Ok(Messages { numbering, set: cursor.numbers()? })
}

/// `STORE set [(UNCHANGEDSINCE n)] [+-]FLAGS[.SILENT] flags` (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
fn store(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parsed<Store> {
    let messages = messages(cursor, numbering)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.eat_prefix(b"(UNCHANGEDSINCE ") {
        unchanged_since = Some(cursor.number()?);
        cursor.expect(b')', "the end of the modifiers")?;
        cursor.space()?;
    }
    let how = match (cursor.eat(b'+'), cursor.eat(b'-')) {
        (false, false) => StoreMode::Replace,
        (true, false) => StoreMode::Add,
        (false, true) => StoreMode::Remove,
        (true, true) => return Err(Problem::Expected("FLAGS")),
    };
    let answer = match cursor.word()?.to_ascii_uppercase().as_slice() {
        b"FLAGS" => StoreAnswer::Told,
        b"FLAGS.SILENT" => StoreAnswer::Silent,
        _ => return Err(Problem::Expected("FLAGS")),
    };
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') { cursor.flag_list()? } else { cursor.bare_flags()? };
    Ok(Store { messages, unchanged_since, how, answer, flags })
}

/// `APPEND mailbox [(flags)] [date-time] literal` up to the announcement of the literal (RFC 9051 §6.3.12).
pub(super) fn append(cursor: &mut Cursor<'_>) -> Parsed<Append> {
    let mailbox = cursor.argument_mailbox()?;
    cursor.space()?;
    let (message, _) = append_message(cursor)?;
    Ok(Append { mailbox, message })
}

/// What announces one message: with MULTIAPPEND (RFC 3502) it comes again after each message and a space.
pub(super) fn append_message(cursor: &mut Cursor<'_>) -> Parsed<(AppendMessage, LiteralMode)> {
    let mut message = AppendMessage { flags: Default::default(), date: None, octets: 0, kind: LiteralKind::Literal };
    if cursor.peek() == Some(b'(') {
        message.flags = cursor.flag_list()?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        message.date = Some(cursor.date_time()?);
        cursor.space()?;
    }
    if cursor.eat(b'~') {
        message.kind = LiteralKind::Literal8;
    }
    let (octets, mode) = cursor.literal_announcement()?;
    match octets {
        // RFC 3502 §6.3.11 takes an empty one as a cancelled command; a message has at least a header.
        0 => Err(Problem::Expected("a message that is not empty")),
        octets => Ok((AppendMessage { octets, ..message }, mode)),
    }
}

/// ` (uidvalidity modseq [known-uids] [(sequence-numbers uids)])` (RFC 7162 §3.2.5).
pub(super) fn qresync(cursor: &mut Cursor<'_>) -> Parsed<Qresync> {
    cursor.space()?;
    cursor.expect(b'(', "the QRESYNC parameters")?;
    let uid_validity = cursor.positive32()?;
    cursor.space()?;
    let mod_sequence = match cursor.number()? {
        0 => return Err(Problem::Expected("a mod-sequence above zero")),
        mod_sequence => mod_sequence,
    };
    let mut qresync = Qresync { uid_validity, mod_sequence, known_uids: None, sequence_match: None };
    let mut more = cursor.eat(b' ');
    if more && cursor.peek() != Some(b'(') {
        qresync.known_uids = Some(known(cursor)?);
        more = cursor.eat(b' ');
    }
    if more {
        cursor.expect(b'(', "sequence match data")?;
        let numbers = known(cursor)?;
        cursor.space()?;
        let uids = known(cursor)?;
        cursor.expect(b')', "the end of the sequence match data")?;
        if numbers.count() != uids.count() {
            return Err(Problem::Expected("as many UIDs as sequence numbers"));
        }
        qresync.sequence_match = Some((numbers, uids));
    }
    cursor.expect(b')', "the end of the QRESYNC parameters")?;
    Ok(qresync)
}

/// A set without `*`.
fn known(cursor: &mut Cursor<'_>) -> Parsed<Ranges> {
    let set = cursor.sequence_set()?;
    let named = set.as_written().iter().any(|(first, last)| *first == Bound::Last || *last == Bound::Last);
    match named {
        true => Err(Problem::Expected("a set without *")),
        false => Ok(set.resolve(1)),
    }
}
