//! The trace fields of one delivery: they go before the octets received, which stay as they are (RFC 5321 §4.4).
//!
//! `Authentication-Results` stands above our own Received: whatever claims that name further down came with the message.

use mail::envelope::{Envelope, Recipient};
use mail::header::DateTime;
use mail::trace::{Client, Received, Tls, original_recipient, return_path};
use mail::{Domain, ForwardPath};
use store::UnixMillis;

use crate::{Door, Origin};

/// What every copy of a message has in common.
pub(crate) struct TracePrefix {
    return_path: String,
    /// `Authentication-Results`; empty where nothing was looked at.
    results: String,
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
        let peer = door.operator().map(|operator| operator.certificate.dn.to_string());
        let tls = origin.tls.as_ref();
        let received = Received {
            // Where our own users sit is nobody's business; the log keeps it.
            from: match door {
                Door::Relay(_) | Door::Gateway => Some(client),
                Door::Submission(_) | Door::Append => None,
            },
            by: host,
            protocol: origin.protocol,
            tls: tls.map(|tls| Tls { version: &tls.version, cipher: &tls.cipher, peer: peer.as_deref() }),
            id: message,
            // Of several recipients none learns of another (RFC 5321 §7.2).
            recipient: match envelope.recipients.as_slice() {
                [Recipient { forward_path: ForwardPath::Address(address), .. }] => Some(address),
                _ => None,
            },
            date: DateTime::utc(now.seconds()),
        };
        let return_path = return_path(&envelope.reverse_path);
        TracePrefix { return_path, results: String::new(), received: received.to_field() }
    }

    /// The same with what was found out about the sender, as a whole field.
    pub(crate) fn with_results(self, results: String) -> TracePrefix {
        TracePrefix { results, ..self }
    }

    /// The fields of the copy for one recipient here.
    pub(crate) fn of(&self, recipient: &Recipient) -> Vec<u8> {
        let original = recipient.original.as_ref().map(original_recipient).unwrap_or_default();
        [self.return_path.as_str(), &original, &self.results, &self.received].concat().into_bytes()
    }

    /// The field of the copy that leaves: where the mail ends, others say (RFC 5321 §4.4), and what we found out is for our
    /// own readers.
    pub(crate) fn of_leaving(&self) -> Vec<u8> {
        self.received.clone().into_bytes()
    }
}
