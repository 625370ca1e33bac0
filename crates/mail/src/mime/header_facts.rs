//! What the fields of one header say, for the index.

use super::header_reader::Kept;
use super::index::HeaderText;
use super::{Disposition, EnvelopeFields, Limits, TransferEncoding};
use crate::header::{
    AddressListItem, DateTime, Field, NamedAddress, Parameterised, base_subject, decode_words, message_ids,
    parse_addresses, parse_parameterised, unfold,
};
use crate::mime::index::Thread;

/// What is gathered from one header; each field counts once, its first.
#[derive(Debug, Default)]
pub(super) struct HeaderFacts {
    pub(super) content_type: Option<Parameterised>,
    pub(super) disposition: Option<Disposition>,
    pub(super) id: Option<String>,
    pub(super) description: Option<String>,
    pub(super) md5: Option<String>,
    pub(super) languages: Vec<String>,
    pub(super) location: Option<String>,
    pub(super) encoding: Option<TransferEncoding>,
    /// For the header of a message, encapsulated or not.
    pub(super) envelope: Option<Box<EnvelopeFields>>,
    /// For the header of the message itself.
    pub(super) top: Option<Box<TopFacts>>,
}

/// What only the message's own header is asked for.
#[derive(Debug, Default)]
pub(super) struct TopFacts {
    pub(super) texts: Vec<HeaderText>,
    pub(super) received: u32,
    pub(super) from_fields: u32,
    pub(super) sender_fields: u32,
    pub(super) from: Vec<NamedAddress>,
    pub(super) sender: Vec<NamedAddress>,
    references: String,
}

/// Room for text in the index, shared by all headers, so that no header can make it many times its own size.
#[derive(Debug)]
pub(super) struct Room {
    octets_left: usize,
    pub(super) exceeded: bool,
    pub(super) addresses_exceeded: bool,
}

impl Room {
    pub(super) fn new(octets_left: usize) -> Room {
        Room { octets_left, exceeded: false, addresses_exceeded: false }
    }

    /// True when `octets` fit; they are then taken.
    fn take(&mut self, octets: usize) -> bool {
        match self.octets_left.checked_sub(octets) {
            Some(left) => {
                self.octets_left = left;
                true
            }
            None => {
                self.exceeded = true;
                false
            }
        }
    }

    /// As many addresses of an unfolded list as there is room for, at most `max`.
    fn addresses(&mut self, value: &str, max: usize) -> Vec<AddressListItem> {
        let max = max.min(self.octets_left / ADDRESS_CHARGE);
        let list = parse_addresses(value, max);
        self.addresses_exceeded |= list.len() >= max;
        self.octets_left -= (list.len() * ADDRESS_CHARGE).min(self.octets_left);
        list
    }

    /// The parameters when there is room for them, otherwise what the body cannot be read without.
    fn parameters(&mut self, parsed: &mut Parameterised) {
        if !self.take(parsed.parameters.len() * PARAMETER_CHARGE) {
            parsed.parameters.retain(|parameter| is_needed(&parameter.name));
        }
    }
}

/// A body cannot be read without these.
fn is_needed(parameter: &str) -> bool {
    matches!(parameter, "boundary" | "charset")
}

impl HeaderFacts {
    /// For a part that is no message.
    pub(super) fn part() -> HeaderFacts {
        HeaderFacts::default()
    }

    /// For an encapsulated message.
    pub(super) fn encapsulated() -> HeaderFacts {
        HeaderFacts { envelope: Some(Box::default()), ..HeaderFacts::default() }
    }

    /// For the message itself.
    pub(super) fn top() -> HeaderFacts {
        HeaderFacts { top: Some(Box::default()), ..HeaderFacts::encapsulated() }
    }

    /// Reads one field.
    pub(super) fn take(&mut self, octets: &[u8], kept: Kept, limits: &Limits, room: &mut Room) {
        let field = Field::cut(octets);
        if field.name.is_empty() {
            return;
        }
        let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
        if let Some(top) = &mut self.top {
            top.received += u32::from(name == "received");
            top.from_fields += u32::from(name == "from");
            top.sender_fields += u32::from(name == "sender");
        }
        if name.starts_with("content-") {
            self.take_mime(&name, &field, kept, room);
        } else if self.envelope.is_none() || kept == Kept::ForStructure {
            return;
        }
        let wanted = self.top.is_some() || is_in_envelope(&name);
        if kept == Kept::ForStructure
            || !wanted
            || self.envelope.is_none()
            || !room.take(field.octets.len() + FIELD_CHARGE)
        {
            return;
        }
        let value = unfold(field.value);
        self.take_envelope(&name, &value, limits, room);
        if let Some(top) = &mut self.top {
            let text = decode_words(&value);
            top.texts.push(HeaderText { name, text });
        }
    }

    fn take_mime(&mut self, name: &str, field: &Field<'_>, kept: Kept, room: &mut Room) {
        let whole = kept == Kept::Whole && room.take(field.octets.len() + FIELD_CHARGE);
        match name {
            "content-type" if self.content_type.is_none() => {
                let mut parsed = parse_parameterised(&unfold(field.value));
                match whole {
                    true => room.parameters(&mut parsed),
                    false => parsed.parameters.retain(|parameter| is_needed(&parameter.name)),
                }
                self.content_type = Some(parsed);
            }
            "content-transfer-encoding" if self.encoding.is_none() => {
                let value = unfold(field.value);
                let token = value.split(['(', ';']).next().unwrap_or_default().trim();
                if token.len() <= TOKEN_OCTETS_MAX && !token.is_empty() {
                    self.encoding = Some(TransferEncoding::from_token(token));
                }
            }
            _ if !whole => {}
            "content-disposition" if self.disposition.is_none() => {
                let mut parsed = parse_parameterised(&unfold(field.value));
                room.parameters(&mut parsed);
                let Parameterised { value: kind, parameters } = parsed;
                self.disposition = Some(Disposition { kind, parameters }).filter(|found| !found.kind.is_empty());
            }
            "content-id" => keep_first(&mut self.id, || unfold(field.value)),
            "content-description" => keep_first(&mut self.description, || unfold(field.value)),
            "content-md5" => keep_first(&mut self.md5, || unfold(field.value)),
            "content-location" => keep_first(&mut self.location, || unfold(field.value)),
            "content-language" if self.languages.is_empty() => {
                let value = unfold(field.value);
                let tags = value.split(',').map(str::trim).filter(|tag| !tag.is_empty());
                self.languages = tags.take(LANGUAGES_MAX).map(str::to_owned).collect();
            }
            _ => {}
        }
    }

    fn take_envelope(&mut self, name: &str, value: &str, limits: &Limits, room: &mut Room) {
        let Some(envelope) = &mut self.envelope else { return };
        let max = limits.addresses;
        let mut first = |kept: &mut Vec<AddressListItem>| {
            if kept.is_empty() {
                *kept = room.addresses(value, max);
            }
        };
        match name {
            "date" => keep_first(&mut envelope.date, || value.to_owned()),
            "subject" => keep_first(&mut envelope.subject, || value.to_owned()),
            "message-id" => keep_first(&mut envelope.message_id, || value.to_owned()),
            "in-reply-to" => keep_first(&mut envelope.in_reply_to, || value.to_owned()),
            "from" => first(&mut envelope.from),
            "sender" => first(&mut envelope.sender),
            "reply-to" => first(&mut envelope.reply_to),
            "to" => first(&mut envelope.to),
            "cc" => first(&mut envelope.cc),
            "bcc" => first(&mut envelope.bcc),
            _ => {}
        }
        if let Some(top) = &mut self.top {
            match name {
                "from" => extend(&mut top.from, value, max, room),
                "sender" => extend(&mut top.sender, value, max, room),
                "references" if top.references.is_empty() => top.references = value.to_owned(),
                _ => {}
            }
        }
    }

    /// Date and thread, once the header is whole.
    pub(super) fn conclude(envelope: &EnvelopeFields, top: &TopFacts) -> (Option<DateTime>, Thread) {
        let subject = base_subject(&decode_words(envelope.subject.as_deref().unwrap_or_default()));
        let ids = |value: &Option<String>, max| message_ids(value.as_deref().unwrap_or_default(), max);
        let mut references = message_ids(&top.references, REFERENCES_MAX);
        for id in ids(&envelope.in_reply_to, IN_REPLY_TO_MAX) {
            if !references.contains(&id) {
                references.push(id);
            }
        }
        let thread = Thread {
            message_id: ids(&envelope.message_id, 1).pop(),
            references,
            base_subject: subject.text,
            is_reply_or_forward: subject.is_reply_or_forward,
        };
        (envelope.date.as_deref().and_then(DateTime::parse), thread)
    }
}

fn keep_first(kept: &mut Option<String>, value: impl FnOnce() -> String) {
    if kept.is_none() {
        *kept = Some(value());
    }
}

/// Of authors none may be missed: too many are more than too many addressees.
fn extend(kept: &mut Vec<NamedAddress>, value: &str, max: usize, room: &mut Room) {
    let max = max.saturating_sub(kept.len());
    let items = room.addresses(value, max);
    room.exceeded |= items.len() >= max;
    kept.extend(items.into_iter().filter_map(|item| match item {
        AddressListItem::Mailbox(address) => Some(address),
        AddressListItem::GroupStart(_) | AddressListItem::GroupEnd => None,
    }));
}

fn is_in_envelope(name: &str) -> bool {
    let names = ["date", "subject", "message-id", "in-reply-to", "from", "sender", "reply-to", "to", "cc", "bcc"];
    names.contains(&name)
}

/// What a field, an address and a parameter take in memory beside their octets, in octets.
const FIELD_CHARGE: usize = 64;
const ADDRESS_CHARGE: usize = 100;
const PARAMETER_CHARGE: usize = 64;
/// Octets of a transfer encoding's token.
const TOKEN_OCTETS_MAX: usize = 100;
/// Tags of Content-Language kept.
const LANGUAGES_MAX: usize = 20;
/// Ids of References kept; mailers cut theirs at a few dozen.
const REFERENCES_MAX: usize = 200;
/// Ids of In-Reply-To kept.
const IN_REPLY_TO_MAX: usize = 10;
