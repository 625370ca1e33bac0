//! Sequence sets (RFC 9051 §9 `sequence-set`): sequence numbers or UIDs as ranges, with `*` and `$`.

use std::fmt;

/// Ranges in one command. A client that names 100,000 scattered UIDs is met; a flood is not (bar S8).
pub const RANGES_MAX: usize = 100_000;

/// Whether numbers of a command are message sequence numbers or UIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// Message sequence numbers (RFC 9051 §2.3.1.2).
    Sequence,
    /// UIDs (RFC 9051 §2.3.1.1): the command was prefixed by `UID`.
    Uid,
}

/// Which messages a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// What the numbers mean.
    pub numbering: Numbering,
    /// The numbers.
    pub set: Numbers,
}

/// A sequence set, or the saved search result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Numbers given in the command.
    Set(SequenceSet),
    /// `$`: the result of the last SEARCH with RETURN (SAVE) (RFC 9051 §6.4.4.1).
    Saved,
}

/// A sequence set as written: never empty, in the order given, `*` not yet known.
#[derive(Clone, PartialEq, Eq)]
pub struct SequenceSet {
    ranges: Vec<(Bound, Bound)>,
}

/// One end of a range: a number, or `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A number, at least 1.
    Number(u32),
    /// `*`: the largest number in use.
    Last,
}

/// Numbers as ascending, disjoint, non-adjacent inclusive ranges. What responses print and views are asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    ranges: Vec<(u32, u32)>,
}

impl SequenceSet {
    /// A set from ranges; `None` when there are none or one holds a zero.
    pub fn new(ranges: Vec<(Bound, Bound)>) -> Option<SequenceSet> {
        let zero = |bound: &Bound| *bound == Bound::Number(0);
        match ranges.is_empty() || ranges.iter().any(|(first, last)| zero(first) || zero(last)) {
            true => None,
            false => Some(SequenceSet { ranges }),
        }
    }

    /// The ranges as written.
    pub fn as_written(&self) -> &[(Bound, Bound)] {
        &self.ranges
    }

    /// True when `*` occurs.
    pub fn names_last(&self) -> bool {
        self.ranges.iter().any(|(first, last)| *first == Bound::Last || *last == Bound::Last)
    }

    /// The numbers meant when `last` is the largest in use: `3:1` is `1:3`, and `*:5` with last 3 is `3:5` (RFC 9051 §9
    /// `seq-range`). With `last` 0 nothing is in use: a range with `*` gives its other end alone.
    pub fn resolve(&self, last: u32) -> Ranges {
        let value = |bound: Bound| match bound {
            Bound::Number(number) => number,
            Bound::Last => last,
        };
        let ordered = self.ranges.iter().map(|&(first, second)| {
            let (first, second) = (value(first), value(second));
            (first.min(second).max(1), first.max(second))
        });
        Ranges::from_ranges(ordered.filter(|(first, last)| first <= last).collect())
    }
}

impl Ranges {
    /// Sorts and merges ranges given as (first, last), both included.
    pub fn from_ranges(mut ranges: Vec<(u32, u32)>) -> Ranges {
        ranges.retain(|(first, last)| first <= last);
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        ranges.dedup_by(|next, kept| {
            let merges = next.0 <= kept.1.saturating_add(1);
            if merges {
                kept.1 = kept.1.max(next.1);
            }
            merges
        });
        Ranges { ranges }
    }

    /// Gathers numbers that come in ascending order; others are sorted in at a cost.
    pub fn from_numbers(numbers: impl IntoIterator<Item = u32>) -> Ranges {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let mut ascending = true;
        for number in numbers {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
                Some((first, last)) if (*first..=*last).contains(&number) => {}
                previous => {
                    ascending &= previous.is_none_or(|(_, last)| *last < number);
                    ranges.push((number, number));
                }
            }
        }
        match ascending {
            true => Ranges { ranges },
            false => Ranges::from_ranges(ranges),
        }
    }

    /// The ranges, ascending, both ends included.
    pub fn as_slice(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// True when no number is held.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are held.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|(first, _)| *first)
    }

    /// The largest number.
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|(_, last)| *last)
    }

    /// True when the number is held; logarithmic in the ranges.
    pub fn contains(&self, number: u32) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, last)| number <= *last)
    }

    /// Every number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Number(number) => write!(f, "{number}"),
            Bound::Last => f.write_str("*"),
        }
    }
}

/// `1,4:7,9:*` (RFC 9051 §9 `sequence-set`).
fn print<N: fmt::Display + PartialEq>(f: &mut fmt::Formatter<'_>, ranges: &[(N, N)]) -> fmt::Result {
    for (index, (first, last)) in ranges.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { "," })?;
        match first == last {
            true => write!(f, "{first}")?,
            false => write!(f, "{first}:{last}")?,
        }
    }
    Ok(())
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.ranges)
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numbers::Set(set) => set.fmt(f),
            Numbers::Saved => f.write_str("$"),
        }
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.ranges)
    }
}

impl fmt::Debug for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceSet({self})")
    }
}

impl fmt::Debug for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ranges({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        let bound = |number: u32| if number == 0 { Bound::Last } else { Bound::Number(number) };
        SequenceSet::new(ranges.iter().map(|&(first, last)| (bound(first), bound(last))).collect()).unwrap()
    }

    #[test]
    fn resolving_orders_merges_and_knows_the_last() {
        assert_eq!(set(&[(5, 3), (1, 2), (9, 0)]).resolve(10).to_string(), "1:5,9:10");
        assert_eq!(set(&[(0, 5)]).resolve(3).to_string(), "3:5");
        assert_eq!(set(&[(0, 0)]).resolve(0).to_string(), "");
        assert_eq!(set(&[(1, 0)]).resolve(0).to_string(), "1");
        assert_eq!(set(&[(1, u32::MAX), (7, 7)]).resolve(3).count(), u64::from(u32::MAX));
    }

    #[test]
    fn ranges_answer_for_every_number() {
        let ranges = Ranges::from_numbers([9, 1, 2, 3, 3, 5]);
        assert_eq!(ranges.to_string(), "1:3,5,9");
        let held: Vec<u32> = (0..12).filter(|number| ranges.contains(*number)).collect();
        assert_eq!(held, [1, 2, 3, 5, 9]);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), held);
        assert_eq!((ranges.first(), ranges.last(), ranges.count()), (Some(1), Some(9), 5));
    }
}
