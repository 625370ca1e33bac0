//! One pass over a message, in chunks.

use super::{Content, EnvelopeFields, Facts, MessageIndex, Part, TransferEncoding};

/// Bounds of what the scanner opens and keeps. Nothing beyond is an error: it is opaque, and [`super::Exceeded`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts of a message, encapsulated ones included.
    pub parts: usize,
    /// Multiparts and messages inside each other.
    pub depth: usize,
    /// Octets of one header that are interpreted, of which at most half from one field.
    pub header_octets: usize,
    /// Octets of text kept in the index, from all headers.
    pub kept_octets: usize,
    /// Addresses kept from one field.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { parts: 1_000, depth: 50, header_octets: 256 * 1024, kept_octets: 1024 * 1024, addresses: 5_000 }
    }
}

/// The scanner: feed it, then finish it. Any chunking of the same octets gives the same index.
#[derive(Debug)]
pub struct Scanner {
    octets: u64,
}

impl Scanner {
    /// A scanner at the first octet of a message.
    pub fn new(_limits: Limits) -> Scanner {
        Scanner { octets: 0 }
    }

    /// Takes the next octets.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.octets += chunk.len() as u64;
    }

    /// The message is over.
    pub fn finish(self) -> MessageIndex {
        MessageIndex {
            envelope: EnvelopeFields::default(),
            root: Part {
                header: 0..0,
                body: 0..self.octets,
                lines: 0,
                media_type: "text".into(),
                subtype: "plain".into(),
                parameters: Vec::new(),
                disposition: None,
                id: None,
                description: None,
                md5: None,
                languages: Vec::new(),
                location: None,
                encoding: TransferEncoding::SevenBit,
                decoded_octets: self.octets,
                content: Content::Leaf,
            },
            header_texts: Vec::new(),
            facts: Facts { octets: self.octets, ..Facts::default() },
        }
    }
}
