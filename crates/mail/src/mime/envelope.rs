//! The fields of IMAP's ENVELOPE (RFC 9051 §7.5.2).

use crate::header::AddressListItem;

/// What ENVELOPE shows of one header: the first field of each name, unfolded.
///
/// Encoded-words stay as they are (RFC 9051 leaves them to the client). Octets that are no UTF-8 were read as
/// windows-1252. A field that is absent is `None` or an empty list; RFC 9051's rule that Sender and Reply-To default to
/// From is applied by [`EnvelopeFields::sender_or_from`] and [`EnvelopeFields::reply_to_or_from`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeFields {
    /// `Date`, as written.
    pub date: Option<String>,
    /// `Subject`, as written.
    pub subject: Option<String>,
    /// `From`.
    pub from: Vec<AddressListItem>,
    /// `Sender`, empty when absent.
    pub sender: Vec<AddressListItem>,
    /// `Reply-To`, empty when absent.
    pub reply_to: Vec<AddressListItem>,
    /// `To`.
    pub to: Vec<AddressListItem>,
    /// `Cc`.
    pub cc: Vec<AddressListItem>,
    /// `Bcc`.
    pub bcc: Vec<AddressListItem>,
    /// `In-Reply-To`, as written.
    pub in_reply_to: Option<String>,
    /// `Message-ID`, as written.
    pub message_id: Option<String>,
}

impl EnvelopeFields {
    /// `Sender`, or `From` where it is absent or empty (RFC 9051 §7.5.2).
    pub fn sender_or_from(&self) -> &[AddressListItem] {
        if self.sender.is_empty() { &self.from } else { &self.sender }
    }

    /// `Reply-To`, or `From` where it is absent or empty (RFC 9051 §7.5.2).
    pub fn reply_to_or_from(&self) -> &[AddressListItem] {
        if self.reply_to.is_empty() { &self.from } else { &self.reply_to }
    }
}
