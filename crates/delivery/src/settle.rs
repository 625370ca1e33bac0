//! What came of an attempt to relay, brought into the store: with the report it owes, in one commit.

use mail::message::message_id;
use mail::mime::{Limits, Scanner};
use mail::{ForwardPath, Refusal};
use queue::{Bounce, Plan, Writer};
use store::message::OverQuota;
use store::{Flags, MailboxId, Staged, StoreError, Transaction, UnixMillis};

use crate::Delivery;
use crate::incoming::Record;
use crate::recipient::Way;

/// A report that is staged, to be put into its place by the transaction that records what it tells.
pub struct PreparedReport {
    name: String,
    place: Place,
    now: UnixMillis,
}

enum Place {
    /// A box here.
    Inbox(MailboxId, Box<Record>),
    /// The queue: the message came from elsewhere.
    Queue(Box<Leaving>),
}

struct Leaving {
    staged: Staged,
    envelope: mail::Envelope,
    structure: store::StructureId,
}

impl Delivery {
    /// Records a plan and the report it owes, both or neither. Entries that an operator took away meanwhile are left out.
    ///
    /// # Errors
    /// The store's: the entries are due as before, but for those the next host has, which are gone in any case: better no
    /// report of success than the message twice.
    pub async fn settle(&self, mut plan: Plan) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            match self.settle_once(&plan).await {
                Ok(()) => return Ok(()),
                Err(error) if queue::record::is_stale(&error) => {
                    let name = plan.message().to_owned();
                    let current = self.shared.store.read(move |view| queue::entry::entries(view, &name)).await?;
                    if !plan.keep_current(&current) {
                        return Ok(());
                    }
                }
                // The sender's box went a moment ago: asked again, the directory knows.
                Err(StoreError::AccountDisabled | StoreError::NoSuchMailbox) => self.directory_changed(),
                Err(error) => {
                    if plan.report().is_some() && plan.keep_relayed() {
                        self.settle_once(&plan).await?;
                    }
                    return Err(error);
                }
            }
        }
        Err(store::EngineError::Collision.into())
    }

    async fn settle_once(&self, plan: &Plan) -> Result<(), StoreError> {
        let report = match plan.report() {
            None => None,
            Some(bounce) => {
                let original = bounce.original(&self.shared.store).await?;
                self.prepare_report(&bounce, &original).await?
            }
        };
        let name = report.as_ref().map(|report| report.name.clone());
        let recorded = plan.clone();
        let outcome = self.shared.store.transaction(move |tx| {
            if let Some(report) = &report {
                report.put(tx)?;
            }
            queue::record(tx, &recorded)
        });
        outcome.await?;
        if let Some(report) = name {
            tracing::info!(message_id = plan.message(), report, "sender told");
        }
        Ok(())
    }

    /// Prints a report and stages it. None, and a line in the log, when nobody here has the address it goes to any more:
    /// there is no report about a report.
    ///
    /// # Errors
    /// The store's.
    pub async fn prepare_report(&self, bounce: &Bounce, original: &[u8]) -> Result<Option<PreparedReport>, StoreError> {
        let path = ForwardPath::Address(bounce.to().clone());
        let inbox = match self.way_of_report(&path).await {
            Ok(Way::Here(receiver)) => Some(receiver.inbox),
            Ok(Way::Away(..)) => None,
            Err(refusal @ (Refusal::StoreTrouble | Refusal::StoreFull)) => {
                return Err(store::EngineError::Other(refusal.rule().to_owned()).into());
            }
            Err(refusal) => {
                let about = &*bounce.about().name;
                tracing::warn!(message_id = about, rule = refusal.rule(), "nobody is left to tell of this message");
                return Ok(None);
            }
        };
        let host = &self.shared.config.host;
        let mut random = [0; 16];
        self.shared.surroundings.random(&mut random);
        let postmaster = |domain: &mail::Domain| format!("postmaster@{domain}").parse().ok();
        let writer_domain = if inbox.is_some() { bounce.to().domain() } else { host };
        let from = postmaster(writer_domain).ok_or(StoreError::Unknown("postmaster"))?;
        let writer = Writer { host: host.clone(), from, message_id: message_id(&random, host) };
        let printed = bounce.print(writer, original);

        let mut stage = self.shared.store.stage()?;
        stage.write(&printed.octets).await?;
        let staged = stage.finish().await?;
        let place = match inbox {
            Some(inbox) => {
                let mut scanner = Scanner::new(Limits::default());
                scanner.feed(&printed.octets);
                Place::Inbox(inbox, Box::new(Record::new(staged, scanner.finish())))
            }
            None => {
                let structure = bounce.about().structure;
                Place::Queue(Box::new(Leaving { staged, envelope: bounce.envelope(&printed), structure }))
            }
        };
        Ok(Some(PreparedReport { name: self.message_name(), place, now: self.shared.surroundings.now() }))
    }
}

impl PreparedReport {
    /// Puts it into its box, or into the queue, within the transaction.
    ///
    /// # Errors
    /// The store's.
    pub fn put(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        match &self.place {
            Place::Inbox(inbox, record) => {
                let new = record.new_message(b"Return-Path: <>\r\n", self.now, OverQuota::Taken);
                store::message::append(tx, *inbox, &new, &Flags::none(), self.now)?;
                Ok(())
            }
            Place::Queue(leaving) => {
                let new = queue::NewMessage {
                    name: &self.name,
                    staged: &leaving.staged,
                    trace_prefix: b"",
                    structure: leaving.structure,
                    account: None,
                    envelope: &leaving.envelope,
                    message_id: None,
                };
                queue::insert(tx, &new, &leaving.envelope.recipients, self.now)
            }
        }
    }
}

/// Changes made meanwhile by others that one outcome may meet.
const ROUNDS_MAX: usize = 10;
