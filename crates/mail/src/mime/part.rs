//! One MIME part (RFC 2045, RFC 2046) with its place in the message.

use std::ops::Range;

use super::EnvelopeFields;

/// A part, or the message itself: its header, its body, and what the header says of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Octets of the header, the empty line that ends it included.
    pub header: Range<u64>,
    /// Octets of the body; the line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
    pub body: Range<u64>,
    /// Lines of the body; a last line without line end counts.
    pub lines: u64,
    /// Media type, lower case: `text`.
    pub media_type: String,
    /// Media subtype, lower case: `plain`.
    pub subtype: String,
    /// Parameters of Content-Type, names in lower case, values decoded (RFC 2231); none is invented.
    pub parameters: Vec<Parameter>,
    /// `Content-Disposition` (RFC 2183).
    pub disposition: Option<Disposition>,
    /// `Content-ID`, as written.
    pub id: Option<String>,
    /// `Content-Description`, as written.
    pub description: Option<String>,
    /// `Content-MD5`, as written.
    pub md5: Option<String>,
    /// `Content-Language` (RFC 3282).
    pub languages: Vec<String>,
    /// `Content-Location`, as written.
    pub location: Option<String>,
    /// `Content-Transfer-Encoding`.
    pub encoding: TransferEncoding,
    /// Octets of the body once its transfer encoding is undone.
    pub decoded_octets: u64,
    /// What the body holds.
    pub content: Content,
}

/// What a part's body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Data. Also a `multipart` in which no delimiter was found, and a `message/rfc822` that is transfer-encoded or beyond
    /// the limits: IMAP has no form for these, and a printer of BODYSTRUCTURE shows [`Part::shown_type`].
    Leaf,
    /// The parts of a `multipart/*`: one or more.
    Multipart(Vec<Part>),
    /// The message in a `message/rfc822` or `message/global`.
    Message(Box<EncapsulatedMessage>),
}

/// A message inside a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncapsulatedMessage {
    /// What its ENVELOPE shows.
    pub envelope: EnvelopeFields,
    /// The message as a part: its header, body and structure.
    pub part: Part,
}

/// `Content-Disposition` (RFC 2183).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// `inline`, `attachment`, or another token; lower case.
    pub kind: String,
    /// Its parameters, names in lower case, values decoded.
    pub parameters: Vec<Parameter>,
}

/// `name=value` after a `;`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// In lower case, without the `*` of RFC 2231.
    pub name: String,
    /// Unquoted; RFC 2231 segments joined and their charset converted.
    pub value: String,
}

/// `Content-Transfer-Encoding` (RFC 2045 §6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TransferEncoding {
    /// `7bit`, or nothing said.
    #[default]
    SevenBit,
    /// `8bit`.
    EightBit,
    /// `binary` (RFC 3030).
    Binary,
    /// `base64`.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
    /// Any other token, lower case; its octets cannot be decoded (BINARY answers UNKNOWN-CTE, RFC 3516 §4.3).
    Other(String),
}

impl TransferEncoding {
    /// Reads the field's value.
    pub fn from_token(token: &str) -> TransferEncoding {
        let token = token.trim();
        let known = [
            TransferEncoding::SevenBit,
            TransferEncoding::EightBit,
            TransferEncoding::Binary,
            TransferEncoding::Base64,
            TransferEncoding::QuotedPrintable,
        ];
        known
            .into_iter()
            .find(|encoding| encoding.as_str().eq_ignore_ascii_case(token))
            .unwrap_or_else(|| TransferEncoding::Other(token.to_ascii_lowercase()))
    }

    /// The token, lower case.
    pub fn as_str(&self) -> &str {
        match self {
            TransferEncoding::SevenBit => "7bit",
            TransferEncoding::EightBit => "8bit",
            TransferEncoding::Binary => "binary",
            TransferEncoding::Base64 => "base64",
            TransferEncoding::QuotedPrintable => "quoted-printable",
            TransferEncoding::Other(token) => token,
        }
    }

    /// True where the body's octets are the content's octets.
    pub fn is_identity(&self) -> bool {
        matches!(self, TransferEncoding::SevenBit | TransferEncoding::EightBit | TransferEncoding::Binary)
    }
}

impl Part {
    /// Octets of the body as it travels: what BODYSTRUCTURE shows as size.
    pub fn octets(&self) -> u64 {
        self.body.end - self.body.start
    }

    /// Type and subtype as BODYSTRUCTURE can show them: its grammar wants parts inside a multipart, and an envelope inside a
    /// `message/rfc822` (RFC 9051 §9 `body-type-mpart`, `body-type-msg`). What has none is shown as data.
    pub fn shown_type(&self) -> (&str, &str) {
        let is_hollow = matches!(self.content, Content::Leaf)
            && (self.media_type == "multipart" || self.is("message", "rfc822") || self.is("message", "global"));
        match is_hollow {
            true => ("application", "octet-stream"),
            false => (&self.media_type, &self.subtype),
        }
    }

    /// True for `type/subtype`, given in lower case.
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.media_type == media_type && self.subtype == subtype
    }

    /// A parameter of Content-Type by its lower-case name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }

    /// The file name, from Content-Disposition's `filename`, or Content-Type's `name`; encoded-words in it, which
    /// RFC 2047 §5 forbids and everyone sends, are decoded.
    pub fn file_name(&self) -> Option<String> {
        let disposition = self.disposition.as_ref().and_then(|disposition| find(&disposition.parameters, "filename"));
        disposition.or_else(|| self.parameter("name")).map(crate::header::decode_words)
    }

    /// This part and all below it, in order.
    pub fn walk(&self, visit: &mut dyn FnMut(&Part)) {
        visit(self);
        match &self.content {
            Content::Leaf => {}
            Content::Multipart(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Content::Message(message) => message.part.walk(visit),
        }
    }
}

fn find<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a str> {
    parameters.iter().find(|parameter| parameter.name == name).map(|parameter| parameter.value.as_str())
}
