//! One batch of FETCH responses, rendered from one view of the store.

use std::ops::ControlFlow;

use imap::command::{FetchItem, PartNumber, Partial, Section, SectionText};
use imap::date::DateTime;
use imap::response::{FetchResponse, Responses};
use mail::mime::{EnvelopeFields, Part};
use store::entry::{Entry, FlagsOf};
use store::message::{Fetched, Wanted};
use store::{EngineError, FlagBits, MailboxId, Snapshot, StoreError, ThreadId, Uid, UnixMillis};

use super::octets::{Message, Passage, section_octets};
use super::plan::{Plan, Source};
use crate::access::flags::system;

/// Rendered octets after which a batch ends.
const BATCH_OCTETS: usize = 256 * 1024;
/// Octets of rows after which no further row is read.
const ROWS_OCTETS: usize = 1024 * 1024;
/// Messages whose rows are read in one batch.
const BATCH_ROWS: usize = 256;
/// Octets of a section that are read within the batch; longer ones are read while they are sent.
pub const SECTION_NOW_OCTETS: u64 = 1024 * 1024;

/// Part of what is to be sent.
pub enum Piece {
    /// Rendered.
    Ready(Vec<u8>),
    /// Octets of a literal announced before, to be read while they are sent.
    Later(Box<Passage>),
}

/// What one read gave.
#[derive(Default)]
pub struct Batch {
    /// In order.
    pub pieces: Vec<Piece>,
    /// How many of the messages were dealt with.
    pub done: usize,
    /// Messages that cannot be read.
    pub errors: Vec<Unreadable>,
    /// BINARY met an encoding that cannot be undone.
    pub unknown_encoding: bool,
}

/// A message left out.
pub struct Unreadable {
    /// Its UID.
    pub uid: u32,
    /// Why.
    pub what: StoreError,
}

/// Everything asked of one message.
struct Facts<'a> {
    uid: Uid,
    flags: FlagBits,
    entry: Option<&'a Entry>,
    thread: Option<ThreadId>,
    envelope: Option<EnvelopeFields>,
    structure: Option<Part>,
    preview: &'a str,
    message: Option<&'a Message>,
    mod_sequence: store::ModSeq,
}

/// A batch on its way.
struct Rendering<'p> {
    plan: &'p Plan,
    responses: Responses,
    batch: Batch,
    octets: usize,
}

/// Renders messages, given as (sequence number, UID) ascending, until enough is rendered.
pub fn render(
    snapshot: &mut dyn Snapshot,
    mailbox: MailboxId,
    messages: &[(u32, u32)],
    plan: &Plan,
) -> Result<Batch, StoreError> {
    let responses = Responses::new(plan.enabled);
    let mut rendering = Rendering { plan, responses, batch: Batch::default(), octets: 0 };
    let mut rest = messages;
    while let Some(span) = next_span(rest).filter(|_| !rendering.is_full()) {
        let span = match plan.source {
            Source::Messages(_) => span.get(..BATCH_ROWS.min(span.len())).unwrap_or(span),
            Source::Flags | Source::Entries => span,
        };
        let done = rendering.span(snapshot, mailbox, span)?;
        rendering.batch.done += done;
        rest = rest.get(done..).unwrap_or_default();
    }
    rendering.close();
    Ok(rendering.batch)
}

/// The messages at the beginning whose sequence numbers follow each other: their UIDs bound a range without others.
fn next_span(messages: &[(u32, u32)]) -> Option<&[(u32, u32)]> {
    let gap = messages.windows(2).position(|pair| matches!(pair, [(first, _), (second, _)] if first + 1 != *second));
    messages.get(..gap.map_or(messages.len(), |at| at + 1)).filter(|span| !span.is_empty())
}

impl Rendering<'_> {
    fn is_full(&self) -> bool {
        self.octets + self.responses.len() >= BATCH_OCTETS
    }

    /// Renders the messages of one span; answers how many of them were dealt with.
    fn span(
        &mut self,
        snapshot: &mut dyn Snapshot,
        mailbox: MailboxId,
        span: &[(u32, u32)],
    ) -> Result<usize, StoreError> {
        let (Some((_, first)), Some((_, last))) = (span.first(), span.last()) else { return Ok(0) };
        let (uids, limit) = (*first..=*last, u32::MAX);
        let mut passed = 0;
        // Messages that are gone have no row: their numbers are passed over.
        let mut number_of = |uid: Uid| {
            passed += span.get(passed..).unwrap_or_default().partition_point(|(_, known)| *known < uid.get());
            let (number, known) = span.get(passed)?;
            (*known == uid.get()).then(|| {
                passed += 1;
                *number
            })
        };
        match self.plan.source {
            Source::Flags => {
                store::entry::flags(snapshot, mailbox, uids, limit, &mut |entry| {
                    if let Some(number) = number_of(entry.uid).filter(|_| self.plan.wants(entry.modseq)) {
                        self.flags(number, &entry);
                    }
                    Ok(self.flow())
                })?;
            }
            Source::Entries => {
                store::entry::range(snapshot, mailbox, uids, limit, &mut |entry| {
                    if let Some(number) = number_of(entry.uid).filter(|_| self.plan.wants(entry.modseq)) {
                        self.entry(number, entry)?;
                    }
                    Ok(self.flow())
                })?;
            }
            Source::Messages(wanted) => {
                let (rows, whole) = rows(snapshot, mailbox, uids, wanted)?;
                for row in &rows {
                    if let Some(number) = number_of(row.entry.uid).filter(|_| self.plan.wants(row.entry.modseq)) {
                        self.message(snapshot, number, row)?;
                    }
                    if self.is_full() {
                        return Ok(passed);
                    }
                }
                if !whole {
                    return Ok(passed);
                }
            }
        }
        // Broken off by being full, or every message that is there was met.
        Ok(if self.is_full() { passed } else { span.len() })
    }

    fn flow(&self) -> ControlFlow<()> {
        match self.is_full() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn flags(&mut self, number: u32, entry: &FlagsOf) {
        let plan = self.plan;
        let mut response = self.responses.fetch(number);
        for item in &plan.items {
            match item {
                FetchItem::Uid => response.uid(entry.uid.get()),
                FetchItem::ModSeq => response.mod_sequence(entry.modseq.0.unsigned_abs()),
                _ => flags(&mut response, plan, entry.uid, entry.flags),
            };
        }
        response.end();
    }

    fn entry(&mut self, number: u32, entry: &Entry) -> Result<(), StoreError> {
        let facts = Facts {
            uid: entry.uid,
            flags: entry.flags,
            entry: Some(entry),
            thread: None,
            envelope: None,
            structure: None,
            preview: "",
            message: None,
            mod_sequence: entry.modseq,
        };
        self.respond(number, &facts)
    }

    /// A message that cannot be read is left out, and named in the log; the others are told.
    fn message(&mut self, snapshot: &mut dyn Snapshot, number: u32, row: &Row) -> Result<(), StoreError> {
        let (length, pieces) = (self.responses.len(), self.batch.pieces.len());
        match self.message_in_order(snapshot, number, row) {
            Err(what @ (StoreError::Damaged(_) | StoreError::Engine(EngineError::Disk(_)))) => {
                // Octets already moved into a piece belong to this response alone: it is the first of that piece.
                if self.batch.pieces.len() > pieces {
                    if let Some(Piece::Ready(octets)) = self.batch.pieces.get_mut(pieces) {
                        octets.truncate(length);
                    }
                    self.batch.pieces.truncate(pieces + 1);
                    self.responses.octets_mut().clear();
                } else {
                    self.responses.octets_mut().truncate(length);
                }
                self.batch.errors.push(Unreadable { uid: row.entry.uid.get(), what });
                Ok(())
            }
            other => other,
        }
    }

    fn message_in_order(&mut self, snapshot: &mut dyn Snapshot, number: u32, row: &Row) -> Result<(), StoreError> {
        let Source::Messages(wanted) = self.plan.source else { return Ok(()) };
        let damaged = |_| StoreError::Damaged(format!("the index of message {}", row.entry.message));
        let envelope =
            wanted.envelope.then(|| EnvelopeFields::from_stored(&row.envelope)).transpose().map_err(damaged)?;
        let structure = wanted.structure.then(|| Part::from_stored(&row.structure)).transpose().map_err(damaged)?;
        let reads_octets = self.plan.items.iter().any(reads_octets);
        let message = reads_octets.then(|| Message::open(snapshot, row.blob, row.trace_prefix.clone())).transpose()?;
        let facts = Facts {
            uid: row.entry.uid,
            flags: row.entry.flags,
            entry: Some(&row.entry),
            thread: Some(row.thread),
            envelope,
            structure,
            preview: &row.preview,
            message: message.as_ref(),
            mod_sequence: row.entry.modseq,
        };
        self.respond(number, &facts)
    }

    fn respond(&mut self, number: u32, facts: &Facts<'_>) -> Result<(), StoreError> {
        let plan = self.plan;
        let mut items = self.responses.fetch(number).suspend();
        for item in &plan.items {
            items = self.item(items, item, facts)?;
        }
        let mut response = FetchResponse::resume(&mut self.responses, items);
        if plan.tells_seen(facts.uid) {
            flags(&mut response, plan, facts.uid, facts.flags);
            if plan.enabled.condstore && !plan.items.contains(&FetchItem::ModSeq) {
                response.mod_sequence(facts.mod_sequence.0.unsigned_abs());
            }
        }
        response.end();
        Ok(())
    }

    fn item(&mut self, items: u32, item: &FetchItem, facts: &Facts<'_>) -> Result<u32, StoreError> {
        let plan = self.plan;
        let mut response = FetchResponse::resume(&mut self.responses, items);
        match item {
            FetchItem::Uid => {
                response.uid(facts.uid.get());
            }
            FetchItem::Flags => {
                flags(&mut response, plan, facts.uid, facts.flags);
            }
            FetchItem::ModSeq => {
                response.mod_sequence(facts.mod_sequence.0.unsigned_abs());
            }
            FetchItem::InternalDate => {
                if let Some(entry) = facts.entry {
                    response.internal_date(utc(entry.internal_date));
                }
            }
            FetchItem::SaveDate => {
                if let Some(entry) = facts.entry {
                    response.save_date(utc(entry.saved));
                }
            }
            FetchItem::Rfc822Size => {
                if let Some(entry) = facts.entry {
                    response.size(entry.octets);
                }
            }
            FetchItem::EmailId => {
                if let Some(entry) = facts.entry {
                    response.email_id(&entry.message.to_string());
                }
            }
            FetchItem::ThreadId => {
                let thread = facts.thread.map(|thread| thread.to_string());
                response.thread_id(thread.as_deref());
            }
            FetchItem::Preview { .. } => {
                response.preview(Some(facts.preview));
            }
            FetchItem::Envelope => {
                if let Some(envelope) = &facts.envelope {
                    response.envelope(envelope);
                }
            }
            FetchItem::Body => {
                if let Some(structure) = &facts.structure {
                    response.body(structure);
                }
            }
            FetchItem::BodyStructure => {
                if let Some(structure) = &facts.structure {
                    response.body_structure(structure);
                }
            }
            FetchItem::BinarySize(part) => {
                match decoded_octets(part, facts) {
                    Some(octets) => response.binary_size(part, octets),
                    // RFC 3516 §4.3 has no answer for a part that is not there: zero octets.
                    None => response.binary_size(part, 0),
                };
            }
            FetchItem::Rfc822 => return self.octets(items, &Asked::Rfc822("RFC822", SectionText::All), facts),
            FetchItem::Rfc822Header => {
                return self.octets(items, &Asked::Rfc822("RFC822.HEADER", SectionText::Header), facts);
            }
            FetchItem::Rfc822Text => {
                return self.octets(items, &Asked::Rfc822("RFC822.TEXT", SectionText::Text), facts);
            }
            FetchItem::BodySection { section, partial, .. } => {
                return self.octets(items, &Asked::Section(section, *partial), facts);
            }
            FetchItem::Binary { part, partial, .. } => {
                return self.octets(items, &Asked::Binary(part, *partial), facts);
            }
        }
        Ok(response.suspend())
    }

    /// A literal: its name and size, then its octets, now or later.
    fn octets(&mut self, items: u32, asked: &Asked<'_>, facts: &Facts<'_>) -> Result<u32, StoreError> {
        let Some(message) = facts.message else { return Ok(items) };
        let found = match asked {
            Asked::Rfc822(_, text) => {
                let section = Section { part: PartNumber(Vec::new()), text: text.clone() };
                section_octets(message, facts.structure.as_ref(), &section)?
            }
            Asked::Section(section, _) => section_octets(message, facts.structure.as_ref(), section)?,
            Asked::Binary(part, _) => match message.decoded(facts.structure.as_ref(), part) {
                Some(Err(_)) => {
                    self.batch.unknown_encoding = true;
                    return Ok(items);
                }
                Some(Ok(passage)) => Some(passage),
                None => None,
            },
        };
        let origin = asked.partial().map(|partial| partial.origin);
        let passage = match (found, asked.partial()) {
            (Some(passage), Some(partial)) => Some(passage.part(partial.origin, partial.octets)),
            (found, _) => found,
        };
        // What is short is read before it is announced: damage is then found in time.
        let ready = match &passage {
            Some(passage) if self.has_room_for(passage) => Some(passage.read_now()?),
            Some(passage) => {
                passage.verify()?;
                None
            }
            None => None,
        };
        let octets = match (&ready, &passage) {
            (Some(ready), _) => Some(ready.len() as u64),
            (None, Some(passage)) => Some(passage.octets()),
            (None, None) => None,
        };
        let mut response = FetchResponse::resume(&mut self.responses, items);
        match (asked, octets) {
            (Asked::Rfc822(name, _), Some(octets)) => response.rfc822_literal(name, octets),
            (Asked::Rfc822(name, _), None) => response.rfc822_literal(name, 0),
            (Asked::Section(section, _), Some(octets)) => response.section_literal(section, origin, octets),
            (Asked::Section(section, _), None) => response.section_nil(section, origin),
            (Asked::Binary(part, _), Some(octets)) => {
                let has_nul = ready.as_ref().is_none_or(|ready| ready.contains(&0));
                response.binary_literal(part, origin, octets, has_nul)
            }
            (Asked::Binary(part, _), None) => response.binary_nil(part, origin),
        };
        if let Some(ready) = &ready {
            response.octets(ready);
        }
        let items = response.suspend();
        if let (None, Some(passage)) = (ready, passage) {
            self.octets += usize::try_from(passage.octets()).unwrap_or(usize::MAX).min(BATCH_OCTETS);
            self.close();
            self.batch.pieces.push(Piece::Later(Box::new(passage)));
        }
        Ok(items)
    }

    /// A FETCH may ask for the same octets many times: what is held of one batch stays bounded whatever it asks.
    fn has_room_for(&self, passage: &Passage) -> bool {
        let held = (self.octets + self.responses.len()) as u64;
        passage.cost() <= SECTION_NOW_OCTETS && held + passage.cost() <= 2 * SECTION_NOW_OCTETS
    }

    /// What is rendered becomes a piece.
    fn close(&mut self) {
        self.octets += self.responses.len();
        if !self.responses.is_empty() {
            self.batch.pieces.push(Piece::Ready(self.responses.take()));
        }
    }
}

/// A literal that was asked for.
enum Asked<'a> {
    Rfc822(&'static str, SectionText),
    Section(&'a Section, Option<Partial>),
    Binary(&'a PartNumber, Option<Partial>),
}

impl Asked<'_> {
    fn partial(&self) -> Option<Partial> {
        match self {
            Asked::Rfc822(..) => None,
            Asked::Section(_, partial) | Asked::Binary(_, partial) => *partial,
        }
    }
}

fn reads_octets(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::BodySection { .. }
            | FetchItem::Binary { .. }
    )
}

fn flags<'r, 'k>(
    response: &'r mut FetchResponse<'k>,
    plan: &Plan,
    uid: Uid,
    bits: FlagBits,
) -> &'r mut FetchResponse<'k> {
    let recent = plan.recent.contains(uid.get());
    response.flags(system(bits), recent, plan.keywords.of(bits))
}

fn decoded_octets(part: &PartNumber, facts: &Facts<'_>) -> Option<u64> {
    match part.0.is_empty() {
        true => facts.entry.map(|entry| entry.octets),
        false => Some(facts.structure.as_ref()?.part(&part.0)?.decoded_octets),
    }
}

/// Dates are told in UTC: the store keeps moments.
fn utc(moment: UnixMillis) -> DateTime {
    DateTime { unix_seconds: moment.seconds(), offset_minutes: 0 }
}

/// A row of the store, kept while blobs are read from the same view.
struct Row {
    entry: Entry,
    thread: ThreadId,
    blob: store::BlobId,
    trace_prefix: Vec<u8>,
    envelope: Vec<u8>,
    structure: Vec<u8>,
    preview: String,
}

/// Rows of a range, and whether these are all: envelopes and structures may be long.
fn rows(
    snapshot: &mut dyn Snapshot,
    mailbox: MailboxId,
    uids: std::ops::RangeInclusive<u32>,
    wanted: Wanted,
) -> Result<(Vec<Row>, bool), StoreError> {
    let (mut rows, mut octets, mut whole) = (Vec::new(), 0, true);
    let limit = u32::try_from(BATCH_ROWS).unwrap_or(u32::MAX);
    store::message::fetch(snapshot, mailbox, uids, limit, wanted, &mut |message: &Fetched<'_>| {
        rows.push(Row {
            entry: message.entry,
            thread: message.thread,
            blob: message.blob,
            trace_prefix: message.trace_prefix.to_vec(),
            envelope: message.envelope.to_vec(),
            structure: message.structure.to_vec(),
            preview: message.preview.to_owned(),
        });
        octets += message.envelope.len() + message.structure.len();
        whole = octets < ROWS_OCTETS;
        Ok(if whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok((rows, whole))
}
