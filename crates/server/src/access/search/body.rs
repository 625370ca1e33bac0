//! Looking for texts in a message's body: which octets to read, and the decoding on the way.
//!
//! Memory is bounded by the chunk that is fed: transfer encoding, charset and folding are undone as a stream.

use std::ops::Range;

use mail::decode::TextDecoder;
use mail::mime::{Content, Part, TransferEncoding};

use super::folding::{Needle, Progress, fold_into};

/// Octets of the message, as scanned, that hold text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Where they are; the trace prefix not counted.
    pub octets: Range<u64>,
    /// How to read them.
    pub encoding: TransferEncoding,
    /// The charset named, if any.
    pub charset: Option<String>,
}

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
        Content::Leaf if part.media_type == "text" || part.media_type == "message" => passages.push(Passage {
            octets: part.body.clone(),
            encoding: part.encoding.clone(),
            charset: part.parameter("charset").map(str::to_owned),
        }),
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

fn header(part: &Part) -> Passage {
    Passage { octets: part.header.clone(), encoding: TransferEncoding::EightBit, charset: None }
}

/// The search through one message.
pub struct Scan<'a> {
    needles: &'a [Needle],
    found: Vec<bool>,
    progress: Vec<Progress>,
    decoder: TextDecoder,
    text: String,
    folded: Vec<u8>,
}

impl<'a> Scan<'a> {
    /// Nothing found yet.
    pub fn new(needles: &'a [Needle]) -> Scan<'a> {
        Scan {
            needles,
            found: vec![false; needles.len()],
            progress: Vec::new(),
            decoder: TextDecoder::new(&TransferEncoding::SevenBit, None),
            text: String::new(),
            folded: Vec::new(),
        }
    }

    /// A passage begins: no text continues from one to the next.
    pub fn begin(&mut self, passage: &Passage) {
        self.decoder = TextDecoder::new(&passage.encoding, passage.charset.as_deref());
        self.progress = self.needles.iter().map(Needle::begin).collect();
    }

    /// The next octets of the passage.
    pub fn feed(&mut self, octets: &[u8]) {
        self.decoder.feed(octets, &mut self.text);
        self.compare();
    }

    /// The passage ends.
    pub fn end(&mut self) {
        self.decoder.finish(&mut self.text);
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
