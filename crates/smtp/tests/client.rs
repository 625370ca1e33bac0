//! The client against scripted servers, and against our own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod pretend;

use std::time::Instant;

use auth::sasl::Secret;
use mail::envelope::{Notify, OriginalRecipient, Recipient, Returned};
use mail::{Envelope, ReversePath};
use pretend::{Pretend, relay, submission, submissions};
use smtp::client::{Action, ClientConfig, Credentials, Extension, Failure, Input, Outcome, Session, Tls, Transfer};
use smtp::line_ends::BodyFault;
use smtp::server::{self, SessionConfig};
use testkit::dialogue::Endpoint;

fn config(tls: Tls) -> ClientConfig {
    ClientConfig { name: "client.example.net".parse().unwrap(), tls, credentials: None, transfer: Transfer::Data }
}

fn signing_in(tls: Tls, password: &str) -> ClientConfig {
    let credentials = Credentials { login: "ann@example.org".into(), password: Secret::new(password.into()) };
    ClientConfig { credentials: Some(credentials), ..config(tls) }
}

fn envelope(recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| Recipient::new(mail::ForwardPath::Address(text.parse().unwrap()));
    Envelope {
        recipients: recipients.iter().map(recipient).collect(),
        declared_octets: Some(10),
        ..Envelope::new(ReversePath::Address("ann@example.org".parse().unwrap()))
    }
}

#[derive(Debug, PartialEq)]
enum Event {
    Ready,
    Done(Outcome),
    Failed(Failure),
    Closed,
}

/// A client joined to a server.
struct Pair {
    client: Session,
    server: Pretend,
    body: Vec<Vec<u8>>,
    now: Instant,
}

impl Pair {
    #[allow(clippy::disallowed_methods, reason = "a starting point")]
    fn new(client: ClientConfig, server: SessionConfig) -> Pair {
        let now = Instant::now();
        Pair { client: Session::new(client, now), server: Pretend::new(server), body: Vec::new(), now }
    }

    /// Runs until nothing moves; gives what happened.
    fn run(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            while let Some(action) = self.client.poll() {
                match action {
                    Action::Send(octets) => self.server.receive(&octets),
                    Action::StartTls => {
                        assert!(self.server.tls_asked);
                        self.server.event("tls established").unwrap();
                        self.client.handle(Input::TlsEstablished, self.now);
                    }
                    Action::Ready => events.push(Event::Ready),
                    Action::WantBody => {
                        for piece in std::mem::take(&mut self.body) {
                            self.client.handle(Input::Body(&piece), self.now);
                        }
                        self.client.handle(Input::BodyEnd, self.now);
                    }
                    Action::Done(outcome) => events.push(Event::Done(outcome)),
                    Action::Failed(failure) => events.push(Event::Failed(failure)),
                    Action::Close => events.push(Event::Closed),
                }
            }
            let said = self.server.sent();
            if said.is_empty() {
                return events;
            }
            self.client.handle(Input::Received(&said), self.now);
        }
    }

    fn send(&mut self, recipients: &[&str], body: &[&str]) -> Vec<Event> {
        self.send_to(envelope(recipients), body)
    }

    fn send_to(&mut self, envelope: Envelope, body: &[&str]) -> Vec<Event> {
        self.body = body.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        self.client.handle(Input::Message(Box::new(envelope)), self.now);
        self.run()
    }
}

fn outcome(events: Vec<Event>) -> Outcome {
    match events.into_iter().next() {
        Some(Event::Done(outcome)) => outcome,
        other => panic!("expected an outcome, got {other:?}"),
    }
}

#[test]
fn messages_reach_our_own_server_by_data_and_by_chunks() {
    for transfer in [Transfer::Data, Transfer::Chunks] {
        for (tls, server) in [(Tls::StartTls, submission()), (Tls::Implicit, submissions())] {
            let mut pair = Pair::new(ClientConfig { transfer, ..signing_in(tls, "secret") }, server);
            assert_eq!(pair.run(), [Event::Ready]);
            let sent =
                outcome(pair.send(&["bob@example.org", "nobody@example.org"], &[".a\r\n..\r", "\n.", "\r\nb\r\n"]));
            assert_eq!(sent.message.code, 250, "{sent:?}");
            let codes: Vec<_> = sent.recipients.iter().map(|response| response.code).collect();
            assert_eq!(codes, [250, 550]);
            let (transaction, message) = pair.server.accepted.last().unwrap();
            assert_eq!(String::from_utf8_lossy(message), ".a\r\n..\r\n.\r\nb\r\n");
            assert_eq!(transaction.protocol.keyword(), "ESMTPSA");
            // Nobody to send to; then another message, which a left-over transaction must not spoil.
            let none = outcome(pair.send(&["nobody@example.org"], &["x"]));
            assert_eq!((none.message.code, none.recipients.len()), (550, 1), "{none:?}");
            assert_eq!(outcome(pair.send(&["bob@example.org"], &["x\r\n"])).message.code, 250);
            let looping = outcome(pair.send(&["bob@example.org"], &["X-Loop\r\n"]));
            assert_eq!(looping.message.code, 554);
            assert_eq!(outcome(pair.send(&["bob@example.org"], &["x\r\n"])).message.code, 250);
            pair.client.handle(Input::Quit, pair.now);
            assert_eq!(pair.run(), [Event::Closed]);
        }
    }
}

/// An envelope that asks for everything.
fn demanding() -> Envelope {
    let mut envelope = envelope(&["bob@example.org", "zoe@example.org"]);
    envelope.returned = Some(Returned::Full);
    envelope.envelope_id = Some("Q+1 = a".into());
    let wishes = [
        (Notify::Never, ("rfc822", "Bob+1@old.example")),
        (Notify::On { success: true, failure: true, delay: false }, ("utf-8", "zoé@old.example")),
    ];
    for (recipient, (notify, (address_type, address))) in envelope.recipients.iter_mut().zip(wishes) {
        recipient.notify = Some(notify);
        recipient.original = Some(OriginalRecipient { address_type: address_type.into(), address: address.into() });
    }
    envelope
}

#[test]
fn what_is_asked_of_reports_and_travel_reaches_the_next_host_as_it_was_asked() {
    let wanted = Envelope { require_tls: true, ..demanding() };
    let server = SessionConfig {
        dsn: server::Dsn::Announced,
        require_tls: server::RequireTls::Announced,
        octets_max: 1_000,
        ..relay()
    };
    let mut pair = Pair::new(config(Tls::StartTls), server);
    pair.run();
    assert_eq!(outcome(pair.send_to(wanted.clone(), &["x\r\n"])).message.code, 250);
    assert_eq!(pair.server.accepted[0].0.envelope, wanted);

    // Where DSN is not announced, nothing is asked for, and nothing refused.
    let mut pair = Pair::new(config(Tls::StartTls), relay());
    pair.run();
    assert_eq!(outcome(pair.send_to(demanding(), &["x\r\n"])).message.code, 250);
    assert_eq!(pair.server.accepted[0].0.envelope, envelope(&["bob@example.org", "zoe@example.org"]));
}

#[test]
fn a_message_that_requires_tls_goes_only_where_that_is_announced() {
    let announcing = SessionConfig { require_tls: server::RequireTls::Announced, ..relay() };
    for (tls, server) in [(Tls::StartTls, relay()), (Tls::Never, announcing)] {
        let mut pair = Pair::new(config(tls), server);
        pair.run();
        let events = pair.send_to(Envelope { require_tls: true, ..envelope(&["bob@example.org"]) }, &["x\r\n"]);
        assert_eq!(events, [Event::Failed(Failure::Unsupported(Extension::RequireTls)), Event::Closed]);
        assert!(pair.server.accepted.is_empty());
    }
}

#[test]
fn s2_smuggling_outbound_does_not_leave() {
    for transfer in [Transfer::Data, Transfer::Chunks] {
        for body in [["a\nb", ""], ["a\rb", ""], ["a\r", "b"], ["\r\n.\n", ""], ["a\r\n.\r", ""], ["a\0", ""]] {
            let mut pair = Pair::new(ClientConfig { transfer, ..config(Tls::Never) }, relay());
            pair.run();
            let events = pair.send(&["bob@example.org"], &body);
            assert!(matches!(events.as_slice(), [Event::Failed(Failure::Body(_)), ..]), "{body:?}: {events:?}");
            assert!(pair.server.accepted.is_empty());
        }
    }
    let fault = Failure::Body(BodyFault::BareLineEnd);
    assert_eq!(fault.to_string(), "the message holds a CR or LF on its own");
}

#[test]
fn s5_without_starttls_nothing_is_sent() {
    let mut pair =
        Pair::new(signing_in(Tls::StartTls, "secret"), SessionConfig { tls: server::Tls::Never, ..submission() });
    assert_eq!(pair.run(), [Event::Failed(Failure::NoTls), Event::Closed]);
    let mut pair = Pair::new(signing_in(Tls::Never, "secret"), submission());
    assert_eq!(pair.run(), [Event::Failed(Failure::NoAuthentication), Event::Closed]);
}

#[test]
fn a_wrong_password_ends_the_session() {
    let mut pair = Pair::new(signing_in(Tls::Implicit, "wrong"), submissions());
    let events = pair.run();
    assert!(
        matches!(events.as_slice(), [Event::Failed(Failure::Refused { command: "AUTH", .. }), Event::Closed]),
        "{events:?}"
    );
}

/// Plays a server by script: each line the client says is answered by the next reply. Gives all it said, and events.
#[allow(clippy::disallowed_methods, reason = "a starting point")]
fn play(config: ClientConfig, replies: &[&str]) -> (String, Vec<Event>) {
    let now = Instant::now();
    let mut client = Session::new(config, now);
    let mut said = String::new();
    let mut events = Vec::new();
    for reply in replies {
        // Octet by octet: replies come as they come.
        match reply.contains("220 tls") {
            true => client.handle(Input::Received(reply.as_bytes()), now),
            false => reply.as_bytes().chunks(1).for_each(|octet| client.handle(Input::Received(octet), now)),
        }
        while let Some(action) = client.poll() {
            match action {
                Action::Send(octets) => said.push_str(&String::from_utf8(octets).unwrap()),
                Action::Ready => {
                    events.push(Event::Ready);
                    client.handle(Input::Message(Box::new(envelope(&["a@b.fr", "c@d.fr"]))), now);
                }
                Action::WantBody => {
                    client.handle(Input::Body(b"hi\r\n"), now);
                    client.handle(Input::BodyEnd, now);
                }
                Action::StartTls => said.push_str("(tls)"),
                Action::Done(outcome) => events.push(Event::Done(outcome)),
                Action::Failed(failure) => events.push(Event::Failed(failure)),
                Action::Close => events.push(Event::Closed),
            }
        }
    }
    (said, events)
}

#[test]
fn a_server_without_pipelining_is_spoken_to_line_by_line() {
    let replies = [
        "220 hi\r\n",
        "250-x\r\n250 SIZE\r\n",
        "250 ok\r\n",
        "550 no\r\n",
        "251 ok\r\n",
        "354 go\r\n",
        "250 2.0.0 done\r\n",
    ];
    let (said, events) = play(config(Tls::Never), &replies);
    assert_eq!(
        said,
        "EHLO client.example.net\r\nMAIL FROM:<ann@example.org> SIZE=10\r\nRCPT TO:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\n\
         DATA\r\nhi\r\n.\r\n"
    );
    assert!(matches!(events.as_slice(), [Event::Ready, Event::Done(outcome)] if outcome.message.is_positive()));

    let (said, events) =
        play(config(Tls::Never), &["220 hi\r\n", "250 x\r\n", "250 ok\r\n", "550 no\r\n", "450 no\r\n"]);
    assert!(said.ends_with("RCPT TO:<c@d.fr>\r\n"), "{said}");
    assert!(matches!(events.as_slice(), [Event::Ready, Event::Done(outcome)] if outcome.message.code == 450));

    let (said, events) = play(config(Tls::Never), &["220 hi\r\n", "250 x\r\n", "550 5.7.1 go away\r\n"]);
    assert!(said.ends_with("MAIL FROM:<ann@example.org>\r\n"), "{said}");
    assert!(matches!(events.as_slice(), [Event::Ready, Event::Done(outcome)] if outcome.message.text == "go away"));
}

#[test]
fn a_354_for_nobody_is_given_an_empty_body() {
    let replies =
        ["220 hi\r\n", "250-x\r\n250 PIPELINING\r\n", "250 ok\r\n550 no\r\n550 no\r\n354 go\r\n", "554 none\r\n"];
    let (said, events) = play(config(Tls::Never), &replies);
    assert!(said.ends_with("RCPT TO:<c@d.fr>\r\nDATA\r\n.\r\n"), "{said}");
    assert!(matches!(events.as_slice(), [Event::Ready, Event::Done(outcome)] if outcome.message.code == 550));
}

#[test]
fn what_follows_the_last_reply_is_not_read() {
    #[allow(clippy::disallowed_methods, reason = "a starting point")]
    let now = Instant::now();
    let mut client = Session::new(config(Tls::Never), now);
    client.handle(Input::Received(b"220 hi\r\n250 x\r\n"), now);
    client.handle(Input::Quit, now);
    client.handle(Input::Received(b"221 bye\r\nhello\r\n"), now);
    let actions: Vec<_> = std::iter::from_fn(|| client.poll()).map(|action| format!("{action:?}")).collect();
    assert_eq!(actions.last().map(String::as_str), Some("Close"));
    assert!(!actions.iter().any(|action| action.starts_with("Failed")), "{actions:?}");
}

#[test]
fn a_server_that_breaks_the_protocol_is_left() {
    let failure = |replies: &[&str], tls| match play(config(tls), replies).1.as_slice() {
        [.., Event::Failed(failure), Event::Closed] => failure.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(failure(&["hello\r\n"], Tls::Never), Failure::Protocol("no reply"));
    assert_eq!(failure(&["999 hi\r\n"], Tls::Never), Failure::Protocol("reply code out of range"));
    let injected = ["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "220 tls\r\n250 injected\r\n"];
    assert_eq!(failure(&injected, Tls::StartTls), Failure::Protocol("octets before the handshake"));
    assert!(matches!(failure(&["554 no\r\n"], Tls::Never), Failure::Refused { command: "greeting", .. }));
    assert!(matches!(failure(&["220 hi\r\n", "421 bye\r\n"], Tls::Never), Failure::Refused { .. }));
    let refused = ["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "454 4.7.0 not now\r\n"];
    assert!(matches!(failure(&refused, Tls::StartTls), Failure::Refused { command: "STARTTLS", .. }));
    let long = format!("220-{}\r\n", "x".repeat(5_000));
    assert_eq!(failure(&[&long], Tls::Never), Failure::Protocol("no reply"));
}
