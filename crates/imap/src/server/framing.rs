//! Lines and literals in what the client sends (RFC 9051 §2.2.1, §4.3; RFC 7888).

use crate::parse::LiteralMode;

/// What was received and not yet used. Holds one command at most, and what came in the same read after it.
#[derive(Debug, Default)]
pub(super) struct Framing {
    octets: Vec<u8>,
    /// Where the command begins.
    start: usize,
    /// Where its present line begins: after its last literal.
    line: usize,
    /// Up to where the line was searched for its end; beyond the octets while a literal is awaited.
    searched: usize,
}

/// How far framing got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More octets are needed.
    Pending,
    /// The command is complete: [`Framing::command`], then [`Framing::next_command`].
    Complete,
    /// The line announces a literal: [`Framing::command`] ends with it. Then take the octets in by
    /// [`Framing::keep_literal`], or leave the command behind by [`Framing::next_command`].
    Literal(Announcement),
    /// The line ends with LF alone. [`Framing::command`] is the line.
    BareLineFeed,
    /// More than the limit, literals included, and no end.
    TooLong,
}

/// `{n}` or `{n+}` at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    /// Saturating: nothing that large is ever taken.
    pub(super) octets: u64,
    pub(super) mode: LiteralMode,
    /// Where its `{` is, counted from the beginning of the command.
    pub(super) at: usize,
}

impl Framing {
    pub(super) fn receive(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The command so far: without its CRLF once complete.
    pub(super) fn command(&self) -> &[u8] {
        let until = self.searched.min(self.octets.len());
        let line = self.octets.get(self.start..until).unwrap_or_default();
        line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Whether what came begins an AUTHENTICATE, whose one line may be long.
    pub(super) fn is_authenticate(&self) -> bool {
        let start = self.octets.get(self.start..).unwrap_or_default();
        let mut words = start.split(|octet| *octet == b' ');
        words.nth(1).is_some_and(|word| word.eq_ignore_ascii_case(b"AUTHENTICATE"))
    }

    /// Looks for the end of the command, or of a line that announces a literal.
    pub(super) fn step(&mut self, octets_max: usize) -> Step {
        match self.line_end(octets_max) {
            Step::Complete => match announcement(self.octets.get(self.line..self.searched).unwrap_or_default()) {
                Some(found) => Step::Literal(Announcement { at: found.at + self.line - self.start, ..found }),
                None => Step::Complete,
            },
            other => other,
        }
    }

    /// Looks for the end of the line, whatever it holds.
    pub(super) fn line_end(&mut self, octets_max: usize) -> Step {
        let Some(unsearched) = self.octets.get(self.searched..) else { return Step::Pending };
        let found = unsearched.iter().position(|octet| *octet == b'\n');
        self.searched += found.map_or(unsearched.len(), |at| at + 1);
        if self.searched - self.start > octets_max {
            return Step::TooLong;
        }
        match found {
            None => Step::Pending,
            Some(_) => match self.octets.get(self.line..self.searched).is_some_and(|line| line.ends_with(b"\r\n")) {
                true => Step::Complete,
                false => Step::BareLineFeed,
            },
        }
    }

    /// Leaves behind a command that is [`Step::TooLong`]: of its line only so much is kept as tells whether it ends with a
    /// literal. The next step goes on with the same line. Answers how many octets were left behind.
    pub(super) fn forget_line(&mut self) -> usize {
        let searched = self.searched.min(self.octets.len());
        // Its end, where it was found already, is to be found again.
        let ended = searched > self.line && self.octets.get(searched - 1) == Some(&b'\n');
        self.searched = searched - usize::from(ended);
        let kept = self.line.max(self.searched.saturating_sub(LINE_TAIL_OCTETS));
        let forgotten = kept - self.start;
        (self.start, self.line) = (kept, kept);
        forgotten
    }

    /// Octets of memory.
    pub(super) fn held_octets(&self) -> usize {
        self.octets.capacity()
    }

    /// Octets of the command up to here.
    pub(super) fn command_octets(&self) -> usize {
        self.searched - self.start
    }

    /// The literal just announced belongs to the command.
    pub(super) fn keep_literal(&mut self, octets: usize) {
        self.searched += octets;
        self.line = self.searched;
    }

    /// The command is done with; what follows it begins the next.
    pub(super) fn next_command(&mut self) {
        self.start = self.searched.min(self.octets.len());
        self.line = self.start;
        self.searched = self.start;
    }

    /// Takes up to `most` octets out, as they are. Only right after [`Framing::next_command`].
    pub(super) fn take(&mut self, most: u64) -> &[u8] {
        let from = self.start;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let until = self.octets.len().min(from.saturating_add(most));
        (self.start, self.line, self.searched) = (until, until, until);
        self.octets.get(from..until).unwrap_or_default()
    }

    /// Forgets everything (S4).
    pub(super) fn clear(&mut self) {
        *self = Framing::default();
    }

    /// Gives back the memory of what was used. An idle session holds none.
    pub(super) fn compact(&mut self) {
        match self.start {
            0 => {}
            start if start >= self.octets.len() => {
                self.searched -= start;
                self.line -= start;
                self.start = 0;
                self.octets = Vec::new();
            }
            start => {
                self.octets.drain(..start);
                self.searched -= start;
                self.line -= start;
                self.start = 0;
            }
        }
    }
}

/// Enough for any announcement of a literal: longer than the largest number written out.
const LINE_TAIL_OCTETS: usize = 64;

/// Finds `{n}` or `{n+}` before the CRLF. A line that ends so is nothing else: `{` is in no atom, and a quoted string ends
/// with a quote.
fn announcement(line: &[u8]) -> Option<Announcement> {
    let inside = line.strip_suffix(b"}\r\n")?;
    let (digits, mode) = match inside.strip_suffix(b"+") {
        Some(digits) => (digits, LiteralMode::NonSynchronizing),
        None => (inside, LiteralMode::Synchronizing),
    };
    let count = digits.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let (before, digits) = digits.split_at_checked(digits.len() - count)?;
    if digits.is_empty() || before.last() != Some(&b'{') {
        return None;
    }
    let octets = digits
        .iter()
        .fold(0u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0'))));
    Some(Announcement { octets, mode, at: before.len() - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_found_at_the_end_of_lines_only() {
        let found = |line: &[u8]| announcement(line).map(|found| (found.octets, found.mode, found.at));
        assert_eq!(found(b"a LOGIN {5}\r\n"), Some((5, LiteralMode::Synchronizing, 8)));
        assert_eq!(found(b"{5+}\r\n"), Some((5, LiteralMode::NonSynchronizing, 0)));
        assert_eq!(found(b"{99999999999999999999999}\r\n"), Some((u64::MAX, LiteralMode::Synchronizing, 0)));
        for line in [&b"{}\r\n"[..], b"{+}\r\n", b"5}\r\n", b"{5} \r\n", b"{5-}\r\n", b"{-5}\r\n", b"\r\n", b"{5}\n"] {
            assert_eq!(found(line), None);
        }
    }

    #[test]
    fn a_literal_that_looks_like_an_announcement_is_none() {
        let mut framing = Framing::default();
        framing.receive(b"a X {3}\r\n{9}\r\nb");
        assert!(matches!(framing.step(100), Step::Literal(Announcement { octets: 3, .. })));
        framing.keep_literal(3);
        assert_eq!(framing.step(100), Step::Complete);
        assert_eq!(framing.command(), b"a X {3}\r\n{9}");
        framing.next_command();
        framing.compact();
        assert_eq!((framing.step(100), framing.command()), (Step::Pending, &b"b"[..]));
    }
}
