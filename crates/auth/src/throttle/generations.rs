//! A table that forgets what was not touched for long, with bounded memory and constant work.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations: when the young one is full it becomes the old one, and what the old one held is forgotten.
#[derive(Debug)]
pub(super) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    entries_max: usize,
}

impl<K: Hash + Eq + Copy, V: Default> Generations<K, V> {
    pub(super) fn new(entries_max: usize) -> Generations<K, V> {
        Generations { young: HashMap::new(), old: HashMap::new(), entries_max: entries_max.max(1) }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Changes an entry, made empty first where there is none.
    pub(super) fn update(&mut self, key: K, change: impl FnOnce(&mut V)) {
        if !self.young.contains_key(&key) {
            if self.young.len() >= self.entries_max {
                self.old = std::mem::take(&mut self.young);
            }
            let value = self.old.remove(&key).unwrap_or_default();
            self.young.insert(key, value);
        }
        if let Some(value) = self.young.get_mut(&key) {
            change(value);
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(super) fn remove_where(&mut self, mut doomed: impl FnMut(&K) -> bool) {
        self.young.retain(|key, _| !doomed(key));
        self.old.retain(|key, _| !doomed(key));
    }

    pub(super) fn update_where(&mut self, chosen: impl Fn(&K) -> bool, change: impl Fn(&mut V)) {
        let entries = self.young.iter_mut().chain(&mut self.old);
        entries.filter(|(key, _)| chosen(key)).for_each(|(_, value)| change(value));
    }

    /// Every entry, the old ones first: inserted in this order they age as before.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.old.iter().chain(&self.young)
    }

    /// How many entries [`Generations::iter`] gives.
    pub(super) fn len(&self) -> usize {
        self.old.len() + self.young.len()
    }
}
