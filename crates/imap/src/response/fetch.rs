//! FETCH responses (RFC 9051 §7.5.2), item by item.

use mail::mime::{EnvelopeFields, Part};

use super::text::number;
use super::untagged::{Responses, part_number, section};
use super::{envelope, structure};
use crate::command::{PartNumber, Section};
use crate::date::DateTime;
use crate::flag::{Keyword, SystemFlags};

/// `* n FETCH (` with items, until [`FetchResponse::end`].
///
/// A literal is announced by `…_literal` with its size; exactly that many octets must then be appended, by
/// [`FetchResponse::octets`] or, after [`FetchResponse::suspend`], by sending them straight to the client.
#[derive(Debug)]
#[must_use = "a FETCH response is closed by `end`"]
pub struct FetchResponse<'a> {
    responses: &'a mut Responses,
    items: u32,
}

impl<'a> FetchResponse<'a> {
    pub(super) fn begin(responses: &'a mut Responses, sequence_number: u32) -> FetchResponse<'a> {
        number(&mut responses.octets, b"* ", u64::from(sequence_number));
        responses.octets.extend_from_slice(b" FETCH (");
        FetchResponse { responses, items: 0 }
    }

    /// Goes on with a response that was [suspended](FetchResponse::suspend) with so many items.
    pub fn resume(responses: &'a mut Responses, items: u32) -> FetchResponse<'a> {
        FetchResponse { responses, items }
    }

    /// Lets go of the collection, for instance to send a long literal; [`FetchResponse::resume`] with what this gives.
    pub fn suspend(self) -> u32 {
        self.items
    }

    /// Closes the response.
    pub fn end(self) {
        self.responses.octets.extend_from_slice(b")\r\n");
    }

    /// True when no item was written yet.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    fn item(&mut self, name: &[u8]) -> &mut Vec<u8> {
        if self.items > 0 {
            self.responses.octets.push(b' ');
        }
        self.items += 1;
        self.responses.octets.extend_from_slice(name);
        &mut self.responses.octets
    }

    /// `UID n`.
    pub fn uid(&mut self, uid: u32) -> &mut Self {
        number(self.item(b"UID "), b"", u64::from(uid));
        self
    }

    /// `FLAGS (…)`. `\Recent` is left out once IMAP4rev2 is enabled, which does not know it.
    pub fn flags<'k>(
        &mut self,
        system: SystemFlags,
        recent: bool,
        keywords: impl IntoIterator<Item = &'k Keyword>,
    ) -> &mut Self {
        let recent = recent && !self.responses.enabled().rev2;
        let out = self.item(b"FLAGS (");
        let before = out.len();
        let named = SystemFlags::NAMED.iter().filter(|(flag, _)| system.contains(*flag)).map(|(_, name)| *name);
        let recent = recent.then_some("\\Recent");
        for name in named.chain(recent).chain(keywords.into_iter().map(Keyword::as_str)) {
            if out.len() > before {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.push(b')');
        self
    }

    /// `MODSEQ (n)` (RFC 7162 §3.1.4.2).
    pub fn mod_sequence(&mut self, value: u64) -> &mut Self {
        let out = self.item(b"MODSEQ ");
        number(out, b"(", value);
        out.push(b')');
        self
    }

    /// `INTERNALDATE "…"`.
    pub fn internal_date(&mut self, date: DateTime) -> &mut Self {
        let out = self.item(b"INTERNALDATE ");
        out.extend_from_slice(format!("\"{date}\"").as_bytes());
        self
    }

    /// `SAVEDATE "…"` (RFC 8514).
    pub fn save_date(&mut self, date: DateTime) -> &mut Self {
        let out = self.item(b"SAVEDATE ");
        out.extend_from_slice(format!("\"{date}\"").as_bytes());
        self
    }

    /// `RFC822.SIZE n`.
    pub fn size(&mut self, octets: u64) -> &mut Self {
        number(self.item(b"RFC822.SIZE "), b"", octets);
        self
    }

    /// `EMAILID (…)` (RFC 8474 §5.1).
    pub fn email_id(&mut self, id: &str) -> &mut Self {
        let out = self.item(b"EMAILID (");
        out.extend_from_slice(id.as_bytes());
        out.push(b')');
        self
    }

    /// `THREADID (…)`, or `NIL` (RFC 8474 §5.2).
    pub fn thread_id(&mut self, id: Option<&str>) -> &mut Self {
        let out = self.item(b"THREADID ");
        match id {
            Some(id) => out.extend_from_slice(format!("({id})").as_bytes()),
            None => out.extend_from_slice(b"NIL"),
        }
        self
    }

    /// `PREVIEW "…"` (RFC 8970), or `NIL`.
    pub fn preview(&mut self, text: Option<&str>) -> &mut Self {
        let charset = self.responses.charset;
        super::text::nstring(self.item(b"PREVIEW "), text, charset);
        self
    }

    /// `ENVELOPE (…)`.
    pub fn envelope(&mut self, fields: &EnvelopeFields) -> &mut Self {
        let charset = self.responses.charset;
        envelope::envelope(self.item(b"ENVELOPE "), fields, charset);
        self
    }

    /// `BODY (…)`: the structure without extension data.
    pub fn body(&mut self, part: &Part) -> &mut Self {
        let charset = self.responses.charset;
        structure::structure(self.item(b"BODY "), part, structure::Extensions::Left, charset);
        self
    }

    /// `BODYSTRUCTURE (…)`.
    pub fn body_structure(&mut self, part: &Part) -> &mut Self {
        let charset = self.responses.charset;
        structure::structure(self.item(b"BODYSTRUCTURE "), part, structure::Extensions::Shown, charset);
        self
    }

    /// `BODY[section]<origin> {octets}`: the octets follow.
    pub fn section_literal(&mut self, asked: &Section, origin: Option<u64>, octets: u64) -> &mut Self {
        self.section_name(asked, origin);
        self.announce(octets)
    }

    /// `BODY[section] NIL`: there is no such part (RFC 9051 §6.4.5 leaves the choice; this is what clients expect).
    pub fn section_nil(&mut self, asked: &Section, origin: Option<u64>) -> &mut Self {
        self.section_name(asked, origin);
        self.responses.octets.extend_from_slice(b"NIL");
        self
    }

    fn section_name(&mut self, asked: &Section, origin: Option<u64>) {
        let out = self.item(b"BODY[");
        section(out, asked);
        out.push(b']');
        if let Some(origin) = origin {
            number(out, b"<", origin);
            out.push(b'>');
        }
        out.push(b' ');
    }

    /// `RFC822 {octets}`, `RFC822.HEADER {octets}` or `RFC822.TEXT {octets}` (RFC 3501 §6.4.5): the octets follow.
    pub fn rfc822_literal(&mut self, name: &str, octets: u64) -> &mut Self {
        let out = self.item(name.as_bytes());
        out.push(b' ');
        self.announce(octets)
    }

    /// `BINARY[part]<origin>` with a literal of the announced size: a literal8 when it may hold NUL (RFC 3516 §4.2).
    pub fn binary_literal(&mut self, part: &PartNumber, origin: Option<u64>, octets: u64, has_nul: bool) -> &mut Self {
        self.binary_name(part, origin);
        if has_nul {
            self.responses.octets.push(b'~');
        }
        self.announce(octets)
    }

    /// `BINARY[part] NIL`: there is no such part.
    pub fn binary_nil(&mut self, part: &PartNumber, origin: Option<u64>) -> &mut Self {
        self.binary_name(part, origin);
        self.responses.octets.extend_from_slice(b"NIL");
        self
    }

    fn binary_name(&mut self, part: &PartNumber, origin: Option<u64>) {
        let out = self.item(b"BINARY[");
        part_number(out, part);
        out.push(b']');
        if let Some(origin) = origin {
            number(out, b"<", origin);
            out.push(b'>');
        }
        out.push(b' ');
    }

    /// `BINARY.SIZE[part] n`.
    pub fn binary_size(&mut self, part: &PartNumber, octets: u64) -> &mut Self {
        let out = self.item(b"BINARY.SIZE[");
        part_number(out, part);
        number(out, b"] ", octets);
        self
    }

    /// Octets of the literal announced last.
    pub fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.responses.octets.extend_from_slice(octets);
        self
    }

    fn announce(&mut self, octets: u64) -> &mut Self {
        number(&mut self.responses.octets, b"{", octets);
        self.responses.octets.extend_from_slice(b"}\r\n");
        self
    }
}
