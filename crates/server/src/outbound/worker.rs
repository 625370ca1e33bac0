//! One connection's life: a job is tried, what came of it recorded, and the next one taken.

use std::sync::Arc;
use std::time::Duration;

use mail::dsn::Cause;
use queue::notice::QueuedNotice;
use queue::{Destination, Entry, Failure, Finish, Job, Plan, Queued, Stage, Tried};
use store::{StoreError, UnixMillis};
use tokio::sync::oneshot;

use super::Outbound;
use super::opening::{Open, Place, Unopened};
use super::transaction::{self, Letter, Sent, outcome_of, send, unreadable};
use super::trouble::{Lasting, Trouble};

/// Messages over one connection: it then begins anew, with certificates and addresses as they are by then.
const TRANSACTIONS_MAX: u32 = 100;

/// Pause before what could not be recorded is recorded again.
const RECORD_AGAIN: Duration = Duration::from_secs(2);

/// Times this is done: what was relayed and is not recorded will be relayed again.
const RECORD_TIMES_MAX: u32 = 30;

/// Works for one destination.
pub(super) struct Worker {
    outbound: Arc<Outbound>,
    destination: Destination,
    open: Option<Open>,
}

impl Worker {
    pub(super) fn new(outbound: Arc<Outbound>, destination: Destination) -> Worker {
        Worker { outbound, destination, open: None }
    }

    /// Whether a connection is there that another message may use.
    pub(super) fn may_go_on(&self) -> bool {
        self.open.is_some()
    }

    /// Waits for another job as long as the connection may be idle and holds.
    pub(super) async fn wait(&mut self, mut next: oneshot::Receiver<Job>) -> Option<Job> {
        let open = self.open.as_mut()?;
        tokio::select! {
            job = &mut next => return job.ok(),
            _ = open.link.broken() => self.open = None,
            () = tokio::time::sleep(self.outbound.settings.idle) => {}
        }
        // One that was given at this very moment is not lost.
        next.close();
        next.try_recv().ok()
    }

    /// Takes leave of the server.
    pub(super) async fn close(self) {
        if let Some(open) = self.open {
            open.link.quit().await;
        }
    }

    /// Tries a job and records what came of it; gives when its entries are due again.
    pub(super) async fn perform(&mut self, job: &Job) -> (Finish, Option<UnixMillis>) {
        let asked = job.clone();
        let read = self.outbound.parts.store.read(move |view| queue::job(view, &asked)).await;
        let (message, entries) = match read {
            Ok(Some(read)) => read,
            // Nothing of it waits any more.
            Ok(None) => return (Finish::Settled, None),
            Err(error) => return not_recorded(&error),
        };
        let retry = &self.outbound.settings.retry;
        let (plan, finish) = match &job.spared {
            Some(failure) => {
                let (jitter, now) = (self.outbound.jitter(), self.outbound.now());
                (Plan::spared(message, entries, failure, retry, jitter, now), Finish::Settled)
            }
            None => {
                let (tried, finish) = self.attempt(&message, entries).await;
                let outbound = &self.outbound;
                (Plan::after(message, tried, &outbound.settings.retry, outbound.jitter(), outbound.now()), finish)
            }
        };
        self.tell(&plan);
        let next_due = plan.next_due();
        match self.record(plan).await {
            Ok(()) => (finish, next_due),
            Err(error) => not_recorded(&error),
        }
    }

    /// A store that is full for a moment must not make us send twice.
    async fn record(&self, plan: Plan) -> Result<(), StoreError> {
        let mut times = 0;
        loop {
            match self.outbound.parts.delivery.settle(plan.clone()).await {
                Err(error) if times < RECORD_TIMES_MAX && !*self.outbound.parts.store.poisoned().borrow() => {
                    tracing::error!(message_id = plan.message(), %error, "an attempt cannot be recorded now");
                    times += 1;
                    tokio::time::sleep(RECORD_AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&mut self, message: &Queued, entries: Vec<Entry>) -> (Vec<Tried>, Finish) {
        let at = self.outbound.now();
        let content = match self.outbound.parts.store.open_blob(message.blob).await {
            Ok(content) => content,
            Err(error) => return (blame(entries, &Place::default(), &unreadable(&error), at), Finish::Settled),
        };
        let domain = match &self.destination {
            Destination::Domain(domain) => domain.clone(),
            Destination::SmartHost => {
                return match QueuedNotice::of(message.clone(), entries.clone()) {
                    Some(notice) => self.outbound.send_notice(&notice, &content, at).await,
                    None => {
                        let trouble = Trouble::for_good(Stage::Dns, Cause::Operator, "it is no notice");
                        (blame(entries, &Place::default(), &trouble, at), Finish::Went)
                    }
                };
            }
        };
        let letter = Letter { message, content: &content };
        if let Some(mut open) = self.open.take() {
            if open.still_speaks_for(&self.outbound, &domain).await {
                let sent = send(&mut open.link, letter, entries.clone()).await;
                // Closed while nobody looked: that is nobody's failure.
                if sent.answered || sent.broken.is_none() {
                    return self.conclude(open, sent, at);
                }
            } else {
                open.link.quit().await;
            }
        }
        match self.outbound.open(&domain).await {
            Ok(mut open) => {
                let sent = send(&mut open.link, letter, entries).await;
                self.conclude(open, sent, at)
            }
            Err(Unopened { trouble, place }) => {
                let finish = match trouble.lasting {
                    Lasting::ForNow => Finish::Unreachable(failure(&trouble, &place)),
                    // The next message to it is to fail as well, and not to wait.
                    Lasting::ForGood => Finish::Went,
                };
                (blame(entries, &place, &trouble, at), finish)
            }
        }
    }

    /// Keeps the connection where it holds, and says how the destination did.
    fn conclude(&mut self, mut open: Open, sent: Sent, at: UnixMillis) -> (Vec<Tried>, Finish) {
        let place = open.place.clone();
        let finish = match &sent.broken {
            None => Finish::Went,
            Some(trouble) if trouble.lasting == Lasting::ForGood => Finish::Went,
            Some(trouble) if trouble.answer.as_ref().is_some_and(|answer| answer.code == 421) => Finish::Busy,
            Some(_) if open.transactions > 0 => Finish::Busy,
            Some(trouble) => Finish::Unreachable(failure(trouble, &place)),
        };
        open.transactions += 1;
        if sent.broken.is_none() && open.transactions < TRANSACTIONS_MAX {
            self.open = Some(open);
        }
        let tried = |result: transaction::Result| Tried {
            attempt: place.attempt(at, result.stage),
            entry: result.entry,
            outcome: result.outcome,
        };
        (sent.results.into_iter().map(tried).collect(), finish)
    }

    /// One event for each entry. No address: the entry's name leads to it.
    fn tell(&self, plan: &Plan) {
        for (tried, outcome) in plan.decisions() {
            let destination = tried.entry.destination.to_string();
            self.outbound.count(&destination, outcome);
            tracing::info!(
                message_id = plan.message(),
                entry = %tried.entry.id,
                destination,
                attempt = tried.entry.attempts + 1,
                host = tried.attempt.host,
                address = tried.attempt.address.map(tracing::field::display),
                certificate = tried.attempt.certificate,
                stage = tried.attempt.stage.word(),
                cause = tried.outcome.cause().word(),
                code = tried.outcome.answer().map(|answer| answer.code),
                outcome,
                "tried"
            );
        }
    }
}

fn blame(entries: Vec<Entry>, place: &Place, trouble: &Trouble, at: UnixMillis) -> Vec<Tried> {
    let attempt = place.attempt(at, trouble.stage);
    let tried = |entry| Tried { entry, attempt: attempt.clone(), outcome: outcome_of(trouble) };
    entries.into_iter().map(tried).collect()
}

fn failure(trouble: &Trouble, place: &Place) -> Failure {
    Failure { cause: trouble.cause, answer: trouble.answer.clone(), host: place.host.clone() }
}

fn not_recorded(error: &StoreError) -> (Finish, Option<UnixMillis>) {
    tracing::error!(%error, "the store does not answer the relay");
    (Finish::NotRecorded, None)
}
