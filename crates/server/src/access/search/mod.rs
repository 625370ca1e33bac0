//! SEARCH (RFC 9051 §6.4.4, RFC 7162 §3.1.5): looked for in batches on the store's reading threads.

mod body;
mod criteria;
mod folding;

use std::ops::ControlFlow;
use std::sync::Arc;

use imap::command::{SearchCommand, SearchReturn, Tag};
use imap::response::{Code, EsearchResponse};
use imap::sequence::{Numbering, Ranges};
use imap::server::Completed;
use mail::header::{decode_words, fields, unfold};
use mail::mime::{HeaderText, Part};
use store::entry::Entry;
use store::message::{Fetched, Wanted};
use store::{BlobId, EngineError, MailboxId, Snapshot, StoreError, ThreadId};
use tracing::error;

use super::executor::{Executor, Stop, now};
use body::{Scan, passages};
use criteria::{Criteria, Depth, Facts, Surroundings};

/// Messages looked at in one read, by how dear one is: each read takes a thread for some milliseconds.
const BATCH_ENTRIES: usize = 8_192;
const BATCH_HEADERS: usize = 512;
const BATCH_BODIES: usize = 32;
/// Octets of a body read at once.
const STEP_OCTETS: u64 = 256 * 1024;

impl Executor<'_, '_> {
    pub(super) async fn search(&mut self, tag: &Tag, command: SearchCommand) -> Result<Completed, Stop> {
        let found = match self.find(&command).await {
            Ok(found) => found,
            Err(stop) => {
                // A SEARCH that fails leaves an empty `$` (RFC 9051 §6.4.4.1).
                if command.returns.is_some_and(|returns| returns.save)
                    && let Ok(selected) = self.selected()
                {
                    selected.view.save(Ranges::default());
                }
                return Err(stop);
            }
        };
        self.tell_found(tag, &command, &found)?;
        Ok(match (found.damaged, command.numbering) {
            (true, _) => Completed::no(
                Some(Code::ServerBug),
                "Some messages are damaged and could not be searched, tell the administrator [CORRUPTION]",
            ),
            (false, Numbering::Uid) => Completed::ok("UID SEARCH completed"),
            (false, Numbering::Sequence) => Completed::ok("SEARCH completed"),
        })
    }

    async fn find(&mut self, command: &SearchCommand) -> Result<Found, Stop> {
        self.load().await?;
        let selected = self.selected()?;
        let mailbox = selected.id;
        let around = Surroundings {
            keywords: selected.keywords.known(),
            exists: selected.view.exists(),
            uid_last: selected.view.uids().last().copied().unwrap_or_default(),
            saved: selected.view.saved(),
            now: now(),
        };
        let criteria = Arc::new(Criteria::new(&command.program.key, &around));
        let first_recent_uid = selected.view.first_recent_uid();
        let uids = selected.view.uids();
        let candidates: Vec<(u32, u32)> = (1..).zip(uids.iter().copied()).collect();
        let candidates = match criteria.uid_bounds() {
            Some(bounds) => candidates.into_iter().filter(|(_, uid)| bounds.contains(*uid)).collect(),
            None => candidates,
        };
        let batch = match criteria.depth() {
            Depth::Entry => BATCH_ENTRIES,
            Depth::Headers => BATCH_HEADERS,
            Depth::Body => BATCH_BODIES,
        };
        let mut found = Found::default();
        for candidates in candidates.chunks(batch) {
            let search = Batch { mailbox, criteria: criteria.clone(), first_recent_uid, messages: candidates.to_vec() };
            let (matches, damaged) = self.read(move |snapshot| search.run(snapshot)).await?;
            for (uid, error) in &damaged {
                error!(session = %self.session, account = self.account().0, uid, %error, "damaged message");
            }
            found.damaged |= !damaged.is_empty();
            found.matches.extend(matches);
        }
        Ok(found)
    }

    fn tell_found(&mut self, tag: &Tag, command: &SearchCommand, found: &Found) -> Result<(), Stop> {
        let number = |found: &Match| match command.numbering {
            Numbering::Sequence => found.sequence,
            Numbering::Uid => found.uid,
        };
        // Ascending either way: UIDs grow with sequence numbers.
        let numbers = Ranges::from_numbers(found.matches.iter().map(number));
        let asked_mod_sequence = command.program.key.uses_mod_sequence();
        let returns = match command.returns {
            // IMAP4rev2 knows ESEARCH responses only (RFC 9051 §6.4.4).
            None if self.enabled().rev2 => SearchReturn { all: true, ..SearchReturn::default() },
            None => {
                let mod_sequence = found.mod_sequence(|_| true).filter(|_| asked_mod_sequence);
                self.responses.search(&numbers, mod_sequence);
                return Ok(());
            }
            Some(returns) => returns,
        };
        // RETURN () is ALL (RFC 9051 §6.4.4); SAVE alone tells nothing.
        let nothing = !(returns.min || returns.max || returns.count || returns.save);
        let all = returns.all || nothing;
        if returns.save {
            // With MIN or MAX alone only those are saved (RFC 9051 §6.4.4.4).
            let (first, last) = (found.matches.first(), found.matches.last());
            let uids = match (returns.min || returns.max) && !(all || returns.count) {
                true => {
                    let kept = first.filter(|_| returns.min).into_iter().chain(last.filter(|_| returns.max));
                    Ranges::from_numbers(kept.map(|found| found.uid))
                }
                false => Ranges::from_numbers(found.matches.iter().map(|found| found.uid)),
            };
            self.selected()?.view.save(uids);
        }
        if !(all || returns.min || returns.max || returns.count) {
            return Ok(());
        }
        let (min, max) = (numbers.first().filter(|_| returns.min), numbers.last().filter(|_| returns.max));
        // Only of what is told, when MIN or MAX alone are asked for (RFC 7162 §3.1.10).
        let told = |found: &Match| all || returns.count || Some(number(found)) == min || Some(number(found)) == max;
        let response = EsearchResponse {
            min,
            max,
            count: returns.count.then(|| u32::try_from(found.matches.len()).unwrap_or(u32::MAX)),
            mod_sequence: found.mod_sequence(told).filter(|_| asked_mod_sequence),
            all: all.then_some(numbers),
        };
        self.responses.esearch(tag.as_str(), command.numbering, &response);
        Ok(())
    }
}

/// What a search found, ascending.
#[derive(Default)]
struct Found {
    matches: Vec<Match>,
    damaged: bool,
}

#[derive(Clone, Copy)]
struct Match {
    sequence: u32,
    uid: u32,
    mod_sequence: u64,
}

impl Found {
    /// The highest mod-sequence of some of the matches.
    fn mod_sequence(&self, of: impl Fn(&Match) -> bool) -> Option<u64> {
        self.matches.iter().filter(|found| of(found)).map(|found| found.mod_sequence).max()
    }
}

/// Candidates looked at in one read.
struct Batch {
    mailbox: MailboxId,
    criteria: Arc<Criteria>,
    first_recent_uid: u32,
    messages: Vec<(u32, u32)>,
}

/// Matches, and messages that cannot be read, by UID.
type Looked = (Vec<Match>, Vec<(u32, StoreError)>);

impl Batch {
    fn run(&self, snapshot: &mut dyn Snapshot) -> Result<Looked, StoreError> {
        let (mut matches, mut open) = (Vec::new(), Vec::new());
        self.entries(snapshot, &mut |sequence, entry| match self.criteria.matches(&self.facts(sequence, entry)) {
            Some(true) => matches.push(Match::new(sequence, entry)),
            Some(false) => {}
            None => open.push((sequence, *entry)),
        })?;
        let mut damaged = Vec::new();
        for (sequence, entry) in open {
            match self.look_inside(snapshot, sequence, &entry) {
                Ok(true) => matches.push(Match::new(sequence, &entry)),
                Ok(false) | Err(StoreError::NoSuchMessage) => {}
                Err(error @ (StoreError::Damaged(_) | StoreError::Engine(EngineError::Disk(_)))) => {
                    damaged.push((entry.uid.get(), error));
                }
                Err(error) => return Err(error),
            }
        }
        matches.sort_unstable_by_key(|found| found.sequence);
        Ok((matches, damaged))
    }

    /// Entries of the candidates that are still there.
    fn entries(&self, snapshot: &mut dyn Snapshot, on_entry: &mut dyn FnMut(u32, &Entry)) -> Result<(), StoreError> {
        let (Some((_, first)), Some((_, last))) = (self.messages.first(), self.messages.last()) else { return Ok(()) };
        let mut at = 0;
        store::entry::range(snapshot, self.mailbox, *first..=*last, u32::MAX, &mut |entry| {
            let rest = self.messages.get(at..).unwrap_or_default();
            at += rest.partition_point(|(_, uid)| *uid < entry.uid.get());
            if let Some((sequence, _)) = self.messages.get(at).filter(|(_, uid)| *uid == entry.uid.get()) {
                on_entry(*sequence, entry);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn facts(&self, sequence: u32, entry: &Entry) -> Facts<'static> {
        Facts {
            sequence,
            uid: entry.uid.get(),
            flags: entry.flags,
            recent: entry.uid.get() >= self.first_recent_uid,
            mod_sequence: entry.modseq.0.unsigned_abs(),
            received: entry.internal_date,
            saved: entry.saved,
            octets: entry.octets,
            email: Some(entry.message),
            ..Facts::default()
        }
    }

    /// Decides by the header, and by the body when that is not enough.
    fn look_inside(&self, snapshot: &mut dyn Snapshot, sequence: u32, entry: &Entry) -> Result<bool, StoreError> {
        let inside = Inside::read(snapshot, self.mailbox, entry, self.criteria.depth())?;
        let mut facts = self.facts(sequence, entry);
        facts.thread = Some(inside.thread);
        facts.headers = Some(&inside.headers);
        if let Some(decided) = self.criteria.matches(&facts) {
            return Ok(decided);
        }
        let found = inside.search_body(snapshot, &self.criteria)?;
        facts.found_in_body = Some(&found);
        Ok(self.criteria.matches(&facts).unwrap_or_default())
    }
}

impl Match {
    fn new(sequence: u32, entry: &Entry) -> Match {
        Match { sequence, uid: entry.uid.get(), mod_sequence: entry.modseq.0.unsigned_abs() }
    }
}

/// What the message's row says.
struct Inside {
    thread: ThreadId,
    blob: BlobId,
    structure: Vec<u8>,
    headers: Vec<HeaderText>,
}

impl Inside {
    fn read(
        snapshot: &mut dyn Snapshot,
        mailbox: MailboxId,
        entry: &Entry,
        depth: Depth,
    ) -> Result<Inside, StoreError> {
        let wanted =
            Wanted { trace_prefix: true, header_texts: true, structure: depth == Depth::Body, ..Wanted::default() };
        let uid = entry.uid.get();
        let mut inside = Err(StoreError::NoSuchMessage);
        store::message::fetch(snapshot, mailbox, uid..=uid, 1, wanted, &mut |message: &Fetched<'_>| {
            let mut headers = prefix_texts(message.trace_prefix);
            headers.extend(stored_texts(message)?);
            inside = Ok(Inside {
                thread: message.thread,
                blob: message.blob,
                structure: message.structure.to_vec(),
                headers,
            });
            Ok(ControlFlow::Break(()))
        })?;
        inside
    }

    /// Reads the text of the body, chunk by chunk, until every needle is found.
    fn search_body(&self, snapshot: &mut dyn Snapshot, criteria: &Criteria) -> Result<Vec<bool>, StoreError> {
        let damaged = |_| StoreError::Damaged(format!("the index of blob {}", self.blob));
        let structure = Part::from_stored(&self.structure).map_err(damaged)?;
        let blobs = snapshot.blobs().clone();
        let blob = blobs.open(snapshot, self.blob)?;
        let mut scan = Scan::new(criteria.body_needles());
        for passage in passages(&structure) {
            scan.begin(&passage);
            let mut at = passage.octets.start;
            while at < passage.octets.end && !scan.is_complete() {
                let end = (at + STEP_OCTETS).min(passage.octets.end);
                scan.feed(&blob.read_now(at..end)?);
                at = end;
            }
            scan.end();
        }
        Ok(scan.found())
    }
}

fn stored_texts(message: &Fetched<'_>) -> Result<Vec<HeaderText>, StoreError> {
    let damaged = |_| StoreError::Damaged(format!("the index of message {}", message.entry.message));
    HeaderText::from_stored(message.header_texts).map_err(damaged)
}

/// The trace fields of the delivery, which come before the message's own and are not in its index.
fn prefix_texts(trace_prefix: &[u8]) -> Vec<HeaderText> {
    let text = |field: mail::header::Field<'_>| HeaderText {
        name: String::from_utf8_lossy(field.name).to_ascii_lowercase(),
        text: decode_words(&unfold(field.value)),
    };
    fields(trace_prefix).filter(|field| !field.name.is_empty()).map(text).collect()
}
