//! What the scanner found, and its stored form.

use super::{EnvelopeFields, Part};
use crate::header::{DateTime, NamedAddress};

/// Everything kept about a message's content, so that no later question needs a second parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageIndex {
    /// ENVELOPE of the message.
    pub envelope: EnvelopeFields,
    /// Its structure: the message as a part.
    pub root: Part,
    /// Its header fields as SEARCH compares them, in order.
    pub header_texts: Vec<HeaderText>,
    /// What delivery, policy and listings ask.
    pub facts: Facts,
}

/// A header field as SEARCH compares it (RFC 9051 §6.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderText {
    /// Lower case.
    pub name: String,
    /// Unfolded, encoded-words decoded, UTF-8.
    pub text: String,
}

/// Facts about the whole message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Octets fed to the scanner.
    pub octets: u64,
    /// Received fields in the header: more than 50 is a loop (RFC 5321 §6.3).
    pub received: u32,
    /// From fields in the header; RFC 5322 §3.6 wants exactly one.
    pub from_fields: u32,
    /// Mailboxes of all From fields.
    pub from: Vec<NamedAddress>,
    /// Sender fields in the header.
    pub sender_fields: u32,
    /// Mailboxes of all Sender fields.
    pub sender: Vec<NamedAddress>,
    /// `Date` parsed, with its own offset; `None` when absent or unreadable.
    pub sent: Option<DateTime>,
    /// What threads are made of.
    pub thread: Thread,
    /// The first 200 characters of the text, white space folded (RFC 8970).
    pub preview: String,
    /// Attachments: number and size.
    pub attachments: Attachments,
    /// A CR without LF was met.
    pub bare_cr: bool,
    /// An LF without CR was met.
    pub bare_lf: bool,
    /// A NUL was met.
    pub nul: bool,
    /// An octet above 127 was met.
    pub eight_bit: bool,
    /// Octets of the longest line, line end excluded.
    pub longest_line: u64,
    /// Which limits were reached.
    pub exceeded: Exceeded,
}

/// What a thread is found by (RFC 5256 §2.1, RFC 8474 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// The message's own id, without angle brackets.
    pub message_id: Option<String>,
    /// References then In-Reply-To, without angle brackets, without repetition.
    pub references: Vec<String>,
    /// The base subject, decoded.
    pub base_subject: String,
    /// The subject was that of a reply or a forward.
    pub is_reply_or_forward: bool,
}

/// Attachments, defined once for limits, SEARCH and listings.
///
/// An attachment is a leaf (or a whole encapsulated message, not looked into) that has disposition `attachment`, or a file
/// name, or is neither text nor empty. Of these, people do not see some as attachments: inline images (disposition
/// `inline`, or a Content-ID and no disposition), S/MIME signatures (`application/pkcs7-signature`, its x- form,
/// `smime.p7s`), `text/calendar`, `IHE_XDM.zip`, and the parts of a report or digest not marked `attachment`. These count
/// in `decoded_octets` and not in `number`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// How many a person sees.
    pub number: u32,
    /// Octets of all of them, transfer encoding undone.
    pub decoded_octets: u64,
}

/// Which of the scanner's limits were reached; what lies beyond is opaque text of the part then open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// [`super::Limits::parts`].
    pub parts: bool,
    /// [`super::Limits::depth`].
    pub depth: bool,
    /// [`super::Limits::header_octets`] or [`super::Limits::kept_octets`]: some fields, or their ends, were not read; or From
    /// or Sender named more than [`super::Limits::addresses`].
    pub header: bool,
    /// [`super::Limits::addresses`]: some addressees are not in the envelope.
    pub addresses: bool,
}

/// The stored form: three columns, each read on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// [`EnvelopeFields`]: small, read by listings.
    pub envelope: Vec<u8>,
    /// The [`Part`] tree: read by BODYSTRUCTURE and section fetches.
    pub structure: Vec<u8>,
    /// The [`HeaderText`]s: read by SEARCH.
    pub header_texts: Vec<u8>,
}

/// The octets are not what this version, or an earlier one, wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored index cannot be read")]
pub struct StoredFormError;

impl Exceeded {
    /// Any limit reached.
    pub fn any(self) -> bool {
        self.parts || self.depth || self.header || self.addresses
    }
}
