//! Sections of a message as octets: the trace prefix and the blob joined, cut, and decoded, read no further than needed.

use std::collections::VecDeque;
use std::ops::Range;

use imap::command::{PartNumber, Section, SectionText};
use mail::decode::TransferDecoder;
use mail::header::fields;
use mail::mime::{self, Part, TransferEncoding};
use store::{BlobId, BlobReader, Snapshot, StoreError};

/// Octets read at once while a long literal is sent.
const STEP_OCTETS: u64 = 256 * 1024;
/// Octets of a header in which HEADER.FIELDS looks: far above what anyone writes, and what is held of one message.
pub const HEADER_OCTETS_MAX: u64 = 1024 * 1024;

/// A message as clients see it: trace prefix, then blob.
pub struct Message {
    trace_prefix: Vec<u8>,
    blob: BlobReader,
}

impl Message {
    /// Opens the blob; nothing is read of one in a file.
    pub fn open(snapshot: &mut dyn Snapshot, blob: BlobId, trace_prefix: Vec<u8>) -> Result<Message, StoreError> {
        let blobs = snapshot.blobs().clone();
        Ok(Message { trace_prefix, blob: blobs.open(snapshot, blob)? })
    }

    fn octets(&self) -> u64 {
        self.prefix_octets() + self.blob.octets()
    }

    fn prefix_octets(&self) -> u64 {
        self.trace_prefix.len() as u64
    }

    fn passage(&self, range: Range<u64>) -> Passage {
        let prefix = self.prefix_octets();
        let (start, end) = (range.start.min(range.end), range.end.min(self.octets()));
        let mut parts = VecDeque::new();
        let within = |octet: u64| usize::try_from(octet.min(prefix)).unwrap_or(usize::MAX);
        match self.trace_prefix.get(within(start)..within(end)) {
            Some(octets) if !octets.is_empty() => parts.push_back(Stretch::Octets(octets.to_vec())),
            _ => {}
        }
        let blob = start.saturating_sub(prefix)..end.saturating_sub(prefix);
        if !blob.is_empty() {
            parts.push_back(Stretch::Blob(self.blob.clone(), blob));
        }
        Passage { octets: end.saturating_sub(start), parts, decoding: None }
    }

    /// BINARY: the content of a part with its transfer encoding undone. `None` when there is no such part; an error for an
    /// encoding that nobody can undo.
    pub fn decoded(&self, structure: Option<&Part>, part: &PartNumber) -> Option<Result<Passage, UnknownEncoding>> {
        if part.0.is_empty() {
            return Some(Ok(self.passage(0..self.octets())));
        }
        let structure = structure?;
        let found = structure.part(&part.0)?;
        let range = structure.section(&part.0, mime::SectionText::Whole, self.prefix_octets())?;
        let passage = self.passage(range);
        Some(match &found.encoding {
            encoding if encoding.is_identity() => Ok(passage),
            TransferEncoding::Other(_) => Err(UnknownEncoding),
            encoding => match TransferDecoder::new(encoding) {
                Some(decoder) => Ok(passage.decoded(decoder, found.decoded_octets)),
                None => Err(UnknownEncoding),
            },
        })
    }
}

/// A content transfer encoding that is none of RFC 2045.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEncoding;

/// The octets of `BODY[section]`; `None` when the message has no such section.
pub fn section_octets(
    message: &Message,
    structure: Option<&Part>,
    section: &Section,
) -> Result<Option<Passage>, StoreError> {
    let text = match &section.text {
        SectionText::All if section.part.0.is_empty() => return Ok(Some(message.passage(0..message.octets()))),
        SectionText::All => mime::SectionText::Whole,
        SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_) => {
            mime::SectionText::Header
        }
        SectionText::Text => mime::SectionText::Text,
        SectionText::Mime => mime::SectionText::Mime,
    };
    let Some(range) = structure.and_then(|part| part.section(&section.part.0, text, message.prefix_octets())) else {
        return Ok(None);
    };
    let (names, keep) = match &section.text {
        SectionText::HeaderFields(names) => (names, Keep::Named),
        SectionText::HeaderFieldsNot(names) => (names, Keep::Others),
        _ => return Ok(Some(message.passage(range))),
    };
    let range = range.start..range.end.min(range.start + HEADER_OCTETS_MAX);
    let header = message.passage(range).read_now()?;
    Ok(Some(Passage::of(chosen_fields(&header, names, keep))))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Named,
    Others,
}

/// The fields asked for as they are, then the empty line that every subset has (RFC 9051 §6.4.5.1).
fn chosen_fields(header: &[u8], names: &[String], keep: Keep) -> Vec<u8> {
    let mut chosen = Vec::new();
    for field in fields(header) {
        let named = !field.name.is_empty() && names.iter().any(|name| field.is(name));
        if named == (keep == Keep::Named) {
            chosen.extend_from_slice(field.octets);
        }
    }
    if !chosen.is_empty() && !chosen.ends_with(b"\n") {
        chosen.extend_from_slice(b"\r\n");
    }
    chosen.extend_from_slice(b"\r\n");
    chosen
}

/// Octets to be given out, wherever they are.
pub struct Passage {
    /// How many there will be.
    octets: u64,
    parts: VecDeque<Stretch>,
    decoding: Option<Decoding>,
}

enum Stretch {
    Octets(Vec<u8>),
    Blob(BlobReader, Range<u64>),
}

/// Transfer decoding on the way; what comes before `skip` is dropped.
struct Decoding {
    decoder: TransferDecoder,
    skip: u64,
    left: u64,
}

impl Passage {
    fn of(octets: Vec<u8>) -> Passage {
        Passage { octets: octets.len() as u64, parts: VecDeque::from([Stretch::Octets(octets)]), decoding: None }
    }

    fn decoded(self, decoder: TransferDecoder, octets: u64) -> Passage {
        Passage { octets, decoding: Some(Decoding { decoder, skip: 0, left: octets }), ..self }
    }

    /// How many octets it gives.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Octets that are read for it.
    pub fn cost(&self) -> u64 {
        self.parts.iter().map(Stretch::octets).sum()
    }

    /// `<origin.octets>` of it: a range behind the end is empty (RFC 9051 §6.4.5).
    pub fn part(mut self, origin: u64, octets: u64) -> Passage {
        let origin = origin.min(self.octets);
        let octets = octets.min(self.octets - origin);
        match &mut self.decoding {
            Some(decoding) => (decoding.skip, decoding.left) = (origin, octets),
            None => self.cut(origin, octets),
        }
        self.octets = octets;
        self
    }

    fn cut(&mut self, mut skip: u64, mut left: u64) {
        for part in &mut self.parts {
            let length = part.octets();
            let from = skip.min(length);
            let to = (from + left).min(length);
            part.cut(from..to);
            skip -= from;
            left -= to - from;
        }
        self.parts.retain(|part| part.octets() > 0);
    }

    /// All of it. Blocks.
    pub fn read_now(&self) -> Result<Vec<u8>, StoreError> {
        let mut octets = Vec::with_capacity(usize::try_from(self.octets).unwrap_or_default());
        let mut decoding = self.decoding.as_ref().map(Decoding::restart);
        for part in &self.parts {
            let read = match part {
                Stretch::Octets(octets) => octets.clone(),
                Stretch::Blob(blob, range) => blob.read_now(range.clone())?,
            };
            match &mut decoding {
                None => octets.extend_from_slice(&read),
                Some(decoding) => decoding.feed(&read, &mut octets),
            }
        }
        if let Some(decoding) = &mut decoding {
            decoding.finish(&mut octets);
        }
        Ok(octets)
    }

    /// Reads what will be given out later, for its checksums alone: a literal once announced must be completed. Blocks.
    pub fn verify(&self) -> Result<(), StoreError> {
        for part in &self.parts {
            let Stretch::Blob(blob, range) = part else { continue };
            let mut at = range.start;
            while at < range.end {
                let end = (at + STEP_OCTETS).min(range.end);
                blob.read_now(at..end)?;
                at = end;
            }
        }
        Ok(())
    }

    /// The next octets; `None` when exactly [`Passage::octets`] were given.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        while self.octets > 0 {
            let read = match self.parts.front_mut() {
                None => None,
                Some(Stretch::Octets(octets)) => Some(std::mem::take(octets)),
                Some(Stretch::Blob(blob, range)) => {
                    let end = (range.start + STEP_OCTETS).min(range.end);
                    let read = blob.read(range.start..end).await?;
                    range.start = end;
                    Some(read)
                }
            };
            if self.parts.front().is_some_and(|part| part.octets() == 0) {
                self.parts.pop_front();
            }
            let ended = read.is_none();
            let mut octets = Vec::new();
            match (&mut self.decoding, read) {
                (None, Some(read)) => octets = read,
                (Some(decoding), Some(read)) => decoding.feed(&read, &mut octets),
                (Some(decoding), None) => decoding.finish(&mut octets),
                (None, None) => {}
            }
            if ended && (octets.len() as u64) < self.octets {
                // The index promised more than decoding gave.
                return Err(StoreError::Damaged("a part is shorter than its index says".into()));
            }
            if !octets.is_empty() {
                octets.truncate(usize::try_from(self.octets).unwrap_or(usize::MAX));
                self.octets -= octets.len() as u64;
                return Ok(Some(octets));
            }
        }
        Ok(None)
    }
}

impl Stretch {
    fn octets(&self) -> u64 {
        match self {
            Stretch::Octets(octets) => octets.len() as u64,
            Stretch::Blob(_, range) => range.end.saturating_sub(range.start),
        }
    }

    fn cut(&mut self, range: Range<u64>) {
        match self {
            Stretch::Octets(octets) => {
                let index = |octet: u64| usize::try_from(octet).unwrap_or(usize::MAX);
                *octets = octets.get(index(range.start)..index(range.end)).unwrap_or_default().to_vec();
            }
            Stretch::Blob(_, whole) => *whole = whole.start + range.start..whole.start + range.end,
        }
    }
}

impl Decoding {
    /// The same from the beginning, before anything was fed.
    fn restart(&self) -> Decoding {
        Decoding { decoder: self.decoder.clone(), skip: self.skip, left: self.left }
    }

    fn feed(&mut self, encoded: &[u8], out: &mut Vec<u8>) {
        let mut decoded = Vec::new();
        self.decoder.feed(encoded, &mut decoded);
        self.take(&decoded, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let mut decoded = Vec::new();
        self.decoder.finish(&mut decoded);
        self.take(&decoded, out);
    }

    fn take(&mut self, decoded: &[u8], out: &mut Vec<u8>) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(decoded.len());
        self.skip -= skipped as u64;
        let rest = decoded.get(skipped..).unwrap_or_default();
        let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        self.left -= taken as u64;
        out.extend_from_slice(rest.get(..taken).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"From: a@x\r\nSubject: one\r\n two\r\nX-A: 1\r\nsubject: again\r\n\r\n";

    #[test]
    fn fields_are_chosen_in_their_order_with_their_folding() {
        let names = vec!["SUBJECT".to_owned()];
        assert_eq!(
            String::from_utf8(chosen_fields(HEADER, &names, Keep::Named)).unwrap(),
            "Subject: one\r\n two\r\nsubject: again\r\n\r\n"
        );
        assert_eq!(
            String::from_utf8(chosen_fields(HEADER, &names, Keep::Others)).unwrap(),
            "From: a@x\r\nX-A: 1\r\n\r\n"
        );
        assert_eq!(chosen_fields(HEADER, &["none".to_owned()], Keep::Named), b"\r\n");
    }

    #[test]
    fn a_range_is_cut_across_stretches() {
        let passage = |origin, octets| {
            let parts = VecDeque::from([Stretch::Octets(b"abc".to_vec()), Stretch::Octets(b"defgh".to_vec())]);
            let read = Passage { octets: 8, parts, decoding: None }.part(origin, octets);
            (String::from_utf8(read.read_now().unwrap()).unwrap(), read.octets())
        };
        assert_eq!(passage(0, 100), ("abcdefgh".into(), 8));
        assert_eq!(passage(2, 3), ("cde".into(), 3));
        assert_eq!(passage(5, 1), ("f".into(), 1));
        assert_eq!(passage(8, 5), (String::new(), 0));
        assert_eq!(passage(99, 5), (String::new(), 0));
    }
}
