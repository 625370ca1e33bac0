//! Arguments of CREATE, LIST, LSUB and STATUS.

use super::cursor::Cursor;
use super::{PATTERNS_MAX, Parsed, Problem, WORDS_MAX, bounded};
use crate::command::{ListCommand, ListPattern, ListReturn, ListSelection, Operation, SpecialUse, StatusItem};

/// `CREATE mailbox [(USE (…))]` (RFC 6154 §3).
pub(super) fn create(cursor: &mut Cursor<'_>) -> Parsed<Operation> {
    let mailbox = cursor.argument_mailbox()?;
    let mut special_use = Vec::new();
    if cursor.eat(b' ') {
        if !cursor.eat_prefix(b"(USE (") {
            return Err(Problem::Expected("(USE (…))"));
        }
        while !cursor.eat(b')') {
            if !special_use.is_empty() {
                cursor.space()?;
            }
            bounded(special_use.len(), WORDS_MAX, "special uses")?;
            cursor.expect(b'\\', "a special use")?;
            let found = SpecialUse::from_attribute(&format!("\\{}", cursor.atom()?)).ok_or(Problem::SpecialUse)?;
            special_use.push(found);
        }
        cursor.expect(b')', "the end of the parameters")?;
    }
    Ok(Operation::Create { mailbox, special_use })
}

/// `LIST [(options)] reference pattern [RETURN (options)]` (RFC 9051 §6.3.9).
pub(super) fn list(cursor: &mut Cursor<'_>) -> Parsed<ListCommand> {
    cursor.space()?;
    let selects = cursor.peek() == Some(b'(');
    let selection = if selects { selection(cursor)? } else { ListSelection::default() };
    let reference = cursor.reference()?;
    cursor.space()?;
    let several = cursor.eat(b'(');
    let mut patterns = vec![ListPattern(cursor.pattern()?)];
    while several && cursor.eat(b' ') {
        bounded(patterns.len(), PATTERNS_MAX, "patterns")?;
        patterns.push(ListPattern(cursor.pattern()?));
    }
    if several {
        cursor.expect(b')', "the end of the patterns")?;
    }
    let wants = cursor.eat(b' ');
    let returns = if wants { returns(cursor)? } else { ListReturn::default() };
    Ok(ListCommand { selection, reference, patterns, returns, extended: selects || several || wants })
}

fn selection(cursor: &mut Cursor<'_>) -> Parsed<ListSelection> {
    let mut selection = ListSelection::default();
    words(cursor, |cursor, word| {
        match word {
            b"SUBSCRIBED" => selection.subscribed = true,
            b"REMOTE" => selection.remote = true,
            b"RECURSIVEMATCH" => selection.recursive_match = true,
            b"SPECIAL-USE" => selection.special_use = true,
            _ => return Err(Problem::Expected("a selection option")),
        }
        let _ = cursor;
        Ok(())
    })?;
    cursor.space()?;
    // RECURSIVEMATCH asks for the parents of something (RFC 5258 §3.1).
    match selection.recursive_match && !selection.subscribed && !selection.special_use {
        true => Err(Problem::Expected("what RECURSIVEMATCH is to match")),
        false => Ok(selection),
    }
}

fn returns(cursor: &mut Cursor<'_>) -> Parsed<ListReturn> {
    let mut returns = ListReturn::default();
    if !cursor.eat_prefix(b"RETURN ") {
        return Err(Problem::Expected("RETURN"));
    }
    words(cursor, |cursor, word| {
        match word {
            b"SUBSCRIBED" => returns.subscribed = true,
            b"CHILDREN" => returns.children = true,
            b"SPECIAL-USE" => returns.special_use = true,
            b"STATUS" => {
                cursor.space()?;
                returns.status = status_items(cursor)?;
            }
            _ => return Err(Problem::Expected("a return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}

/// `LSUB reference pattern` (RFC 3501 §6.3.9).
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Parsed<Operation> {
    cursor.space()?;
    let reference = cursor.reference()?;
    cursor.space()?;
    Ok(Operation::Lsub { reference, pattern: ListPattern(cursor.pattern()?) })
}

/// `STATUS mailbox (items)` (RFC 9051 §6.3.11).
pub(super) fn status(cursor: &mut Cursor<'_>) -> Parsed<Operation> {
    let mailbox = cursor.argument_mailbox()?;
    cursor.space()?;
    Ok(Operation::Status { mailbox, items: status_items(cursor)? })
}

fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    let mut items = Vec::new();
    words(cursor, |_, word| {
        let known = StatusItem::NAMED.iter().find(|(_, name)| name.as_bytes() == word);
        let (item, _) = known.ok_or(Problem::Expected("a status item"))?;
        if !items.contains(item) {
            items.push(*item);
        }
        Ok(())
    })?;
    match items.is_empty() {
        true => Err(Problem::Expected("a status item")),
        false => Ok(items),
    }
}

/// `(WORD WORD …)`, each handed over in upper case.
pub(super) fn words<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &[u8]) -> Parsed<()>,
) -> Parsed<()> {
    cursor.expect(b'(', "a list of options")?;
    let mut count = 0;
    while !cursor.eat(b')') {
        if count > 0 {
            cursor.space()?;
        }
        bounded(count, WORDS_MAX, "options")?;
        count += 1;
        let word = cursor.word()?.to_ascii_uppercase();
        each(cursor, &word)?;
    }
    Ok(())
}
