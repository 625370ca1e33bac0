//! ENVELOPE (RFC 9051 §7.5.2).

use mail::header::AddressListItem;
use mail::mime::EnvelopeFields;

use super::text::{Charset, nstring, string};

/// `(date subject from sender reply-to to cc bcc in-reply-to message-id)`.
pub(super) fn envelope(out: &mut Vec<u8>, fields: &EnvelopeFields, charset: Charset) {
    out.push(b'(');
    nstring(out, fields.date.as_deref(), charset);
    out.push(b' ');
    nstring(out, fields.subject.as_deref(), charset);
    let lists = [&fields.from, fields.sender_or_from(), fields.reply_to_or_from(), &fields.to, &fields.cc, &fields.bcc];
    for list in lists {
        out.push(b' ');
        addresses(out, list, charset);
    }
    out.push(b' ');
    nstring(out, fields.in_reply_to.as_deref(), charset);
    out.push(b' ');
    nstring(out, fields.message_id.as_deref(), charset);
    out.push(b')');
}

/// `NIL`, or addresses side by side. A group begins with its name in the mailbox's place and ends with four NIL.
fn addresses(out: &mut Vec<u8>, list: &[AddressListItem], charset: Charset) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for item in list {
        match item {
            AddressListItem::Mailbox(address) => {
                out.push(b'(');
                nstring(out, address.name.as_deref(), charset);
                out.push(b' ');
                nstring(out, address.route.as_deref(), charset);
                out.push(b' ');
                // Never NIL here, even when empty: NIL would open or close a group.
                string(out, address.local_part.as_bytes(), charset);
                out.push(b' ');
                string(out, address.domain.as_bytes(), charset);
                out.push(b')');
            }
            AddressListItem::GroupStart(name) => {
                out.extend_from_slice(b"(NIL NIL ");
                string(out, name.as_bytes(), charset);
                out.extend_from_slice(b" NIL)");
            }
            AddressListItem::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
        }
    }
    out.push(b')');
}
