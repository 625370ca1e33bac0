//! What `FETCH` may ask of a message (RFC 9051 §6.4.5).

/// One data item. The macros ALL, FAST and FULL are expanded by the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// `ENVELOPE`.
    Envelope,
    /// `FLAGS`.
    Flags,
    /// `INTERNALDATE`.
    InternalDate,
    /// `RFC822` (RFC 3501): `BODY[]` by another name; sets `\Seen`.
    Rfc822,
    /// `RFC822.HEADER` (RFC 3501): `BODY.PEEK[HEADER]` by another name.
    Rfc822Header,
    /// `RFC822.SIZE`.
    Rfc822Size,
    /// `RFC822.TEXT` (RFC 3501): `BODY[TEXT]` by another name; sets `\Seen`.
    Rfc822Text,
    /// `BODY`: the structure without extension data.
    Body,
    /// `BODYSTRUCTURE`.
    BodyStructure,
    /// `UID`.
    Uid,
    /// `BODY[section]<origin.octets>` and `BODY.PEEK[…]`.
    BodySection {
        /// Which part of the message.
        section: Section,
        /// Whether reading leaves `\Seen` alone.
        peek: Peek,
        /// Which octets of it.
        partial: Option<Partial>,
    },
    /// `BINARY[part]<origin.octets>` and `BINARY.PEEK[…]`: decoded.
    Binary {
        /// Which part; the whole message when empty.
        part: PartNumber,
        /// Whether reading leaves `\Seen` alone.
        peek: Peek,
        /// Which octets of it.
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[part]`: octets after decoding.
    BinarySize(PartNumber),
    /// `MODSEQ` (RFC 7162 §3.1.5).
    ModSeq,
    /// `EMAILID` (RFC 8474 §5.1).
    EmailId,
    /// `THREADID` (RFC 8474 §5.2).
    ThreadId,
    /// `PREVIEW` (RFC 8970).
    Preview {
        /// `PREVIEW (LAZY)`: only when it costs nothing.
        lazy: bool,
    },
    /// `SAVEDATE` (RFC 8514).
    SaveDate,
}

/// Whether reading a body leaves `\Seen` as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// `.PEEK`: leaves it.
    Peek,
    /// Sets `\Seen` in a mailbox selected read-write.
    SetsSeen,
}

/// A part's place in the MIME tree, `1.2.3`; the message itself when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PartNumber(pub Vec<u32>);

/// What lies between the brackets of `BODY[…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The part.
    pub part: PartNumber,
    /// What of it.
    pub text: SectionText,
}

/// Which text of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// All of it: `BODY[]` the message, `BODY[1]` the part's body.
    All,
    /// `HEADER`: of the message, or of the message/rfc822 part.
    Header,
    /// `HEADER.FIELDS (…)`, as asked, never empty.
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (…)`.
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`.
    Text,
    /// `MIME`: the part's own header; always with a part number.
    Mime,
}

/// `<origin.octets>` (RFC 9051 §6.4.5). Answered with `<origin>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The first octet, counted from 0.
    pub origin: u64,
    /// How many octets at most, at least 1.
    pub octets: u64,
}

/// What follows the items of `FETCH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchModifiers {
    /// `CHANGEDSINCE` (RFC 7162 §3.1.4.1). The answers then carry MODSEQ.
    pub changed_since: Option<u64>,
    /// `VANISHED` (RFC 7162 §3.2.6): only with QRESYNC enabled, `UID FETCH` and `CHANGEDSINCE`.
    pub vanished: bool,
}

impl FetchItem {
    /// True when telling this item sets `\Seen` (RFC 9051 §6.4.5).
    pub fn sets_seen(&self) -> bool {
        matches!(
            self,
            FetchItem::Rfc822
                | FetchItem::Rfc822Text
                | FetchItem::BodySection { peek: Peek::SetsSeen, .. }
                | FetchItem::Binary { peek: Peek::SetsSeen, .. }
        )
    }
}
