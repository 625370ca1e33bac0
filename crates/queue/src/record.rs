//! Writes what was decided, and reads what an attempt needs, in the store's transactions.

use std::fmt;
use std::net::IpAddr;

use mail::dsn::Cause;
use store::engine::{query_all, query_row};
use store::event::{self, Kind};
use store::{Snapshot, StoreError, Transaction, UnixMillis, Value, blob};

use crate::plan::{Step, Verdict};
use crate::{Answer, Attempt, Entry, EntryId, Job, Plan, Queued, Stage, State, entry};

/// An attempt as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// From 1.
    pub number: u32,
    /// Where it went.
    pub attempt: Attempt,
    /// What it met.
    pub cause: Option<Cause>,
    /// What the other server said.
    pub answer: Option<Answer>,
}

/// What an attempt needs to know: the message, and those of the job's entries that still wait. None when none does.
///
/// # Errors
/// The engine's.
pub fn job(snapshot: &mut dyn Snapshot, job: &Job) -> Result<Option<(Queued, Vec<Entry>)>, StoreError> {
    let Some(first) = job.entries.first() else { return Ok(None) };
    let Some(message) = entry::message(snapshot, &first.message)? else { return Ok(None) };
    let mut entries = entry::entries(snapshot, &first.message)?;
    entries.retain(|entry| entry.state == State::Waiting && job.entries.contains(&entry.id));
    Ok((!entries.is_empty()).then_some((message, entries)))
}

/// Writes what was decided: all of it, or nothing. The report that is owed is written in the same transaction.
///
/// # Errors
/// One that [`is_stale`] when an entry is not as it was when it was tried: [`Plan::keep_current`], then again.
pub fn record(tx: &mut dyn Transaction, plan: &Plan) -> Result<(), StoreError> {
    for step in &plan.steps {
        match step.verdict {
            Verdict::Relayed => leave(tx, plan, step, Kind::MessageRelayed)?,
            Verdict::Failed => leave(tx, plan, step, Kind::MessageFailed)?,
            Verdict::Retry { due, tell } => stay(tx, plan, step, due, tell)?,
        }
    }
    let left = "SELECT entries FROM queue_message WHERE name = $1";
    let left = query_row(tx, left, &[Value::Text(&plan.message.name)], |row| row.integer(0))?;
    if left == Some(0) {
        tx.execute("DELETE FROM queue_message WHERE name = $1", &[Value::Text(&plan.message.name)])?;
        blob::release(tx, plan.message.structure, plan.message.blob, plan.message.key_month, plan.now)?;
    }
    Ok(())
}

/// Whether [`record`] found an entry changed since it was tried.
pub fn is_stale(error: &StoreError) -> bool {
    *error == STALE
}

fn leave(tx: &mut dyn Transaction, plan: &Plan, step: &Step, kind: Kind) -> Result<(), StoreError> {
    let entry = &step.tried.entry;
    let key = [Value::Text(&entry.id.message), entry.id.number.into()];
    let [message, number] = key;
    let gone = "DELETE FROM queue_entry WHERE message = $1 AND number = $2 AND attempts = $3";
    if tx.execute(gone, &[message, number, entry.attempts.into()])? == 0 {
        return Err(STALE);
    }
    tx.execute("DELETE FROM queue_attempt WHERE message = $1 AND number = $2", &key)?;
    tx.execute("UPDATE queue_message SET entries = entries - 1 WHERE name = $1", &[message])?;
    add_event(tx, plan, step, kind)
}

fn stay(tx: &mut dyn Transaction, plan: &Plan, step: &Step, due: UnixMillis, tell: bool) -> Result<(), StoreError> {
    let tried = &step.tried;
    let entry = &tried.entry;
    let cause = tried.outcome.cause().word();
    let told = tell.then_some(plan.now.0).or(entry.delay_told.map(|told| told.0));
    let changed = tx.execute(
        "UPDATE queue_entry SET attempts = attempts + 1, due = $4, first_failure = coalesce(first_failure, $5), \
         delay_told = $6, cause = $7 WHERE message = $1 AND number = $2 AND attempts = $3",
        &[
            Value::Text(&entry.id.message),
            entry.id.number.into(),
            entry.attempts.into(),
            due.0.into(),
            tried.attempt.at.0.into(),
            told.into(),
            cause.into(),
        ],
    )?;
    if changed == 0 {
        return Err(STALE);
    }
    let answer = tried.outcome.answer();
    let attempt = &tried.attempt;
    let address = attempt.address.map(|address| address.to_string()).unwrap_or_default();
    let status = answer.and_then(|answer| answer.status).map(|status| status.to_string()).unwrap_or_default();
    tx.execute(
        "INSERT INTO queue_attempt (message, number, attempt, at, cause, at_stage, host, address, certificate, code, \
         status, answer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            Value::Text(&entry.id.message),
            entry.id.number.into(),
            (i64::from(entry.attempts) + 1).into(),
            attempt.at.0.into(),
            cause.into(),
            attempt.stage.word().into(),
            bounded(&attempt.host).into(),
            (&address).into(),
            bounded(attempt.certificate.as_deref().unwrap_or_default()).into(),
            answer.map(|answer| i64::from(answer.code)).into(),
            (&status).into(),
            bounded(answer.map_or("", |answer| &answer.text)).into(),
        ],
    )?;
    match tell {
        true => add_event(tx, plan, step, Kind::MessageDelayed),
        false => Ok(()),
    }
}

/// The trail of the box it was sent from. No address: the domain says where it went.
fn add_event(tx: &mut dyn Transaction, plan: &Plan, step: &Step, kind: Kind) -> Result<(), StoreError> {
    let Some(account) = plan.message.account else { return Ok(()) };
    let entry = &step.tried.entry;
    let host = bounded(&step.tried.attempt.host);
    let fields: [(&str, &dyn fmt::Display); 4] = [
        ("entry", &entry.id),
        ("destination", &entry.destination),
        ("host", &host),
        ("cause", &step.tried.outcome.cause().word()),
    ];
    match event::add(tx, account, plan.now, kind, &fields) {
        // The account may be gone; its mail leaves all the same.
        Err(StoreError::Unknown(_)) => Ok(()),
        outcome => outcome,
    }
}

/// The attempts at an entry, the first one first.
///
/// # Errors
/// The engine's.
pub fn attempts(snapshot: &mut dyn Snapshot, id: &EntryId) -> Result<Vec<Recorded>, StoreError> {
    let sql = "SELECT attempt, at, cause, at_stage, host, address, certificate, code, status, answer FROM queue_attempt \
               WHERE message = $1 AND number = $2 ORDER BY attempt";
    query_all(snapshot, sql, &[Value::Text(&id.message), id.number.into()], |row| {
        let damaged = |what: &str| StoreError::Damaged(format!("queue: {what}"));
        let code = row.integer_or_null(7)?.map(u16::try_from).transpose().map_err(|_| damaged("code"))?;
        let text = row.text(9)?;
        let status = row.text(8)?.parse().ok();
        Ok(Recorded {
            number: u32::try_from(row.integer(0)?).map_err(|_| damaged("attempt"))?,
            attempt: Attempt {
                at: UnixMillis(row.integer(1)?),
                stage: Stage::from_word(row.text(3)?).ok_or_else(|| damaged("stage"))?,
                host: row.text(4)?.to_owned(),
                address: row.text(5)?.parse::<IpAddr>().ok(),
                certificate: Some(row.text(6)?.to_owned()).filter(|name| !name.is_empty()),
            },
            cause: Cause::from_word(row.text(2)?),
            answer: code.map(|code| Answer { code, status, text: text.to_owned() }),
        })
    })
}

/// Another's text, up to a bound; no NUL, which PostgreSQL does not keep.
fn bounded(text: &str) -> &str {
    let end = text.find('\0').unwrap_or(text.len()).min(text.floor_char_boundary(TEXT_OCTETS_MAX));
    text.get(..end).unwrap_or_default()
}

const STALE: StoreError = StoreError::Unknown("queue entry");

/// Octets kept of a text of another's: an answer, a name.
const TEXT_OCTETS_MAX: usize = 2_000;
