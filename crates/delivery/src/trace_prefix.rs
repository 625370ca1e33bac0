//! The trace fields of one delivery: they go before the octets received, which stay as they are (RFC 5321 §4.4).

use mail::envelope::{Envelope, Recipient};
use mail::header::DateTime;
use mail::trace::{Client, Received, Tls, original_recipient, return_path};
use mail::{Domain, ForwardPath};
use store::UnixMillis;

use crate::{Door, Origin};

/// What every copy of a message has in common.
pub(crate) struct TracePrefix {
    return_path: String,
    received: String,
}

impl TracePrefix {
    pub(crate) fn new(
        door: &Door,
        origin: &Origin,
        envelope: &Envelope,
        host: &Domain,
        message: &str,
        now: UnixMillis,
    ) -> TracePrefix {
        let client = Client { helo: &origin.client_name, address: origin.client_address };
        let received = Received {
            // Where our own users sit is nobody's business; the log keeps it.
            from: match door {
                Door::Relay => Some(client),
                Door::Submission(_) | Door::Append => None,
            },
            by: host,
            protocol: origin.protocol,
            tls: origin.tls.as_ref().map(|tls| Tls { version: &tls.version, cipher: &tls.cipher }),
            id: message,
            // Of several recipients none learns of another (RFC 5321 §7.2).
            recipient: match envelope.recipients.as_slice() {
                [Recipient { forward_path: ForwardPath::Address(address), .. }] => Some(address),
                _ => None,
            },
            date: DateTime::utc(now.seconds()),
        };
        TracePrefix { return_path: return_path(&envelope.reverse_path), received: received.to_field() }
    }

    /// The fields of the copy for one recipient.
    pub(crate) fn of(&self, recipient: &Recipient) -> Vec<u8> {
        let original = recipient.original.as_ref().map(original_recipient).unwrap_or_default();
        [self.return_path.as_str(), &original, &self.received].concat().into_bytes()
    }
}
