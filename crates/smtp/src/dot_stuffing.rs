//! The body between 354 and the lone dot (RFC 5321 §4.5.2), read and written.

use memchr::memchr3;

use crate::line_ends::{BodyFault, LineEnds};

/// Takes the dots off, and finds the end: CRLF `.` CRLF, and nothing like it.
#[derive(Debug)]
pub struct DotReader {
    place: Place,
    fault: Option<BodyFault>,
}

/// Where in a line the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// After CRLF, or at the very start: the 354's line end counts (RFC 5321 §4.1.1.4).
    LineStart,
    /// After CRLF `.`.
    Dot,
    /// After CRLF `.` CR.
    DotCr,
    /// Inside a line.
    Text,
    /// After a CR that may be half of a CRLF.
    Cr,
    /// After a CR or LF on its own.
    BareStart,
    /// After a CR or LF on its own, then `.`.
    BareDot,
}

/// What a piece of input brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The body goes on.
    More,
    /// CRLF `.` CRLF was found.
    End,
    /// A dot line that only a lax reader would take for the end: a smuggler's, or a broken sender's who now awaits a
    /// reply (`LF . LF`, `CR LF . LF`, `CR . CR` and so on).
    FalseEnd,
}

/// What becomes of an octet.
enum Verdict {
    Keep,
    Drop,
    Stop(Reached),
}

impl DotReader {
    /// Stands before the first octet after 354.
    pub fn new() -> DotReader {
        DotReader { place: Place::LineStart, fault: None }
    }

    /// What the body held that it must not, so far.
    pub fn fault(&self) -> Option<BodyFault> {
        self.fault
    }

    /// Reads a piece and appends its message octets to `message`. Gives how many octets of `input` were used: all,
    /// unless the end came.
    pub fn read(&mut self, input: &[u8], message: &mut Vec<u8>) -> (usize, Reached) {
        let mut used = 0;
        while let Some(rest) = input.get(used..)
            && let Some((&octet, _)) = rest.split_first()
        {
            let run = self.skip_plain(rest);
            if run > 0 {
                message.extend_from_slice(rest.get(..run).unwrap_or(rest));
                used += run;
                continue;
            }
            used += 1;
            match self.judge(octet) {
                Verdict::Keep => message.push(octet),
                Verdict::Drop => {}
                Verdict::Stop(reached) => return (used, reached),
            }
        }
        (used, Reached::More)
    }

    /// Octets at the start of `input` that are message as they stand: all up to a dot line or an oddity.
    fn skip_plain(&mut self, input: &[u8]) -> usize {
        let plain = match self.place {
            Place::Text => true,
            Place::LineStart => input.first() != Some(&b'.'),
            _ => false,
        };
        if !plain {
            return 0;
        }
        let mut run = 0;
        while let Some(rest) = input.get(run..)
            && !rest.is_empty()
        {
            self.place = Place::Text;
            let Some(at) = memchr3(b'\r', b'\n', 0, rest) else { return input.len() };
            run += at;
            let Some([b'\r', b'\n', ..]) = rest.get(at..) else { return run };
            run += 2;
            self.place = Place::LineStart;
            if input.get(run) == Some(&b'.') {
                return run;
            }
        }
        run
    }

    fn judge(&mut self, octet: u8) -> Verdict {
        if octet == 0 {
            self.fault.get_or_insert(BodyFault::Nul);
        }
        let (place, verdict) = match (self.place, octet) {
            (Place::LineStart, b'.') => (Place::Dot, Verdict::Drop),
            (Place::Dot, b'\r') => (Place::DotCr, Verdict::Drop),
            (Place::DotCr, b'\n') => (Place::LineStart, Verdict::Stop(Reached::End)),
            (Place::Dot, b'\n') | (Place::DotCr, _) | (Place::BareDot, b'\r' | b'\n') => {
                self.fault = Some(BodyFault::BareLineEnd);
                (Place::BareStart, Verdict::Stop(Reached::FalseEnd))
            }
            (Place::Cr, b'\n') => (Place::LineStart, Verdict::Keep),
            (Place::Cr, _) => {
                self.fault = Some(BodyFault::BareLineEnd);
                self.place = Place::BareStart;
                return self.judge(octet);
            }
            (_, b'\n') => {
                self.fault = Some(BodyFault::BareLineEnd);
                (Place::BareStart, Verdict::Keep)
            }
            (_, b'\r') => (Place::Cr, Verdict::Keep),
            (Place::BareStart, b'.') => (Place::BareDot, Verdict::Keep),
            _ => (Place::Text, Verdict::Keep),
        };
        self.place = place;
        verdict
    }
}

impl Default for DotReader {
    fn default() -> DotReader {
        DotReader::new()
    }
}

/// Puts the dots on, for a body that comes in pieces, and ends it with CRLF `.` CRLF. What may hold a CR or LF on its own
/// goes through [`mail::crlf::CrlfCleaner`] first.
#[derive(Debug)]
pub struct DotWriter {
    ends: LineEnds,
    line_start: bool,
}

impl DotWriter {
    /// Stands before the first octet.
    pub fn new() -> DotWriter {
        DotWriter { ends: LineEnds::default(), line_start: true }
    }

    /// Appends a piece of the message to `wire`.
    ///
    /// # Errors
    /// [`BodyFault`] for what must not travel; nothing is appended then, and the message cannot be sent.
    pub fn write(&mut self, piece: &[u8], wire: &mut Vec<u8>) -> Result<(), BodyFault> {
        self.ends.check(piece)?;
        wire.reserve(piece.len() + piece.len() / 64);
        for line in piece.split_inclusive(|octet| *octet == b'\n') {
            if self.line_start && line.first() == Some(&b'.') {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
            // The check above has seen that every LF follows a CR.
            self.line_start = line.ends_with(b"\n");
        }
        Ok(())
    }

    /// Appends the end: CRLF where the last line lacks it, then the lone dot.
    ///
    /// # Errors
    /// [`BodyFault::BareLineEnd`] where the body ended in a CR.
    pub fn finish(self, wire: &mut Vec<u8>) -> Result<(), BodyFault> {
        self.ends.finish()?;
        wire.extend_from_slice(if self.line_start { b".\r\n" } else { b"\r\n.\r\n" });
        Ok(())
    }
}

impl Default for DotWriter {
    fn default() -> DotWriter {
        DotWriter::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything a reader makes of a stream: message, octets left after it, how it ended, fault.
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>, Reached, Option<BodyFault>) {
        let mut reader = DotReader::new();
        let mut message = Vec::new();
        let mut left = Vec::new();
        let mut reached = Reached::More;
        for piece in pieces {
            match reached {
                Reached::More => {
                    let used;
                    (used, reached) = reader.read(piece, &mut message);
                    left.extend_from_slice(&piece[used..]);
                }
                _ => left.extend_from_slice(piece),
            }
        }
        (message, left, reached, reader.fault())
    }

    #[test]
    fn only_crlf_dot_crlf_ends_wherever_the_stream_is_cut() {
        const BARE: Option<BodyFault> = Some(BodyFault::BareLineEnd);
        const NUL: Option<BodyFault> = Some(BodyFault::Nul);
        type Case = (&'static [u8], Reached, Option<BodyFault>, &'static [u8]);
        // Stream, how it ends, fault, message when it is good.
        let table: [Case; 22] = [
            (b".\r\nMAIL", Reached::End, None, b""),
            (b"a\r\n.\r\nMAIL", Reached::End, None, b"a\r\n"),
            (b"..a\r\n.\r\n", Reached::End, None, b".a\r\n"),
            (b".a\r\n..\r\n.\r\n", Reached::End, None, b"a\r\n.\r\n"),
            (b"a\r\n...\r\n.b\r\n.\r\n", Reached::End, None, b"a\r\n..\r\nb\r\n"),
            (b"a.\r\n.\r\n", Reached::End, None, b"a.\r\n"),
            (b"a\r\n", Reached::More, None, b"a\r\n"),
            (b"\r\n\r\n.\r\n", Reached::End, None, b"\r\n\r\n"),
            (b"a\n.\nb\r\n.\r\n", Reached::FalseEnd, BARE, b""),
            (b"a\n.\r\nb", Reached::FalseEnd, BARE, b""),
            (b"a\r.\rb", Reached::FalseEnd, BARE, b""),
            (b"a\r.\r\nb", Reached::FalseEnd, BARE, b""),
            (b"a\r\n.\nb", Reached::FalseEnd, BARE, b""),
            (b"a\r\n.\rb", Reached::FalseEnd, BARE, b""),
            (b"a\r\n.\r\r\n", Reached::FalseEnd, BARE, b""),
            (b"a\n\n.\r\nb", Reached::FalseEnd, BARE, b""),
            (b"a\r\n\0.\r\nb\r\n.\r\n", Reached::End, NUL, b""),
            (b"a\nb\r\n.\r\n", Reached::End, BARE, b""),
            (b"a\rb\r\n.\r\n", Reached::End, BARE, b""),
            (b"a\r\r\n.\r\n", Reached::End, BARE, b""),
            (b"\n.a\r\n.\r\n", Reached::End, BARE, b""),
            (b"a\n\r\n.\r\n", Reached::End, BARE, b""),
        ];
        for (stream, reached, fault, message) in table {
            let whole = read(&[stream]);
            assert_eq!((whole.2, whole.3), (reached, fault), "{:?}", String::from_utf8_lossy(stream));
            if fault.is_none() {
                assert_eq!(whole.0, message);
            }
            for cut in 0..=stream.len() {
                let (left, right) = stream.split_at(cut);
                assert_eq!(read(&[left, right]), whole, "{stream:?} cut at {cut}");
            }
            assert_eq!(read(&stream.chunks(1).collect::<Vec<_>>()), whole);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for message in [&b""[..], b".", b"a", b"a\r\n", b"..\r\n.\r\n", b"a\r\n.", b".a\r\n\r\n..b\r\n"] {
            for cut in 0..=message.len() {
                let (left, right) = message.split_at(cut);
                let mut writer = DotWriter::new();
                let mut wire = Vec::new();
                writer.write(left, &mut wire).expect("clean");
                writer.write(right, &mut wire).expect("clean");
                writer.finish(&mut wire).expect("clean");
                let (read, left, reached, fault) = read(&[&wire]);
                let ended = if message.is_empty() || message.ends_with(b"\r\n") { &b""[..] } else { b"\r\n" };
                assert_eq!((reached, fault, left.as_slice()), (Reached::End, None, &b""[..]));
                assert_eq!(read, [message, ended].concat());
            }
        }
    }
}
