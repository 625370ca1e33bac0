//! What must hold for any octets: called by tests and by the fuzz targets of `tests/fuzz` alike.
#![allow(dead_code, reason = "each target uses its part")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::sasl::{self, Failure};
use auth::{AccountId, Identity};
use imap::command::print;
use imap::list::Matcher;
use imap::parse::{self, Spelling};
use imap::server::{
    Action, Answer, COMMAND_OCTETS_MAX, Completed, Config, Input, Question, SPOOL_OCTETS_MAX, Session, Then, Transport,
};
use imap::utf7;
use mail::Language;

/// Octets are refused, or they are a command that is printed and read back as itself.
pub fn command_holds(octets: &[u8]) {
    for spelling in [Spelling::Ascii, Spelling::Utf8] {
        if let Ok((tag, command)) = parse::command(octets, spelling) {
            let printed = print(&tag, &command);
            assert_eq!(parse::command(&printed, Spelling::Ascii), Ok((tag, command)));
        }
    }
}

/// A text is refused, or it is the one encoding of a name; and as a pattern it matches itself when it holds no wildcard.
pub fn name_holds(text: &str) {
    if let Ok(name) = utf7::decode(text) {
        assert_eq!(utf7::encode(&name), text);
    }
    assert_eq!(utf7::decode(&utf7::encode(text)).as_deref(), Ok(text));
    assert!(Matcher::new(text).matches(text) || text.contains('*') || text.contains('%'));
}

/// A session that is sent these octets, whole, cut at `cut`, or in pieces of that size, says the same in
/// whole lines, keeps its bounds, and gives memory back.
pub fn session_holds(octets: &[u8], cut: usize, now: Instant) {
    let (left, right) = octets.split_at(cut.min(octets.len()));
    let whole = conversation(&[octets], now);
    assert_eq!(whole, conversation(&[left, right], now));
    let pieces: Vec<&[u8]> = octets.chunks(cut + 1).collect();
    assert_eq!(whole, conversation(&pieces, now), "in pieces of {}", cut + 1);
}

/// What a session says to these octets when everybody is let in and every operation goes well.
fn conversation(pieces: &[&[u8]], now: Instant) -> Vec<u8> {
    let config = Config {
        host_name: "mail.example.org".into(),
        append_octets_max: 100_000,
        sign_in_time: Duration::from_secs(60),
        idle_time: Duration::from_secs(1_800),
        failures_max: 3,
        mechanisms: auth::sasl::Mechanism::ALL.to_vec(),
        random: Box::new(|nonce| nonce.fill(1)),
    };
    let transport = Transport::Tls(sasl::ChannelBindings::default());
    let mut session = Session::new(Arc::new(config), transport, now);
    let mut said = Vec::new();
    // Also without input the greeting is due.
    for piece in std::iter::once(&&[][..]).chain(pieces) {
        session.handle(Input::Received(piece), now);
        while let Some(action) = session.poll() {
            match action {
                Action::Send(octets) => {
                    assert!(octets.ends_with(b"\r\n"), "half a line");
                    said.extend(octets);
                }
                Action::Spool(octets) => {
                    assert!((1..=SPOOL_OCTETS_MAX).contains(&octets.len()));
                    said.extend(octets);
                }
                Action::Ask(question) => session.handle(Input::Answered(answer(question)), now),
                Action::AbandonAppend => said.extend_from_slice(b"abandoned\r\n"),
                Action::StartTls => session.handle(Input::TlsEstablished(sasl::ChannelBindings::default()), now),
                Action::Close => return said,
            }
        }
        assert!(session.held_octets() <= 2 * (COMMAND_OCTETS_MAX + piece.len()));
    }
    said
}

fn answer(question: Question) -> Answer {
    let identity = Identity { person: AccountId(1), acting_for: AccountId(1), language: Language::English };
    match question {
        Question::Sasl(sasl::Question::ScramCredentials { .. }) => {
            Answer::Sasl(sasl::Answer::Refused(Failure::Credentials))
        }
        Question::Sasl(_) => Answer::Sasl(sasl::Answer::Accepted(identity)),
        Question::Operation { operation, .. } => {
            Answer::Completed(Completed::ok("done").then(match operation.name() {
                "SELECT" | "EXAMINE" => Then::Selected,
                "CLOSE" | "UNSELECT" => Then::Unselected,
                _ => Then::Stay,
            }))
        }
        Question::AppendStart { .. } => Answer::AppendReady,
        Question::AppendFinish { .. } => Answer::Completed(Completed::ok("appended")),
    }
}
