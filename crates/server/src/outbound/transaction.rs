//! One message over an open session: envelope, content, and what each forward-path was answered.

use std::collections::VecDeque;

use mail::Envelope;
use mail::crlf::CrlfCleaner;
use mail::dsn::Cause;
use queue::{Answer, Entry, Outcome, Queued, Stage};
use smtp::client::{Decided, Response};
use store::{BlobReader, StoreError};

use super::link::{Event, Link};
use super::trouble::{Lasting, Trouble, answer, cause_of_lack};

/// Octets of content in memory at one time: those of a chunk of the store.
const PIECE_OCTETS: u64 = 64 * 1_024;

/// What came of it.
#[derive(Debug)]
pub(super) struct Sent {
    /// Each entry once.
    pub results: Vec<Result>,
    /// The session cannot be used any more.
    pub broken: Option<Trouble>,
    /// The server answered something: what followed is no fault of a connection that was closed while it was idle.
    pub answered: bool,
}

/// What came of it for one entry.
#[derive(Debug)]
pub(super) struct Result {
    pub entry: Entry,
    pub stage: Stage,
    pub outcome: Outcome,
}

/// A message with its content.
#[derive(Clone, Copy)]
pub(super) struct Letter<'a> {
    pub message: &'a Queued,
    pub content: &'a BlobReader,
}

/// Sends a message to these forward-paths, in as few transactions as the server allows.
pub(super) async fn send(link: &mut Link, letter: Letter<'_>, entries: Vec<Entry>) -> Sent {
    let Letter { message, content } = letter;
    let mut sent = Sent { results: Vec::new(), broken: None, answered: false };
    let announced = link.announced().clone();
    let failed = |cause| Outcome::Failed { cause, answer: None };
    if let Some(outcome) = unfit(&announced, message, &entries).map(failed) {
        sent.answered = true;
        sent.results.extend(entries.into_iter().map(|entry| Result {
            entry,
            stage: Stage::Mail,
            outcome: outcome.clone(),
        }));
        return sent;
    }
    let at_once = announced.recipients_max.unwrap_or(usize::MAX).max(1);
    let mut waiting = VecDeque::from(entries);
    while !waiting.is_empty() {
        let group: Vec<Entry> = waiting.drain(..at_once.min(waiting.len())).collect();
        match transact(link, envelope(message, &group), message, content).await {
            Ok(outcome) => {
                sent.answered = true;
                let too_many = split(group, &outcome, announced.dsn, &mut sent.results);
                waiting.extend(too_many);
            }
            Err(trouble) => {
                let told = group.into_iter().chain(waiting.drain(..));
                sent.results.extend(told.map(|entry| Result {
                    entry,
                    stage: trouble.stage,
                    outcome: outcome_of(&trouble),
                }));
                sent.broken = Some(trouble);
            }
        }
    }
    sent
}

/// Why it need not be tried: seen before MAIL, so that the sender hears it at once.
fn unfit(announced: &smtp::client::Announced, message: &Queued, entries: &[Entry]) -> Option<Cause> {
    if announced.octets_max.is_some_and(|max| message.octets > max) {
        return Some(Cause::TooLarge);
    }
    announced.lacks(&envelope(message, entries)).map(cause_of_lack)
}

/// What trouble means for an entry that is not to be blamed for it.
pub(super) fn outcome_of(trouble: &Trouble) -> Outcome {
    let (cause, answer) = (trouble.cause, trouble.answer.clone());
    match trouble.lasting {
        Lasting::ForNow => Outcome::Deferred { cause, answer },
        Lasting::ForGood => Outcome::Failed { cause, answer },
    }
}

fn envelope(message: &Queued, entries: &[Entry]) -> Envelope {
    Envelope {
        reverse_path: message.reverse_path.clone(),
        recipients: entries.iter().map(|entry| entry.recipient.clone()).collect(),
        body: message.body,
        smtputf8: message.smtputf8,
        declared_octets: Some(message.octets),
        returned: message.returned,
        envelope_id: message.envelope_id.clone(),
        require_tls: message.require_tls,
    }
}

async fn transact(
    link: &mut Link,
    envelope: Envelope,
    message: &Queued,
    content: &BlobReader,
) -> std::result::Result<smtp::client::Outcome, Trouble> {
    link.send_message(envelope);
    match link.next().await.map_err(|broken| broken.trouble(Stage::Mail))? {
        Event::WantBody => {}
        Event::Done(outcome) => return Ok(outcome),
        Event::Ready | Event::StartTls => return Err(out_of_order()),
    }
    stream(link, message, content).await?;
    link.end_body();
    match link.next().await.map_err(|broken| broken.trouble(Stage::Content))? {
        Event::Done(outcome) => Ok(outcome),
        Event::Ready | Event::StartTls | Event::WantBody => Err(out_of_order()),
    }
}

/// Trace fields, then the octets received, CRLF-clean (S2). If they cannot be read to their end, the end is never said: the
/// server drops what it has (RFC 5321 §4.1.1.4).
async fn stream(link: &mut Link, message: &Queued, content: &BlobReader) -> std::result::Result<(), Trouble> {
    let mut cleaner = CrlfCleaner::new();
    let mut clean = Vec::new();
    cleaner.write(&message.trace_prefix, &mut clean);
    let mut at = 0;
    while at < content.octets() {
        let piece = content.read(at..at + PIECE_OCTETS).await.map_err(|error| unreadable(&error))?;
        at += PIECE_OCTETS;
        cleaner.write(&piece, &mut clean);
        link.send_body(&clean).await.map_err(|broken| broken.trouble(Stage::Content))?;
        clean.clear();
    }
    match clean.is_empty() {
        true => Ok(()),
        false => link.send_body(&clean).await.map_err(|broken| broken.trouble(Stage::Content)),
    }
}

/// What the store says instead of content.
pub(super) fn unreadable(error: &StoreError) -> Trouble {
    match error {
        StoreError::Damaged(_) | StoreError::NoSuchMessage => {
            Trouble::for_good(Stage::Content, Cause::ContentUnreadable, error)
        }
        _ => Trouble::new(Stage::Content, Cause::ContentUnreadable, error),
    }
}

/// Tells each entry what it was answered; gives back those that the server wants in a transaction of their own (RFC 5321
/// §4.5.3.1.10), as long as it took others.
fn split(group: Vec<Entry>, outcome: &smtp::client::Outcome, reports: bool, results: &mut Vec<Result>) -> Vec<Entry> {
    let took_some = outcome.decided == Decided::Content && outcome.message.is_positive();
    let mut too_many = Vec::new();
    let mut replies = outcome.recipients.iter();
    for entry in group {
        let reply = replies.next();
        if took_some && reply.is_some_and(is_too_many) {
            too_many.push(entry);
            continue;
        }
        let (stage, outcome) = decide(outcome, reply, reports);
        results.push(Result { entry, stage, outcome });
    }
    too_many
}

fn decide(outcome: &smtp::client::Outcome, reply: Option<&Response>, reports: bool) -> (Stage, Outcome) {
    match (outcome.decided, reply) {
        (Decided::Mail, _) => (Stage::Mail, refused(answer(&outcome.message))),
        (_, None) => (Stage::Recipient, Outcome::Deferred { cause: Cause::ProtocolError, answer: None }),
        (Decided::Content, Some(reply)) if reply.is_positive() => {
            (Stage::Content, Outcome::of_answer(answer(&outcome.message), reports))
        }
        (Decided::Content | Decided::Recipients, Some(reply)) => (Stage::Recipient, refused(answer(reply))),
    }
}

/// An answer that is no yes for the message, whatever its code.
fn refused(answer: Answer) -> Outcome {
    match answer.code {
        500..600 => Outcome::Failed { cause: Cause::of_answer(answer.code, answer.status), answer: Some(answer) },
        _ => Outcome::Deferred { cause: Cause::of_answer(answer.code, answer.status), answer: Some(answer) },
    }
}

/// 452 says it, and so does the 552 of old servers when its status is that of the list of recipients.
fn is_too_many(reply: &Response) -> bool {
    let says = reply.status.is_some_and(|status| (status.subject, status.detail) == (5, 3));
    (reply.code == 452 && reply.status.is_none_or(|_| says)) || (reply.code == 552 && says)
}

fn out_of_order() -> Trouble {
    Trouble::new(Stage::Content, Cause::ProtocolError, "a session out of order")
}
