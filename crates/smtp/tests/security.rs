//! S1 to S6, S11 and the limits, named after the table they come from. Where the way the octets are cut is the point,
//! the test says so; the dialogues hold the rest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod pretend;

use mail::Refusal;
use pretend::{Pretend, relay, submission, submissions, tls_facts};
use smtp::limits::REPLIES_HIGH_WATER;
use smtp::server::{Answer, Input, SessionConfig};
use testkit::dialogue::Endpoint;

const ENVELOPE: &str = "HELO client.example.net\r\nMAIL FROM:<ann@example.net>\r\nRCPT TO:<bob@example.org>\r\n";

/// A session that awaits a body.
fn before_body(config: SessionConfig) -> Pretend {
    let mut server = Pretend::new(config);
    server.say(ENVELOPE);
    assert_eq!(server.say("DATA\r\n"), "354 end with <CRLF>.<CRLF>\r\n");
    server
}

const SECOND_MAIL: &str = "MAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nfake\r\n.\r\nQUIT\r\n";

#[test]
fn s1_smuggling_inbound_ends_no_message_and_brings_no_second_one() {
    let sequences: [&[u8]; 13] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\0.\r\n",
        b"\n\n.\r\n",
        b"\r\r\n.\n",
        b"\n.\r",
        b"\r.\n",
        b"\r\n.\r\r\n",
        b"\r\n.\n\r\n",
    ];
    for sequence in sequences {
        let body = [b"first".as_slice(), sequence, SECOND_MAIL.as_bytes()].concat();
        for cut in 0..body.len() {
            let (left, right) = body.split_at(cut);
            let mut server = before_body(relay());
            server.receive(left);
            let said = server.say(right);
            assert!(said.starts_with("554 5.6.0 "), "{sequence:?} cut at {cut}: {said}");
            assert_eq!(said.lines().count(), 1, "{sequence:?} cut at {cut}: {said}");
            assert!(server.closed, "{sequence:?}");
            assert!(server.accepted.is_empty(), "{sequence:?}");
        }
        let mut server = before_body(relay());
        body.chunks(1).for_each(|octet| server.receive(octet));
        assert!(server.sent().starts_with(b"554 5.6.0 ") && server.closed && server.accepted.is_empty());
    }
}

#[test]
fn s1_smuggling_by_bare_line_ends_alone_is_refused_at_the_real_end() {
    for oddity in ["\n", "\r", "\n\n", "\r\r", "\0", "\n\r\n"] {
        let mut server = before_body(relay());
        assert_eq!(server.say(format!("a{oddity}b\r\n")), "", "{oddity:?}");
        assert!(server.say(".\r\nNOOP\r\n").starts_with("554 5.6.0 "), "{oddity:?}");
        assert!(server.closed && server.accepted.is_empty());
    }
}

#[test]
fn s1_a_bare_line_end_ends_the_session_even_after_too_many_octets_however_they_come() {
    let body = format!("{}a\nb\r\n.\r\nNOOP\r\n", "x\r\n".repeat(80));
    for size in [1, 7, 100, 1_000] {
        let mut server = before_body(SessionConfig { octets_max: 200, ..relay() });
        body.as_bytes().chunks(size).for_each(|piece| server.receive(piece));
        assert!(server.sent().starts_with(b"554 5.6.0 ") && server.closed, "in pieces of {size}");
    }
}

#[test]
fn a_body_is_left_at_the_same_octet_however_it_comes() {
    for (octets, closed) in [(401, false), (402, true), (403, true)] {
        for size in [1, 7, 100, 1_000] {
            let mut server = before_body(SessionConfig { octets_max: 200, ..relay() });
            let body = format!("{}\r\n.\r\n", "x".repeat(octets - 2));
            body.as_bytes().chunks(size).for_each(|piece| server.receive(piece));
            assert!(server.sent().starts_with(b"552 5.3.4 "));
            assert_eq!(server.closed, closed, "{octets} octets in pieces of {size}");
        }
    }
}

#[test]
fn s2_smuggling_outbound_is_refused_in_chunks_too() {
    for body in ["a\nb", "a\rb", "a\r\n.\nb", "\n.\n", "\n.\r\n", "a\r"] {
        let mut server = Pretend::new(relay());
        server.say("EHLO client.example.net\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n");
        let said = server.say(format!("BDAT {} LAST\r\n{body}", body.len()));
        assert!(said.starts_with("554 5.6.0 "), "{body:?}: {said}");
        assert!(server.accepted.is_empty());
    }
}

#[test]
fn s3_octets_sent_before_354_are_not_executed() {
    for early in ["MAIL FROM:<eve@example.net>\r\n", "hello\r\n.\r\n", ".\r\n", "x"] {
        let mut server = Pretend::new(relay());
        server.say(ENVELOPE);
        let said = server.say(format!("DATA\r\n{early}"));
        assert_eq!(said, "554 5.5.0 octets sent before the reply they must await\r\n");
        assert!(server.closed && server.accepted.is_empty());
    }
}

#[test]
fn s3_octets_sent_after_quit_are_not_executed() {
    let mut server = Pretend::new(relay());
    let said = server.say(format!("QUIT\r\n{ENVELOPE}"));
    assert_eq!(said, "220 mx.example.org ESMTP Sceau\r\n221 2.0.0 bye\r\n");
    assert!(server.closed);
    server.handle(Input::Received(ENVELOPE.as_bytes()));
    assert!(server.sent().is_empty());
}

#[test]
fn s4_octets_sent_after_starttls_are_not_executed() {
    for config in [relay(), submission()] {
        let mut server = Pretend::new(config);
        server.say("EHLO client.example.net\r\n");
        let said = server.say("STARTTLS\r\nNOOP\r\n");
        assert_eq!(said, "554 5.5.0 octets sent before the reply they must await\r\n");
        assert!(server.closed && !server.tls_asked);
    }
}

#[test]
fn s4_plaintext_during_the_handshake_closes() {
    let mut server = Pretend::new(relay());
    server.say("EHLO client.example.net\r\n");
    assert_eq!(server.say("STARTTLS\r\n"), "220 2.0.0 ready for TLS\r\n");
    assert!(server.tls_asked && !server.session().wants_input());
    server.handle(Input::Received(b"NOOP\r\n"));
    assert!(server.closed && server.sent().is_empty());
}

#[test]
fn s4_half_a_line_before_starttls_is_forgotten() {
    // Over-long, so that the reader is skipping when nothing more may count.
    let mut server = Pretend::new(relay());
    server.say("EHLO client.example.net\r\nSTARTTLS\r\n");
    server.handle(Input::TlsEstablished(tls_facts()));
    assert!(server.session().client().is_none(), "the EHLO of before is gone");
    assert_eq!(server.say("NOOP\r\n"), "250 2.0.0 ok\r\n");
    assert_eq!(server.say("MAIL FROM:<>\r\n"), "503 5.5.1 say EHLO first\r\n");
}

#[test]
fn s5_nothing_is_said_before_tls_on_implicit_ports_and_no_password_is_taken_in_clear() {
    let mut server = Pretend::new(submission());
    let said = server.say("EHLO client.example.net\r\nAUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n");
    assert!(
        !said.contains("250-AUTH") && said.ends_with("530 5.7.0 Must issue a STARTTLS command first\r\n"),
        "{said}"
    );

    let mut session = smtp::server::Session::new(submissions().shared(), epoch());
    assert!(session.poll().is_none() && !session.wants_input());
    session.handle(Input::Received(b"EHLO client\r\n"), epoch());
    assert!(matches!(session.poll(), Some(smtp::server::Action::Close)));
}

#[allow(clippy::disallowed_methods, reason = "a starting point")]
fn epoch() -> std::time::Instant {
    std::time::Instant::now()
}

#[test]
fn s6_an_end_inside_a_body_accepts_nothing() {
    let chunked = "EHLO client.example.net\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n";
    for (start, body) in
        [(chunked, "BDAT 10 LAST\r\nhalf"), (chunked, "BDAT 4\r\nhalf"), (chunked, "BDAT 4 LAST\r\nhal")]
    {
        let mut server = Pretend::new(relay());
        server.say(start);
        server.say(body);
        server.handle(Input::Ended);
        assert!(server.closed && server.accepted.is_empty(), "{body}");
        // A plaintext octet after close_notify finds nobody.
        server.handle(Input::Received(b"f"));
        assert!(server.sent().is_empty() && server.accepted.is_empty());
    }
    for body in ["hello", "hello\r\n", "hello\r\n.", "hello\r\n.\r"] {
        let mut server = before_body(relay());
        server.say(body);
        server.handle(Input::Ended);
        assert!(server.closed && server.accepted.is_empty(), "{body:?}");
    }
}

#[test]
fn s11_no_line_end_reaches_an_envelope_or_a_reply() {
    let mut server = Pretend::new(relay());
    for line in [
        "EHLO a\nb\r\n",
        "EHLO a\rb\r\n",
        "EHLO a\0b\r\n",
        "EHLO \u{1b}[31m\r\n",
        "HELO a\tb\r\n",
        "MAIL FROM:<\"a\nb\"@example.net>\r\n",
    ] {
        let said = server.say(line);
        assert!(said.lines().all(|line| line.starts_with("50") || line.starts_with("220")), "{line:?}: {said}");
        assert!(server.session().client().is_none());
    }
}

#[test]
fn nothing_is_promised_before_the_commit() {
    let mut server = before_body(relay());
    server.slow_commit = true;
    assert_eq!(server.say("hello\r\n.\r\nNOOP\r\n"), "");
    assert!(server.accept_asked && !server.session().wants_input());
    // Meanwhile: no time-out, no farewell, no reply.
    server.handle(Input::DeadlinePassed);
    server.handle(Input::ShutDown);
    server.handle(Input::Suspended);
    assert!(server.sent().is_empty() && !server.closed);
    server.handle(Input::Answered(Answer::Accepted { message: "M1".into() }));
    let said = String::from_utf8(server.sent()).expect("text");
    assert!(said.starts_with("250 2.0.0 accepted as M1\r\n421 4.7.0 "), "{said}");
    assert!(server.closed);
}

#[test]
fn an_answer_to_another_question_is_no_yes() {
    for wrong in [Answer::SenderAccepted, Answer::RecipientAccepted, Answer::BodyReady] {
        let mut server = before_body(relay());
        server.slow_commit = true;
        server.say("hello\r\n.\r\n");
        server.handle(Input::Answered(wrong));
        let said = String::from_utf8(server.sent()).expect("text");
        assert!(said.starts_with("421 4.3.0 ") && server.closed, "{said}");
    }
    let mut server = Pretend::new(relay());
    server.handle(Input::Answered(Answer::Accepted { message: "M1".into() }));
    assert!(server.closed);
}

#[test]
fn a_commit_that_fails_is_not_a_250() {
    let mut server = before_body(relay());
    server.slow_commit = true;
    server.say("hello\r\n.\r\n");
    server.handle(Input::Answered(Answer::Refused(Refusal::StoreFull)));
    let said = String::from_utf8(server.sent()).expect("text");
    assert!(said.starts_with("452 4.3.1 "), "{said}");
}

#[test]
fn replies_are_bounded_while_commands_pour_in() {
    let mut server = Pretend::new(relay());
    let commands = "HELP\r\n".repeat(10_000);
    let said = server.say(commands);
    assert_eq!(said.matches("214 2.0.0").count(), 10_000);
    assert!(server.greatest_send <= REPLIES_HIGH_WATER + 512, "{}", server.greatest_send);
}

#[test]
fn recipients_are_a_thousand_where_the_listener_says_so() {
    let mut server = Pretend::new(SessionConfig { recipients_max: 1_000, ..relay() });
    server.say("HELO client.example.net\r\nMAIL FROM:<>\r\n");
    let said = server.say("RCPT TO:<bob@example.org>\r\n".repeat(1_001));
    assert_eq!(said.matches("250 2.1.5").count(), 1_000);
    assert!(said.ends_with("452 4.5.3 At most 1000 recipients per message. [limit.recipients]\r\n"));
}

#[test]
fn a_large_body_passes_in_bounded_pieces() {
    let mut server = Pretend::new(SessionConfig { octets_max: 5_000_000, ..relay() });
    server.say(ENVELOPE);
    server.say("DATA\r\n");
    let body = ".".repeat(76) + "\r\n";
    let body = body.repeat(60_000);
    assert_eq!(
        server.say(format!(".{body}.\r\n").replace("\r\n.", "\r\n..").replace("\r\n..\r\n", "\r\n.\r\n")),
        "250 2.0.0 accepted as M1\r\n"
    );
    assert_eq!(server.accepted.first().map(|(_, message)| message.len()), Some(body.len()));
}
