//! One message on its way in.

use std::sync::Arc;

use mail::envelope::Envelope;
use mail::header::DateTime;
use mail::message::{SubmissionEdit, message_id};
use mail::mime::{Limits, MessageIndex, Scanner, Split, Thread};
use mail::{Address, Refusal};
use policy::SubmissionFacts;
use store::message::{Appended, NewMessage, OverQuota};
use store::{AccountId, Flags, MailboxId, StageWriter, Staged, UnixMillis};

use crate::destinations::{Destinations, Leaving, Told};
use crate::recipient::trouble;
use crate::relayed::Look;
use crate::trace_prefix::TracePrefix;
use crate::{Accepted, AppendError, AppendOrder, Delivery, Door, Origin};

/// A message being spooled. Its octets are scanned and staged as they come; none are held but in the stage's buffer.
///
/// Dropped before it is accepted or appended, it leaves nothing behind.
pub struct Incoming {
    delivery: Delivery,
    door: Door,
    /// The addresses of the account that submits.
    own: Arc<[Address]>,
    edit: Option<SubmissionEdit>,
    edited: Vec<u8>,
    scanner: Scanner,
    stage: StageWriter,
}

/// What the store keeps of a message, owned so that a transaction may run again.
pub(crate) struct Record {
    pub(crate) staged: Staged,
    index: Split,
    preview: String,
    pub(crate) thread: Thread,
}

/// Where one copy goes.
struct Copy {
    inbox: MailboxId,
    trace_prefix: Vec<u8>,
}

impl Delivery {
    /// Opens a stage for one message.
    ///
    /// # Errors
    /// [`Refusal::StoreFull`] while free space is under the reserve, [`Refusal::StoreTrouble`].
    pub async fn begin(&self, door: Door) -> Result<Incoming, Refusal> {
        let (own, edit) = match &door {
            Door::Submission(identity) => {
                let own = self.own_addresses(identity.acting_for).await?;
                let edit = self.submission_edit(&own);
                (own, Some(edit))
            }
            Door::Relay(_) | Door::Gateway | Door::Append => (Arc::from([]), None),
        };
        let stage = self.shared.store.stage().map_err(|error| trouble(&error))?;
        let scanner = Scanner::new(Limits::default());
        Ok(Incoming { delivery: self.clone(), door, own, edit, edited: Vec::new(), scanner, stage })
    }

    fn submission_edit(&self, own: &[Address]) -> SubmissionEdit {
        let mut random = [0; 16];
        self.shared.surroundings.random(&mut random);
        let domain = own.first().map_or(&self.shared.config.host, Address::domain);
        SubmissionEdit::new(DateTime::utc(self.shared.surroundings.now().seconds()), message_id(&random, domain))
    }
}

impl Incoming {
    /// Takes the next octets of the message.
    ///
    /// # Errors
    /// [`Refusal::StoreFull`], [`Refusal::StoreTrouble`]: the message cannot be taken any more.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let octets = match &mut self.edit {
            None => chunk,
            Some(edit) => {
                self.edited.clear();
                edit.feed(chunk, &mut self.edited);
                &self.edited
            }
        };
        self.scanner.feed(octets);
        self.stage.write(octets).await.map_err(|error| trouble(&error))
    }

    /// Judges the message and delivers it to every recipient in one commit, or to none: into the boxes here, and into the
    /// queue for those elsewhere.
    ///
    /// When this answers `Ok` the message is durable: only now may 250 be said (RFC 5321 §6.1). Dropped while the
    /// commit runs, the message may have been delivered: the sender, not told, sends again.
    ///
    /// # Errors
    /// Policy's refusals, and the store's.
    pub async fn accept(self, envelope: &Envelope, origin: &Origin) -> Result<Accepted, Refusal> {
        let message = self.delivery.message_name();
        let person = match &self.door {
            Door::Submission(identity) => Some(identity.person.0),
            Door::Relay(_) | Door::Gateway | Door::Append => None,
        };
        // The driver logs the outcome with its session; here is what only we know.
        let outcome = self.judge_and_deliver(&message, envelope, origin).await;
        match &outcome {
            Ok(accepted) => {
                let (copies, queued) = (accepted.copies.len(), accepted.queued);
                tracing::debug!(message_id = message, person, copies, queued, "message delivered");
            }
            Err(refusal) => tracing::debug!(message_id = message, person, rule = refusal.rule(), "message refused"),
        }
        outcome
    }

    async fn judge_and_deliver(
        mut self,
        message: &str,
        envelope: &Envelope,
        origin: &Origin,
    ) -> Result<Accepted, Refusal> {
        self.finish_edit().await?;
        let index = self.scanner.finish();
        let delivery = &self.delivery;
        policy::content::received(&index.facts, delivery.limits(&self.door))?;
        if let Door::Submission(_) = self.door {
            let facts = SubmissionFacts { reverse_path: &envelope.reverse_path, own: &self.own, message: &index };
            policy::submission::message(facts)?;
        }
        let (host, rules) = (&delivery.shared.config.host, &delivery.shared.config.relay);
        let author = rules.author(&self.door, envelope, &index)?;
        let destinations = Destinations::find(delivery, &self.door, envelope).await?;

        // Judged before it is made durable: what is refused costs no sync.
        let staged = self.stage.finish().await.map_err(|error| trouble(&error))?;
        let (door, message_index) = (&self.door, &index);
        let look = Look { door, origin, envelope, message: message_index, staged: &staged, author, host };
        let results = rules.results(look).await?;
        let now = delivery.shared.surroundings.now();
        let trace = TracePrefix::new(door, origin, envelope, host, message, now).with_results(results);
        let told = Told { door, message, account: door.account(), index: message_index, staged: &staged, now };
        let report = destinations.report(delivery, envelope, &trace, told).await?;

        let leaving = Leaving {
            name: message.to_owned(),
            trace_prefix: trace.of_leaving(),
            account: door.account(),
            structure: destinations.structure,
            envelope: envelope.clone(),
            recipients: destinations.away,
        };
        let accounts: Vec<AccountId> = destinations.here.keys().copied().collect();
        let copies: Vec<Copy> = destinations
            .here
            .into_values()
            .map(|(inbox, first)| Copy { inbox, trace_prefix: trace.of(&first) })
            .collect();
        let queued = leaving.recipients.len();
        let record = Record::new(staged, index);
        let delivered = delivery.shared.store.transaction(move |tx| {
            let deliver = |copy: &Copy| {
                let new = record.new_message(&copy.trace_prefix, now, OverQuota::Taken);
                store::message::append(tx, copy.inbox, &new, &Flags::none(), now)
            };
            let copies = copies.iter().map(deliver).collect::<Result<Vec<_>, _>>()?;
            leaving.insert(tx, &record, now)?;
            if let Some(report) = &report {
                report.put(tx)?;
            }
            Ok(copies)
        });
        let copies = delivered.await.map_err(|error| trouble(&error))?;
        Ok(Accepted { message: message.to_owned(), accounts, copies, queued })
    }

    /// Puts the message into one mailbox: APPEND and import.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(mut self, order: AppendOrder) -> Result<Appended, AppendError> {
        self.finish_edit().await.map_err(AppendError::Refused)?;
        let index = self.scanner.finish();
        policy::content::appended(&index.facts, self.delivery.limits(&self.door)).map_err(AppendError::Refused)?;
        let now = self.delivery.shared.surroundings.now();
        let record = Record::new(self.stage.finish().await?, index);
        let AppendOrder { mailbox, flags, internal_date } = order;
        let internal_date = internal_date.unwrap_or(now);
        let appended = self.delivery.shared.store.transaction(move |tx| {
            let new = record.new_message(&[], internal_date, OverQuota::Refused);
            store::message::append(tx, mailbox, &new, &flags, now)
        });
        Ok(appended.await?)
    }

    async fn finish_edit(&mut self) -> Result<(), Refusal> {
        let Some(mut edit) = self.edit.take() else { return Ok(()) };
        self.edited.clear();
        edit.finish(&mut self.edited);
        self.scanner.feed(&self.edited);
        self.stage.write(&self.edited).await.map_err(|error| trouble(&error))
    }
}

impl Record {
    pub(crate) fn new(staged: Staged, index: MessageIndex) -> Record {
        Record { staged, index: index.split(), preview: index.facts.preview, thread: index.facts.thread }
    }

    pub(crate) fn new_message<'a>(
        &'a self,
        trace_prefix: &'a [u8],
        internal_date: UnixMillis,
        over_quota: OverQuota,
    ) -> NewMessage<'a> {
        NewMessage {
            staged: &self.staged,
            trace_prefix,
            internal_date,
            envelope: &self.index.envelope,
            structure: &self.index.structure,
            preview: &self.preview,
            header_texts: &self.index.header_texts,
            message_id: self.thread.message_id.as_deref(),
            references: &self.thread.references,
            over_quota,
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}
