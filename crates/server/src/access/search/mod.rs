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
/// Octets of messages whose bodies are looked at in one read, unless one message has more.
const BATCH_BODY_OCTETS: u64 = 4 * 1024 * 1024;
/// Texts to be found in one SEARCH: each is compared with every octet looked at.
const TEXTS_MAX: usize = 100;
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
        let criteria = Criteria::new(&command.program.key, &around);
        if criteria.texts() > TEXTS_MAX {
            return Err(Completed::no(Some(Code::Limit), "Too many texts in one SEARCH").into());
        }
        let criteria = Arc::new(criteria);
        let recent = selected.view.recent().clone();
        let uids = selected.view.uids();
        let candidates: Vec<(u32, u32)> =
            (1..).zip(uids.iter().copied()).filter(|(sequence, uid)| criteria.may_match(*sequence, *uid)).collect();
        let dear = match criteria.depth() {
            Depth::Body => Portion { messages: BATCH_BODIES, octets: BATCH_BODY_OCTETS },
            Depth::Headers | Depth::Entry => Portion { messages: BATCH_HEADERS, octets: u64::MAX },
        };
        let mut found = Found::default();
        for messages in candidates.chunks(BATCH_ENTRIES) {
            let search = Arc::new(Search { mailbox, criteria: criteria.clone(), recent: recent.clone() });
            let (entries, messages) = (search.clone(), messages.to_vec());
            let (matches, open) = self.read(move |snapshot| entries.by_entries(snapshot, &messages)).await?;
            found.matches.extend(matches);
            self.go_on()?;
            for open in portions(&open, dear) {
                self.go_on()?;
                let (inside, open) = (search.clone(), open.to_vec());
                let (matches, damaged) = self.read(move |snapshot| inside.inside(snapshot, &open)).await?;
                for (uid, error) in &damaged {
                    error!(session = self.session().0, account = self.account().0, uid, %error, "damaged message");
                }
                found.damaged |= !damaged.is_empty();
                found.matches.extend(matches);
            }
        }
        found.matches.sort_unstable_by_key(|found| found.sequence);
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

/// How much is read at once.
#[derive(Clone, Copy)]
struct Portion {
    messages: usize,
    octets: u64,
}

/// Cuts messages into portions; each has at least one.
fn portions(mut messages: &[(u32, Entry)], most: Portion) -> Vec<&[(u32, Entry)]> {
    let mut portions = Vec::new();
    while !messages.is_empty() {
        let mut octets = 0;
        let fits = |(_, entry): &&(u32, Entry)| {
            octets += entry.octets;
            octets <= most.octets
        };
        let count = messages.iter().take(most.messages).take_while(fits).count().max(1);
        let (portion, rest) = messages.split_at(count);
        portions.push(portion);
        messages = rest;
    }
    portions
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

/// One search, as its reads share it.
struct Search {
    mailbox: MailboxId,
    criteria: Arc<Criteria>,
    recent: Ranges,
}

/// Matches, and messages of which more must be read.
type Sifted = (Vec<Match>, Vec<(u32, Entry)>);

/// Matches, and messages that cannot be read, by UID.
type Looked = (Vec<Match>, Vec<(u32, StoreError)>);

impl Search {
    /// Decides by the entries where it can. `messages` are pairs of sequence number and UID, ascending.
    fn by_entries(&self, snapshot: &mut dyn Snapshot, messages: &[(u32, u32)]) -> Result<Sifted, StoreError> {
        let (mut matches, mut open) = (Vec::new(), Vec::new());
        let (Some((_, first)), Some((_, last))) = (messages.first(), messages.last()) else {
            return Ok((matches, open));
        };
        let mut at = 0;
        store::entry::range(snapshot, self.mailbox, *first..=*last, u32::MAX, &mut |entry| {
            let rest = messages.get(at..).unwrap_or_default();
            at += rest.iter().take_while(|(_, uid)| *uid < entry.uid.get()).count();
            if let Some((sequence, _)) = messages.get(at).filter(|(_, uid)| *uid == entry.uid.get()) {
                match self.criteria.matches(&self.facts(*sequence, entry)) {
                    Some(true) => matches.push(Match::new(*sequence, entry)),
                    Some(false) => {}
                    None => open.push((*sequence, *entry)),
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((matches, open))
    }

    /// Decides by headers, and by bodies where those are not enough.
    fn inside(&self, snapshot: &mut dyn Snapshot, open: &[(u32, Entry)]) -> Result<Looked, StoreError> {
        let (mut matches, mut damaged, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs(open) {
            self.headers(snapshot, run, &mut |sequence, entry, looked| match looked {
                Ok(Headers::Decided(true)) => matches.push(Match::new(sequence, entry)),
                Ok(Headers::Decided(false)) => {}
                Ok(Headers::Open(inside)) => bodies.push((sequence, *entry, inside)),
                Err(error) => damaged.push((entry.uid.get(), error)),
            })?;
        }
        for (sequence, entry, inside) in bodies {
            match self.body(snapshot, sequence, &entry, &inside) {
                Ok(true) => matches.push(Match::new(sequence, &entry)),
                Ok(false) => {}
                Err(error @ (StoreError::Damaged(_) | StoreError::Engine(EngineError::Disk(_)))) => {
                    damaged.push((entry.uid.get(), error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((matches, damaged))
    }

    fn facts(&self, sequence: u32, entry: &Entry) -> Facts<'static> {
        Facts {
            sequence,
            uid: entry.uid.get(),
            flags: entry.flags,
            recent: self.recent.contains(entry.uid.get()),
            mod_sequence: entry.modseq.0.unsigned_abs(),
            received: entry.internal_date,
            saved: entry.saved,
            octets: entry.octets,
            email: Some(entry.message),
            ..Facts::default()
        }
    }

    /// Decides by the header where it can, for messages whose rows follow each other.
    fn headers(
        &self,
        snapshot: &mut dyn Snapshot,
        run: &[(u32, Entry)],
        on_message: OnHeaders<'_>,
    ) -> Result<(), StoreError> {
        let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { return Ok(()) };
        let wanted = Wanted {
            trace_prefix: true,
            header_texts: true,
            structure: self.criteria.depth() == Depth::Body,
            ..Wanted::default()
        };
        let mut at = 0;
        let uids = first.uid.get()..=last.uid.get();
        store::message::fetch(snapshot, self.mailbox, uids, u32::MAX, wanted, &mut |message: &Fetched<'_>| {
            let rest = run.get(at..).unwrap_or_default();
            at += rest.partition_point(|(_, entry)| entry.uid < message.entry.uid);
            if let Some((sequence, entry)) = run.get(at).filter(|(_, entry)| entry.uid == message.entry.uid) {
                on_message(*sequence, entry, self.header(*sequence, entry, message));
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn header(&self, sequence: u32, entry: &Entry, message: &Fetched<'_>) -> Result<Headers, StoreError> {
        let mut headers = prefix_texts(message.trace_prefix);
        headers.extend(stored_texts(message)?);
        let mut facts = self.facts(sequence, entry);
        facts.thread = Some(message.thread);
        facts.headers = Some(&headers);
        Ok(match self.criteria.matches(&facts) {
            Some(decided) => Headers::Decided(decided),
            None => Headers::Open(Inside {
                thread: message.thread,
                blob: message.blob,
                structure: message.structure.to_vec(),
                headers,
            }),
        })
    }

    /// Decides by the body, when nothing else did.
    fn body(
        &self,
        snapshot: &mut dyn Snapshot,
        sequence: u32,
        entry: &Entry,
        inside: &Inside,
    ) -> Result<bool, StoreError> {
        let found = inside.search_body(snapshot, &self.criteria)?;
        let mut facts = self.facts(sequence, entry);
        facts.thread = Some(inside.thread);
        facts.headers = Some(&inside.headers);
        facts.found_in_body = Some(&found);
        Ok(self.criteria.matches(&facts).unwrap_or_default())
    }
}

/// Takes what the header of a message told: its sequence number, its entry, the outcome.
type OnHeaders<'o> = &'o mut dyn FnMut(u32, &Entry, Result<Headers, StoreError>);

/// What the header told.
enum Headers {
    Decided(bool),
    Open(Inside),
}

/// Cuts messages into runs that are read by one statement each: those between which few others lie.
fn runs(messages: &[(u32, Entry)]) -> impl Iterator<Item = &[(u32, Entry)]> {
    const OTHERS_MAX: u32 = 8;
    messages.chunk_by(|(first, _), (second, _)| second - first <= OTHERS_MAX)
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
