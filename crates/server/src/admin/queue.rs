//! The queue, seen and moved by hand.

use mail::dsn::Cause;
use queue::operate::{self, Listed, Shown};
use queue::{Entry, EntryId, Queued, Recorded, Selection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Snapshot, Transaction, UnixMillis};

use super::operations::value;
use super::{Administration, Failed};
use crate::machine::now;

/// An entry of the queue. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntryView {
    /// `NAME/NUMBER`.
    pub entry: String,
    /// The domain it goes to.
    pub destination: String,
    /// The forward-path.
    pub recipient: String,
    /// The reverse-path; empty for the null one.
    pub sender: String,
    /// `waiting` or `held`.
    pub state: String,
    /// When the message came.
    pub created: i64,
    /// When it is tried next.
    pub due: i64,
    /// Attempts made.
    pub attempts: u32,
    /// When one failed first.
    pub first_failure: Option<i64>,
    /// When the sender was told that it is late.
    pub delay_told: Option<i64>,
    /// Why it is still here.
    pub cause: Option<String>,
    /// Octets of the message.
    pub octets: u64,
}

/// What `queue list` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueListView {
    /// By name.
    pub entries: Vec<QueueEntryView>,
    /// There are more.
    pub more: bool,
}

/// A message of the queue with everything known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueMessageView {
    /// Its name in the log.
    pub message: String,
    /// The reverse-path; empty for the null one.
    pub sender: String,
    /// The number of the account that submitted it.
    pub account: Option<i64>,
    /// When it came.
    pub created: i64,
    /// Octets.
    pub octets: u64,
    /// `ENVID`.
    pub envelope_id: Option<String>,
    /// `REQUIRETLS`.
    pub require_tls: bool,
    /// The forward-paths left.
    pub entries: Vec<QueueEntryAttemptsView>,
}

/// An entry with every attempt at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntryAttemptsView {
    /// The entry.
    #[serde(flatten)]
    pub entry: QueueEntryView,
    /// The first one first.
    pub history: Vec<QueueAttemptView>,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueAttemptView {
    /// From 1.
    pub attempt: u32,
    /// When.
    pub at: i64,
    /// How far it came.
    pub stage: String,
    /// To which host.
    pub host: Option<String>,
    /// At which address.
    pub address: Option<String>,
    /// The subject of the certificate seen.
    pub certificate: Option<String>,
    /// What it met.
    pub cause: Option<String>,
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced one.
    pub status: Option<String>,
    /// The text of the answer.
    pub answer: Option<String>,
}

/// What is done to entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Hold,
    Release,
    Retry,
}

/// Entries given up in one go.
const GIVEN_UP_AT_ONCE: u32 = 500;

impl Administration {
    pub(super) async fn queue_list(&self, selection: Option<String>, limit: u32) -> Result<Value, Failed> {
        let selection = selected(selection.as_deref().unwrap_or("all"))?;
        let asked = limit.saturating_add(1);
        let list = move |view: &mut dyn Snapshot| operate::list(view, &selection, None, asked);
        let mut listed = self.read(list).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = listed.len() > limit;
        listed.truncate(limit);
        value(QueueListView { entries: listed.iter().map(QueueEntryView::of).collect(), more })
    }

    pub(super) async fn queue_show(&self, name: String) -> Result<Value, Failed> {
        let (message, only) = match name.parse::<EntryId>() {
            Ok(id) => (id.message.to_string(), Some(id)),
            Err(_) => (name.clone(), None),
        };
        let shown = self.read(move |view| operate::show(view, &message)).await?;
        let mut shown = shown.ok_or_else(|| Failed(format!("{name} is not in the queue")))?;
        shown.entries.retain(|(entry, _)| only.as_ref().is_none_or(|only| entry.id == *only));
        match shown.entries.is_empty() {
            true => Err(Failed(format!("{name} is not in the queue"))),
            false => value(QueueMessageView::of(shown)),
        }
    }

    pub(super) async fn queue_move(&self, selection: String, what: Move) -> Result<Value, Failed> {
        let selection = selected(&selection)?;
        let at = now();
        let work = move |tx: &mut dyn Transaction| match what {
            Move::Hold => operate::hold(tx, &selection),
            Move::Release => operate::release(tx, &selection, at),
            Move::Retry => operate::retry(tx, &selection, at),
        };
        Ok(json!({ "entries": self.transaction(work).await? }))
    }

    /// Gives entries up; each sender is told, by the commit that takes the entry away.
    pub(super) async fn queue_fail(&self, selection: String) -> Result<Value, Failed> {
        let selection = selected(&selection)?;
        let (mut after, mut entries) = (None, 0);
        loop {
            let (selection, from, at) = (selection.clone(), after.clone(), now());
            let work =
                move |view: &mut dyn Snapshot| operate::give_up(view, &selection, from.as_ref(), GIVEN_UP_AT_ONCE, at);
            let (plans, last) = self.read(work).await?;
            for plan in plans {
                entries += plan.decisions().count();
                self.delivery().settle(plan).await.map_err(Failed::because)?;
            }
            match last {
                Some(last) => after = Some(last),
                None => return Ok(json!({ "entries": entries })),
            }
        }
    }
}

fn selected(text: &str) -> Result<Selection, Failed> {
    text.parse().map_err(|error| Failed(format!("{text}: {error}")))
}

impl QueueEntryView {
    fn of(listed: &Listed) -> QueueEntryView {
        let Listed { entry, created, octets, reverse_path } = listed;
        QueueEntryView::new(entry, *created, *octets, &reverse_path.to_string())
    }

    fn new(entry: &Entry, created: UnixMillis, octets: u64, sender: &str) -> QueueEntryView {
        let bare = |path: &str| path.trim_start_matches('<').trim_end_matches('>').to_owned();
        QueueEntryView {
            entry: entry.id.to_string(),
            destination: entry.destination.to_string(),
            recipient: bare(&entry.recipient.forward_path.to_string()),
            sender: bare(sender),
            state: entry.state.word().to_owned(),
            created: created.seconds(),
            due: entry.due.seconds(),
            attempts: entry.attempts,
            first_failure: entry.first_failure.map(UnixMillis::seconds),
            delay_told: entry.delay_told.map(UnixMillis::seconds),
            cause: entry.cause.map(|cause| cause.word().to_owned()),
            octets,
        }
    }
}

impl QueueMessageView {
    fn of(shown: Shown) -> QueueMessageView {
        let Shown { message, entries } = shown;
        let sender = message.reverse_path.to_string();
        let Queued { name, account, created, octets, envelope_id, require_tls, .. } = message;
        let entry = |(entry, attempts): &(Entry, Vec<Recorded>)| QueueEntryAttemptsView {
            entry: QueueEntryView::new(entry, created, octets, &sender),
            history: attempts.iter().map(QueueAttemptView::of).collect(),
        };
        let entries: Vec<QueueEntryAttemptsView> = entries.iter().map(entry).collect();
        QueueMessageView {
            message: name.to_string(),
            sender: entries.first().map_or_else(String::new, |first| first.entry.sender.clone()),
            account: account.map(|account| account.0),
            created: created.seconds(),
            octets,
            envelope_id,
            require_tls,
            entries,
        }
    }
}

impl QueueAttemptView {
    fn of(recorded: &Recorded) -> QueueAttemptView {
        let Recorded { number, attempt, cause, answer } = recorded;
        QueueAttemptView {
            attempt: *number,
            at: attempt.at.seconds(),
            stage: attempt.stage.word().to_owned(),
            host: Some(attempt.host.clone()).filter(|host| !host.is_empty()),
            address: attempt.address.map(|address| address.to_string()),
            certificate: attempt.certificate.clone(),
            cause: cause.map(|cause: Cause| cause.word().to_owned()),
            code: answer.as_ref().map(|answer| answer.code),
            status: answer.as_ref().and_then(|answer| answer.status).map(|status| status.to_string()),
            answer: answer.as_ref().map(|answer| answer.text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_selects_nothing_is_told() {
        assert!(selected("m1/0").unwrap_err().0.contains("NAME/NUMBER"));
    }
}
