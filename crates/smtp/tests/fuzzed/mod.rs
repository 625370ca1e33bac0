//! What is fuzzed: each function takes any octets and panics when a promise is broken. `tests/fuzz` makes targets of
//! them; `corpus.rs` replays the seeds.
#![allow(dead_code, clippy::panic, reason = "each target uses its part, and panics are the findings")]

use smtp::command::{Command, Offered};
use smtp::dot_stuffing::{DotReader, Reached};
use smtp::line_ends::LineEnds;
use smtp::server::SessionConfig;
use testkit::dialogue::Endpoint;

use super::pretend::{Pretend, relay, submissions};

/// A whole session: the first octet chooses the listener, the second how the rest is cut.
pub fn session(octets: &[u8]) {
    let [listener, piece, stream @ ..] = octets else { return };
    let config = if listener % 2 == 0 { relay() } else { submissions() };
    let mut server = Pretend::new(SessionConfig { octets_max: 200, ..config });
    for piece in stream.chunks(usize::from(*piece) + 1) {
        server.receive(piece);
    }
    for (transaction, message) in &server.accepted {
        let mut ends = LineEnds::default();
        assert!(ends.check(message).is_ok() && ends.finish().is_ok(), "accepted with bare line ends");
        assert!(message.len() <= 200 && transaction.envelope.recipients.len() <= 3, "accepted over a limit");
    }
    let said = server.sent();
    assert!(said.is_empty() || said.ends_with(b"\r\n"), "half a reply");
    assert!(said.split(|octet| *octet == b'\n').all(|line| line.len() < 512 && line.is_ascii()), "an unruly reply");
}

/// One command line: what is understood prints as a line that is understood the same.
pub fn command(octets: &[u8]) {
    let Ok(line) = std::str::from_utf8(octets) else { return };
    let offered = Offered { dsn: true, auth: true };
    let Ok(command) = Command::parse(line, offered) else { return };
    let printed = command.to_string();
    assert!(!printed.bytes().any(|octet| octet.is_ascii_control()), "a control character got through");
    let again = Command::parse(&printed, offered);
    assert_eq!(again.map(|command| command.to_string()), Ok(printed));
}

/// A body: cut at the place the first octet says, it reads the same as whole.
pub fn body(octets: &[u8]) {
    let Some((cut, stream)) = octets.split_first() else { return };
    let (left, right) = stream.split_at(usize::from(*cut).min(stream.len()));
    let read = |pieces: &[&[u8]]| {
        let mut reader = DotReader::new();
        let mut message = Vec::new();
        let mut used = 0;
        let mut reached = Reached::More;
        for piece in pieces {
            if reached == Reached::More {
                let more;
                (more, reached) = reader.read(piece, &mut message);
                used += more;
            }
        }
        (message, used, reached, reader.fault())
    };
    assert_eq!(read(&[stream]), read(&[left, right]));
}
