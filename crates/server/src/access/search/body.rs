//! Looking for texts in a message's body: which octets to read, and the decoding on the way.
//!
//! Memory is bounded by the chunk that is fed: transfer encoding, charset and folding are undone as a stream.

use std::ops::Range;

use mail::decode::{HtmlText, TextDecoder};
use mail::header::{decode_words, fields, unfold};
use mail::mime::{Content, Part, TransferEncoding};

use super::folding::{Needle, Progress, fold_into};

/// Octets of the message, as scanned, that hold text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Where they are; the trace prefix not counted.
    pub octets: Range<u64>,
    /// How to read them.
    pub kind: Kind,
}

/// How a passage is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fields, whose encoded-words are decoded.
    Header,
    /// Text under a transfer encoding, in the charset named, if any.
    Text(TransferEncoding, Option<String>),
    /// The same, of which a reader sees the text between the tags.
    Html(TransferEncoding, Option<String>),
}

/// Octets of a part's header that are looked at; they are held, since fields are decoded whole.
const HEADER_OCTETS_MAX: usize = 256 * 1024;

/// What of a body is looked at: text parts at any depth, and the headers of parts and encapsulated messages.
///
/// Attachments that are no text are left out: their octets are not the text of the message.
pub fn passages(message: &Part) -> Vec<Passage> {
    let mut passages = Vec::new();
    inside(message, &mut passages);
    passages
}

fn inside(part: &Part, passages: &mut Vec<Passage>) {
    match &part.content {
        Content::Leaf if part.media_type == "text" || part.media_type == "message" => {
            passages.push(Passage { octets: part.body.clone(), kind: text(part) })
        }
        Content::Leaf => {}
        Content::Multipart(parts) => {
            for child in parts {
                passages.push(header(child));
                inside(child, passages);
            }
        }
        Content::Message(message) => {
            passages.push(header(&message.part));
            inside(&message.part, passages);
        }
    }
}

fn text(part: &Part) -> Kind {
    let charset = part.parameter("charset").map(str::to_owned);
    match part.media_type == "text" && part.subtype == "html" {
        true => Kind::Html(part.encoding.clone(), charset),
        false => Kind::Text(part.encoding.clone(), charset),
    }
}

fn header(part: &Part) -> Passage {
    Passage { octets: part.header.clone(), kind: Kind::Header }
}

/// The search through one message.
pub struct Scan<'a> {
    needles: &'a [Needle],
    found: Vec<bool>,
    progress: Vec<Progress>,
    reading: Reading,
    text: String,
    folded: Vec<u8>,
}

enum Reading {
    Header(Vec<u8>),
    Text(TextDecoder),
    Html(Box<Page>),
}

/// A page of HTML being read.
struct Page {
    decoder: TextDecoder,
    html: HtmlText,
    markup: String,
    /// White space was met and not handed on: any amount of it is one space.
    space: bool,
}

impl Page {
    fn new(decoder: TextDecoder) -> Box<Page> {
        Box::new(Page { decoder, html: HtmlText::default(), markup: String::new(), space: false })
    }

    fn feed(&mut self, octets: &[u8], out: &mut String) {
        self.decoder.feed(octets, &mut self.markup);
        self.read(out);
    }

    fn finish(&mut self, out: &mut String) {
        self.decoder.finish(&mut self.markup);
        self.read(out);
        let Page { html, space, .. } = self;
        html.finish(&mut |character| one_space(character, space, out));
    }

    fn read(&mut self, out: &mut String) {
        let Page { html, markup, space, .. } = self;
        markup.chars().for_each(|character| html.push(character, &mut |shown| one_space(shown, space, out)));
        markup.clear();
    }
}

fn one_space(character: char, space: &mut bool, out: &mut String) {
    match character {
        ' ' | '\t' | '\r' | '\n' => *space = true,
        // The soft hyphen shows only where a line breaks.
        '\u{ad}' => {}
        _ => {
            if std::mem::take(space) {
                out.push(' ');
            }
            out.push(character);
        }
    }
}

impl<'a> Scan<'a> {
    /// Nothing found yet.
    pub fn new(needles: &'a [Needle]) -> Scan<'a> {
        Scan {
            needles,
            found: vec![false; needles.len()],
            progress: Vec::new(),
            reading: Reading::Header(Vec::new()),
            text: String::new(),
            folded: Vec::new(),
        }
    }

    /// A passage begins: no text continues from one to the next.
    pub fn begin(&mut self, passage: &Passage) {
        self.reading = match &passage.kind {
            Kind::Header => Reading::Header(Vec::new()),
            Kind::Text(encoding, charset) => Reading::Text(TextDecoder::new(encoding, charset.as_deref())),
            Kind::Html(encoding, charset) => Reading::Html(Page::new(TextDecoder::new(encoding, charset.as_deref()))),
        };
        self.progress = self.needles.iter().map(Needle::begin).collect();
    }

    /// The next octets of the passage.
    pub fn feed(&mut self, octets: &[u8]) {
        match &mut self.reading {
            Reading::Header(header) => {
                let room = HEADER_OCTETS_MAX.saturating_sub(header.len()).min(octets.len());
                header.extend_from_slice(octets.get(..room).unwrap_or_default());
            }
            Reading::Text(decoder) => {
                decoder.feed(octets, &mut self.text);
                self.compare();
            }
            Reading::Html(page) => {
                page.feed(octets, &mut self.text);
                self.compare();
            }
        }
    }

    /// The passage ends.
    pub fn end(&mut self) {
        match &mut self.reading {
            Reading::Header(header) => {
                for field in fields(&std::mem::take(header)) {
                    self.text.push_str(&String::from_utf8_lossy(field.name));
                    self.text.push_str(": ");
                    self.text.push_str(&decode_words(&unfold(field.value)));
                    self.text.push('\n');
                }
            }
            Reading::Text(decoder) => decoder.finish(&mut self.text),
            Reading::Html(page) => page.finish(&mut self.text),
        }
        self.compare();
    }

    /// True when there is nothing more to find.
    pub fn is_complete(&self) -> bool {
        self.found.iter().all(|found| *found)
    }

    /// For each needle, whether it was found.
    pub fn found(self) -> Vec<bool> {
        self.found
    }

    fn compare(&mut self) {
        self.folded.clear();
        fold_into(&self.text, &mut self.folded);
        self.text.clear();
        for ((needle, progress), found) in self.needles.iter().zip(&mut self.progress).zip(&mut self.found) {
            if !*found {
                needle.feed(progress, &self.folded);
                *found = progress.found();
            }
        }
    }
}
