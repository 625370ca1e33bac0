//! Arguments of FETCH (RFC 9051 §6.4.5).

use super::cursor::Cursor;
use super::message::messages;
use super::{FETCH_ITEMS_MAX, HEADER_NAMES_MAX, PART_STEPS_MAX, Parsed, Problem, bounded};
use crate::command::{FetchItem, FetchModifiers, Operation, PartNumber, Partial, Peek, Section, SectionText};
use crate::sequence::Numbering;

/// `FETCH set items [modifiers]`.
pub(super) fn fetch(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parsed<Operation> {
    let messages = messages(cursor, numbering)?;
    cursor.space()?;
    let mut items = items(cursor)?;
    // UID FETCH tells the UID whether asked or not (RFC 9051 §6.4.9).
    if numbering == Numbering::Uid && !items.contains(&FetchItem::Uid) {
        items.insert(0, FetchItem::Uid);
    }
    let modifiers = if cursor.eat(b' ') { modifiers(cursor)? } else { FetchModifiers::default() };
    // RFC 7162 §3.2.6: VANISHED goes with UID FETCH and CHANGEDSINCE only.
    match modifiers.vanished && (numbering == Numbering::Sequence || modifiers.changed_since.is_none()) {
        true => Err(Problem::Expected("VANISHED only with UID FETCH and CHANGEDSINCE")),
        false => Ok(Operation::Fetch { messages, items, modifiers }),
    }
}

fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    if cursor.eat_word(b"ALL") {
        return Ok(vec![Flags, InternalDate, Rfc822Size, Envelope]);
    }
    if cursor.eat_word(b"FAST") {
        return Ok(vec![Flags, InternalDate, Rfc822Size]);
    }
    if cursor.eat_word(b"FULL") {
        return Ok(vec![Flags, InternalDate, Rfc822Size, Envelope, Body]);
    }
    if !cursor.eat(b'(') {
        return Ok(vec![item(cursor)?]);
    }
    let mut items = Vec::new();
    loop {
        bounded(items.len(), FETCH_ITEMS_MAX, "items")?;
        let item = item(cursor)?;
        if !items.contains(&item) {
            items.push(item);
        }
        if !cursor.eat(b' ') {
            cursor.expect(b')', "the end of the items")?;
            return Ok(items);
        }
    }
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<FetchItem> {
    let name = cursor.word()?.to_ascii_uppercase();
    let bracket = cursor.peek() == Some(b'[');
    Ok(match (name.as_slice(), bracket) {
        (b"ENVELOPE", false) => FetchItem::Envelope,
        (b"FLAGS", false) => FetchItem::Flags,
        (b"INTERNALDATE", false) => FetchItem::InternalDate,
        (b"RFC822", false) => FetchItem::Rfc822,
        (b"RFC822.HEADER", false) => FetchItem::Rfc822Header,
        (b"RFC822.SIZE", false) => FetchItem::Rfc822Size,
        (b"RFC822.TEXT", false) => FetchItem::Rfc822Text,
        (b"BODY", false) => FetchItem::Body,
        (b"BODYSTRUCTURE", false) => FetchItem::BodyStructure,
        (b"UID", false) => FetchItem::Uid,
        (b"MODSEQ", false) => FetchItem::ModSeq,
        (b"EMAILID", false) => FetchItem::EmailId,
        (b"THREADID", false) => FetchItem::ThreadId,
        (b"SAVEDATE", false) => FetchItem::SaveDate,
        (b"PREVIEW", false) => FetchItem::Preview { lazy: cursor.eat_prefix(b" (LAZY)") },
        (b"BODY", true) => body_section(cursor, Peek::SetsSeen)?,
        (b"BODY.PEEK", true) => body_section(cursor, Peek::Peek)?,
        (b"BINARY", true) => binary(cursor, Peek::SetsSeen)?,
        (b"BINARY.PEEK", true) => binary(cursor, Peek::Peek)?,
        (b"BINARY.SIZE", true) => FetchItem::BinarySize(bracketed_part(cursor)?),
        _ => return Err(Problem::Expected("a FETCH item")),
    })
}

fn body_section(cursor: &mut Cursor<'_>, peek: Peek) -> Parsed<FetchItem> {
    cursor.expect(b'[', "a section")?;
    let section = section(cursor)?;
    cursor.expect(b']', "the end of the section")?;
    Ok(FetchItem::BodySection { section, peek, partial: partial(cursor)? })
}

/// `section-spec`: a part, a text of the message, or a text of a part.
fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    let (part, goes_on) = part(cursor)?;
    if cursor.peek() == Some(b']') && !goes_on {
        return Ok(Section { part, text: SectionText::All });
    }
    if !part.0.is_empty() && !goes_on {
        return Err(Problem::Expected("the end of the section"));
    }
    let text = match cursor.word()?.to_ascii_uppercase().as_slice() {
        b"HEADER" => SectionText::Header,
        b"HEADER.FIELDS" => SectionText::HeaderFields(header_names(cursor)?),
        b"HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(header_names(cursor)?),
        b"TEXT" => SectionText::Text,
        b"MIME" if !part.0.is_empty() => SectionText::Mime,
        _ => return Err(Problem::Expected("HEADER, TEXT or MIME")),
    };
    Ok(Section { part, text })
}

/// A part number, possibly none; true when a dot after it says that more follows.
fn part(cursor: &mut Cursor<'_>) -> Parsed<(PartNumber, bool)> {
    let mut steps = Vec::new();
    while cursor.peek().is_some_and(|octet| octet.is_ascii_digit()) {
        bounded(steps.len(), PART_STEPS_MAX, "steps in the part number")?;
        steps.push(cursor.positive32()?);
        if !cursor.eat(b'.') {
            return Ok((PartNumber(steps), false));
        }
    }
    let goes_on = !steps.is_empty();
    Ok((PartNumber(steps), goes_on))
}

fn header_names(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.space()?;
    cursor.expect(b'(', "a list of header names")?;
    let mut names = Vec::new();
    loop {
        bounded(names.len(), HEADER_NAMES_MAX, "header names")?;
        names.push(header_name(cursor)?);
        if !cursor.eat(b' ') {
            cursor.expect(b')', "the end of the header names")?;
            return Ok(names);
        }
    }
}

/// `header-fld-name`: what RFC 5322 §2.2 allows, so that echoing it is safe.
pub(super) fn header_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let name = cursor.text()?;
    match !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':') {
        true => Ok(name),
        false => Err(Problem::Expected("a header name")),
    }
}

fn binary(cursor: &mut Cursor<'_>, peek: Peek) -> Parsed<FetchItem> {
    Ok(FetchItem::Binary { part: bracketed_part(cursor)?, peek, partial: partial(cursor)? })
}

fn bracketed_part(cursor: &mut Cursor<'_>) -> Parsed<PartNumber> {
    cursor.expect(b'[', "a part")?;
    let (part, goes_on) = part(cursor)?;
    match !goes_on && cursor.eat(b']') {
        true => Ok(part),
        false => Err(Problem::Expected("the end of the part")),
    }
}

fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<Partial>> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    let origin = cursor.number()?;
    cursor.expect(b'.', "a count of octets")?;
    let octets = cursor.number()?;
    cursor.expect(b'>', "the end of the partial range")?;
    match octets {
        0 => Err(Problem::Expected("a count above zero")),
        octets => Ok(Some(Partial { origin, octets })),
    }
}

/// `(CHANGEDSINCE n [VANISHED])` in any order.
fn modifiers(cursor: &mut Cursor<'_>) -> Parsed<FetchModifiers> {
    let mut modifiers = FetchModifiers::default();
    super::list::words(cursor, |cursor, word| {
        match word {
            b"CHANGEDSINCE" if modifiers.changed_since.is_none() => {
                cursor.space()?;
                modifiers.changed_since = Some(cursor.number()?);
            }
            b"VANISHED" => modifiers.vanished = true,
            _ => return Err(Problem::Expected("a FETCH modifier")),
        }
        Ok(())
    })?;
    match modifiers == FetchModifiers::default() {
        true => Err(Problem::Expected("a FETCH modifier")),
        false => Ok(modifiers),
    }
}
