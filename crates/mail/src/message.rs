//! What a submission server may mend in a message (RFC 6409 §8): Date and Message-ID added, Bcc and Resent-Bcc removed.

use memchr::memchr;

use crate::Domain;
use crate::header::{DateTime, Field};

/// Edits a submission while it streams: every octet outside the fields named above leaves as it came.
///
/// Bcc fields are dropped line by line; what is missing is added at the end of the header. It holds at most the first
/// [`NAME_OCTETS_MAX`] octets of a line, however the message is cut.
#[derive(Debug)]
pub struct SubmissionEdit {
    date: DateTime,
    message_id: String,
    state: State,
    has_date: bool,
    has_message_id: bool,
    /// Octets edited away: the caller's limits count what the client sent.
    removed_octets: u64,
}

/// Where in the message we are.
#[derive(Debug)]
enum State {
    /// At the start of a header line; what is held is not enough to say which.
    LineStart {
        held: Vec<u8>,
        in_bcc: bool,
    },
    /// Inside a header line that is kept, or dropped.
    Line {
        dropped: bool,
    },
    Body,
}

/// Octets of a line that tell its field's name, white space behind it left aside. A longer name is none of ours.
pub const NAME_OCTETS_MAX: usize = 64;

impl SubmissionEdit {
    /// `date` and `message_id` (without angle brackets, from [`message_id`]) are used where the message has none.
    pub fn new(date: DateTime, message_id: String) -> SubmissionEdit {
        SubmissionEdit {
            date,
            message_id,
            state: State::LineStart { held: Vec::new(), in_bcc: false },
            has_date: false,
            has_message_id: false,
            removed_octets: 0,
        }
    }

    /// Takes octets of the message, appends those of the edited one.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = match std::mem::replace(&mut self.state, State::Body) {
                State::Body => {
                    out.extend_from_slice(rest);
                    return;
                }
                State::Line { dropped } => self.line(rest, dropped, out),
                State::LineStart { held, in_bcc } => self.line_start(rest, held, in_bcc, out),
            };
        }
    }

    /// The message is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Body) {
            State::Body => {}
            State::LineStart { held, .. } => {
                let field = Field::cut(&held);
                let is_open = !held.is_empty();
                match is_blind(&field) {
                    true => self.removed_octets += held.len() as u64,
                    false => out.extend_from_slice(&held),
                }
                if is_open && !is_blind(&field) {
                    self.note(&held);
                    out.extend_from_slice(b"\r\n");
                }
                self.add_missing(out);
            }
            State::Line { dropped } => {
                if !dropped {
                    out.extend_from_slice(b"\r\n");
                }
                self.add_missing(out);
            }
        }
    }

    /// Octets of the message that were left out so far.
    pub fn removed_octets(&self) -> u64 {
        self.removed_octets
    }

    /// The rest of a line whose fate is known. Gives what follows it.
    fn line<'a>(&mut self, rest: &'a [u8], dropped: bool, out: &mut Vec<u8>) -> &'a [u8] {
        let end = memchr(b'\n', rest).map(|line_feed| line_feed + 1);
        let (line, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, b""));
        self.keep_or_drop(line, dropped, out);
        self.state = match end {
            Some(_) => State::LineStart { held: Vec::new(), in_bcc: dropped },
            None => State::Line { dropped },
        };
        after
    }

    /// Gathers the start of a line until it tells what the line is. Gives what follows.
    fn line_start<'a>(&mut self, rest: &'a [u8], mut held: Vec<u8>, in_bcc: bool, out: &mut Vec<u8>) -> &'a [u8] {
        let wanted = NAME_OCTETS_MAX - held.len();
        let candidate = rest.get(..wanted.min(rest.len())).unwrap_or(rest);
        let decisive = candidate.iter().position(|octet| matches!(octet, b':' | b'\n')).map(|at| at + 1);
        let first = held.first().or(rest.first()).copied();
        if in_bcc && matches!(first, Some(b' ' | b'\t')) {
            // Folding of a dropped field.
            self.state = State::Line { dropped: true };
            return rest;
        }
        let taken = decisive.unwrap_or(candidate.len());
        held.extend_from_slice(rest.get(..taken).unwrap_or_default());
        let after = rest.get(taken..).unwrap_or_default();
        if decisive.is_none() && held.len() < NAME_OCTETS_MAX {
            self.state = State::LineStart { held, in_bcc };
            return after;
        }
        if held == b"\n" || held == b"\r\n" {
            // The header is over: what is missing goes before the empty line.
            self.add_missing(out);
            out.extend_from_slice(&held);
            self.state = State::Body;
            return after;
        }
        let mut line_start = held.clone();
        if decisive.is_none() {
            // White space without end may stand before the colon (RFC 5322 §4.5): the name is known without it.
            line_start.push(b':');
        }
        let dropped = is_blind(&Field::cut(&line_start));
        self.note(&line_start);
        self.keep_or_drop(&held, dropped, out);
        self.state = match held.ends_with(b"\n") {
            true => State::LineStart { held: Vec::new(), in_bcc: dropped },
            false => State::Line { dropped },
        };
        after
    }

    fn note(&mut self, line_start: &[u8]) {
        let field = Field::cut(line_start);
        self.has_date |= field.is("date");
        self.has_message_id |= field.is("message-id");
    }

    fn keep_or_drop(&mut self, octets: &[u8], dropped: bool, out: &mut Vec<u8>) {
        match dropped {
            true => self.removed_octets += octets.len() as u64,
            false => out.extend_from_slice(octets),
        }
    }

    fn add_missing(&mut self, out: &mut Vec<u8>) {
        if !self.has_date {
            out.extend_from_slice(format!("Date: {}\r\n", self.date).as_bytes());
        }
        if !self.has_message_id {
            let id = format!("<{}>", self.message_id);
            out.extend_from_slice(crate::header::print::fold("Message-ID", std::iter::once(id.as_str())).as_bytes());
        }
    }
}

/// Resent-Bcc hides as Bcc does (RFC 5322 §3.6.6).
fn is_blind(field: &Field<'_>) -> bool {
    field.is("bcc") || field.is("resent-bcc")
}

/// A fresh Message-ID, without angle brackets: 128 random bits, at `domain` (RFC 5322 §3.6.4).
pub fn message_id(random: &[u8; 16], domain: &Domain) -> String {
    format!("{:032x}@{domain}", u128::from_be_bytes(*random))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(message: &[u8], size: usize) -> Vec<u8> {
        let mut edit = SubmissionEdit::new(DateTime::utc(0), "id@a.example".into());
        let mut out = Vec::new();
        message.chunks(size).for_each(|chunk| edit.feed(chunk, &mut out));
        edit.finish(&mut out);
        out
    }

    const DATE: &str = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n";
    const ID: &str = "Message-ID: <id@a.example>\r\n";

    #[test]
    fn what_is_missing_is_added_and_bcc_goes() {
        for (message, expected) in [
            ("From: a\r\n\r\nbody\r\n".to_owned(), format!("From: a\r\n{DATE}{ID}\r\nbody\r\n")),
            ("date : x\r\nMessage-Id: y\r\n\r\n".into(), "date : x\r\nMessage-Id: y\r\n\r\n".into()),
            (
                "Bcc: a,\r\n b\r\n\tc\r\nTo: d\r\n e\r\n\r\nBcc: f\r\n".into(),
                format!("To: d\r\n e\r\n{DATE}{ID}\r\nBcc: f\r\n"),
            ),
            ("To: d\r\nBCC :\r\n a\r\n\r\n".into(), format!("To: d\r\n{DATE}{ID}\r\n")),
            (
                "X: a\r\n Bcc: kept\r\n Date: kept\r\n\r\n".into(),
                format!("X: a\r\n Bcc: kept\r\n Date: kept\r\n{DATE}{ID}\r\n"),
            ),
            ("Resent-Bcc: a\r\n\tb\r\nBcc2: b\r\n\r\n".into(), format!("Bcc2: b\r\n{DATE}{ID}\r\n")),
            ("\r\nbody".into(), format!("{DATE}{ID}\r\nbody")),
            ("".into(), format!("{DATE}{ID}")),
            ("To: a".into(), format!("To: a\r\n{DATE}{ID}")),
            ("To: a\r\n".into(), format!("To: a\r\n{DATE}{ID}")),
            ("Bcc: a".into(), format!("{DATE}{ID}")),
            ("To: b\r\nBc".into(), format!("To: b\r\nBc\r\n{DATE}{ID}")),
            (format!("Bcc{}: a\r\n b\r\n\r\n", " ".repeat(200)), format!("{DATE}{ID}\r\n")),
            (format!("Date{}: a\r\n\r\n", "\t".repeat(200)), format!("Date{}: a\r\n{ID}\r\n", "\t".repeat(200))),
            ("Bcc\r\n : a\r\n\r\n".into(), format!("Bcc\r\n : a\r\n{DATE}{ID}\r\n")),
            (format!("{}: a\r\n\r\n", "x".repeat(200)), format!("{}: a\r\n{DATE}{ID}\r\n", "x".repeat(200))),
        ] {
            for size in 1..=message.len().max(1) {
                let found = edited(message.as_bytes(), size);
                assert_eq!(String::from_utf8_lossy(&found), expected, "{message:?} in {size}");
            }
        }
    }

    #[test]
    fn message_ids_are_fixed_width() {
        let domain = "a.example".parse().unwrap();
        assert_eq!(message_id(&[1; 16], &domain), "01010101010101010101010101010101@a.example");
        assert_eq!(message_id(&[0; 16], &domain).len(), 32 + 10);
    }

    proptest::proptest! {
        #[test]
        fn with_date_and_id_and_without_bcc_octets_are_identical(text in "[a-zA-Z: \\t\\r\\n]{0,200}", size in 1_usize..20) {
            let message = format!("Date: x\r\nMessage-ID: y\r\n\r\n{text}");
            proptest::prop_assert_eq!(edited(message.as_bytes(), size), message.as_bytes());
        }

        #[test]
        fn cutting_changes_nothing(text in "(Bcc|Date|To|X|:| |\\r\\n|\\n|\\t){0,40}", size in 1_usize..20) {
            proptest::prop_assert_eq!(edited(text.as_bytes(), size), edited(text.as_bytes(), usize::MAX));
        }
    }
}
