//! imap-codec, which shares no line with our parser, as the second opinion on everything its grammar reaches.

use imap::command::{Command, FetchItem, Operation, SearchKey, StatusItem, print};
use imap::parse::{self, Spelling};
use imap::sequence::Numbers;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use proptest::prelude::*;

use crate::any;

/// What the codec's grammar has no word for (ADR 2), or reads otherwise for a reason given.
fn within_its_grammar(command: &Command) -> bool {
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
fn retold(octets: &[u8]) -> Result<Vec<u8>, String> {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// What we print the codec reads, and what it says of it we read as the same command.
    #[test]
    fn the_codec_understands_what_we_mean(tag in any::tag(), command in any::command()) {
        prop_assume!(within_its_grammar(&command));
        let octets = print(&tag, &command);
        let told = retold(&octets);
        prop_assert!(told.is_ok(), "{:?}: {}", told, String::from_utf8_lossy(&octets));
        let told = told.unwrap_or_default();
        let parsed = parse::command(&told, Spelling::Ascii);
        prop_assert_eq!(parsed, Ok((tag, command)), "{}", String::from_utf8_lossy(&told));
    }

    /// What the codec refuses we refuse, and the other way round, near any command it knows.
    #[test]
    fn the_codec_refuses_what_we_refuse(
        tag in any::tag(),
        command in any::command(),
        at in any::<prop::sample::Index>(),
        octet in prop::sample::select(b" ()[]<>{}\"\\*%:,.+-~$0a\x00\r\x7f\xc3".to_vec()),
    ) {
        prop_assume!(within_its_grammar(&command) && !matches!(command, Command::Login { .. }));
        let mut octets = print(&tag, &command);
        let at = at.index(octets.len());
        octets[at] = octet;
        let ours = parse::command(&octets, Spelling::Ascii);
        let theirs = retold(&octets);
        match (&ours, &theirs) {
            (Ok((_, command)), Err(_)) if !within_its_grammar(command) => {}
            // A mailbox name that cannot be is no matter of grammar.
            (Err(error), Ok(_)) if !matches!(error.problem, parse::Problem::Expected(_)) => {}
            (Err(error), Ok(_)) if stricter(&error.problem) => {}
            _ => prop_assert_eq!(
                ours.is_ok(), theirs.is_ok(), "{:?} {:?}: {}", ours, theirs, String::from_utf8_lossy(&octets)
            ),
        }
    }
}

/// Where we take less: flags to come (RFC 9051 §9 `flag-extension`), header names that RFC 5322 §2.2 does not know, text
/// that is not in its charset, and what the prose of RFC 7162 §3.2.5.2 and §3.2.6 asks beyond its grammar.
fn stricter(problem: &parse::Problem) -> bool {
    let more = [
        "a system flag that can be set",
        "a header name",
        "UTF-8",
        "as many UIDs as sequence numbers",
        "VANISHED only with UID FETCH and CHANGEDSINCE",
    ];
    matches!(problem, parse::Problem::Expected(what) if more.contains(what))
}
