//! Command lines as RFC 5321 §2.3.8 has them: ended by CRLF, and by nothing else.

use memchr::memchr;

/// Cuts lines out of a stream. Holds no octets: what is incomplete stays with the caller.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    skipping: Option<Skipping>,
}

/// An over-long line is being dropped up to its CRLF.
#[derive(Debug)]
struct Skipping {
    after_cr: bool,
}

/// Why a line is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// More octets than allowed; the rest was dropped up to CRLF.
    #[error("line too long")]
    TooLong,
    /// A CR or LF on its own, inside the line or instead of its end.
    #[error("lines end in CRLF, and hold no CR or LF")]
    BareLineEnd,
    /// A control character, NUL among them, or octets that are not UTF-8.
    #[error("line is not text")]
    NotText,
}

/// What a look at the input gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken<'a> {
    /// Octets used up.
    pub consumed: usize,
    /// The line without CRLF, once it is whole.
    pub line: Option<Result<&'a str, LineError>>,
}

impl LineReader {
    /// Takes one line of at most `octets_max` octets, CRLF included, from the start of `input`.
    pub fn take<'a>(&mut self, input: &'a [u8], octets_max: usize) -> Taken<'a> {
        if let Some(skipping) = &mut self.skipping {
            let end = end_of_skipped(input, skipping.after_cr);
            skipping.after_cr = input.last() == Some(&b'\r');
            let Some(consumed) = end else { return Taken { consumed: input.len(), line: None } };
            self.skipping = None;
            return Taken { consumed, line: Some(Err(LineError::TooLong)) };
        }
        let window = input.get(..octets_max).unwrap_or(input);
        let Some(end) = memchr(b'\n', window) else {
            if window.len() < octets_max {
                return Taken { consumed: 0, line: None };
            }
            self.skipping = Some(Skipping { after_cr: window.ends_with(b"\r") });
            return Taken { consumed: octets_max, line: None };
        };
        let (line, _) = window.split_at(end + 1);
        Taken { consumed: line.len(), line: Some(check(line)) }
    }
}

/// Octets up to and with the first CRLF.
fn end_of_skipped(input: &[u8], mut after_cr: bool) -> Option<usize> {
    let mut before = 0;
    while let Some(rest) = input.get(before..)
        && let Some(at) = memchr(b'\n', rest)
    {
        let ends = match at {
            0 => after_cr,
            _ => rest.get(at - 1) == Some(&b'\r'),
        };
        before += at + 1;
        after_cr = false;
        if ends {
            return Some(before);
        }
    }
    None
}

fn check(line: &[u8]) -> Result<&str, LineError> {
    let text = line.strip_suffix(b"\r\n").ok_or(LineError::BareLineEnd)?;
    if memchr(b'\r', text).is_some() {
        return Err(LineError::BareLineEnd);
    }
    if text.iter().any(u8::is_ascii_control) {
        return Err(LineError::NotText);
    }
    std::str::from_utf8(text).map_err(|_| LineError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of a stream that comes in pieces.
    fn lines(pieces: &[&[u8]], octets_max: usize) -> Vec<Result<String, LineError>> {
        let mut reader = LineReader::default();
        let mut waiting = Vec::new();
        let mut lines = Vec::new();
        for piece in pieces {
            waiting.extend_from_slice(piece);
            loop {
                let taken = reader.take(&waiting, octets_max);
                let consumed = taken.consumed;
                let line = taken.line.map(|line| line.map(str::to_owned));
                waiting.drain(..consumed);
                lines.extend(line.clone());
                if line.is_none() && (consumed == 0 || waiting.is_empty()) {
                    break;
                }
            }
        }
        lines
    }

    #[test]
    fn lines_end_in_crlf_only() {
        let stream = b"NOOP\r\nNOOP\nNO\rOP\r\nNOOP\r\r\n\r\nNO\0OP\r\n\xff\r\n\xc3\xa9\r\nleft";
        let expected = vec![
            Ok("NOOP".to_owned()),
            Err(LineError::BareLineEnd),
            Err(LineError::BareLineEnd),
            Err(LineError::BareLineEnd),
            Ok(String::new()),
            Err(LineError::NotText),
            Err(LineError::NotText),
            Ok("é".to_owned()),
        ];
        for cut in 0..stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(lines(&[left, right], 100), expected, "cut at {cut}");
        }
        assert_eq!(lines(&stream.chunks(1).collect::<Vec<_>>(), 100), expected);
    }

    #[test]
    fn a_line_may_have_as_many_octets_as_said_and_no_more() {
        let longest = [b"A".repeat(8).as_slice(), b"\r\n"].concat();
        assert_eq!(lines(&[&longest], 10), [Ok("A".repeat(8))]);
        let longer = [b"A".repeat(9).as_slice(), b"\r\nB\r\n"].concat();
        for cut in 0..longer.len() {
            let (left, right) = longer.split_at(cut);
            assert_eq!(lines(&[left, right], 10), [Err(LineError::TooLong), Ok("B".into())], "cut at {cut}");
        }
    }

    #[test]
    fn an_over_long_line_is_dropped_up_to_its_crlf() {
        let stream = b"AAAAAAAAAAAAA\nMAIL\rX\n\r\r\nB\r\n";
        for cut in 0..stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(lines(&[left, right], 10), [Err(LineError::TooLong), Ok("B".into())], "cut at {cut}");
        }
    }
}
