//! Cuts a header into fields while it arrives, keeping a bounded part of each.

/// What a line did to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line goes on.
    Open,
    /// A line ended; the header goes on.
    Ended,
    /// The empty line ended: the header is complete.
    Empty,
}

/// The header being read.
#[derive(Debug)]
pub(super) struct HeaderReader {
    /// The field being read, as far as it is kept.
    field: Vec<u8>,
    /// Octets the field being read may still take.
    field_left: usize,
    /// Octets of fields that may still be kept.
    budget: usize,
    /// The same, for the fields that say how to read the body, once the budget is used up.
    reserve: usize,
    /// Octets one field may have.
    field_max: usize,
    /// Octets of the line so far; a lone CR is one.
    line_octets: usize,
    line_is_cr: bool,
    /// Something was cut or left out.
    pub(super) exceeded: bool,
}

/// Octets of late fields still read, in all and of each.
const RESERVE_OCTETS: usize = 32 * 1024;
const RESERVE_FIELD_OCTETS: usize = 4 * 1024;

impl HeaderReader {
    /// A header of which at most `budget` octets are kept, half of that of one field.
    pub(super) fn new(budget: usize) -> HeaderReader {
        HeaderReader {
            field: Vec::new(),
            field_left: budget / 2,
            budget,
            reserve: RESERVE_OCTETS,
            field_max: budget / 2,
            line_octets: 0,
            line_is_cr: false,
            exceeded: false,
        }
    }

    /// Takes a piece of a line; its LF, if any, is last. A field that ended before this line is given to `take`.
    pub(super) fn piece(&mut self, piece: &[u8], take: &mut dyn FnMut(&[u8], Kept)) -> Line {
        let ends = piece.ends_with(b"\n");
        if self.line_octets == 0 {
            match piece.first() {
                Some(b' ' | b'\t') => {}
                _ => self.end_field(take),
            }
        }
        let at_start = self.line_octets == 0;
        // A CR at the start of a line waits: it may be half of the empty line.
        let had_cr = std::mem::take(&mut self.line_is_cr);
        if (at_start && (piece == b"\n" || piece == b"\r\n")) || (had_cr && piece == b"\n") {
            self.line_octets = 0;
            return Line::Empty;
        }
        self.line_octets += piece.len();
        if at_start && piece == b"\r" {
            self.line_is_cr = true;
            return Line::Open;
        }
        if had_cr {
            self.keep(b"\r");
        }
        self.keep(piece);
        if ends {
            self.line_octets = 0;
            return Line::Ended;
        }
        Line::Open
    }

    /// The header is over: gives the last field.
    pub(super) fn finish(&mut self, take: &mut dyn FnMut(&[u8], Kept)) {
        self.end_field(take);
    }

    fn keep(&mut self, octets: &[u8]) {
        let kept = octets.get(..self.field_left.min(octets.len())).unwrap_or_default();
        self.exceeded |= kept.len() < octets.len();
        self.field_left -= kept.len();
        self.field.extend_from_slice(kept);
    }

    fn end_field(&mut self, take: &mut dyn FnMut(&[u8], Kept)) {
        if !self.field.is_empty() {
            let kept = if self.budget > 0 { Kept::Whole } else { Kept::ForStructure };
            take(&self.field, kept);
            match kept {
                Kept::Whole => self.budget = self.budget.saturating_sub(self.field.len()),
                Kept::ForStructure => self.reserve = self.reserve.saturating_sub(self.field.len()),
            }
            self.field.clear();
        }
        self.field_left = match self.budget {
            0 => self.reserve.min(RESERVE_FIELD_OCTETS),
            budget => budget.min(self.field_max),
        };
    }
}

/// How much of a field is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Everything in it.
    Whole,
    /// The header is over its bound: only what says how to read the body.
    ForStructure,
}
