//! imap-codec, which shares no line with our parser, as the second opinion on everything its grammar reaches: called by
//! tests and by the fuzz targets of `tests/fuzz` alike.
#![allow(dead_code, reason = "each target uses its part")]

use imap::command::{Command, FetchItem, Operation, SearchKey, StatusItem};
use imap::parse::{self, ParseError, Problem, Spelling};
use imap::response::Responses;
use imap::sequence::Numbers;
use imap::server::Enabled;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::{Data, Response};
use imap_codec::{CommandCodec, ResponseCodec};
use mail::mime::{EnvelopeFields, Limits, Scanner};

/// What the codec's grammar has no word for (ADR 2), or reads otherwise for a reason given.
pub fn within_its_grammar(command: &Command) -> bool {
    match command {
        // It keeps base64 decoded, and refuses what is no base64; ID values are limited there, fields are unordered.
        Command::Authenticate { .. } | Command::Append(_) => false,
        Command::Id(_) => false,
        Command::Enable(_) => false,
        Command::Operation(operation) => match operation {
            Operation::Create { special_use, .. } => special_use.is_empty(),
            Operation::List(list) => !list.extended,
            Operation::Status { items, .. } => {
                let unknown = [StatusItem::AppendLimit, StatusItem::MailboxId];
                !items.iter().any(|item| unknown.contains(item))
            }
            Operation::Search(search) => search.returns.is_none() && key_within(&search.program.key),
            Operation::Fetch { messages, items, .. } => messages.set != Numbers::Saved && items.iter().all(item_within),
            Operation::Store(store) => store.messages.set != Numbers::Saved,
            Operation::Copy { messages, .. } | Operation::Move { messages, .. } => messages.set != Numbers::Saved,
            _ => true,
        },
        _ => true,
    }
}

fn item_within(item: &FetchItem) -> bool {
    match item {
        FetchItem::EmailId | FetchItem::ThreadId | FetchItem::SaveDate | FetchItem::Preview { .. } => false,
        FetchItem::Binary { partial, .. } | FetchItem::BodySection { partial, .. } => {
            partial.is_none_or(|partial| u32::try_from(partial.origin).is_ok())
        }
        _ => true,
    }
}

fn key_within(key: &SearchKey) -> bool {
    match key {
        SearchKey::And(keys) => keys.iter().all(key_within),
        SearchKey::Or(first, second) => key_within(first) && key_within(second),
        SearchKey::Not(key) => key_within(key),
        SearchKey::SaveDateSupported
        | SearchKey::SavedBefore(_)
        | SearchKey::SavedOn(_)
        | SearchKey::SavedSince(_)
        | SearchKey::EmailId(_)
        | SearchKey::ThreadId(_)
        | SearchKey::Sequence(Numbers::Saved)
        | SearchKey::Uid(Numbers::Saved) => false,
        _ => true,
    }
}

/// The command as the codec understood it, printed by the codec, with its literals in place.
pub fn retold(octets: &[u8]) -> Result<Vec<u8>, String> {
    let complete = [octets, b"\r\n"].concat();
    let (rest, command) = CommandCodec::default().decode(&complete).map_err(|error| format!("{error:?}"))?;
    // A changed literal size can end the command early; the rest would be another one.
    if !rest.is_empty() {
        return Err("more than one command".into());
    }
    let mut told = CommandCodec::default().encode(&command).dump();
    told.truncate(told.len() - 2);
    Ok(told)
}

/// Where we take less: flags to come (RFC 9051 §9 `flag-extension`), header names that RFC 5322 §2.2 does not know, text
/// that is not in its charset, and what the prose of RFC 7162 §3.2.5.2 and §3.2.6 asks beyond its grammar.
fn stricter(problem: &Problem) -> bool {
    let more = [
        "a system flag that can be set",
        "a header name",
        "UTF-8",
        "a set without *",
        "as many UIDs as sequence numbers",
        "VANISHED only with UID FETCH and CHANGEDSINCE",
    ];
    matches!(problem, Problem::Expected(what) if more.contains(what))
}

/// What one refuses the other refuses, and what both take they take for the same.
pub fn agrees(octets: &[u8]) {
    let ours = parse::command(octets, Spelling::Ascii);
    let theirs = retold(octets);
    let shown = || format!("{ours:?}\n{theirs:?}\n{}", String::from_utf8_lossy(octets));
    match (&ours, &theirs) {
        (Ok((_, command)), _) if !within_its_grammar(command) => {}
        // A user name with `*` is taken from clients that send it (RFC 9051 §6.2.3 wants an astring).
        (Ok((_, Command::Login { .. })), Err(_)) => {}
        // It spells every INBOX in capitals, also where a reference is not yet a name.
        (Ok((_, Command::Operation(Operation::List(list)))), Ok(_)) if list.reference.eq_ignore_ascii_case("INBOX") => {
        }
        (Ok((_, Command::Operation(Operation::Lsub { reference, .. }))), Ok(_))
            if reference.eq_ignore_ascii_case("INBOX") => {}
        (Ok(understood), Ok(told)) => {
            assert_eq!(parse::command(told, Spelling::Ascii).as_ref(), Ok(understood), "{}", shown());
        }
        (Ok(_), Err(_)) => panic!("we take what the codec refuses: {}", shown()),
        (Err(_), Err(_)) => {}
        (Err(ParseError { problem, .. }), Ok(told)) => {
            // Of APPEND we read no more than the announcement of its message.
            let beyond = match parse::command(told, Spelling::Ascii) {
                Ok((_, command)) => !within_its_grammar(&command),
                Err(_) => told.split(|octet| *octet == b' ').nth(1) == Some(b"APPEND"),
            };
            let grammar = matches!(problem, Problem::Expected(_)) && !stricter(problem);
            // Tags, keywords and numbers of ours are bounded, which the grammar leaves open.
            let long = octets.split(|octet| b" ()".contains(octet)).any(|word| word.len() > 40);
            assert!(beyond || long || !grammar, "we refuse what the codec takes: {}", shown());
        }
    }
}

/// Of any message, the codec reads the ENVELOPE and the structures we print, to the end and with the same subject.
pub fn fetched(octets: &[u8]) {
    let mut scanner = Scanner::new(Limits { parts: 20, depth: 4, ..Limits::default() });
    scanner.feed(octets);
    let index = scanner.finish();
    let mut responses = Responses::new(Enabled::default());
    let mut fetch = responses.fetch(1);
    fetch.envelope(&index.envelope).body(&index.root).body_structure(&index.root);
    fetch.end();
    let printed = responses.take();
    let shown = || String::from_utf8_lossy(&printed).into_owned();
    let (rest, response) =
        ResponseCodec::default().decode(&printed).unwrap_or_else(|error| panic!("{error:?}: {}", shown()));
    assert!(rest.is_empty(), "{}", shown());
    let Response::Data(Data::Fetch { items, .. }) = response else { panic!("{}", shown()) };
    let [MessageDataItem::Envelope(envelope), MessageDataItem::Body(_), MessageDataItem::BodyStructure(_)] =
        items.as_ref()
    else {
        panic!("{}", shown());
    };
    // A NUL cannot be printed.
    let subject = index.envelope.subject.as_ref().map(|subject| subject.replace('\0', "?").into_bytes());
    assert_eq!(envelope.subject.0.as_ref().map(|subject| subject.as_ref().to_vec()), subject);
    let addresses = [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc];
    let EnvelopeFields { from, sender, reply_to, to, cc, bcc, .. } = &index.envelope;
    for (theirs, ours) in addresses.into_iter().zip([from, sender, reply_to, to, cc, bcc]) {
        assert!(ours.is_empty() || theirs.len() == ours.len(), "{}", shown());
    }
}
