//! Realistic messages: what the scanner finds, and what mail-parser, an independent reader, finds of the same.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fuzzed;

use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use mail::header::{AddressListItem, decode_words};
use mail::mime::{Content, Limits, MessageIndex, Part, Scanner};
use mail_parser::{MessageParser, PartType};

const MESSAGES: &[(&str, &[u8])] = &[
    ("apple-mail-nested", include_bytes!("../../../tests/corpus/mail/message/apple-mail-nested.eml")),
    ("broken-boundary", include_bytes!("../../../tests/corpus/mail/message/broken-boundary.eml")),
    ("calendar", include_bytes!("../../../tests/corpus/mail/message/calendar.eml")),
    ("digest", include_bytes!("../../../tests/corpus/mail/message/digest.eml")),
    ("dsn", include_bytes!("../../../tests/corpus/mail/message/dsn.eml")),
    ("empty", include_bytes!("../../../tests/corpus/mail/message/empty.eml")),
    ("french-iso-8859-1", include_bytes!("../../../tests/corpus/mail/message/french-iso-8859-1.eml")),
    ("groups", include_bytes!("../../../tests/corpus/mail/message/groups.eml")),
    ("ihe-xdm", include_bytes!("../../../tests/corpus/mail/message/ihe-xdm.eml")),
    ("japanese", include_bytes!("../../../tests/corpus/mail/message/japanese.eml")),
    ("mdn", include_bytes!("../../../tests/corpus/mail/message/mdn.eml")),
    ("no-header", include_bytes!("../../../tests/corpus/mail/message/no-header.eml")),
    ("only-header", include_bytes!("../../../tests/corpus/mail/message/only-header.eml")),
    ("outlook-html-related", include_bytes!("../../../tests/corpus/mail/message/outlook-html-related.eml")),
    ("outlook-winmail", include_bytes!("../../../tests/corpus/mail/message/outlook-winmail.eml")),
    ("raw-latin1-header", include_bytes!("../../../tests/corpus/mail/message/raw-latin1-header.eml")),
    ("rfc822-nested-twice", include_bytes!("../../../tests/corpus/mail/message/rfc822-nested-twice.eml")),
    ("smime-signed", include_bytes!("../../../tests/corpus/mail/message/smime-signed.eml")),
    ("thunderbird", include_bytes!("../../../tests/corpus/mail/message/thunderbird.eml")),
    ("unclosed", include_bytes!("../../../tests/corpus/mail/message/unclosed.eml")),
];

fn scan(message: &[u8], size: usize) -> MessageIndex {
    let mut scanner = Scanner::new(Limits::default());
    message.chunks(size).for_each(|chunk| scanner.feed(chunk));
    scanner.finish()
}

#[test]
fn what_is_found_in_each() {
    let mut report = String::new();
    for (name, message) in MESSAGES {
        let MessageIndex { envelope, root, facts, .. } = scan(message, 4_096);
        writeln!(report, "== {name}").unwrap();
        writeln!(report, "subject: {:?}", envelope.subject.as_deref().map(decode_words)).unwrap();
        for (field, list) in [
            ("from", &envelope.from),
            ("sender", &envelope.sender),
            ("reply-to", &envelope.reply_to),
            ("to", &envelope.to),
            ("cc", &envelope.cc),
            ("bcc", &envelope.bcc),
        ] {
            if !list.is_empty() {
                writeln!(report, "{field}: {}", shown(list)).unwrap();
            }
        }
        writeln!(report, "date: {:?} {:?}", envelope.date, facts.sent.map(|date| date.seconds)).unwrap();
        writeln!(report, "ids: {:?} {:?}", facts.thread.message_id, facts.thread.references).unwrap();
        writeln!(report, "base: {:?} {}", facts.thread.base_subject, facts.thread.is_reply_or_forward).unwrap();
        writeln!(report, "preview: {:?}", facts.preview).unwrap();
        writeln!(report, "attachments: {} of {}", facts.attachments.number, facts.attachments.decoded_octets).unwrap();
        write_part(&root, 1, &mut report);
    }
    expect_file!["corpus.txt"].assert_eq(&report);
}

fn shown(list: &[AddressListItem]) -> String {
    let shown = list.iter().map(|item| match item {
        AddressListItem::Mailbox(named) => {
            format!("{} <{}@{}>", named.decoded_name().unwrap_or_default(), named.local_part, named.domain)
        }
        AddressListItem::GroupStart(name) => format!("{name}:"),
        AddressListItem::GroupEnd => ";".into(),
    });
    shown.collect::<Vec<_>>().join(" | ")
}

fn write_part(part: &Part, depth: usize, report: &mut String) {
    let indent = "  ".repeat(depth);
    write!(report, "{indent}{}/{} {}", part.media_type, part.subtype, part.encoding.as_str()).unwrap();
    write!(report, " {:?} {:?} lines {} decoded {}", part.header, part.body, part.lines, part.decoded_octets).unwrap();
    part.parameters.iter().for_each(|parameter| write!(report, " {}={:?}", parameter.name, parameter.value).unwrap());
    if let Some(disposition) = &part.disposition {
        write!(report, " {} {:?}", disposition.kind, part.file_name()).unwrap();
    }
    report.push('\n');
    match &part.content {
        Content::Leaf => {}
        Content::Multipart(parts) => parts.iter().for_each(|part| write_part(part, depth + 1, report)),
        Content::Message(message) => {
            writeln!(report, "{indent}  subject: {:?}", message.envelope.subject).unwrap();
            write_part(&message.part, depth + 1, report);
        }
    }
}

#[test]
fn every_message_has_the_properties_of_messages() {
    for (_, message) in MESSAGES {
        fuzzed::message(message);
        fuzzed::submission(message);
        let whole = scan(message, usize::MAX);
        for size in 1..200 {
            assert_eq!(scan(message, size), whole);
        }
    }
}

/// Hands every file of a folder of the fuzzing corpus to `run`; the last line printed names the file that broke a promise.
fn replay(folder: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/mail").join(folder);
    #[allow(clippy::disallowed_methods, reason = "seeds are files")]
    let seeds = std::fs::read_dir(&folder).and_then(|entries| {
        entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), std::fs::read(entry.path())?)))).collect()
    });
    let seeds: Vec<_> = seeds.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for (path, octets) in seeds {
        println!("{}", path.display());
        run(&octets);
    }
}

#[test]
fn messages_of_the_corpus() {
    replay("message", fuzzed::message);
    replay("message", fuzzed::submission);
}

#[test]
fn header_values_of_the_corpus() {
    replay("header_value", fuzzed::header_value);
}

#[test]
fn bodies_of_the_corpus() {
    replay("body", fuzzed::body);
}

#[test]
fn stored_indexes_of_the_corpus() {
    replay("stored", fuzzed::stored);
}

#[test]
fn mail_parser_finds_the_same() {
    // It reads a header in a charset nobody named as replacement characters.
    for (name, message) in MESSAGES.iter().filter(|(name, _)| *name != "raw-latin1-header") {
        let ours = scan(message, 4_096);
        let Some(theirs) = MessageParser::default().parse(*message) else {
            assert!(message.len() < 100, "{name}");
            continue;
        };
        let subject = ours.envelope.subject.as_deref().map(decode_words);
        assert_eq!(folded(subject.as_deref()), folded(theirs.subject()), "{name}: subject");
        // Obsolete zones are beyond it.
        if let Some(date) = theirs.date() {
            assert_eq!(ours.facts.sent.map(|date| date.seconds), Some(date.to_timestamp()), "{name}: date");
        }
        assert_eq!(ours.facts.thread.message_id.as_deref(), theirs.message_id(), "{name}: id");
        for (field, list, address) in [
            ("from", &ours.envelope.from, theirs.from()),
            ("to", &ours.envelope.to, theirs.to()),
            ("cc", &ours.envelope.cc, theirs.cc()),
        ] {
            assert_eq!(mailboxes(list), their_mailboxes(address), "{name}: {field}");
        }
        let mut bodies = Vec::new();
        gather(&ours.root, message, &mut bodies);
        let mut their_bodies = Vec::new();
        their_gather(&theirs, &mut their_bodies);
        assert_eq!(bodies, their_bodies, "{name}: parts");
    }
}

fn folded(text: Option<&str>) -> Option<String> {
    text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn mailboxes(list: &[AddressListItem]) -> Vec<(Option<String>, String)> {
    let mailboxes = list.iter().filter_map(|item| match item {
        AddressListItem::Mailbox(named) => {
            Some((named.decoded_name(), format!("{}@{}", named.local_part, named.domain)))
        }
        _ => None,
    });
    mailboxes.collect()
}

fn their_mailboxes(address: Option<&mail_parser::Address<'_>>) -> Vec<(Option<String>, String)> {
    let Some(address) = address else { return Vec::new() };
    let mailboxes = address.iter().filter(|mailbox| mailbox.address.is_some());
    mailboxes
        .map(|mailbox| (mailbox.name().map(str::to_owned), mailbox.address().unwrap_or_default().to_owned()))
        .collect()
}

/// Kind and raw body of each part, in order.
fn gather(part: &Part, message: &[u8], bodies: &mut Vec<(&'static str, String)>) {
    let raw = &message[part.body.start as usize..part.body.end as usize];
    match &part.content {
        Content::Leaf => bodies.push(("leaf", String::from_utf8_lossy(raw).trim_end().to_owned())),
        Content::Multipart(parts) => {
            bodies.push(("multipart", String::new()));
            parts.iter().for_each(|part| gather(part, message, bodies));
        }
        Content::Message(encapsulated) => {
            bodies.push(("message", String::new()));
            gather(&encapsulated.part, message, bodies);
        }
    }
}

fn their_gather(message: &mail_parser::Message<'_>, bodies: &mut Vec<(&'static str, String)>) {
    their_part(message, 0, bodies);
}

fn their_part(message: &mail_parser::Message<'_>, number: u32, bodies: &mut Vec<(&'static str, String)>) {
    let part = message.part(number).expect("a part mail-parser names");
    match &part.body {
        PartType::Multipart(children) => {
            bodies.push(("multipart", String::new()));
            children.iter().for_each(|child| their_part(message, *child, bodies));
        }
        PartType::Message(encapsulated) => {
            bodies.push(("message", String::new()));
            their_gather(encapsulated, bodies);
        }
        _ => {
            let raw = &message.raw_message[part.offset_body as usize..part.offset_end as usize];
            bodies.push(("leaf", String::from_utf8_lossy(raw).trim_end().to_owned()));
        }
    }
}
