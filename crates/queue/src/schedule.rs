//! Which destination may take which entries now: a value, without I/O.
//!
//! It knows no more than a window of what is due for each destination. Destinations take turns; each has a number of
//! connections that grows while things go well and shrinks when they do not, so that one that is slow or dead holds a few
//! of them and delays nobody else. What is due while a destination is known to fail is not tried, but settled with the
//! failure that is known.
//!
//! ```text
//! loop { while look() → read the store, found() or loaded()
//!        while start() → a worker, which ends with finish() and may go on by start_for()
//!        wait for news(), finish() or deadline() }
//! ```

mod line;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use store::{QueueNews, UnixMillis};

use self::line::Line;
use crate::due::{Due, Found};
use crate::{Destination, EntryId, Failure};

/// The bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time.
    pub connections_max: usize,
    /// Connections to one destination at one time.
    pub destination_connections_max: usize,
    /// Connections to one destination before anything is known of it.
    pub destination_connections_first: usize,
    /// Forward-paths in one transaction.
    pub recipients_max: usize,
    /// Entries of a destination read in one go.
    pub window_max: usize,
    /// Pause after a destination failed; each further failure doubles it.
    pub pause_first: Duration,
    /// Up to this.
    pub pause_max: Duration,
}

/// Some entries of one message for one destination, to be tried in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Where to.
    pub destination: Destination,
    /// Of one message; at least one.
    pub entries: Vec<EntryId>,
    /// Not to be tried: the destination failed like this a moment ago. They are settled so.
    pub spared: Option<Failure>,
}

/// How a job ended, for the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The other side talked with us, whatever it said of the message.
    Went,
    /// It talked with us, and wants fewer connections.
    Busy,
    /// It cannot be reached, or not be trusted.
    Unreachable(Failure),
    /// A spared job was settled.
    Settled,
    /// The outcome could not be recorded: everything is as before.
    NotRecorded,
}

/// A question to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// [`crate::due::destinations`], to be answered by [`Schedule::found`].
    Destinations {
        /// Nothing due up to then is asked for.
        after: Option<UnixMillis>,
        /// Nothing due later is.
        until: UnixMillis,
    },
    /// [`crate::due::window`], to be answered by [`Schedule::loaded`].
    Window {
        /// Of which.
        destination: Destination,
        /// Behind this one.
        after: Option<Due>,
        /// Nothing due later.
        until: UnixMillis,
        /// At most so many.
        limit: u32,
    },
}

/// Decides what is tried next.
#[derive(Debug)]
pub struct Schedule {
    limits: Limits,
    lines: HashMap<Destination, Line>,
    /// Every line once; whoever was served goes to the back.
    turns: VecDeque<Destination>,
    /// Connections in use, and those of them to destinations that failed last.
    running: usize,
    running_failing: usize,
    settling: usize,
    /// Everything due up to then was looked for.
    scanned: Option<UnixMillis>,
    next_due: Option<UnixMillis>,
    scanning: bool,
    /// More came than was named while a look was under way: the next one is for everything.
    scan_anew: bool,
}

/// Jobs settled without a connection at one time.
const SETTLING_MAX: usize = 16;

/// How long a destination rests when an outcome could not be recorded.
const NOT_RECORDED_PAUSE: Duration = Duration::from_secs(10);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 100,
            destination_connections_max: 20,
            destination_connections_first: 2,
            recipients_max: 100,
            window_max: 200,
            pause_first: Duration::from_secs(60),
            pause_max: Duration::from_secs(600),
        }
    }
}

impl Schedule {
    /// Knows nothing yet: the first [`Schedule::look`] asks for everything due.
    pub fn new(limits: Limits) -> Schedule {
        Schedule {
            limits,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            running: 0,
            running_failing: 0,
            settling: 0,
            scanned: None,
            next_due: None,
            scanning: false,
            scan_anew: false,
        }
    }

    /// What must be read before more can be started; ask until there is nothing.
    pub fn look(&mut self, now: UnixMillis) -> Option<Look> {
        let is_time = self.scanned.is_none() || self.next_due.is_some_and(|due| due <= now);
        if is_time && !self.scanning {
            self.scanning = true;
            return Some(Look::Destinations { after: self.scanned, until: now });
        }
        let room = self.window();
        for destination in &self.turns {
            let Some(line) = self.lines.get_mut(destination) else { continue };
            if line.wants_more(room, now) {
                let (after, in_flight) = line.begin_loading();
                let limit = u32::try_from(room + in_flight).unwrap_or(u32::MAX);
                return Some(Look::Window { destination: destination.clone(), after, until: now, limit });
            }
        }
        None
    }

    /// Entries read for one destination: fewer while there are many destinations.
    fn window(&self) -> usize {
        let share = ENTRIES_AIM / self.lines.len().max(1);
        share.clamp(WINDOW_MIN, self.limits.window_max.max(WINDOW_MIN))
    }

    /// Answers [`Look::Destinations`].
    pub fn found(&mut self, found: Found, until: UnixMillis) {
        self.scanning = false;
        self.scanned = (!std::mem::take(&mut self.scan_anew)).then_some(until);
        self.next_due = found.next;
        for destination in found.destinations {
            self.line(destination).has_more();
        }
        let lines = &mut self.lines;
        lines.retain(|_, line| !line.is_idle(until));
        self.turns.retain(|turn| lines.contains_key(turn));
    }

    /// Answers [`Look::Window`]: what was read, up to the limit asked for.
    pub fn loaded(&mut self, destination: &Destination, due: Vec<Due>, limit: u32) {
        let Some(line) = self.lines.get_mut(destination) else { return };
        let may_be_more = due.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        line.loaded(due, may_be_more);
    }

    /// A look failed: it will be asked for again, not before a pause.
    pub fn not_read(&mut self, look: &Look, now: UnixMillis) {
        match look {
            Look::Destinations { .. } => {
                self.scanning = false;
                // With `scanned` none the first look would be repeated at once.
                self.scanned.get_or_insert(UnixMillis(i64::MIN));
                self.next_due = Some(later(now, NOT_RECORDED_PAUSE));
            }
            Look::Window { destination, .. } => {
                if let Some(line) = self.lines.get_mut(destination) {
                    line.not_loaded(later(now, NOT_RECORDED_PAUSE));
                }
            }
        }
    }

    /// Something was put into the queue, or is to be tried again at somebody's wish.
    pub fn news(&mut self, news: &QueueNews) {
        if news.others {
            self.scanned = None;
            self.scan_anew = self.scanning;
        }
        for name in &news.destinations {
            let Ok(destination) = name.parse::<Destination>() else { continue };
            self.line(destination).has_more();
        }
        for name in &news.by_hand {
            let Ok(destination) = name.parse::<Destination>() else { continue };
            let line = self.line(destination);
            line.has_more();
            line.believe_again();
        }
    }

    fn line(&mut self, destination: Destination) -> &mut Line {
        if !self.lines.contains_key(&destination) {
            self.turns.push_back(destination.clone());
        }
        let first = self.limits.destination_connections_first.max(1);
        self.lines.entry(destination).or_insert_with(|| Line::new(first))
    }

    /// The next job, if there is one and a connection for it.
    pub fn start(&mut self, now: UnixMillis) -> Option<Job> {
        let passes: [fn(&Line) -> bool; 2] = [|line| line.running() == 0, |_| true];
        for (pass, admits) in passes.into_iter().enumerate() {
            for turn in 0..self.turns.len() {
                let Some(destination) = self.turns.get(turn) else { break };
                let Some(line) = self.lines.get(destination).filter(|line| admits(line)) else { continue };
                if !self.may_start(line, now, pass == 0) {
                    continue;
                }
                let destination = self.turns.remove(turn)?;
                self.turns.push_back(destination.clone());
                return self.take(&destination, now);
            }
        }
        None
    }

    /// Another job for a destination, for a worker whose connection is open, when nobody else has waited longer for it. To
    /// be asked after [`Schedule::finish`].
    pub fn start_for(&mut self, destination: &Destination, now: UnixMillis) -> Option<Job> {
        let line = self.lines.get(destination)?;
        if line.is_spared(now) || !self.may_start(line, now, line.running() == 0) {
            return None;
        }
        // The connection would be the last one: whoever has none yet comes first.
        let free = self.limits.connections_max.saturating_sub(self.running);
        if free <= 1 && self.turns.iter().any(|other| other != destination && self.is_waiting(other, now)) {
            return None;
        }
        self.take(destination, now)
    }

    fn is_waiting(&self, destination: &Destination, now: UnixMillis) -> bool {
        self.lines.get(destination).is_some_and(|line| line.running() == 0 && self.may_start(line, now, true))
    }

    fn may_start(&self, line: &Line, now: UnixMillis, first: bool) -> bool {
        if line.is_empty() || line.is_resting(now) {
            return false;
        }
        if line.is_spared(now) {
            return self.settling < SETTLING_MAX;
        }
        // A part is kept for those that have no connection, and those that fail have no more than a part.
        let kept = self.limits.connections_max / 4;
        let max = if first { self.limits.connections_max } else { self.limits.connections_max - kept };
        let failing_max = (self.limits.connections_max / 4).max(1);
        let room = self.running < max.max(1) && (!line.is_failing() || self.running_failing < failing_max);
        room && line.running() < line.limit().min(self.limits.destination_connections_max.max(1))
    }

    fn take(&mut self, destination: &Destination, now: UnixMillis) -> Option<Job> {
        let recipients_max = self.limits.recipients_max.max(1);
        let spared = self.lines.get(destination)?.spared(now);
        let entries = self.change(destination, |line| line.take(recipients_max, spared.is_some()))??;
        match &spared {
            Some(_) => self.settling += 1,
            None => self.running += 1,
        }
        Some(Job { destination: destination.clone(), entries, spared })
    }

    /// Changes a line, keeping count of the connections to those that fail.
    fn change<T>(&mut self, destination: &Destination, change: impl FnOnce(&mut Line) -> T) -> Option<T> {
        let failing = |line: &Line| if line.is_failing() { line.running() } else { 0 };
        let line = self.lines.get_mut(destination)?;
        let before = failing(line);
        let answer = change(line);
        self.running_failing = (self.running_failing + failing(line)).saturating_sub(before);
        Some(answer)
    }

    /// A job ended, its outcome is recorded. `next_due`: when its entries are due again, if any is left
    /// ([`crate::Plan::next_due`]).
    pub fn finish(&mut self, job: &Job, finish: &Finish, next_due: Option<UnixMillis>, now: UnixMillis) {
        let max = self.limits.destination_connections_max.max(1);
        let (first, ceiling) = (self.limits.pause_first, self.limits.pause_max);
        // What was recorded late may be due already: the scan for its time is over.
        let is_late = next_due.is_some_and(|due| self.scanned.is_some_and(|scanned| due <= scanned));
        let known = self.change(&job.destination, |line| {
            line.ended(&job.entries, job.spared.is_some());
            match finish {
                Finish::Went => line.went_well(max),
                Finish::Busy => line.shrink(),
                Finish::Unreachable(failure) => {
                    line.failed(failure.clone(), now, first, ceiling);
                    line.believe_at(next_due);
                }
                Finish::Settled => {}
                Finish::NotRecorded => line.rest(later(now, NOT_RECORDED_PAUSE)),
            }
            if is_late {
                line.has_more();
            }
        });
        if known.is_none() {
            return;
        }
        match &job.spared {
            Some(_) => self.settling = self.settling.saturating_sub(1),
            None => self.running = self.running.saturating_sub(1),
        }
        if let Some(due) = next_due {
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
        }
        self.forget_idle(&job.destination, now);
    }

    /// Lines with nothing to do and nothing to remember go.
    fn forget_idle(&mut self, destination: &Destination, now: UnixMillis) {
        if self.lines.get(destination).is_some_and(|line| line.is_idle(now)) {
            self.lines.remove(destination);
            self.turns.retain(|turn| turn != destination);
        }
    }

    /// When something will be due or a destination may be tried again, though nothing else happens.
    pub fn deadline(&self, now: UnixMillis) -> Option<UnixMillis> {
        let rests = self.lines.values().filter_map(|line| line.wakes()).filter(|time| *time > now);
        rests.chain(self.next_due).min()
    }

    /// Connections in use.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Entries it holds in memory.
    pub fn held(&self) -> usize {
        self.lines.values().map(Line::held).sum()
    }
}

/// A moment later.
pub(crate) fn later(now: UnixMillis, pause: Duration) -> UnixMillis {
    UnixMillis(now.0.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
}

/// Entries aimed at in memory, all destinations together.
const ENTRIES_AIM: usize = 5_000;

/// Entries of one destination read in one go at least.
const WINDOW_MIN: usize = 4;
