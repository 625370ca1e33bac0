//! The report a sender gets: what it says, what it brings back, and how it travels.
//!
//! It is printed and staged first, and comes into the sender's box, or into the queue, by the commit that records what it
//! tells ([`crate::record`]): there is exactly one for each event, wherever the process dies.

use mail::dsn::{Action, ORIGINAL_OCTETS_MAX, Original, Printed, RecipientReport, Report};
use mail::envelope::{Envelope, ForwardPath, Notify, Recipient, Returned, ReversePath};
use mail::header::DateTime;
use mail::{Address, Domain};
use store::{Store, StoreError, UnixMillis};

use crate::plan::wants;
use crate::{Answer, Queued};

/// A report that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    to: Address,
    message: Queued,
    recipients: Vec<RecipientReport>,
    now: UnixMillis,
}

/// Who writes the report.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Our name.
    pub host: Domain,
    /// Who reads the answers to it: a postmaster.
    pub from: Address,
    /// The `Message-ID` of the report, without angle brackets, random.
    pub message_id: String,
}

impl Bounce {
    pub(crate) fn new(to: Address, message: Queued, recipients: Vec<RecipientReport>, now: UnixMillis) -> Bounce {
        Bounce { to, message, recipients, now }
    }

    /// A report that the message is in the boxes of those recipients that wanted one (RFC 3461 §6.1), to be stored beside
    /// it. `message` need not be in the queue.
    pub fn delivered(message: Queued, recipients: &[Recipient], now: UnixMillis) -> Option<Bounce> {
        let ReversePath::Address(to) = message.reverse_path.clone() else { return None };
        let told = |recipient: &Recipient| RecipientReport {
            final_recipient: recipient.forward_path.clone(),
            original: recipient.original.clone(),
            action: Action::Delivered,
            status: mail::EnhancedStatus::new(2, 1, 5),
            cause: mail::dsn::Cause::Success,
            remote_mta: None,
            diagnostic: None::<Answer>,
            last_attempt: None,
            will_retry_until: None,
        };
        let recipients: Vec<RecipientReport> =
            recipients.iter().filter(|recipient| wants(recipient, Action::Delivered)).map(told).collect();
        (!recipients.is_empty()).then_some(Bounce { to, message, recipients, now })
    }

    /// Whom it goes to.
    pub fn to(&self) -> &Address {
        &self.to
    }

    /// The message it is about.
    pub fn about(&self) -> &Queued {
        &self.message
    }

    /// Whether the message comes back whole: asked for (RFC 3461 §4.3), and a failure, and short enough, and not one that
    /// may travel protected only (RFC 8689 §5). Otherwise its header.
    fn is_whole(&self) -> bool {
        let failed = self.recipients.iter().any(|recipient| recipient.action == Action::Failed);
        let Queued { returned, octets, require_tls, .. } = &self.message;
        failed && *returned == Some(Returned::Full) && *octets <= ORIGINAL_OCTETS_MAX && !require_tls
    }

    /// Reads what is brought back.
    ///
    /// # Errors
    /// The store's; of a message that is damaged, nothing is brought back.
    pub async fn original(&self, store: &Store) -> Result<Vec<u8>, StoreError> {
        let octets_max = if self.is_whole() { ORIGINAL_OCTETS_MAX } else { HEADER_OCTETS_MAX };
        let mut original = self.message.trace_prefix.clone();
        let read = match store.open_blob(self.message.blob).await {
            Ok(blob) => blob.read(0..octets_max).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(octets) => original.extend_from_slice(&octets),
            Err(StoreError::Damaged(_) | StoreError::NoSuchMessage) => {}
            Err(error) => return Err(error),
        }
        Ok(original)
    }

    /// Prints it.
    pub fn print(&self, writer: Writer, original: &[u8]) -> Printed {
        let report = Report {
            reporting_mta: writer.host,
            from: writer.from,
            to: self.to.clone(),
            date: DateTime::utc(self.now.seconds()),
            message_id: writer.message_id,
            arrival: DateTime::utc(self.message.created.seconds()),
            envelope_id: self.message.envelope_id.clone(),
            original_message_id: self.message.message_id.clone(),
            queue_name: self.message.name.to_string(),
            smtputf8: self.message.smtputf8,
            recipients: self.recipients.clone(),
        };
        match self.is_whole() {
            true => report.print(Original::Full(original)),
            false => report.print(Original::Header(original)),
        }
    }

    /// How it travels: from the null reverse-path, so that its own failure is told to nobody (RFC 5321 §6.1).
    pub fn envelope(&self, printed: &Printed) -> Envelope {
        let forward_path = ForwardPath::Address(self.to.clone());
        Envelope {
            recipients: vec![Recipient { notify: Some(Notify::Never), ..Recipient::new(forward_path) }],
            body: printed.body,
            smtputf8: printed.smtputf8,
            require_tls: self.message.require_tls,
            ..Envelope::new(ReversePath::Null)
        }
    }
}

/// Octets of the message read for its header.
const HEADER_OCTETS_MAX: u64 = 64 << 10;
