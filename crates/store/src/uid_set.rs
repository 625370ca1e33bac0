//! Sets of UIDs as ascending ranges, so that a whole mailbox costs one range.

use std::ops::RangeInclusive;

use crate::Uid;

/// UIDs in ascending, disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub fn new() -> UidSet {
        UidSet::default()
    }

    /// Every UID there can be.
    pub fn all() -> UidSet {
        UidSet { ranges: vec![(1, u32::MAX)] }
    }

    /// Adds one UID. Cheap when it is above every other.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid.get()..=uid.get());
    }

    /// Adds a range; zero is left out, an empty range adds nothing. Cheap when it lies above the others.
    pub fn insert_range(&mut self, range: RangeInclusive<u32>) {
        let (first, last) = ((*range.start()).max(1), *range.end());
        if first > last {
            return;
        }
        match self.ranges.last_mut() {
            None => self.ranges.push((first, last)),
            Some((_, end)) if first > end.saturating_add(1) => self.ranges.push((first, last)),
            Some((start, end)) if first >= *start => *end = (*end).max(last),
            Some(_) => {
                self.ranges.push((first, last));
                self.normalise();
            }
        }
    }

    /// Adds every UID of another set.
    pub fn merge(&mut self, other: &UidSet) {
        self.ranges.extend_from_slice(&other.ranges);
        self.normalise();
    }

    /// Those from 1 to below `uidnext` that are not in it.
    pub fn missing_below(&self, uidnext: u32) -> UidSet {
        let mut missing = UidSet::new();
        let mut next = 1;
        for &(first, last) in &self.ranges {
            missing.insert_range(next..=(first - 1).min(uidnext.saturating_sub(1)));
            next = last.saturating_add(1);
        }
        missing.insert_range(next..=uidnext.saturating_sub(1));
        missing
    }

    /// The lowest `count` of it.
    pub fn lowest(&self, count: u64) -> UidSet {
        let mut lowest = UidSet::new();
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        for &(first, last) in &self.ranges {
            if left == 0 {
                break;
            }
            let last = last.min(first.saturating_add(left - 1));
            left -= last - first + 1;
            lowest.insert_range(first..=last);
        }
        lowest
    }

    fn normalise(&mut self) {
        self.ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(self.ranges.len());
        for &(first, last) in &self.ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
                _ => joined.push((first, last)),
            }
        }
        self.ranges = joined;
    }

    /// True when no UID is in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many UIDs it holds.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// True when the UID is in it.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < uid.get());
        self.ranges.get(at).is_some_and(|(first, _)| *first <= uid.get())
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.ranges.iter().map(|(first, last)| *first..=*last)
    }

    /// Every UID, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges().flatten().filter_map(Uid::new)
    }

    /// The highest UID.
    pub fn last(&self) -> Option<Uid> {
        self.ranges.last().and_then(|(_, last)| Uid::new(*last))
    }

    /// The lowest UID.
    pub fn first(&self) -> Option<Uid> {
        self.ranges.first().and_then(|(first, _)| Uid::new(*first))
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> UidSet {
        let mut set = UidSet::new();
        let mut disorder = false;
        for uid in uids {
            match set.ranges.last_mut() {
                Some((_, end)) if *end != u32::MAX && uid.get() == *end + 1 => *end = uid.get(),
                Some((_, end)) if uid.get() <= *end => {
                    disorder = true;
                    set.ranges.push((uid.get(), uid.get()));
                }
                _ => set.ranges.push((uid.get(), uid.get())),
            }
        }
        if disorder {
            set.normalise();
        }
        set
    }
}

impl Extend<Uid> for UidSet {
    fn extend<I: IntoIterator<Item = Uid>>(&mut self, uids: I) {
        let more: UidSet = uids.into_iter().collect();
        self.ranges.extend(more.ranges);
        self.normalise();
    }
}

/// `1:4,7`: the `sequence-set` of RFC 9051 §9, empty text for the empty set.
impl std::fmt::Display for UidSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}:{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_ranges_behaves_like_a_set(ranges in prop::collection::vec((1u32..60, 0u32..9), 0..12)) {
            let mut set = UidSet::new();
            let mut model = BTreeSet::new();
            for (first, length) in ranges {
                set.insert_range(first..=first + length);
                model.extend(first..=first + length);
            }
            let collected: Vec<u32> = set.iter().map(Uid::get).collect();
            prop_assert_eq!(&collected, &model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.count(), model.len() as u64);
            for number in 1..80 {
                prop_assert_eq!(set.contains(Uid::new(number).unwrap()), model.contains(&number));
            }
            let again: UidSet = collected.iter().rev().filter_map(|number| Uid::new(*number)).collect();
            prop_assert_eq!(again, set);
        }
    }
}
