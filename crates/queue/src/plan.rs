//! What follows from an attempt, for each forward-path: it is gone, it is tried again, or it is given up; and what the
//! sender is told. Decided here, written by [`crate::record`].

use mail::dsn::{Action, Cause, RecipientReport};
use mail::envelope::{Notify, Recipient, ReversePath};
use mail::header::DateTime;
use policy::RetryPolicy;
use policy::retry::{self, AttemptFacts, CauseClass, Jitter, Next};
use store::UnixMillis;

use crate::schedule::later;
use crate::{Answer, Attempt, Bounce, Entry, Failure, Outcome, Queued, Stage};

/// What came of an attempt for one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// As it was when it was tried.
    pub entry: Entry,
    /// Where it went.
    pub attempt: Attempt,
    /// What came of it.
    pub outcome: Outcome,
}

/// What is to be recorded of one message, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) message: Queued,
    pub(crate) steps: Vec<Step>,
    pub(crate) now: UnixMillis,
    /// When it is given up.
    retry_until: UnixMillis,
    /// Whether the report is left out.
    silent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub tried: Tried,
    pub verdict: Verdict,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is gone, the next host answers for it.
    Relayed,
    /// It is tried again; `tell`: its sender is told now that it is late.
    Retry { due: UnixMillis, tell: bool },
    /// It is gone, its sender is told.
    Failed,
}

impl Plan {
    /// Decides. `message` is that of all entries.
    pub fn after(message: Queued, tried: Vec<Tried>, policy: &RetryPolicy, jitter: Jitter, now: UnixMillis) -> Plan {
        let age = message.age(now);
        let step = |tried: Tried| {
            let verdict = match &tried.outcome {
                Outcome::Relayed { .. } => Verdict::Relayed,
                Outcome::Failed { .. } => Verdict::Failed,
                Outcome::Deferred { cause, .. } => {
                    let class = if cause.is_trust() { CauseClass::Trust } else { CauseClass::Ordinary };
                    let told = tried.entry.delay_told.is_some();
                    let facts = AttemptFacts { attempts: tried.entry.attempts.saturating_add(1), age, class, told };
                    match retry::next(policy, facts, jitter) {
                        Next::Retry { after, tell } => Verdict::Retry { due: later(now, after), tell },
                        Next::GiveUp => Verdict::Failed,
                    }
                }
            };
            Step { tried, verdict }
        };
        let retry_until = later(message.created, policy.give_up_after);
        Plan { message, steps: tried.into_iter().map(step).collect(), now, retry_until, silent: false }
    }

    /// What follows for entries that were not tried, their destination having failed a moment ago.
    pub fn spared(
        message: Queued,
        entries: Vec<Entry>,
        failure: &Failure,
        policy: &RetryPolicy,
        jitter: Jitter,
        now: UnixMillis,
    ) -> Plan {
        let tried = |entry| Tried {
            entry,
            attempt: Attempt {
                at: now,
                stage: Stage::Spared,
                host: failure.host.clone(),
                address: None,
                certificate: None,
            },
            outcome: Outcome::Deferred { cause: failure.cause, answer: failure.answer.clone() },
        };
        Plan::after(message, entries.into_iter().map(tried).collect(), policy, jitter, now)
    }

    /// What follows when somebody who runs the server gives entries up.
    pub fn given_up(message: Queued, entries: Vec<Entry>, now: UnixMillis) -> Plan {
        let attempt =
            Attempt { at: now, stage: Stage::Operator, host: String::new(), address: None, certificate: None };
        let outcome = Outcome::Failed { cause: Cause::Operator, answer: None };
        let tried = |entry| Tried { entry, attempt: attempt.clone(), outcome: outcome.clone() };
        Plan::after(message, entries.into_iter().map(tried).collect(), &RetryPolicy::default(), Jitter::NONE, now)
    }

    /// When something of it is due again.
    pub fn next_due(&self) -> Option<UnixMillis> {
        let due = |step: &Step| match step.verdict {
            Verdict::Retry { due, .. } => Some(due),
            Verdict::Relayed | Verdict::Failed => None,
        };
        self.steps.iter().filter_map(due).min()
    }

    /// The message's name.
    pub fn message(&self) -> &str {
        &self.message.name
    }

    /// For logs and metrics: the entries, and in one word what becomes of each.
    pub fn decisions(&self) -> impl Iterator<Item = (&Tried, &'static str)> {
        self.steps.iter().map(|step| {
            let word = match step.verdict {
                Verdict::Relayed => "relayed",
                Verdict::Retry { .. } => "deferred",
                Verdict::Failed => "failed",
            };
            (&step.tried, word)
        })
    }

    /// Leaves only what was decided on entries that are still as they were, as read again: an operator may have failed one
    /// meanwhile. False when nothing is left.
    pub fn keep_current(&mut self, current: &[Entry]) -> bool {
        let same = |tried: &Entry, now: &Entry| tried.id == now.id && tried.attempts == now.attempts;
        self.steps.retain(|step| current.iter().any(|entry| same(&step.tried.entry, entry)));
        !self.steps.is_empty()
    }

    /// Leaves only what the next host has, without a word to the sender: for when a report cannot be stored, so that the
    /// message is not sent twice. False when nothing is left.
    pub fn keep_relayed(&mut self) -> bool {
        self.steps.retain(|step| step.verdict == Verdict::Relayed);
        self.silent = true;
        !self.steps.is_empty()
    }

    /// The report that is owed to the sender, to be written before the transaction and recorded in it; none for the null
    /// reverse-path (RFC 5321 §6.1), or where nobody wants to know (RFC 3461 §4.1).
    pub fn report(&self) -> Option<Bounce> {
        let ReversePath::Address(to) = &self.message.reverse_path else { return None };
        if self.silent {
            return None;
        }
        let recipients: Vec<RecipientReport> = self.steps.iter().filter_map(|step| self.told(step)).collect();
        (!recipients.is_empty()).then(|| Bounce::new(to.clone(), self.message.clone(), recipients, self.now))
    }

    fn told(&self, step: &Step) -> Option<RecipientReport> {
        let Tried { entry, attempt, outcome } = &step.tried;
        let action = match (step.verdict, outcome) {
            (Verdict::Relayed, Outcome::Relayed { reports: false, .. }) => Action::Relayed,
            (Verdict::Failed, _) => Action::Failed,
            (Verdict::Retry { tell: true, .. }, _) => Action::Delayed,
            (Verdict::Relayed | Verdict::Retry { .. }, _) => return None,
        };
        if !wants(&entry.recipient, action) {
            return None;
        }
        let class = match action {
            Action::Failed => 5,
            Action::Delayed => 4,
            Action::Delivered | Action::Relayed | Action::Expanded => 2,
        };
        let cause = outcome.cause();
        let said = outcome.answer().and_then(|answer: &Answer| answer.status).filter(|status| status.class == class);
        // Given up after days of 4xx: the mail system's patience is what ended (RFC 3463 §3.5, X.4.7).
        let expired = matches!(outcome, Outcome::Deferred { .. }) && action == Action::Failed;
        let status = match expired {
            true => mail::EnhancedStatus::new(5, 4, 7),
            false => said.unwrap_or_else(|| cause.status(class)),
        };
        Some(RecipientReport {
            final_recipient: entry.recipient.forward_path.clone(),
            original: entry.recipient.original.clone(),
            action,
            status,
            cause,
            remote_mta: Some(attempt.host.clone()).filter(|host| !host.is_empty()),
            diagnostic: outcome.answer().cloned(),
            last_attempt: (attempt.stage != Stage::Operator).then(|| DateTime::utc(attempt.at.seconds())),
            will_retry_until: (action == Action::Delayed).then(|| DateTime::utc(self.retry_until.seconds())),
        })
    }
}

/// Whether the sender wants to be told (RFC 3461 §4.1). Without NOTIFY: of failures and delays.
pub(crate) fn wants(recipient: &Recipient, action: Action) -> bool {
    match (recipient.notify, action) {
        (Some(Notify::Never), _) => false,
        (None, Action::Failed | Action::Delayed) => true,
        (None, Action::Delivered | Action::Relayed | Action::Expanded) => false,
        (Some(Notify::On { failure, .. }), Action::Failed) => failure,
        (Some(Notify::On { delay, .. }), Action::Delayed) => delay,
        (Some(Notify::On { success, .. }), Action::Delivered | Action::Relayed | Action::Expanded) => success,
    }
}
