//! Parsers have properties: nothing panics, what is printed parses back, a body travels unharmed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod pretend;

use mail::crlf::CrlfCleaner;
use mail::envelope::{Notify, OriginalRecipient, Returned};
use mail::{BodyKind, ForwardPath, ReversePath};
use pretend::{Pretend, relay, submissions};
use proptest::prelude::*;
use smtp::command::{Auth, Chunk, Command, Last, Mail, Offered, Rcpt};
use smtp::dot_stuffing::{DotReader, DotWriter, Reached};
use smtp::server::SessionConfig;
use testkit::dialogue::Endpoint;

const OFFERED: Offered = Offered { dsn: true, auth: true, require_tls: true };

fn address() -> impl Strategy<Value = String> {
    let local_part = prop_oneof!["[a-z0-9]{1,20}(\\.[a-z0-9+-]{1,20})?", "\"([ !#-Z^-~]|\\\\[\\\\\" ]){1,20}\""];
    (local_part, "[a-z]{1,20}\\.(fr|example)").prop_map(|(local_part, domain)| format!("{local_part}@{domain}"))
}

fn notify() -> impl Strategy<Value = Notify> {
    let on = |(success, failure): (bool, bool)| Notify::On { success, failure, delay: !success && !failure };
    prop_oneof![Just(Notify::Never), any::<(bool, bool)>().prop_map(on)]
}

fn mail() -> impl Strategy<Value = Command> {
    let parameters = (
        proptest::option::of(any::<u64>()),
        prop_oneof![Just(BodyKind::SevenBit), Just(BodyKind::EightBitMime)],
        any::<bool>(),
        proptest::option::of(prop_oneof![Just(Returned::Full), Just(Returned::Header)]),
        proptest::option::of("[ -~]{1,30}"),
        any::<bool>(),
    );
    (proptest::option::of(address()), parameters).prop_map(|(address, parameters)| {
        let (declared_octets, body, smtputf8, returned, envelope_id, require_tls) = parameters;
        let reverse_path = address.map_or(ReversePath::Null, |text| ReversePath::Address(text.parse().expect("valid")));
        Command::Mail(Mail {
            reverse_path,
            internationalized: false,
            declared_octets,
            body,
            smtputf8,
            returned,
            envelope_id,
            require_tls,
        })
    })
}

fn rcpt() -> impl Strategy<Value = Command> {
    let original = prop_oneof![("rfc822", "[ -~]{1,30}"), ("x400", "[ -~]{1,30}"), ("utf-8", "[ -~é€😀]{1,30}")]
        .prop_map(|(address_type, address)| OriginalRecipient { address_type, address });
    let parameters = (proptest::option::of(original), proptest::option::of(notify()));
    (proptest::option::of(address()), parameters).prop_map(|(address, (original, notify))| {
        let forward_path =
            address.map_or(ForwardPath::Postmaster, |text| ForwardPath::Address(text.parse().expect("valid")));
        Command::Rcpt(Rcpt { forward_path, internationalized: false, original, notify })
    })
}

fn any_command() -> impl Strategy<Value = Command> {
    let name = || "[a-zA-Z0-9_-]{1,20}(\\.[a-z]{2,5})?".prop_map(|name| name.parse().expect("a client name"));
    let chunk = (0..u64::MAX, prop_oneof![Just(Last::Yes), Just(Last::No)]);
    let auth = ("[A-Z0-9-]{1,20}", proptest::option::of("[A-Za-z0-9+/]{4,40}|="));
    prop_oneof![
        name().prop_map(Command::Ehlo),
        name().prop_map(Command::Helo),
        mail(),
        rcpt(),
        chunk.prop_map(|(octets, last)| Command::Bdat(Chunk { octets, last })),
        auth.prop_map(|(mechanism, initial_response)| Command::Auth(Auth { mechanism, initial_response })),
        Just(Command::Data),
        Just(Command::Rset),
        Just(Command::Noop),
        Just(Command::Vrfy),
        Just(Command::Expn),
        Just(Command::Help),
        Just(Command::Quit),
        Just(Command::StartTls),
    ]
}

/// Bytes made of what SMTP is sensitive to.
fn awkward() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b".".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"MAIL FROM:<a@b.fr>\r\n".to_vec()),
        Just(b"RCPT TO:<bob@example.org>\r\n".to_vec()),
        Just(b"EHLO client\r\n".to_vec()),
        Just(b"BDAT 3\r\n".to_vec()),
        Just(b"BDAT 2 LAST\r\n".to_vec()),
        Just(b"RSET\r\n".to_vec()),
        Just(b"AUTH LOGIN\r\n".to_vec()),
        Just(b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n".to_vec()),
        Just(b"STARTTLS\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// Clean lines with plenty of dots.
fn clean_message() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec("[.a]{0,4}", 0..10).prop_map(|lines| lines.join("\r\n").into_bytes())
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(command in any_command()) {
        let line = command.to_string();
        prop_assert_eq!(Command::parse(&line, OFFERED), Ok(command), "{}", line);
    }

    #[test]
    fn no_line_panics(line in "\\PC{0,200}") {
        let _ = Command::parse(&line, OFFERED);
        let _ = Command::parse(&line, Offered::default());
    }

    #[test]
    fn no_line_that_looks_like_a_command_panics(
        verb in "(MAIL FROM:<|RCPT TO:<|BDAT |AUTH |EHLO )", rest in "[a-z@\"\\\\.:, <>=+0-9A-Z;é\u{0}-\u{1f}]{0,80}"
    ) {
        if let Ok(command) = Command::parse(&format!("{verb}{rest}"), OFFERED) {
            let printed = command.to_string();
            prop_assert!(printed.bytes().all(|octet| !octet.is_ascii_control()), "{}", printed);
        }
    }

    #[test]
    fn no_octets_panic_a_session_and_no_message_holds_what_it_must_not(stream in awkward(), submits in any::<bool>()) {
        let config = if submits { submissions() } else { relay() };
        let mut server = Pretend::new(SessionConfig { octets_max: 50, ..config });
        server.receive(&stream);
        for (_, message) in &server.accepted {
            let mut ends = smtp::line_ends::LineEnds::default();
            prop_assert!(ends.check(message).is_ok() && ends.finish().is_ok(), "{:?}", message);
            prop_assert!(message.len() <= 50);
        }
    }

    #[test]
    fn a_message_arrives_as_it_left(message in clean_message(), cut in 0usize..60, read_cut in 0usize..80) {
        let (left, right) = message.split_at(cut.min(message.len()));
        let mut writer = DotWriter::new();
        let mut wire = Vec::new();
        prop_assert!(writer.write(left, &mut wire).is_ok());
        prop_assert!(writer.write(right, &mut wire).is_ok());
        prop_assert!(writer.finish(&mut wire).is_ok());

        let mut reader = DotReader::new();
        let mut read = Vec::new();
        let (left, right) = wire.split_at(read_cut.min(wire.len() - 1));
        prop_assert_eq!(reader.read(left, &mut read), (left.len(), Reached::More));
        prop_assert_eq!(reader.read(right, &mut read), (right.len(), Reached::End));
        let line_end: &[u8] = if message.is_empty() || message.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        prop_assert_eq!(read, [&message[..], line_end].concat());
        prop_assert_eq!(reader.fault(), None);
    }

    #[test]
    fn s2_whatever_is_cleaned_leaves_with_one_end_and_arrives_clean(
        message in "[.a\r\n]{0,40}", cut in 0usize..40, stuffed_cut in 0usize..60, read_cut in 0usize..90
    ) {
        // The way of the relay: cleaned, then stuffed, each as the pieces come.
        let (left, right) = message.as_bytes().split_at(cut.min(message.len()));
        let mut cleaner = CrlfCleaner::new();
        let mut clean = Vec::new();
        cleaner.write(left, &mut clean);
        cleaner.write(right, &mut clean);
        prop_assert_eq!((clean.clone(), cleaner.finish()), CrlfCleaner::clean(message.as_bytes()));
        let (left, right) = clean.split_at(stuffed_cut.min(clean.len()));
        let mut writer = DotWriter::new();
        let mut wire = Vec::new();
        prop_assert!(writer.write(left, &mut wire).is_ok());
        prop_assert!(writer.write(right, &mut wire).is_ok());
        prop_assert!(writer.finish(&mut wire).is_ok());

        // As a lax reader would see it too: one lone dot, at the end.
        let seen = [b"\r\n", &wire[..]].concat();
        let ends = seen.windows(5).filter(|window| window == b"\r\n.\r\n").count();
        prop_assert!(ends == 1 && seen.ends_with(b"\r\n.\r\n"), "{:?}", String::from_utf8_lossy(&wire));
        let lone = wire.split(|octet| matches!(octet, b'\r' | b'\n')).filter(|line| line == b".").count();
        prop_assert_eq!(lone, 1);

        let mut reader = DotReader::new();
        let mut read = Vec::new();
        let (left, right) = wire.split_at(read_cut.min(wire.len() - 1));
        prop_assert_eq!(reader.read(left, &mut read), (left.len(), Reached::More));
        prop_assert_eq!(reader.read(right, &mut read), (right.len(), Reached::End));
        let line_end: &[u8] = if clean.is_empty() || clean.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        prop_assert_eq!(read, [&clean[..], line_end].concat());
        prop_assert_eq!(reader.fault(), None);
    }
}
