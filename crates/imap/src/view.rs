//! The selected mailbox as one session sees it (RFC 9051 §2.3.1.2, §5.2, §7.5.1).
//!
//! A [`View`] knows what the client was told: how many messages there are, and, once loaded, the UID of each sequence
//! number. Changes are [applied](View::apply) as they come from the store and [told](View::tell) when the protocol
//! allows. A mailbox of 100,000 messages is selected from its counters alone; the list of UIDs is loaded when the first
//! command needs a sequence number.

use crate::flag::{Keyword, SystemFlags};
use crate::response::Responses;
use crate::sequence::{Messages, Numbering, Numbers, Ranges, SequenceSet};
use crate::server::Enabled;

/// What SELECT reads: the mailbox at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many messages.
    pub exists: u32,
    /// How many of them are `\Recent` to this session (RFC 3501 §2.3.2).
    pub recent: u32,
    /// The first UID that is recent to this session; at least `uid_next` when none is.
    pub first_recent_uid: u32,
    /// The next UID: every message has a smaller one.
    pub uid_next: u32,
    /// The mod-sequence up to which this is true.
    pub mod_sequence: u64,
}

/// What happened in the mailbox after the view's mod-sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The mod-sequence up to which this is complete.
    pub mod_sequence: u64,
    /// UIDs of new messages, ascending, without those already gone again. With their flags in `flags` or not.
    pub appended: Vec<u32>,
    /// UIDs of messages that are gone, in any order. Unknown ones are ignored.
    pub expunged: Vec<u32>,
    /// Messages whose flags changed, with the flags they have now.
    pub flags: Vec<FlagChange>,
    /// New messages from this UID on are `\Recent` to this session: it is the first to hear of them (RFC 3501 §2.3.2).
    pub first_recent_uid: u32,
}

/// The flags of a message as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagChange {
    /// The message.
    pub uid: u32,
    /// Its system flags.
    pub system: SystemFlags,
    /// Its keywords.
    pub keywords: Vec<Keyword>,
    /// Its mod-sequence.
    pub mod_sequence: u64,
}

/// Which responses are allowed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All: after NOOP, in IDLE, at the end of a command with UIDs, of COPY, EXPUNGE and commands on other mailboxes.
    Everything,
    /// All but EXPUNGE: at the end of FETCH, STORE and SEARCH with sequence numbers (RFC 9051 §7.5.1).
    NoExpunge,
}

/// How far [`View::tell`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All that is allowed was told.
    All,
    /// There is more: send what is gathered first.
    More,
}

/// Why a set names no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A sequence number above the number of messages, or `*` in an empty mailbox: BAD (RFC 9051 §9 `seq-number`).
    #[error("no message has this sequence number")]
    NoSuchNumber,
    /// The UIDs have to be loaded first: see [`View::load`].
    #[error("the UIDs of the mailbox are not loaded")]
    NotLoaded,
    /// The UIDs given to [`View::load`] are not those of the snapshot.
    #[error("{given} UIDs were loaded where the client knows of {told} messages")]
    Mismatch {
        /// How many were given, of those below the view's `uid_next`.
        given: usize,
        /// How many the client was told.
        told: u32,
    },
}

/// The selected mailbox as its session sees it.
#[derive(Debug)]
pub struct View {
    /// What the client was told last; `mod_sequence` is that of the last changes applied.
    told: Snapshot,
    /// UIDs that are `\Recent` to this session; those gone may still be among them.
    recent: Ranges,
    /// The UID of each sequence number; `None` until loaded.
    uids: Option<Vec<u32>>,
    /// Messages that came after what the client was told, ascending.
    appended: Vec<u32>,
    /// Messages gone that the client was not told of yet, ascending.
    expunged: Vec<u32>,
    /// Flags that the client was not told of yet, by UID, ascending.
    flags: Vec<FlagChange>,
    /// Changes of our own: not to be told again.
    own: Vec<(u64, Ranges)>,
    /// `$` (RFC 9051 §6.4.4.1), as UIDs.
    saved: Ranges,
}

impl View {
    /// The view right after SELECT or EXAMINE.
    pub fn new(snapshot: Snapshot) -> View {
        let recent = (snapshot.first_recent_uid, snapshot.uid_next.saturating_sub(1));
        View {
            told: snapshot,
            recent: Ranges::from_ranges(Some(recent).filter(|(first, last)| first <= last).into_iter().collect()),
            uids: None,
            appended: Vec::new(),
            expunged: Vec::new(),
            flags: Vec::new(),
            own: Vec::new(),
            saved: Ranges::default(),
        }
    }

    /// How many messages the client knows of.
    pub fn exists(&self) -> u32 {
        self.told.exists
    }

    /// The mod-sequence from which the next changes are to be read.
    pub fn mod_sequence(&self) -> u64 {
        self.told.mod_sequence
    }

    /// Every message the client knows of has a UID below this.
    pub fn uid_next(&self) -> u32 {
        self.told.uid_next
    }

    /// From this UID on messages are new to the view: those below were told, or are [applied](View::apply) and wait.
    pub fn applied_uid_next(&self) -> u32 {
        self.appended.last().map_or(self.told.uid_next, |last| last.saturating_add(1))
    }

    /// UIDs that are `\Recent` to this session, and perhaps some that are gone.
    pub fn recent(&self) -> &Ranges {
        &self.recent
    }

    /// How many messages the client was told are `\Recent`.
    pub fn recent_told(&self) -> u32 {
        self.told.recent
    }

    /// True when the message is `\Recent` to this session.
    pub fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(uid)
    }

    /// True once the UIDs are known; an empty mailbox needs none.
    pub fn is_loaded(&self) -> bool {
        self.uids.is_some() || self.told.exists == 0
    }

    /// True when a change waits that cannot be told before the UIDs are loaded.
    pub fn needs_load_to_tell(&self) -> bool {
        !self.is_loaded() && (!self.expunged.is_empty() || !self.flags.is_empty())
    }

    /// Takes the UIDs of the messages the client knows of, ascending: those in the mailbox now together with those that
    /// vanished after [`View::mod_sequence`] as it was when they were read. Those from `uid_next` on are left out here, and
    /// those that [`View::apply`] saw going are put back: the client was not told of either yet.
    ///
    /// # Errors
    /// [`ViewError::Mismatch`] when their number is not what the client was told: the view is of no use then.
    pub fn load(&mut self, mut uids: Vec<u32>) -> Result<(), ViewError> {
        uids.extend_from_slice(&self.expunged);
        uids.retain(|uid| *uid < self.told.uid_next);
        if !uids.is_sorted() {
            uids.sort_unstable();
        }
        uids.dedup();
        if uids.len() as u64 != u64::from(self.told.exists) {
            return Err(ViewError::Mismatch { given: uids.len(), told: self.told.exists });
        }
        uids.shrink_to_fit();
        self.uids = Some(uids);
        Ok(())
    }

    /// The UIDs by sequence number, the first at index 0; empty until loaded.
    pub fn uids(&self) -> &[u32] {
        self.uids.as_deref().unwrap_or_default()
    }

    /// The sequence number of a message the client knows of.
    pub fn sequence_number(&self, uid: u32) -> Option<u32> {
        self.uids().binary_search(&uid).ok().and_then(|index| u32::try_from(index + 1).ok())
    }

    /// The UID of a sequence number.
    pub fn uid(&self, sequence_number: u32) -> Option<u32> {
        self.uids().get(usize::try_from(sequence_number.checked_sub(1)?).ok()?).copied()
    }

    /// The messages a command names, as sequence numbers. UIDs that no message has are left out (RFC 9051 §6.4.9).
    ///
    /// # Errors
    /// [`ViewError::NoSuchNumber`], [`ViewError::NotLoaded`].
    pub fn resolve(&self, messages: &Messages) -> Result<Ranges, ViewError> {
        match (&messages.set, messages.numbering) {
            (Numbers::Saved, _) => self.sequence_numbers(&self.saved),
            (Numbers::Set(set), Numbering::Sequence) => self.resolve_sequence(set),
            (Numbers::Set(set), Numbering::Uid) => {
                if !self.is_loaded() {
                    return Err(ViewError::NotLoaded);
                }
                self.sequence_numbers(&set.resolve(self.uids().last().copied().unwrap_or(0)))
            }
        }
    }

    /// A set of sequence numbers, which needs no UIDs.
    ///
    /// # Errors
    /// [`ViewError::NoSuchNumber`].
    pub fn resolve_sequence(&self, set: &SequenceSet) -> Result<Ranges, ViewError> {
        let ranges = set.resolve(self.told.exists);
        let beyond = ranges.last().is_none_or(|last| last > self.told.exists);
        match beyond || (set.names_last() && self.told.exists == 0) {
            true => Err(ViewError::NoSuchNumber),
            false => Ok(ranges),
        }
    }

    /// The sequence numbers of those of the UIDs that messages have.
    ///
    /// # Errors
    /// [`ViewError::NotLoaded`].
    pub fn sequence_numbers(&self, uids: &Ranges) -> Result<Ranges, ViewError> {
        if !self.is_loaded() {
            return Err(ViewError::NotLoaded);
        }
        let known = self.uids();
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let ranges = uids.as_slice().iter().map(|(first, last)| {
            let before = known.partition_point(|uid| uid < first);
            let until = known.partition_point(|uid| uid <= last);
            (place(before).saturating_add(1), place(until))
        });
        Ok(Ranges::from_ranges(ranges.filter(|(first, last)| first <= last).collect()))
    }

    /// The UIDs of sequence numbers, ascending.
    ///
    /// # Errors
    /// [`ViewError::NotLoaded`].
    pub fn uids_of(&self, sequence_numbers: &Ranges) -> Result<Ranges, ViewError> {
        if !self.is_loaded() {
            return Err(ViewError::NotLoaded);
        }
        Ok(Ranges::from_numbers(sequence_numbers.iter().filter_map(|number| self.uid(number))))
    }

    /// Sequence numbers with their UIDs, ascending; nothing until loaded.
    pub fn pairs(&self, sequence_numbers: &Ranges) -> impl Iterator<Item = (u32, u32)> {
        sequence_numbers.iter().filter_map(|number| self.uid(number).map(|uid| (number, uid)))
    }

    /// Keeps the result of SEARCH RETURN (SAVE), as UIDs; an empty one after a failure (RFC 9051 §6.4.4.1).
    pub fn save(&mut self, uids: Ranges) {
        self.saved = uids;
    }

    /// `$` as UIDs; messages gone since are no longer in it.
    pub fn saved(&self) -> &Ranges {
        &self.saved
    }

    /// A change of this session's own, whose outcome the client knows or did not want to know: it is not told when it
    /// comes back with these UIDs and this mod-sequence.
    pub fn made(&mut self, mod_sequence: u64, uids: Ranges) {
        self.own.push((mod_sequence, uids));
    }

    /// Takes what happened in the mailbox. Nothing is told yet.
    pub fn apply(&mut self, changes: Changes) {
        self.told.mod_sequence = self.told.mod_sequence.max(changes.mod_sequence);
        let newest = self.appended.last().copied().unwrap_or(0).max(self.told.uid_next.saturating_sub(1));
        let appended = changes.appended.iter().copied().filter(|uid| *uid > newest);
        let recent = appended.clone().filter(|uid| *uid >= changes.first_recent_uid).map(|uid| (uid, uid));
        let recent: Vec<(u32, u32)> = recent.collect();
        if !recent.is_empty() {
            self.recent = Ranges::from_ranges(self.recent.as_slice().iter().copied().chain(recent).collect());
        }
        self.appended.extend(appended);
        self.appended.sort_unstable();
        self.appended.dedup();
        self.forget(changes.expunged);
        let own = |change: &FlagChange| {
            let same = |(mod_sequence, uids): &(u64, Ranges)| {
                *mod_sequence == change.mod_sequence && uids.contains(change.uid)
            };
            self.own.iter().any(same)
        };
        // An own change on top of somebody else's that was not told yet is told with it: the flags are one list.
        let waits = |change: &FlagChange| self.flags.binary_search_by_key(&change.uid, |known| known.uid).is_ok();
        let untold =
            |change: &FlagChange| (!own(change) || waits(change)) && self.expunged.binary_search(&change.uid).is_err();
        let news: Vec<FlagChange> = changes.flags.into_iter().filter(untold).collect();
        if !news.is_empty() {
            // Stable: of two changes of a message the later one counts.
            self.flags.extend(news);
            self.flags.sort_by_key(|change| change.uid);
            self.flags.dedup_by(|later, earlier| {
                let same = later.uid == earlier.uid;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        self.own.retain(|(mod_sequence, _)| *mod_sequence > changes.mod_sequence);
    }

    /// Messages are gone: those never told of are dropped, the others wait for a place where EXPUNGE is allowed.
    fn forget(&mut self, mut gone: Vec<u32>) {
        gone.sort_unstable();
        gone.dedup();
        self.appended.retain(|uid| gone.binary_search(uid).is_err());
        self.flags.retain(|change| gone.binary_search(&change.uid).is_err());
        if !self.saved.is_empty() && gone.iter().any(|uid| self.saved.contains(*uid)) {
            self.saved = Ranges::from_numbers(self.saved.iter().filter(|uid| gone.binary_search(uid).is_err()));
        }
        gone.retain(|uid| *uid < self.told.uid_next && (self.uids.is_none() || self.sequence_number(*uid).is_some()));
        self.expunged.extend(gone);
        self.expunged.sort_unstable();
        self.expunged.dedup();
    }

    /// True when there is something to tell.
    pub fn has_news(&self) -> bool {
        !(self.appended.is_empty() && self.expunged.is_empty() && self.flags.is_empty())
    }

    /// UIDs the client was not yet told are gone: reading them gives nothing (RFC 9051 §7.5.1, RFC 2180 §4.1).
    pub fn awaiting_expunge(&self) -> &[u32] {
        &self.expunged
    }

    /// Tells what is allowed: EXPUNGE, then EXISTS and RECENT, then FETCH with flags. Stops where much is gathered, and says
    /// that there is more: send, then call it again.
    ///
    /// # Errors
    /// [`ViewError::NotLoaded`] when [`View::needs_load_to_tell`]; nothing was told then.
    pub fn tell(&mut self, responses: &mut Responses, allowed: Allowed) -> Result<Told, ViewError> {
        let loads = match allowed {
            Allowed::Everything => self.needs_load_to_tell(),
            Allowed::NoExpunge => !self.is_loaded() && !self.flags.is_empty(),
        };
        if loads {
            return Err(ViewError::NotLoaded);
        }
        if allowed == Allowed::Everything {
            self.tell_expunged(responses);
            if !self.expunged.is_empty() {
                return Ok(Told::More);
            }
        }
        self.tell_appended(responses);
        self.tell_flags(responses);
        Ok(if self.flags.is_empty() { Told::All } else { Told::More })
    }

    /// From the last to the first, so that no number shifts under the next.
    fn tell_expunged(&mut self, responses: &mut Responses) {
        let Some(uids) = self.uids.as_mut() else {
            // Nothing is loaded where nothing is known: an empty mailbox.
            return self.expunged.clear();
        };
        let told = self.expunged.len().saturating_sub(EXPUNGES_AT_ONCE);
        let expunged = self.expunged.split_off(told);
        for uid in expunged.iter().rev() {
            if let Ok(index) = uids.binary_search(uid) {
                responses.expunge(u32::try_from(index + 1).unwrap_or(u32::MAX));
                self.told.recent -= u32::from(self.recent.contains(*uid) && self.told.recent > 0);
            }
        }
        if !expunged.is_empty() {
            uids.retain(|uid| expunged.binary_search(uid).is_err());
            self.told.exists = u32::try_from(uids.len()).unwrap_or(u32::MAX);
        }
    }

    fn tell_appended(&mut self, responses: &mut Responses) {
        let appended = std::mem::take(&mut self.appended);
        let (Some(last), Ok(count)) = (appended.last(), u32::try_from(appended.len())) else { return };
        self.told.uid_next = last.saturating_add(1);
        if self.told.exists == 0 && self.uids.is_none() {
            self.uids = Some(Vec::new());
        }
        self.told.exists += count;
        self.told.recent += appended.iter().map(|uid| u32::from(self.recent.contains(*uid))).sum::<u32>();
        if let Some(uids) = self.uids.as_mut() {
            uids.extend_from_slice(&appended);
            // SELECT counts without the list, and too many where new messages are gone already: never above EXISTS.
            let recent =
                self.recent.as_slice().iter().map(|(first, last)| {
                    uids.partition_point(|uid| uid <= last) - uids.partition_point(|uid| uid < first)
                });
            let recent: usize = recent.sum();
            self.told.recent = u32::try_from(recent).unwrap_or(u32::MAX);
        }
        responses.exists(self.told.exists);
        responses.recent(self.told.recent);
    }

    /// With CONDSTORE enabled every such FETCH carries UID and MODSEQ (RFC 7162 §3.1.4, §3.2.10), with IMAP4rev2 the UID
    /// (RFC 9051 §7.5.2).
    fn tell_flags(&mut self, responses: &mut Responses) {
        let Enabled { condstore, rev2 } = responses.enabled();
        let waiting = std::mem::take(&mut self.flags);
        let mut waiting = waiting.into_iter();
        while responses.len() < GATHERED_OCTETS {
            let Some(change) = waiting.next() else { return };
            let Some(number) = self.sequence_number(change.uid) else { continue };
            let recent = self.is_recent(change.uid);
            let mut fetch = responses.fetch(number);
            if condstore || rev2 {
                fetch.uid(change.uid);
            }
            if condstore {
                fetch.mod_sequence(change.mod_sequence);
            }
            fetch.flags(change.system, recent, &change.keywords);
            fetch.end();
        }
        self.flags = waiting.collect();
    }
}

/// EXPUNGE responses told in one call.
const EXPUNGES_AT_ONCE: usize = 4_000;

/// Octets gathered before [`View::tell`] stops.
const GATHERED_OCTETS: usize = 64 * 1024;
