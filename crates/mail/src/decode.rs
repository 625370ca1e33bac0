//! Undoing transfer encodings and charsets, in chunks (RFC 2045 §6, RFC 2978).
//!
//! Decoding never fails: damage decodes to something, as every mail client does. A few octets are held between chunks,
//! and chunks cut anywhere give the same result.

mod base64;
mod html;
mod quoted_printable;
mod text;

pub use base64::Base64;
pub use html::HtmlText;
pub use quoted_printable::QuotedPrintable;
pub use text::TextDecoder;

use crate::mime::TransferEncoding;

/// Undoes a transfer encoding.
#[derive(Clone, Debug)]
pub enum TransferDecoder {
    /// `7bit`, `8bit`, `binary`.
    Identity,
    /// `base64`.
    Base64(Base64),
    /// `quoted-printable`.
    QuotedPrintable(QuotedPrintable),
}

impl TransferDecoder {
    /// `None` for an encoding nobody can undo ([`TransferEncoding::Other`]).
    pub fn new(encoding: &TransferEncoding) -> Option<TransferDecoder> {
        match encoding {
            TransferEncoding::Base64 => Some(TransferDecoder::Base64(Base64::default())),
            TransferEncoding::QuotedPrintable => Some(TransferDecoder::QuotedPrintable(QuotedPrintable::default())),
            TransferEncoding::SevenBit | TransferEncoding::EightBit | TransferEncoding::Binary => {
                Some(TransferDecoder::Identity)
            }
            TransferEncoding::Other(_) => None,
        }
    }

    /// Takes encoded octets, appends decoded ones: never more than came in, and what was held.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        match self {
            TransferDecoder::Identity => out.extend_from_slice(chunk),
            TransferDecoder::Base64(decoder) => decoder.feed(chunk, out),
            TransferDecoder::QuotedPrintable(decoder) => decoder.feed(chunk, out),
        }
    }

    /// The input is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            TransferDecoder::Identity => {}
            TransferDecoder::Base64(decoder) => decoder.finish(out),
            TransferDecoder::QuotedPrintable(decoder) => decoder.finish(out),
        }
    }
}

/// The octet two hexadecimal digits stand for; lower case is taken (RFC 2045 §6.7, note 2).
pub(crate) fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
