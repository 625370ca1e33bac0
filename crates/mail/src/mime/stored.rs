//! The stored form of the index: versioned, compact, and safe to read whatever the octets are.
//!
//! Numbers are LEB128; a text is its length and its octets; what may be absent is stored with its length plus one, zero
//! meaning absent. Each column begins with the version.

use super::index::{HeaderText, MessageIndex, Split, StoredFormError};
use super::{Content, Disposition, EncapsulatedMessage, EnvelopeFields, Parameter, Part, TransferEncoding};
use crate::header::{AddressListItem, NamedAddress};

const VERSION: u8 = 1;

/// Parts inside each other that are read back; more than [`super::Limits`] ever allows.
const DEPTH_MAX: usize = 250;

impl MessageIndex {
    /// The stored form, column by column.
    pub fn split(&self) -> Split {
        let mut header_texts = Writer::new();
        header_texts.number(self.header_texts.len() as u64);
        for HeaderText { name, text } in &self.header_texts {
            header_texts.text(name);
            header_texts.text(text);
        }
        let mut envelope = Writer::new();
        envelope.envelope(&self.envelope);
        let mut structure = Writer::new();
        structure.part(&self.root);
        Split { envelope: envelope.octets, structure: structure.octets, header_texts: header_texts.octets }
    }
}

impl EnvelopeFields {
    /// Reads [`Split::envelope`].
    ///
    /// # Errors
    /// [`StoredFormError`] when the octets are damaged or of an unknown version.
    pub fn from_stored(octets: &[u8]) -> Result<EnvelopeFields, StoredFormError> {
        Reader::whole(octets, Reader::envelope)
    }
}

impl Part {
    /// Reads [`Split::structure`].
    ///
    /// # Errors
    /// As [`EnvelopeFields::from_stored`].
    pub fn from_stored(octets: &[u8]) -> Result<Part, StoredFormError> {
        Reader::whole(octets, |reader| reader.part(0))
    }
}

impl HeaderText {
    /// Reads [`Split::header_texts`].
    ///
    /// # Errors
    /// As [`EnvelopeFields::from_stored`].
    pub fn from_stored(octets: &[u8]) -> Result<Vec<HeaderText>, StoredFormError> {
        Reader::whole(octets, |reader| {
            reader.list(|reader| Some(HeaderText { name: reader.text()?, text: reader.text()? }))
        })
    }
}

struct Writer {
    octets: Vec<u8>,
}

impl Writer {
    fn new() -> Writer {
        Writer { octets: vec![VERSION] }
    }

    fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest > 0x7f {
            self.octets.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.octets.push(rest as u8);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.octets.extend_from_slice(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.number(0),
            Some(text) => {
                self.number(text.len() as u64 + 1);
                self.octets.extend_from_slice(text.as_bytes());
            }
        }
    }

    fn envelope(&mut self, envelope: &EnvelopeFields) {
        let EnvelopeFields { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id } = envelope;
        for text in [date, subject, in_reply_to, message_id] {
            self.optional(text.as_deref());
        }
        for list in [from, sender, reply_to, to, cc, bcc] {
            self.number(list.len() as u64);
            list.iter().for_each(|item| self.address(item));
        }
    }

    fn address(&mut self, item: &AddressListItem) {
        match item {
            AddressListItem::GroupEnd => self.number(0),
            AddressListItem::GroupStart(name) => {
                self.number(1);
                self.text(name);
            }
            AddressListItem::Mailbox(NamedAddress { name, route, local_part, domain }) => {
                self.number(2);
                self.optional(name.as_deref());
                self.optional(route.as_deref());
                self.text(local_part);
                self.text(domain);
            }
        }
    }

    fn part(&mut self, part: &Part) {
        let Part { header, body, lines, media_type, subtype, parameters, disposition, .. } = part;
        let header_octets = header.end.saturating_sub(header.start);
        for number in [header.start, header_octets, body.start, part.octets(), *lines, part.decoded_octets] {
            self.number(number);
        }
        self.text(media_type);
        self.text(subtype);
        self.parameters(parameters);
        self.optional(disposition.as_ref().map(|disposition| disposition.kind.as_str()));
        if let Some(disposition) = disposition {
            self.parameters(&disposition.parameters);
        }
        for text in [&part.id, &part.description, &part.md5, &part.location] {
            self.optional(text.as_deref());
        }
        self.number(part.languages.len() as u64);
        part.languages.iter().for_each(|language| self.text(language));
        self.text(part.encoding.as_str());
        match &part.content {
            Content::Leaf => self.number(0),
            Content::Multipart(parts) => {
                self.number(1);
                self.number(parts.len() as u64);
                parts.iter().for_each(|part| self.part(part));
            }
            Content::Message(message) => {
                self.number(2);
                self.envelope(&message.envelope);
                self.part(&message.part);
            }
        }
    }

    fn parameters(&mut self, parameters: &[Parameter]) {
        self.number(parameters.len() as u64);
        for Parameter { name, value } in parameters {
            self.text(name);
            self.text(value);
        }
    }
}

/// Every method gives `None` for octets that no [`Writer`] wrote.
struct Reader<'a> {
    octets: &'a [u8],
}

impl<'a> Reader<'a> {
    fn whole<T>(octets: &'a [u8], read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Result<T, StoredFormError> {
        let mut reader = Reader { octets: octets.strip_prefix(&[VERSION]).ok_or(StoredFormError)? };
        let read = read(&mut reader).ok_or(StoredFormError)?;
        if reader.octets.is_empty() { Ok(read) } else { Err(StoredFormError) }
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let (octet, rest) = self.octets.split_first()?;
            self.octets = rest;
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn taken(&mut self, octets: u64) -> Option<String> {
        let (text, rest) = self.octets.split_at_checked(usize::try_from(octets).ok()?)?;
        self.octets = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }

    fn text(&mut self) -> Option<String> {
        let octets = self.number()?;
        self.taken(octets)
    }

    /// The outer option is damage, the inner one absence.
    fn optional(&mut self) -> Option<Option<String>> {
        match self.number()?.checked_sub(1) {
            None => Some(None),
            Some(octets) => self.taken(octets).map(Some),
        }
    }

    /// Each element takes an octet or more, which bounds what a damaged count can ask for.
    fn list<T>(&mut self, mut element: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= self.octets.len())?;
        let mut list = Vec::with_capacity(count.min(LIST_RESERVED_MAX));
        for _ in 0..count {
            list.push(element(self)?);
        }
        Some(list)
    }

    fn envelope(&mut self) -> Option<EnvelopeFields> {
        let (date, subject) = (self.optional()?, self.optional()?);
        let (in_reply_to, message_id) = (self.optional()?, self.optional()?);
        let mut addresses = || self.list(Reader::address);
        let (from, sender, reply_to) = (addresses()?, addresses()?, addresses()?);
        let (to, cc, bcc) = (addresses()?, addresses()?, addresses()?);
        Some(EnvelopeFields { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
    }

    fn address(&mut self) -> Option<AddressListItem> {
        match self.number()? {
            0 => Some(AddressListItem::GroupEnd),
            1 => Some(AddressListItem::GroupStart(self.text()?)),
            2 => Some(AddressListItem::Mailbox(NamedAddress {
                name: self.optional()?,
                route: self.optional()?,
                local_part: self.text()?,
                domain: self.text()?,
            })),
            _ => None,
        }
    }

    fn part(&mut self, depth: usize) -> Option<Part> {
        if depth > DEPTH_MAX {
            return None;
        }
        let header = self.range()?;
        let body = self.range()?;
        let (lines, decoded_octets) = (self.number()?, self.number()?);
        let (media_type, subtype) = (self.text()?, self.text()?);
        let parameters = self.list(Reader::parameter)?;
        let disposition = match self.optional()? {
            Some(kind) => Some(Disposition { kind, parameters: self.list(Reader::parameter)? }),
            None => None,
        };
        let (id, description, md5, location) = (self.optional()?, self.optional()?, self.optional()?, self.optional()?);
        let languages = self.list(Reader::text)?;
        let encoding = TransferEncoding::from_token(&self.text()?);
        let content = match self.number()? {
            0 => Content::Leaf,
            1 => Content::Multipart(self.list(|reader| reader.part(depth + 1))?),
            2 => {
                let (envelope, part) = (self.envelope()?, self.part(depth + 1)?);
                Content::Message(Box::new(EncapsulatedMessage { envelope, part }))
            }
            _ => return None,
        };
        Some(Part {
            header,
            body,
            lines,
            media_type,
            subtype,
            parameters,
            disposition,
            id,
            description,
            md5,
            languages,
            location,
            encoding,
            decoded_octets,
            content,
        })
    }

    fn range(&mut self) -> Option<std::ops::Range<u64>> {
        let (start, octets) = (self.number()?, self.number()?);
        // Room for the trace fields that are counted before it.
        let end = start.checked_add(octets).filter(|end| *end <= i64::MAX as u64)?;
        Some(start..end)
    }

    fn parameter(&mut self) -> Option<Parameter> {
        Some(Parameter { name: self.text()?, value: self.text()? })
    }
}

/// Elements a list has room for before they are read.
const LIST_RESERVED_MAX: usize = 64;
