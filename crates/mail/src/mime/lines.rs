//! What is counted of all octets alike: lines and the octets that should not be there.

use memchr::{memchr, memchr_iter};

/// Fed with every octet once, in order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// LFs so far.
    pub(super) ended: u64,
    /// Octets of the longest line, line end excluded.
    pub(super) longest: u64,
    /// The last line that ended held nothing.
    pub(super) last_was_empty: bool,
    pub(super) bare_cr: bool,
    pub(super) bare_lf: bool,
    pub(super) nul: bool,
    pub(super) eight_bit: bool,
    /// Octets of the open line, a CR at its end included.
    open: u64,
    ends_with_cr: bool,
}

impl Lines {
    pub(super) fn feed(&mut self, octets: &[u8]) {
        let Some(last) = octets.last() else { return };
        let carried = usize::from(self.ends_with_cr);
        let mut pairs = 0;
        let mut start = 0;
        for line_feed in memchr_iter(b'\n', octets) {
            let after_cr = match line_feed.checked_sub(1) {
                Some(before) => octets.get(before) == Some(&b'\r'),
                None => self.ends_with_cr,
            };
            let length = self.open + (line_feed - start) as u64 - u64::from(after_cr);
            self.longest = self.longest.max(length);
            self.last_was_empty = length == 0;
            self.bare_lf |= !after_cr;
            self.ended += 1;
            self.open = 0;
            pairs += usize::from(after_cr);
            start = line_feed + 1;
        }
        self.open += (octets.len() - start) as u64;
        self.ends_with_cr = *last == b'\r';
        // Every CR is one of a pair, or waits at the end, or is bare.
        self.bare_cr =
            self.bare_cr || carried + memchr_iter(b'\r', octets).count() > pairs + usize::from(self.ends_with_cr);
        self.nul = self.nul || memchr(0, octets).is_some();
        self.eight_bit = self.eight_bit || !octets.is_ascii();
    }

    /// The message is over.
    pub(super) fn finish(&mut self) {
        self.longest = self.longest.max(self.open - u64::from(self.ends_with_cr));
        self.bare_cr |= self.ends_with_cr;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_ends_are_seen_wherever_the_chunks_are_cut() {
        for (text, bare_cr, bare_lf, longest, ended) in [
            (&b"ab\r\n\r\nabc\r\n"[..], false, false, 3, 3),
            (b"ab\r\nabc", false, false, 3, 1),
            (b"a\rb\r\n", true, false, 3, 1),
            (b"a\nb\r\n", false, true, 1, 2),
            (b"a\r\r\n", true, false, 2, 1),
            (b"a\r", true, false, 1, 0),
            (b"\r\n\r", true, false, 0, 1),
            (b"\n", false, true, 0, 1),
        ] {
            for size in 1..=text.len() {
                let mut lines = Lines::default();
                text.chunks(size).for_each(|chunk| lines.feed(chunk));
                lines.finish();
                let found = (lines.bare_cr, lines.bare_lf, lines.longest, lines.ended);
                assert_eq!(found, (bare_cr, bare_lf, longest, ended), "{text:?} in {size}");
            }
        }
    }
}
