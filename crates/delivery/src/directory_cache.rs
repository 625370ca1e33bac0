//! What the directory said a moment ago, so that a stream of messages does not ask again for each recipient.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mail::{Address, ForwardPath};
use store::AccountId;

use crate::recipient::Found;

/// How long an answer is good when nobody says that something changed.
const TIME_TO_LIVE: Duration = Duration::from_secs(2);

/// Answers of each kind that are kept: a few MB.
const ENTRIES_MAX: usize = 10_000;

/// Answers of the directory, each kept for [`TIME_TO_LIVE`].
#[derive(Default)]
pub(crate) struct DirectoryCache {
    pub(crate) recipients: Remembered<ForwardPath, Found>,
    pub(crate) own_addresses: Remembered<AccountId, Arc<[Address]>>,
}

impl DirectoryCache {
    pub(crate) fn clear(&self) {
        self.recipients.clear();
        self.own_addresses.clear();
    }
}

/// A bounded table of answers that grow old.
pub(crate) struct Remembered<K, V> {
    table: Mutex<Table<K, V>>,
}

struct Table<K, V> {
    answers: HashMap<K, (Instant, V)>,
    /// Counts clearings: an answer asked for before one is not remembered after it.
    cleared: u64,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered { table: Mutex::new(Table { answers: HashMap::new(), cleared: 0 }) }
    }
}

/// What is known, or the right to say what was found out.
pub(crate) enum Known<V> {
    Answer(V),
    Ask { cleared: u64 },
}

impl<K: Hash + Eq, V: Clone> Remembered<K, V> {
    pub(crate) fn get(&self, key: &K, now: Instant) -> Known<V> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        match table.answers.get(key) {
            Some((asked, answer)) if now.saturating_duration_since(*asked) < TIME_TO_LIVE => {
                Known::Answer(answer.clone())
            }
            _ => Known::Ask { cleared: table.cleared },
        }
    }

    /// Keeps an answer to what [`Remembered::get`] did not know.
    pub(crate) fn insert(&self, cleared: u64, key: K, answer: V, now: Instant) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.cleared != cleared {
            return;
        }
        if table.answers.len() >= ENTRIES_MAX {
            table.answers.retain(|_, (asked, _)| now.saturating_duration_since(*asked) < TIME_TO_LIVE);
            // Thousands of different answers within the time: starting afresh costs less than choosing.
            if table.answers.len() >= ENTRIES_MAX {
                table.answers.clear();
            }
        }
        table.answers.insert(key, (now, answer));
    }

    fn clear(&self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.answers.clear();
        table.cleared += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an Instant can be had in no other way")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn answers_grow_old_and_are_cleared() {
        let (table, now) = (Remembered::default(), start());
        let Known::Ask { cleared } = table.get(&1, now) else { panic!() };
        table.insert(cleared, 1, "one", now);
        assert!(matches!(table.get(&1, now + TIME_TO_LIVE / 2), Known::Answer("one")));
        assert!(matches!(table.get(&1, now + TIME_TO_LIVE), Known::Ask { .. }));
        table.clear();
        assert!(matches!(table.get(&1, now), Known::Ask { .. }));
        table.insert(cleared, 1, "old", now);
        assert!(matches!(table.get(&1, now), Known::Ask { .. }), "asked before the change");
    }

    #[test]
    fn the_table_is_bounded() {
        let (table, now) = (Remembered::default(), start());
        for number in 0..ENTRIES_MAX + 10 {
            table.insert(0, number, (), now);
        }
        assert!(table.table.lock().unwrap().answers.len() <= ENTRIES_MAX);
    }
}
