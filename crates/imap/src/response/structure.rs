//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use mail::mime::{Content, EncapsulatedMessage, Parameter, Part};

use super::envelope::envelope;
use super::text::{Charset, nstring, number, string};

/// Whether extension data is shown: in BODYSTRUCTURE, not in BODY.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extensions {
    Shown,
    Left,
}

/// One body. Depth is bounded by the scanner that made the tree.
pub(super) fn structure(out: &mut Vec<u8>, part: &Part, extensions: Extensions, charset: Charset) {
    out.push(b'(');
    match &part.content {
        Content::Multipart(parts) => multipart(out, part, parts, extensions, charset),
        Content::Message(message) => encapsulated(out, part, message, extensions, charset),
        Content::Leaf => leaf(out, part, charset),
    }
    if extensions == Extensions::Shown {
        if !matches!(part.content, Content::Multipart(_)) {
            out.push(b' ');
            nstring(out, part.md5.as_deref(), charset);
        }
        extension_data(out, part, charset);
    }
    out.push(b')');
}

fn multipart(out: &mut Vec<u8>, part: &Part, parts: &[Part], extensions: Extensions, charset: Charset) {
    for part in parts {
        structure(out, part, extensions, charset);
    }
    if parts.is_empty() {
        // The grammar wants at least one body: an empty text stands for the missing parts.
        out.extend_from_slice(b"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
    }
    out.push(b' ');
    string(out, part.subtype.as_bytes(), charset);
    if extensions == Extensions::Shown {
        out.push(b' ');
        parameters(out, &part.parameters, charset);
    }
}

fn encapsulated(
    out: &mut Vec<u8>,
    part: &Part,
    message: &EncapsulatedMessage,
    extensions: Extensions,
    charset: Charset,
) {
    media_type(out, &part.media_type, &part.subtype, charset);
    fields(out, part, charset);
    out.push(b' ');
    envelope(out, &message.envelope, charset);
    out.push(b' ');
    structure(out, &message.part, extensions, charset);
    number(out, b" ", part.lines);
}

fn leaf(out: &mut Vec<u8>, part: &Part, charset: Charset) {
    let (shown_type, subtype) = part.shown_type();
    media_type(out, shown_type, subtype, charset);
    fields(out, part, charset);
    if part.media_type == "text" {
        number(out, b" ", part.lines);
    }
}

fn media_type(out: &mut Vec<u8>, media_type: &str, subtype: &str, charset: Charset) {
    string(out, media_type.as_bytes(), charset);
    out.push(b' ');
    string(out, subtype.as_bytes(), charset);
    out.push(b' ');
}

/// `body-fields`: parameters, id, description, encoding, octets.
fn fields(out: &mut Vec<u8>, part: &Part, charset: Charset) {
    parameters(out, &part.parameters, charset);
    out.push(b' ');
    nstring(out, part.id.as_deref(), charset);
    out.push(b' ');
    nstring(out, part.description.as_deref(), charset);
    out.push(b' ');
    string(out, part.encoding.as_str().as_bytes(), charset);
    number(out, b" ", part.octets());
}

/// Disposition, language and location, which all bodies share.
fn extension_data(out: &mut Vec<u8>, part: &Part, charset: Charset) {
    match &part.disposition {
        None => out.extend_from_slice(b" NIL"),
        Some(disposition) => {
            out.extend_from_slice(b" (");
            string(out, disposition.kind.as_bytes(), charset);
            out.push(b' ');
            parameters(out, &disposition.parameters, charset);
            out.push(b')');
        }
    }
    for (index, language) in part.languages.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" (" } else { b" " });
        string(out, language.as_bytes(), charset);
    }
    out.extend_from_slice(if part.languages.is_empty() { b" NIL " } else { b") " });
    nstring(out, part.location.as_deref(), charset);
}

fn parameters(out: &mut Vec<u8>, parameters: &[Parameter], charset: Charset) {
    if parameters.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    for (index, parameter) in parameters.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        match parameter.value.is_ascii() {
            true => {
                string(out, parameter.name.as_bytes(), charset);
                out.push(b' ');
                string(out, parameter.value.as_bytes(), charset);
            }
            // The extended form that mail clients decode (RFC 2231 §4), whatever it came as.
            false => {
                string(out, format!("{}*", parameter.name).as_bytes(), charset);
                out.push(b' ');
                string(out, extended_value(&parameter.value).as_bytes(), charset);
            }
        }
    }
    out.push(b')');
}

/// `utf-8''caf%C3%A9` (RFC 2231 §4).
fn extended_value(value: &str) -> String {
    let mut text = String::from("utf-8''");
    for octet in value.bytes() {
        match octet.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&octet) {
            true => text.push(char::from(octet)),
            false => text.push_str(&format!("%{octet:02X}")),
        }
    }
    text
}
