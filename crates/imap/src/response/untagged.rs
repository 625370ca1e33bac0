//! Untagged responses about mailboxes and sizes (RFC 9051 §7.3, §7.4).

use super::text::{Charset, astring, number};
use super::{Code, FetchResponse, Status};
use crate::command::{PartNumber, Section, SectionText, SpecialUse, StatusItem};
use crate::flag::Flags;
use crate::mailbox::{MailboxName, SEPARATOR};
use crate::sequence::{Numbering, Ranges};
use crate::server::Enabled;

/// Responses gathered for one send. The caller sends [`Responses::take`] when [`Responses::len`] grows large.
#[derive(Debug)]
pub struct Responses {
    pub(super) octets: Vec<u8>,
    pub(super) charset: Charset,
    enabled: Enabled,
}

/// An attribute of a mailbox in LIST (RFC 9051 §7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListAttribute {
    /// `\NonExistent`: a name without a mailbox; implies `\Noselect`.
    NonExistent,
    /// `\Noselect`.
    NoSelect,
    /// `\Noinferiors`.
    NoInferiors,
    /// `\HasChildren`.
    HasChildren,
    /// `\HasNoChildren`.
    HasNoChildren,
    /// `\Marked`.
    Marked,
    /// `\Unmarked`.
    Unmarked,
    /// `\Subscribed`.
    Subscribed,
    /// `\Remote`.
    Remote,
    /// A special use.
    Use(SpecialUse),
}

/// One LIST (or LSUB) response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListResponse<'a> {
    /// The attributes.
    pub attributes: &'a [ListAttribute],
    /// The name.
    pub mailbox: &'a MailboxName,
    /// `CHILDINFO ("SUBSCRIBED")` (RFC 5258 §3.5): a subscribed child matched, the name itself did not.
    pub child_subscribed: bool,
    /// `OLDNAME` (RFC 9051 §6.3.9.7): the name before a rename, or as it was asked for.
    pub old_name: Option<&'a MailboxName>,
}

/// The items of one STATUS response, in the order asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusResponse<'a> {
    /// The mailbox.
    pub mailbox: &'a MailboxName,
    /// Items with their numbers; `MAILBOXID` has its text beside.
    pub items: &'a [(StatusItem, u64)],
    /// For `MAILBOXID`.
    pub mailbox_id: &'a str,
}

/// One ESEARCH response (RFC 9051 §7.3.4). What is `None` is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EsearchResponse {
    /// `MIN`.
    pub min: Option<u32>,
    /// `MAX`.
    pub max: Option<u32>,
    /// `ALL`; left out too when empty, as the grammar has no empty set.
    pub all: Option<Ranges>,
    /// `COUNT`.
    pub count: Option<u32>,
    /// `MODSEQ` (RFC 7162 §3.1.10).
    pub mod_sequence: Option<u64>,
}

impl Responses {
    /// An empty collection for a client that has enabled this.
    pub fn new(enabled: Enabled) -> Responses {
        let charset = if enabled.rev2 { Charset::Utf8 } else { Charset::Ascii };
        Responses { octets: Vec::new(), charset, enabled }
    }

    /// Octets gathered.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// True when nothing is gathered.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// What the client has enabled.
    pub fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// What is gathered; the collection is empty again.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.octets)
    }

    /// The gathered octets, to be sent and then cleared so that the memory is used again.
    pub fn octets_mut(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// `* OK [code] text`, and the like.
    pub fn status(&mut self, status: Status, code: Option<&Code>, text: &str) {
        status_line(&mut self.octets, "*", status, code, text);
    }

    /// `* CAPABILITY …`.
    pub fn capability(&mut self, capabilities: &str) {
        self.line(&["* CAPABILITY ", capabilities]);
    }

    /// `* ENABLED …`.
    pub fn enabled_now(&mut self, names: &[&str]) {
        self.octets.extend_from_slice(b"* ENABLED");
        for name in names {
            self.octets.push(b' ');
            self.octets.extend_from_slice(name.as_bytes());
        }
        self.end();
    }

    /// `* n EXISTS`.
    pub fn exists(&mut self, count: u32) {
        self.numbered(count, b" EXISTS");
    }

    /// `* n RECENT`, unless IMAP4rev2 is enabled, which has no such response.
    pub fn recent(&mut self, count: u32) {
        if !self.enabled.rev2 {
            self.numbered(count, b" RECENT");
        }
    }

    /// `* n EXPUNGE`.
    pub fn expunge(&mut self, number: u32) {
        self.numbered(number, b" EXPUNGE");
    }

    /// `* FLAGS (…)`: what occurs in this mailbox.
    pub fn flags(&mut self, flags: &Flags) {
        self.line(&["* FLAGS (", &flags.to_string(), ")"]);
    }

    /// `* LIST …`.
    pub fn list(&mut self, response: &ListResponse<'_>) {
        self.octets.extend_from_slice(b"* LIST ");
        self.list_body(response);
        if response.child_subscribed || response.old_name.is_some() {
            self.octets.extend_from_slice(b" (");
            if response.child_subscribed {
                self.octets.extend_from_slice(b"\"CHILDINFO\" (\"SUBSCRIBED\")");
            }
            if let Some(old_name) = response.old_name {
                self.octets.extend_from_slice(if response.child_subscribed {
                    b" \"OLDNAME\" ("
                } else {
                    b"\"OLDNAME\" ("
                });
                self.mailbox(old_name);
                self.octets.push(b')');
            }
            self.octets.push(b')');
        }
        self.end();
    }

    /// `* LSUB …` (RFC 3501 §7.2.3).
    pub fn lsub(&mut self, response: &ListResponse<'_>) {
        self.octets.extend_from_slice(b"* LSUB ");
        self.list_body(response);
        self.end();
    }

    /// `* LIST (\Noselect) "/" ""`: the answer to an empty pattern, which asks for the separator (RFC 9051 §6.3.9).
    pub fn separator(&mut self) {
        self.line(&["* LIST (\\Noselect) \"/\" \"\""]);
    }

    fn list_body(&mut self, response: &ListResponse<'_>) {
        self.octets.push(b'(');
        for (index, attribute) in response.attributes.iter().enumerate() {
            if index > 0 {
                self.octets.push(b' ');
            }
            self.octets.extend_from_slice(attribute.as_str().as_bytes());
        }
        self.octets.extend_from_slice(b") \"");
        self.octets.push(SEPARATOR as u8);
        self.octets.extend_from_slice(b"\" ");
        self.mailbox(response.mailbox);
    }

    /// `* NAMESPACE (("" "/")) NIL NIL`: personal mailboxes alone.
    pub fn namespace(&mut self) {
        self.line(&["* NAMESPACE ((\"\" \"/\")) NIL NIL"]);
    }

    /// `* STATUS mailbox (…)`.
    pub fn mailbox_status(&mut self, response: &StatusResponse<'_>) {
        self.octets.extend_from_slice(b"* STATUS ");
        self.mailbox(response.mailbox);
        for (index, (item, value)) in response.items.iter().enumerate() {
            self.octets.extend_from_slice(if index == 0 { b" (" } else { b" " });
            self.octets.extend_from_slice(item.name().as_bytes());
            match item {
                StatusItem::MailboxId => {
                    self.octets.extend_from_slice(b" (");
                    self.octets.extend_from_slice(response.mailbox_id.as_bytes());
                    self.octets.push(b')');
                }
                _ => number(&mut self.octets, b" ", *value),
            }
        }
        self.octets.extend_from_slice(if response.items.is_empty() { b" ()" } else { b")" });
        self.end();
    }

    /// `* SEARCH …` (RFC 3501 §7.2.5), with `(MODSEQ n)` when a mod-sequence was asked for (RFC 7162 §3.1.5).
    pub fn search(&mut self, numbers: &Ranges, mod_sequence: Option<u64>) {
        self.octets.extend_from_slice(b"* SEARCH");
        for value in numbers.iter() {
            number(&mut self.octets, b" ", u64::from(value));
        }
        if let Some(mod_sequence) = mod_sequence.filter(|_| !numbers.is_empty()) {
            number(&mut self.octets, b" (MODSEQ ", mod_sequence);
            self.octets.push(b')');
        }
        self.end();
    }

    /// `* ESEARCH (TAG "…") …`.
    pub fn esearch(&mut self, tag: &str, numbering: Numbering, response: &EsearchResponse) {
        self.octets.extend_from_slice(b"* ESEARCH (TAG ");
        super::text::string(&mut self.octets, tag.as_bytes(), Charset::Ascii);
        self.octets.push(b')');
        if numbering == Numbering::Uid {
            self.octets.extend_from_slice(b" UID");
        }
        let numbers = [(&b" MIN "[..], response.min), (b" MAX ", response.max), (b" COUNT ", response.count)];
        for (name, value) in numbers {
            if let Some(value) = value {
                number(&mut self.octets, name, u64::from(value));
            }
        }
        if let Some(all) = response.all.as_ref().filter(|all| !all.is_empty()) {
            self.octets.extend_from_slice(b" ALL ");
            ranges(&mut self.octets, all);
        }
        if let Some(mod_sequence) = response.mod_sequence {
            number(&mut self.octets, b" MODSEQ ", mod_sequence);
        }
        self.end();
    }

    /// Begins `* n FETCH (`.
    pub fn fetch(&mut self, number: u32) -> FetchResponse<'_> {
        FetchResponse::begin(self, number)
    }

    /// A mailbox name: UTF-8 once IMAP4rev2 is enabled, else modified UTF-7 (RFC 3501 §5.1.3).
    fn mailbox(&mut self, name: &MailboxName) {
        match self.charset {
            Charset::Utf8 => astring(&mut self.octets, name.as_str().as_bytes(), Charset::Utf8),
            Charset::Ascii => {
                astring(&mut self.octets, crate::utf7::encode(name.as_str()).as_bytes(), Charset::Ascii);
            }
        }
    }

    fn numbered(&mut self, value: u32, word: &[u8]) {
        number(&mut self.octets, b"* ", u64::from(value));
        self.octets.extend_from_slice(word);
        self.end();
    }

    fn line(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.octets.extend_from_slice(piece.as_bytes());
        }
        self.end();
    }

    fn end(&mut self) {
        self.octets.extend_from_slice(b"\r\n");
    }
}

/// `tag OK [code] text`. CR and LF in the text, which no caller puts there, become spaces.
pub(crate) fn status_line(out: &mut Vec<u8>, tag: &str, status: Status, code: Option<&Code>, text: &str) {
    out.extend_from_slice(tag.as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    if let Some(code) = code {
        out.extend_from_slice(format!("[{code}] ").as_bytes());
    }
    let safe = |octet: u8| if matches!(octet, b'\r' | b'\n' | 0) { b' ' } else { octet };
    out.extend(text.bytes().map(safe));
    out.extend_from_slice(b"\r\n");
}

fn ranges(out: &mut Vec<u8>, ranges: &Ranges) {
    for (index, (first, last)) in ranges.as_slice().iter().enumerate() {
        number(out, if index == 0 { b"" } else { b"," }, u64::from(*first));
        if first != last {
            number(out, b":", u64::from(*last));
        }
    }
}

/// `1.2.3`.
pub(crate) fn part_number(out: &mut Vec<u8>, part: &PartNumber) {
    for (index, step) in part.0.iter().enumerate() {
        number(out, if index == 0 { b"" } else { b"." }, u64::from(*step));
    }
}

/// What stands between the brackets, as it was asked.
pub(crate) fn section(out: &mut Vec<u8>, section: &Section) {
    part_number(out, &section.part);
    let (word, fields) = match &section.text {
        SectionText::All => return,
        SectionText::Header => ("HEADER", None),
        SectionText::HeaderFields(fields) => ("HEADER.FIELDS", Some(fields)),
        SectionText::HeaderFieldsNot(fields) => ("HEADER.FIELDS.NOT", Some(fields)),
        SectionText::Text => ("TEXT", None),
        SectionText::Mime => ("MIME", None),
    };
    if !section.part.0.is_empty() {
        out.push(b'.');
    }
    out.extend_from_slice(word.as_bytes());
    for (index, field) in fields.into_iter().flatten().enumerate() {
        out.extend_from_slice(if index == 0 { b" (" } else { b" " });
        astring(out, field.as_bytes(), Charset::Ascii);
    }
    if fields.is_some() {
        out.push(b')');
    }
}

impl ListAttribute {
    /// The attribute on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ListAttribute::NonExistent => "\\NonExistent",
            ListAttribute::NoSelect => "\\Noselect",
            ListAttribute::NoInferiors => "\\Noinferiors",
            ListAttribute::HasChildren => "\\HasChildren",
            ListAttribute::HasNoChildren => "\\HasNoChildren",
            ListAttribute::Marked => "\\Marked",
            ListAttribute::Unmarked => "\\Unmarked",
            ListAttribute::Subscribed => "\\Subscribed",
            ListAttribute::Remote => "\\Remote",
            ListAttribute::Use(special_use) => special_use.attribute(),
        }
    }
}
