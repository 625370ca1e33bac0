//! One pass over a message, in chunks.

use memchr::{memchr, memmem};

use super::attachments;
use super::describe::{delimiter_of, describe, empty_part, encapsulates};
use super::header_facts::{HeaderFacts, Room, TopFacts};
use super::header_reader::{HeaderReader, Line};
use super::lines::Lines;
use super::meter::Meter;
use super::preview::{Previews, Sampled};
use super::{Content, EncapsulatedMessage, EnvelopeFields, Exceeded, Facts, MessageIndex, Part, TransferEncoding};

/// Bounds of what the scanner opens and keeps. Nothing beyond is an error: it is opaque, and [`Exceeded`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts of a message, encapsulated ones included.
    pub parts: usize,
    /// Multiparts and messages inside each other.
    pub depth: usize,
    /// Octets of the message's header that are kept, of which at most half from one field. Parts get a quarter of it.
    pub header_octets: usize,
    /// Octets kept in the index from all headers: those of the fields, and a charge for each field, address and parameter.
    pub kept_octets: usize,
    /// Addresses kept from one field.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { parts: 1_000, depth: 50, header_octets: 256 * 1024, kept_octets: 1024 * 1024, addresses: 2_000 }
    }
}

/// The scanner: feed it, then finish it. Any chunking of the same octets gives the same index.
///
/// It holds the index, one header field, one line that may be a delimiter, and a few octets of decoding.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    room: Room,
    /// Octets taken so far.
    offset: u64,
    at_line_start: bool,
    /// The start of a line that may be a delimiter, kept until it ends.
    held: Vec<u8>,
    delimiter_line: memmem::Finder<'static>,
    /// From the message itself to what is being read.
    open: Vec<OpenPart>,
    reading: Reading,
    /// Line ends inside the part being read that belong to a delimiter if one follows.
    pending: Pending,
    parts: usize,
    lines: Lines,
    exceeded: Exceeded,
    previews: Previews,
    top: TopFacts,
    envelope: EnvelopeFields,
}

/// A part whose end has not come.
#[derive(Debug)]
struct OpenPart {
    part: Part,
    kind: Kind,
    /// Lines before its body.
    lines_before: u64,
    children: Vec<Part>,
    encapsulated: Option<Box<EncapsulatedMessage>>,
    /// For an encapsulated message.
    envelope: Option<Box<EnvelopeFields>>,
}

/// How an open part's body is read.
#[derive(Debug)]
enum Kind {
    /// Its header is not over.
    Header,
    Leaf,
    Message,
    /// `delimiter` is the boundary; `None` once the closing one came.
    Multipart {
        delimiter: Option<Vec<u8>>,
    },
}

/// What the octets at hand are.
#[derive(Debug)]
enum Reading {
    Header {
        reader: HeaderReader,
        facts: Box<HeaderFacts>,
    },
    Body {
        meter: Meter,
        sampled: Sampled,
    },
    /// Preamble or epilogue of a multipart.
    Padding,
}

/// A line end at the end of what was taken, not yet given to the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    Cr,
    Lf,
    CrLf,
}

impl Scanner {
    /// A scanner at the first octet of a message.
    pub fn new(limits: Limits) -> Scanner {
        let mut scanner = Scanner {
            limits,
            room: Room::new(limits.kept_octets),
            offset: 0,
            at_line_start: true,
            held: Vec::new(),
            delimiter_line: memmem::Finder::new(b"\n--"),
            open: Vec::new(),
            reading: Reading::Padding,
            pending: Pending::Nothing,
            parts: 0,
            lines: Lines::default(),
            exceeded: Exceeded::default(),
            previews: Previews::default(),
            top: TopFacts::default(),
            envelope: EnvelopeFields::default(),
        };
        scanner.begin_part(0, HeaderFacts::top(), limits.header_octets);
        scanner
    }

    /// Takes the next octets.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let taken = match self.may_be_delimiter(rest) {
                true => self.take_candidate(rest),
                false => self.take_content(rest),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// The message is over.
    pub fn finish(mut self) -> MessageIndex {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            // A closing delimiter needs no line end (RFC 2046 §5.1.1).
            if !self.take_delimiter(&held) {
                self.content(&held);
            }
        }
        self.release_pending();
        self.end_headers(self.offset);
        let root = self.close(0, self.offset, End::OfMessage).unwrap_or_else(|| empty_part(0));
        self.exceeded.header |= self.room.exceeded;
        self.exceeded.addresses |= self.room.addresses_exceeded;
        self.lines.finish();
        let (sent, thread) = HeaderFacts::conclude(&self.envelope, &self.top);
        let TopFacts { texts, received, from_fields, sender_fields, from, sender, .. } = self.top;
        let facts = Facts {
            octets: self.offset,
            received,
            from_fields,
            sender_fields,
            from,
            sender,
            sent,
            thread,
            preview: self.previews.finish(),
            attachments: attachments::count(&root),
            bare_cr: self.lines.bare_cr,
            bare_lf: self.lines.bare_lf,
            nul: self.lines.nul,
            eight_bit: self.lines.eight_bit,
            longest_line: self.lines.longest,
            exceeded: self.exceeded,
        };
        MessageIndex { envelope: self.envelope, root, header_texts: texts, facts }
    }

    /// True at the start of a line that, as far as it is known, may be a delimiter.
    fn may_be_delimiter(&self, rest: &[u8]) -> bool {
        if !self.held.is_empty() {
            return true;
        }
        self.at_line_start && matches!(rest, [b'-', b'-', ..] | [b'-']) && self.has_delimiters()
    }

    fn has_delimiters(&self) -> bool {
        !self.exceeded.parts && self.open.iter().any(|open| matches!(open.kind, Kind::Multipart { delimiter: Some(_) }))
    }

    /// Gathers a line that may be a delimiter, and decides on it when it is whole. Returns how much was taken.
    fn take_candidate(&mut self, rest: &[u8]) -> usize {
        let line_end = memchr(b'\n', rest).map(|line_feed| line_feed + 1);
        if self.held.is_empty()
            && let Some(line) = line_end.and_then(|line_end| rest.get(..line_end))
        {
            self.line_decided(line);
            return line.len();
        }
        let mut held = std::mem::take(&mut self.held);
        let taken = line_end.unwrap_or(rest.len()).min(CANDIDATE_OCTETS_MAX + 1 - held.len());
        held.extend_from_slice(rest.get(..taken).unwrap_or_default());
        if held.ends_with(b"\n") {
            self.line_decided(&held);
        } else if held.len() > CANDIDATE_OCTETS_MAX || !(held.starts_with(b"--") || held == b"-") {
            self.content(&held);
        } else {
            self.held = held;
        }
        taken
    }

    /// A whole line that is a delimiter, or else content.
    fn line_decided(&mut self, line: &[u8]) {
        if line.len() > CANDIDATE_OCTETS_MAX || !self.take_delimiter(line) {
            self.content(line);
        }
    }

    /// Takes what cannot be a delimiter: a line of a header, or of a body everything up to the next candidate.
    fn take_content(&mut self, rest: &[u8]) -> usize {
        let taken = match &self.reading {
            Reading::Header { .. } => memchr(b'\n', rest).map_or(rest.len(), |line_feed| line_feed + 1),
            _ if !self.has_delimiters() => rest.len(),
            _ => match self.delimiter_line.find(rest) {
                Some(line_feed) => line_feed + 1,
                None if rest.ends_with(b"\n-") => rest.len() - 1,
                None => rest.len(),
            },
        };
        self.content(rest.get(..taken).unwrap_or_default());
        taken
    }

    /// Octets that belong to what is being read.
    fn content(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        self.lines.feed(octets);
        self.offset += octets.len() as u64;
        self.at_line_start = octets.ends_with(b"\n");
        match &mut self.reading {
            Reading::Header { reader, facts } => {
                let (limits, room) = (&self.limits, &mut self.room);
                let line = reader.piece(octets, &mut |field, kept| facts.take(field, kept, limits, room));
                self.pending = match (line, self.pending, octets) {
                    (Line::Empty, _, _) => Pending::Nothing,
                    (_, Pending::Cr, b"\n") => Pending::CrLf,
                    _ => Pending::at_end_of(octets),
                };
                if line == Line::Empty {
                    self.end_header(self.offset);
                }
            }
            Reading::Body { .. } | Reading::Padding => self.body(octets),
        }
    }

    /// Octets of a body. A line end at their end waits: it belongs to a delimiter if one follows.
    fn body(&mut self, octets: &[u8]) {
        let mut octets = octets;
        if self.pending == Pending::Cr
            && let Some(after) = octets.strip_prefix(b"\n")
        {
            self.pending = Pending::CrLf;
            octets = after;
        }
        if octets.is_empty() {
            return;
        }
        self.release_pending();
        self.pending = Pending::at_end_of(octets);
        let text = octets.len() - self.pending.octets().len();
        self.measure(octets.get(..text).unwrap_or_default());
    }

    fn release_pending(&mut self) {
        let pending = std::mem::replace(&mut self.pending, Pending::Nothing);
        self.measure(pending.octets());
    }

    fn measure(&mut self, octets: &[u8]) {
        if let Reading::Body { meter, sampled } = &mut self.reading {
            meter.feed(octets);
            self.previews.feed(*sampled, octets);
        }
    }

    /// True when the line is a delimiter of an open multipart, the innermost first; the structure then moves on.
    ///
    /// The whole line is compared (RFC 2046 §5.1.1), so that a boundary which is the beginning of another's is no danger.
    fn take_delimiter(&mut self, line: &[u8]) -> bool {
        let Some(text) = line.trim_ascii_end().strip_prefix(b"--") else { return false };
        if self.exceeded.parts {
            return false;
        }
        let found = self.open.iter().enumerate().rev().find_map(|(level, open)| match &open.kind {
            Kind::Multipart { delimiter: Some(delimiter) } => match text.strip_prefix(delimiter.as_slice())? {
                b"" => Some((level, false)),
                b"--" => Some((level, true)),
                _ => None,
            },
            _ => None,
        });
        let Some((level, closes)) = found else { return false };
        if !closes && self.parts >= self.limits.parts {
            self.exceeded.parts = true;
            return false;
        }
        // The line end before the delimiter belongs to it (RFC 2046 §5.1.1).
        let end = self.offset - self.pending.octets().len() as u64;
        self.end_headers(end);
        self.close(level + 1, end, End::AtDelimiter);
        self.reading = Reading::Padding;
        self.lines.feed(line);
        self.offset += line.len() as u64;
        self.at_line_start = line.ends_with(b"\n");
        self.pending = Pending::at_end_of(line);
        if !closes {
            self.begin_part(self.offset, HeaderFacts::part(), self.limits.header_octets / 4);
        } else if let Some(OpenPart { kind: Kind::Multipart { delimiter }, .. }) = self.open.last_mut() {
            *delimiter = None;
        }
        true
    }

    /// A part begins at `start`, with its header.
    fn begin_part(&mut self, start: u64, facts: HeaderFacts, header_octets: usize) {
        self.parts += 1;
        self.pending = Pending::Nothing;
        self.open.push(OpenPart {
            part: empty_part(start),
            kind: Kind::Header,
            lines_before: 0,
            children: Vec::new(),
            encapsulated: None,
            envelope: None,
        });
        self.reading = Reading::Header { reader: HeaderReader::new(header_octets), facts: Box::new(facts) };
    }

    /// Ends the header being read, and that of a message which would begin right after it.
    fn end_headers(&mut self, end: u64) {
        while matches!(self.reading, Reading::Header { .. }) {
            self.end_header(end);
        }
    }

    /// The header being read, if any, ends at `end`, and the body begins there.
    fn end_header(&mut self, end: u64) {
        let Reading::Header { mut reader, mut facts } = std::mem::replace(&mut self.reading, Reading::Padding) else {
            return;
        };
        let (limits, room) = (&self.limits, &mut self.room);
        reader.finish(&mut |field, kept| facts.take(field, kept, limits, room));
        self.exceeded.header |= reader.exceeded;
        let in_digest = self.open.iter().nth_back(1).is_some_and(|parent| {
            matches!(parent.kind, Kind::Multipart { .. }) && parent.part.is("multipart", "digest")
        });
        let Some(open) = self.open.last_mut() else { return };
        let end = end.max(open.part.header.start);
        open.part.header.end = end;
        open.part.body = end..end;
        open.lines_before = self.lines.ended;
        describe(&mut open.part, &mut facts, in_digest);
        open.envelope = facts.envelope;
        if let Some(top) = facts.top {
            self.top = *top;
            self.envelope = open.envelope.take().map(|envelope| *envelope).unwrap_or_default();
        }
        self.begin_body();
    }

    /// Decides how the body of the innermost part is read.
    fn begin_body(&mut self) {
        let depth = self.open.len() - 1;
        let Some(open) = self.open.last_mut() else { return };
        let part = &open.part;
        let delimiter = delimiter_of(part);
        let encapsulates = encapsulates(part);
        let is_container = delimiter.is_some() || encapsulates;
        let too_deep = is_container && depth >= self.limits.depth;
        let too_many = encapsulates && self.parts >= self.limits.parts;
        self.exceeded.depth |= too_deep;
        self.exceeded.parts |= too_many;
        if is_container && !too_deep && !too_many && !self.exceeded.parts {
            if encapsulates {
                open.kind = Kind::Message;
                let start = open.part.body.start;
                self.begin_part(start, HeaderFacts::encapsulated(), self.limits.header_octets / 4);
            } else {
                // A multipart is never transfer-encoded, whatever it says (RFC 2045 §6.4).
                if !open.part.encoding.is_identity() {
                    open.part.encoding = TransferEncoding::SevenBit;
                }
                open.kind = Kind::Multipart { delimiter };
                self.reading = Reading::Padding;
            }
            return;
        }
        open.kind = Kind::Leaf;
        let sampled = self.previews.begin(&open.part);
        self.reading = Reading::Body { meter: Meter::new(&open.part.encoding), sampled };
    }

    /// Closes the innermost parts until `kept` are open; their bodies end at `end`. Gives the last one closed when none
    /// is left.
    fn close(&mut self, kept: usize, end: u64, ending: End) -> Option<Part> {
        let mut meter = self.end_leaf();
        while self.open.len() > kept {
            let OpenPart { mut part, kind, lines_before, children, encapsulated, envelope } = self.open.pop()?;
            part.body.end = end.max(part.body.start);
            let lines = self.lines.ended - lines_before;
            part.lines = match ending {
                _ if part.octets() == 0 => 0,
                // An empty line before the delimiter is the delimiter's line end, and no line of the body.
                End::AtDelimiter => lines.saturating_sub(u64::from(self.lines.last_was_empty)),
                End::OfMessage => lines + u64::from(!self.at_line_start),
            };
            part.decoded_octets = meter.take().map_or(part.octets(), |meter| meter.finish(part.octets()));
            part.content = match (kind, encapsulated) {
                (Kind::Message, Some(message)) => Content::Message(message),
                (Kind::Multipart { .. }, _) if !children.is_empty() => Content::Multipart(children),
                _ => Content::Leaf,
            };
            match self.open.last_mut() {
                None => return Some(part),
                Some(OpenPart { kind: Kind::Message, encapsulated, .. }) => {
                    let envelope = envelope.map(|envelope| *envelope).unwrap_or_default();
                    *encapsulated = Some(Box::new(EncapsulatedMessage { envelope, part }));
                }
                Some(parent) => parent.children.push(part),
            }
        }
        None
    }

    /// The leaf being read, if any, is whole.
    fn end_leaf(&mut self) -> Option<Meter> {
        match std::mem::replace(&mut self.reading, Reading::Padding) {
            Reading::Body { meter, sampled } => {
                self.previews.end(sampled);
                Some(meter)
            }
            Reading::Header { .. } | Reading::Padding => None,
        }
    }
}

/// What ends a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    AtDelimiter,
    OfMessage,
}

impl Pending {
    fn at_end_of(octets: &[u8]) -> Pending {
        match octets {
            [.., b'\r', b'\n'] => Pending::CrLf,
            [.., b'\n'] => Pending::Lf,
            [.., b'\r'] => Pending::Cr,
            _ => Pending::Nothing,
        }
    }

    fn octets(self) -> &'static [u8] {
        match self {
            Pending::Nothing => b"",
            Pending::Cr => b"\r",
            Pending::Lf => b"\n",
            Pending::CrLf => b"\r\n",
        }
    }
}

/// Octets of a line that may be a delimiter: hyphens, boundary, hyphens, white space and the line end.
const CANDIDATE_OCTETS_MAX: usize = 1_000;
