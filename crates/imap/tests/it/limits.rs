//! The security tests of the parser and the session, named after their number.

use imap::mailbox::{MailboxName, MailboxNameError};
use imap::parse::{self, Spelling};
use imap::server::{COMMAND_OCTETS_MAX, COMMAND_OCTETS_MAX_BEFORE_SIGN_IN, DROPPED_OCTETS_MAX, SPOOL_OCTETS_MAX};
use testkit::dialogue::Endpoint;

use crate::scripted::Scripted;

/// Sends in pieces of 16 KiB until the session closes; gives what it said and how many octets it took.
fn flood(mut session: Scripted, octets: &[u8]) -> (String, usize) {
    session.sent();
    let mut taken = 0;
    for piece in octets.chunks(16 * 1024) {
        if session.is_closed() {
            break;
        }
        session.receive(piece);
        taken += piece.len();
        // What is dropped is not held; a buffer may have grown to twice what it holds.
        assert!(session.session.held_octets() <= 2 * (COMMAND_OCTETS_MAX + 16 * 1024));
    }
    assert!(session.largest <= SPOOL_OCTETS_MAX);
    (String::from_utf8_lossy(&session.sent()).into_owned(), taken)
}

/// S8: what has no end is cut off at the bound of a command, before sign-in and after (CVE-2024-34055, CVE-2026-27857).
#[test]
fn s8_floods_end_the_session_at_the_bound_of_a_command() {
    let parentheses = [b"a SEARCH ".to_vec(), b"(".repeat(2_000_000)].concat();
    let line = b"x".repeat(10 * 1024 * 1024);
    let set = [b"a FETCH ".to_vec(), b"1,".repeat(1_000_000)].concat();
    let noop = [b"a NOOP ".to_vec(), b"x".repeat(2_000_000)].concat();
    let list = [b"a LIST (".to_vec(), b"SUBSCRIBED ".repeat(200_000)].concat();
    for octets in [parentheses, line, set, noop, list] {
        for (session, octets_max) in [
            (Scripted::tls(), COMMAND_OCTETS_MAX_BEFORE_SIGN_IN),
            (Scripted::clear(), COMMAND_OCTETS_MAX_BEFORE_SIGN_IN),
            (Scripted::signed_in(), COMMAND_OCTETS_MAX + DROPPED_OCTETS_MAX),
        ] {
            let (said, taken) = flood(session, &octets);
            assert_eq!(said, "* BYE [TOOBIG] command too long\r\n");
            assert!(taken <= octets_max + 16 * 1024, "{taken}");
        }
    }
}

/// RFC 7162 §4: one signed in hears BAD of a line too long, and goes on; what follows its end is the next command.
#[test]
fn a_line_too_long_is_answered_and_the_session_goes_on() {
    let set = "1,".repeat(COMMAND_OCTETS_MAX);
    let answer = "a BAD [TOOBIG] command too long\r\n";
    // Its literals are part of it.
    for end in ["\r\n", "\n", " {5+}\r\nb NO {10+}\r\n\r\nx NOOP\r\n\r\n", " {5}\r\n"] {
        for spare in [0, 1, 2, 16 * 1024] {
            let octets = format!("a FETCH {set}{}{end}b CAPABILITY\r\n", "1".repeat(spare));
            for size in [16 * 1024, 16 * 1024 - 1, octets.len()] {
                let mut session = Scripted::signed_in();
                octets.as_bytes().chunks(size).for_each(|piece| session.receive(piece));
                let said = String::from_utf8(session.sent()).expect("text");
                let rest = said.strip_prefix(answer).unwrap_or_else(|| panic!("{end:?} in {size}: {said}"));
                assert!(rest.starts_with("* CAPABILITY") && rest.ends_with("b OK these are they\r\n"), "{rest}");
            }
        }
    }
}

/// A line just over the limit, and one just at it.
#[test]
fn the_limit_of_a_command_is_exact() {
    for (octets, refused) in [(COMMAND_OCTETS_MAX, false), (COMMAND_OCTETS_MAX + 1, true)] {
        let line = format!("a NOOP {}\r\n", "x".repeat(octets - "a NOOP \r\n".len()));
        let (said, _) = flood(Scripted::signed_in(), line.as_bytes());
        assert_eq!(said == "a BAD [TOOBIG] command too long\r\n", refused, "{said}");
        assert!(said.starts_with("a BAD"), "{said}");
    }
}

/// RFC 7888 §5: while LITERAL- is announced, literals over 4,096 octets wait to be asked for.
#[test]
fn literal_minus_is_held_to() {
    let unasked = |octets: usize| format!("a LOGIN {{{octets}+}}\r\n{} secret\r\nb NOOP\r\n", "x".repeat(octets));
    for (octets, answer) in [
        (4_096, "a NO [AUTHENTICATIONFAILED] wrong user name or password\r\n"),
        (4_097, "a BAD [TOOBIG] literal too large\r\n"),
        (8_000, "a BAD [TOOBIG] literal too large\r\n"),
    ] {
        let (said, _) = flood(Scripted::tls(), unasked(octets).as_bytes());
        assert_eq!(said, format!("{answer}b OK nothing done\r\n"), "{octets}");
    }
    let (said, _) = flood(Scripted::tls(), unasked(8_193).as_bytes());
    assert_eq!(said, "* BYE [TOOBIG] literal too large\r\n");
    // RFC 7888 §5 asks for TOOBIG where APPEND is refused so.
    let (said, _) = flood(Scripted::tls(), format!("a APPEND INBOX {{5000+}}\r\n{}\r\n", "x".repeat(5_000)).as_bytes());
    assert_eq!(said, "a BAD [TOOBIG] literal too large\r\n");
    let (said, _) = flood(Scripted::tls(), b"a LOGIN {5000}\r\n");
    assert_eq!(said, "+ go on\r\n");
    // After sign-in it is LITERAL+.
    let said = flood(Scripted::signed_in(), format!("a SELECT {{5000+}}\r\n{}\r\n", "x".repeat(5_000)).as_bytes()).0;
    assert!(said.starts_with("a NO [CANNOT]"), "{said}");
}

/// S8: no size of a literal makes us wait for it or keep it.
#[test]
fn s8_literals_are_refused_when_announced() {
    for size in ["4294967295", "9999999999999", "18446744073709551616", "100000000"] {
        for (session, command) in [
            (Scripted::tls(), "a LOGIN"),
            (Scripted::clear(), "a LOGIN"),
            (Scripted::signed_in(), "a SELECT"),
            (Scripted::signed_in(), "a SEARCH TEXT"),
        ] {
            let (said, _) = flood(session, format!("{command} {{{size}}}\r\n").as_bytes());
            assert_eq!(said, "a BAD [TOOBIG] literal too large\r\n");
        }
        for session in [Scripted::tls(), Scripted::signed_in()] {
            let (said, _) = flood(session, format!("a LOGIN {{{size}+}}\r\n").as_bytes());
            assert_eq!(said, "* BYE [TOOBIG] literal too large\r\n");
        }
        let (said, _) = flood(Scripted::signed_in(), format!("a APPEND INBOX {{{size}}}\r\n").as_bytes());
        assert!(said.starts_with("a NO [TOOBIG]") || said.starts_with("a BAD expected a number"), "{said}");
    }
}

/// S8: a command of many literals is bounded as a whole.
#[test]
fn s8_many_literals_are_one_command() {
    let (said, taken) = flood(Scripted::tls(), &[b"a ID (".to_vec(), b"{5+}\r\n12345 ".repeat(100_000)].concat());
    assert!(said == "* BYE [TOOBIG] command too long\r\n" || said.contains("literal too large"), "{said}");
    assert!(taken <= 2 * COMMAND_OCTETS_MAX_BEFORE_SIGN_IN + 16 * 1024);
}

/// S8: nesting is refused by count, not by the stack.
#[test]
fn s8_s10_nesting_is_bounded() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("OR ALL ", ""), ("OR (", " ALL) ALL")] {
        let text = format!("a SEARCH {}ALL{}", open.repeat(10_000), close.repeat(10_000));
        assert!(parse::command(text.as_bytes(), Spelling::Ascii).is_err(), "{open}");
    }
}

/// S8: a session at rest holds no buffer, whatever came before.
#[test]
fn s8_memory_is_given_back() {
    let mut session = Scripted::signed_in();
    session.receive(b"b SELECT INBOX\r\n");
    for _ in 0..100 {
        session.receive(format!("b SEARCH TEXT {{60000+}}\r\n{}\r\n", "x".repeat(60_000)).as_bytes());
        session.sent();
    }
    session.receive(b"c IDLE\r\n");
    assert!(session.session.is_idle());
    assert_eq!(session.session.held_octets(), 0);
}

/// S12: names are data. What could leave its place elsewhere is only a name here, and what could hide is refused.
#[test]
fn s12_names_are_data() {
    let long = "x".repeat(4_096);
    let deep = "x/".repeat(40);
    let refused = [
        ("", MailboxNameError::EmptyLevel),
        ("/etc/x", MailboxNameError::EmptyLevel),
        ("a//b", MailboxNameError::EmptyLevel),
        (" ", MailboxNameError::EmptyLevel),
        ("a\0b", MailboxNameError::Character),
        ("a\r\nb", MailboxNameError::Character),
        ("a\u{7f}", MailboxNameError::Character),
        ("a\u{2028}b", MailboxNameError::Character),
        ("a\u{202e}b", MailboxNameError::Character),
        ("\u{feff}a", MailboxNameError::Character),
        (&long, MailboxNameError::TooLong),
        (&deep, MailboxNameError::TooDeep),
    ];
    for (name, error) in refused {
        assert_eq!(MailboxName::new(name), Err(error), "{name:?}");
    }
    for name in ["../x", "a/../../b", "..", ".", "%2e%2e", "C:\\x", "~root", "a'; DROP TABLE mailbox; --", "%", "*"] {
        assert_eq!(MailboxName::new(name).as_ref().map(MailboxName::as_str), Ok(name));
    }
    // `/` in modified UTF-7 is no way to write a separator, nor is any other printable character.
    for encoded in ["&AC8-etc", "a&AC8-b", "&AC4ALg-", "&AEkATgBCAE8AWA-"] {
        assert_eq!(imap::utf7::decode(encoded), Err(MailboxNameError::Encoding), "{encoded}");
    }
}

/// S12: one name in two spellings is one name.
#[test]
fn s12_equal_names_are_one() {
    let name = |text: &str| MailboxName::new(text).expect("a name");
    assert_eq!(name("e\u{301}te\u{301}"), name("été"));
    assert_eq!(name("inBox"), MailboxName::inbox());
    assert_eq!(name("Inbox/Work"), name("INBOX/Work"));
    assert_ne!(name("Inboxes"), name("INBOXES"));
    assert_ne!(name("work/inbox"), name("work/INBOX"));
    assert_eq!(name("a/").as_str(), "a");
}

/// What the configuration leaves out is neither announced nor taken.
#[test]
fn only_the_mechanisms_configured_are_offered() {
    let mut session = Scripted::offering(&[auth::sasl::Mechanism::Plain]);
    assert!(String::from_utf8(session.sent()).unwrap().contains(" ENABLE AUTH=PLAIN] "));
    session.receive(b"a AUTHENTICATE LOGIN\r\nb AUTHENTICATE SCRAM-SHA-256\r\n");
    let refused = "NO [CANNOT] unknown mechanism\r\n";
    assert_eq!(String::from_utf8(session.sent()).unwrap(), format!("a {refused}b {refused}"));
}
