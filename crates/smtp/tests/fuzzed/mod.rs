//! What is fuzzed: each function takes any octets and panics when a promise is broken. `tests/fuzz` makes targets of
//! them; `corpus.rs` replays the seeds.
#![allow(
    dead_code,
    clippy::panic,
    clippy::expect_used,
    reason = "each target uses its part, and panics are the findings"
)]

mod client;

use mail::ReversePath;
use smtp::command::{Command, Mail, Offered, Rcpt};
use smtp::dot_stuffing::{DotReader, DotWriter, Reached};
use smtp::limits::{BUFFERED_OCTETS_MAX, REPLY_LINE_OCTETS_MAX};
use smtp::line_ends::LineEnds;
use smtp::server::{Dsn, SessionConfig, Transaction};
use testkit::dialogue::Endpoint;

pub use client::client;

use super::pretend::{Pretend, relay, submissions};

/// A whole session: the first octet chooses the listener and what fails, the second how the rest is cut. However it is, the
/// same is said and accepted.
pub fn session(octets: &[u8]) {
    let [choice, piece, stream @ ..] = octets else { return };
    let pieces = stream.chunks(usize::from(*piece) + 1).collect();
    let cut = [converse(*choice, pieces), converse(*choice, stream.chunks(1).collect())];
    // Octets behind DATA or STARTTLS are refused when they came with it, so there the cut matters, and ought to (S3, S4). A
    // disk fails before or after a fault of the content is seen.
    let whole = converse(*choice, as_a_client_may(stream));
    let early = |said: &[u8]| String::from_utf8_lossy(said).contains("octets sent before the reply they must await");
    for cut in cut {
        if choice & DISK_FAILS == 0 && !early(&whole.0) && !early(&cut.0) {
            assert_eq!(String::from_utf8_lossy(&cut.0), String::from_utf8_lossy(&whole.0));
            assert_eq!(cut.1, whole.1, "messages");
        }
    }
}

/// Cut where a client awaits a reply (RFC 2920 §3.1, RFC 3207 §4), and nowhere else.
fn as_a_client_may(stream: &[u8]) -> Vec<&[u8]> {
    let awaits = |line: &[u8]| line.eq_ignore_ascii_case(b"DATA\r\n") || line.eq_ignore_ascii_case(b"STARTTLS\r\n");
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in stream.split_inclusive(|octet| *octet == b'\n') {
        end += line.len();
        if awaits(line) {
            pieces.extend(stream.get(start..end));
            start = end;
        }
    }
    pieces.extend(stream.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

const SUBMISSIONS: u8 = 1;
const DSN: u8 = 2;
const DISK_FAILS: u8 = 4;
const NO_ROOM: u8 = 8;
/// So small that whatever is about it happens.
const MESSAGE_OCTETS_MAX: u64 = 200;

/// What was said, and the messages that were accepted.
fn converse(choice: u8, pieces: Vec<&[u8]>) -> (Vec<u8>, Vec<(Transaction, Vec<u8>)>) {
    let config = if choice & SUBMISSIONS == 0 { relay() } else { submissions() };
    let dsn = if choice & DSN == 0 { Dsn::Refused } else { Dsn::Announced };
    let mut server = Pretend::new(SessionConfig { octets_max: MESSAGE_OCTETS_MAX, dsn, ..config });
    for (bit, event) in [(DISK_FAILS, "disk fails"), (NO_ROOM, "no room")] {
        if choice & bit != 0 {
            server.event(event).expect("an event");
        }
    }
    for piece in pieces {
        server.receive(piece);
    }
    let accepted = std::mem::take(&mut server.accepted);
    for (transaction, message) in &accepted {
        let mut ends = LineEnds::default();
        assert!(ends.check(message).is_ok() && ends.finish().is_ok(), "accepted with bare line ends");
        assert!(message.len() as u64 <= MESSAGE_OCTETS_MAX, "accepted over a limit");
        assert!((1..=3).contains(&transaction.envelope.recipients.len()), "accepted for nobody, or for too many");
        assert!(choice & SUBMISSIONS == 0 || transaction.identity.is_some(), "accepted from nobody");
        assert!(choice & (DISK_FAILS | NO_ROOM) == 0 || message.is_empty(), "accepted without a place");
    }
    let said = server.sent();
    assert!(said.is_empty() || said.ends_with(b"\r\n"), "half a reply");
    for line in said.split_inclusive(|octet| *octet == b'\n') {
        assert!(line.len() <= REPLY_LINE_OCTETS_MAX && line.is_ascii() && line.ends_with(b"\r\n"), "an unruly reply");
        assert!(matches!(line, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..]), "no reply code");
    }
    assert!(server.greatest_send <= 2 * BUFFERED_OCTETS_MAX, "too many replies at once");
    (said, accepted)
}

/// One command line: what is understood prints as a line that is understood the same.
pub fn command(octets: &[u8]) {
    let Ok(line) = std::str::from_utf8(octets) else { return };
    for offered in [Offered { dsn: true, auth: true, require_tls: true }, Offered::default()] {
        let Ok(command) = Command::parse(line, offered) else { continue };
        let printed = command.to_string();
        assert!(!printed.bytes().any(|octet| octet.is_ascii_control()), "a control character got through");
        // A domain is printed in A-labels: how it was written does not matter any more.
        let again = Command::parse(&printed, offered);
        assert_eq!(again.map(|it| as_if_ascii(it, &printed)), Ok(as_if_ascii(command.clone(), &printed)), "{printed}");
        if let Command::Mail(mail) = &command
            && let ReversePath::Address(address) = &mail.reverse_path
        {
            assert_eq!(address.to_string().parse().as_ref(), Ok(address), "an address that does not read back");
        }
    }
}

fn as_if_ascii(mut command: Command, printed: &str) -> Command {
    if let Command::Mail(Mail { internationalized, .. }) | Command::Rcpt(Rcpt { internationalized, .. }) = &mut command
    {
        *internationalized = !printed.is_ascii();
    }
    command
}

/// A body: cut at the place the first octet says, it reads the same as whole; without fault it is what a plain reading of
/// RFC 5321 §4.5.2 gives; and put back on the wire it arrives again.
pub fn body(octets: &[u8]) {
    let Some((cut, stream)) = octets.split_first() else { return };
    let (left, right) = stream.split_at(usize::from(*cut).min(stream.len()));
    let whole = read(&[stream]);
    assert_eq!(whole, read(&[left, right]));
    let singles: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(whole, read(&singles));

    let (message, used, reached, fault) = whole;
    if (reached, fault) == (Reached::End, None) {
        assert_eq!((&message, used), (&unstuffed(stream).0, unstuffed(stream).1));
    }
    if let Ok(wire) = stuffed(stream, usize::from(*cut)) {
        let end: &[u8] = if stream.is_empty() || stream.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        assert_eq!(read(&[&wire]), ([stream, end].concat(), wire.len(), Reached::End, None));
    }
}

type Read = (Vec<u8>, usize, Reached, Option<smtp::line_ends::BodyFault>);

fn read(pieces: &[&[u8]]) -> Read {
    let mut reader = DotReader::new();
    let (mut message, mut used, mut reached) = (Vec::new(), 0, Reached::More);
    for piece in pieces {
        if reached == Reached::More {
            let more;
            (more, reached) = reader.read(piece, &mut message);
            used += more;
        }
    }
    (message, used, reached, reader.fault())
}

/// The reference: line by line, a dot taken off each, until the lone one. Gives the message and the octets used.
fn unstuffed(stream: &[u8]) -> (Vec<u8>, usize) {
    let (mut message, mut used) = (Vec::new(), 0);
    for line in stream.split_inclusive(|octet| *octet == b'\n') {
        used += line.len();
        if line == b".\r\n" {
            break;
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    (message, used)
}

fn stuffed(message: &[u8], cut: usize) -> Result<Vec<u8>, smtp::line_ends::BodyFault> {
    let (left, right) = message.split_at(cut.min(message.len()));
    let mut writer = DotWriter::new();
    let mut wire = Vec::new();
    writer.write(left, &mut wire)?;
    writer.write(right, &mut wire)?;
    writer.finish(&mut wire)?;
    Ok(wire)
}
