//! One destination: what is due for it, how many connections it may have, and whether it works.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use store::UnixMillis;

use super::later;
use crate::due::Due;
use crate::{EntryId, Failure};

/// What waits for one destination.
#[derive(Debug)]
pub(super) struct Line {
    window: VecDeque<Due>,
    /// The last one read; the next reading goes on behind it.
    read_to: Option<Due>,
    /// The store may hold more behind that, or, after news, anywhere.
    more: bool,
    anew: bool,
    loading: bool,
    in_flight: HashSet<EntryId>,
    running: usize,
    limit: usize,
    /// Jobs that went well since the limit last grew.
    credit: usize,
    /// Nothing has gone wrong yet: the limit grows by each job, and not by a whole round of them.
    fresh: bool,
    /// Failures in a row, the last one, and until when it is believed.
    failures: u32,
    failure: Option<(Failure, UnixMillis)>,
    rest_until: Option<UnixMillis>,
}

/// Doublings of a pause: more than enough to reach any ceiling.
const DOUBLINGS_MAX: u32 = 20;

impl Line {
    pub(super) fn new(limit: usize) -> Line {
        Line {
            window: VecDeque::new(),
            read_to: None,
            more: false,
            anew: false,
            loading: false,
            in_flight: HashSet::new(),
            running: 0,
            limit,
            credit: 0,
            fresh: true,
            failures: 0,
            failure: None,
            rest_until: None,
        }
    }

    /// Entries came, or became due, anywhere in the order.
    pub(super) fn has_more(&mut self) {
        self.more = true;
        self.anew = true;
    }

    /// Whether to read on: before the window is empty, so that a connection need not wait for it.
    pub(super) fn wants_more(&self, room: usize, now: UnixMillis) -> bool {
        self.more && !self.loading && self.window.len() <= room / 4 && !self.is_resting(now)
    }

    /// From where to read on, and how many of those found are known already at most.
    pub(super) fn begin_loading(&mut self) -> (Option<Due>, usize) {
        self.loading = true;
        self.more = false;
        if std::mem::take(&mut self.anew) {
            self.read_to = None;
        }
        let known = if self.read_to.is_none() { self.in_flight.len() + self.window.len() } else { 0 };
        (self.read_to.clone(), known)
    }

    pub(super) fn loaded(&mut self, due: Vec<Due>, may_be_more: bool) {
        self.loading = false;
        self.more |= may_be_more;
        if let Some(last) = due.last() {
            self.read_to = Some(last.clone());
        }
        let waiting: HashSet<EntryId> = self.window.iter().map(|due| due.id.clone()).collect();
        let unknown = due.into_iter().filter(|due| !self.in_flight.contains(&due.id) && !waiting.contains(&due.id));
        self.window.extend(unknown);
    }

    pub(super) fn not_loaded(&mut self, until: UnixMillis) {
        self.loading = false;
        self.has_more();
        self.rest(until);
    }

    /// The next entries of one message.
    pub(super) fn take(&mut self, max: usize, spared: bool) -> Option<Vec<EntryId>> {
        let first = self.window.pop_front()?.id;
        let message = first.message.clone();
        let mut entries = vec![first];
        while entries.len() < max && self.window.front().is_some_and(|due| due.id.message == message) {
            entries.extend(self.window.pop_front().map(|due| due.id));
        }
        self.in_flight.extend(entries.iter().cloned());
        self.running += usize::from(!spared);
        Some(entries)
    }

    pub(super) fn ended(&mut self, entries: &[EntryId], spared: bool) {
        for entry in entries {
            self.in_flight.remove(entry);
        }
        self.running -= usize::from(!spared && self.running > 0);
    }

    /// One more connection for each job at first, then for each round of jobs.
    pub(super) fn went_well(&mut self, max: usize) {
        (self.failures, self.failure) = (0, None);
        self.credit += 1;
        if (self.fresh || self.credit >= self.limit) && self.limit < max {
            self.limit += 1;
            self.credit = 0;
        }
    }

    pub(super) fn shrink(&mut self) {
        (self.limit, self.credit, self.fresh) = ((self.limit / 2).max(1), 0, false);
    }

    pub(super) fn failed(&mut self, failure: Failure, now: UnixMillis, first: Duration, ceiling: Duration) {
        // Connections that were open together fail together: that is one failure.
        let is_news = self.failure.as_ref().is_none_or(|(_, until)| *until <= now);
        self.failures += u32::from(is_news);
        self.shrink();
        let doublings = self.failures.saturating_sub(1).min(DOUBLINGS_MAX);
        let pause = first.saturating_mul(1 << doublings).min(ceiling.max(first));
        self.failure = Some((failure, later(now, pause)));
        self.limit = 1;
    }

    /// It is tried when the entries that met the failure are, if that is sooner than its pause: those who set short times
    /// for retries want connections, not guesses.
    pub(super) fn believe_at(&mut self, next_due: Option<UnixMillis>) {
        if let (Some((_, until)), Some(due)) = (&mut self.failure, next_due) {
            *until = due.min(*until);
        }
    }

    /// Forgets that it failed: somebody says it works.
    pub(super) fn believe_again(&mut self) {
        if let Some((_, until)) = &mut self.failure {
            *until = UnixMillis(i64::MIN);
        }
        self.rest_until = None;
    }

    pub(super) fn rest(&mut self, until: UnixMillis) {
        self.has_more();
        self.rest_until = Some(until);
    }

    pub(super) fn is_resting(&self, now: UnixMillis) -> bool {
        self.rest_until.is_some_and(|until| until > now)
    }

    /// Whether entries are settled without an attempt.
    pub(super) fn is_spared(&self, now: UnixMillis) -> bool {
        self.failure.as_ref().is_some_and(|(_, until)| *until > now)
    }

    pub(super) fn spared(&self, now: UnixMillis) -> Option<Failure> {
        self.failure.as_ref().filter(|(_, until)| *until > now).map(|(failure, _)| failure.clone())
    }

    /// It failed when it was last tried.
    pub(super) fn is_failing(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn held(&self) -> usize {
        self.window.len() + self.in_flight.len()
    }

    pub(super) fn is_idle(&self, now: UnixMillis) -> bool {
        let is_done = self.window.is_empty() && !self.more && !self.loading && self.in_flight.is_empty();
        is_done && !self.is_spared(now) && !self.is_resting(now)
    }

    /// When its rest ends.
    pub(super) fn wakes(&self) -> Option<UnixMillis> {
        self.rest_until
    }
}
