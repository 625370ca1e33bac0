//! Messages that wait to leave, and one entry for each of their forward-paths.

mod columns;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use mail::dsn::Cause;
use mail::envelope::{BodyKind, Envelope, ForwardPath, Recipient, Returned, ReversePath};
use store::blob::{self, BlobId};
use store::engine::{query_all, query_row};
use store::event::{self, Kind};
use store::{AccountId, Change, Row, Snapshot, Staged, StoreError, StructureId, Transaction, UnixMillis, Value};

use crate::Destination;

/// A message about to wait. Its octets are staged; those that leave are `trace_prefix` followed by them.
#[derive(Clone, Copy)]
pub struct NewMessage<'a> {
    /// Its name in our log, in its Received field and in the reply.
    pub name: &'a str,
    /// The octets received.
    pub staged: &'a Staged,
    /// Trace fields of the copy that leaves, each ending in CRLF: no Return-Path among them (RFC 5321 §4.4).
    pub trace_prefix: &'a [u8],
    /// The structure its blob counts for: the submitter's, or that of the box or domain it comes from.
    pub structure: StructureId,
    /// Who submitted it; none when a peer brought it or we wrote it.
    pub account: Option<AccountId>,
    /// Its envelope; the recipients in it may be more than those that leave.
    pub envelope: &'a Envelope,
    /// `Message-ID`, as written between `<` and `>`.
    pub message_id: Option<&'a str>,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its name in our log.
    pub name: Arc<str>,
    /// The structure its blob counts for.
    pub structure: StructureId,
    /// Who submitted it.
    pub account: Option<AccountId>,
    /// The octets received.
    pub blob: BlobId,
    /// The month its blob is counted in.
    pub key_month: i64,
    /// Octets of prefix and blob.
    pub octets: u64,
    /// When it came.
    pub created: UnixMillis,
    /// Forward-paths left.
    pub entries: u32,
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// `ENVID`.
    pub envelope_id: Option<String>,
    /// `RET`.
    pub returned: Option<Returned>,
    /// `BODY`.
    pub body: BodyKind,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `REQUIRETLS`.
    pub require_tls: bool,
    /// `Message-ID`, without its angle brackets.
    pub message_id: Option<String>,
    /// Comes before the octets of the blob.
    pub trace_prefix: Vec<u8>,
}

/// Names an entry: the message's name and the forward-path's number, `NAME/1`. Never given twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// Of which message.
    pub message: Arc<str>,
    /// From 1, in the order of the envelope.
    pub number: u32,
}

/// A forward-path a message waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// Where to.
    pub destination: Destination,
    /// The forward-path, and what was asked for it.
    pub recipient: Recipient,
    /// Whether it is tried.
    pub state: State,
    /// When next.
    pub due: UnixMillis,
    /// Attempts made.
    pub attempts: u32,
    /// When one failed first.
    pub first_failure: Option<UnixMillis>,
    /// When the sender was told that it is late.
    pub delay_told: Option<UnixMillis>,
    /// Why it is still here; none before the first attempt.
    pub cause: Option<Cause>,
}

/// Whether an entry is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// When it is due.
    Waiting,
    /// Not before an operator releases it; meanwhile it is neither late nor given up.
    Held,
}

/// The text is no name of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry is named NAME/NUMBER")]
pub struct NoEntryId;

/// Lets a message wait for these recipients, due at once, in the caller's transaction; the commit wakes the scheduler.
///
/// `recipients` are those of the envelope that leave, with at least one among them; repeated ones are the caller's choice.
///
/// # Errors
/// `Full` while free space is under the reserve; [`StoreError::Unknown`] for a recipient without a domain.
pub fn insert(
    tx: &mut dyn Transaction,
    new: &NewMessage<'_>,
    recipients: &[Recipient],
    now: UnixMillis,
) -> Result<(), StoreError> {
    insert_to(tx, new, recipients, now, |recipient| {
        let domain = recipient.forward_path.domain().ok_or(StoreError::Unknown("destination"))?;
        Ok(Destination::Domain(domain.clone()))
    })
}

/// As [`insert`], to destinations of the caller's.
pub(crate) fn insert_to(
    tx: &mut dyn Transaction,
    new: &NewMessage<'_>,
    recipients: &[Recipient],
    now: UnixMillis,
    destination: impl Fn(&Recipient) -> Result<Destination, StoreError>,
) -> Result<(), StoreError> {
    if recipients.is_empty() {
        return Ok(());
    }
    let blob = blob::keep(tx, new.staged, new.structure, now)?;
    let octets = new.trace_prefix.len() as u64 + new.staged.octets();
    let envelope = new.envelope;
    tx.execute(
        "INSERT INTO queue_message (name, structure, account, blob, key_month, octets, created, entries, reverse_path, \
         envelope_id, returned, body, smtputf8, require_tls, message_id, trace_prefix) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &[
            new.name.into(),
            new.structure.0.into(),
            new.account.map(|account| account.0).into(),
            blob.as_octets().into(),
            blob::month(now).into(),
            i64::try_from(octets).unwrap_or(i64::MAX).into(),
            now.0.into(),
            i64::try_from(recipients.len()).unwrap_or(i64::MAX).into(),
            (&columns::reverse_path(&envelope.reverse_path)).into(),
            envelope.envelope_id.as_deref().into(),
            envelope.returned.map(columns::returned).into(),
            columns::body(envelope.body).into(),
            i64::from(envelope.smtputf8).into(),
            i64::from(envelope.require_tls).into(),
            new.message_id.unwrap_or_default().into(),
            new.trace_prefix.into(),
        ],
    )?;
    for (number, recipient) in (1_u32..).zip(recipients) {
        let destination = destination(recipient)?.to_string();
        let original = recipient.original.as_ref();
        tx.execute(
            "INSERT INTO queue_entry (message, number, destination, state, due, attempts, cause, forward_path, \
             original_type, original_address, notify) VALUES ($1, $2, $3, 0, $4, 0, '', $5, $6, $7, $8)",
            &[
                new.name.into(),
                number.into(),
                (&destination).into(),
                now.0.into(),
                (&columns::forward_path(&recipient.forward_path)).into(),
                original.map_or("", |original| &original.address_type).into(),
                original.map_or("", |original| &original.address).into(),
                recipient.notify.map(columns::notify).into(),
            ],
        )?;
        tx.notify(Change::Queue { destination: destination.into(), by_hand: false });
    }
    if let Some(account) = new.account {
        let fields: [(&str, &dyn fmt::Display); 2] = [("message", &new.name), ("recipients", &recipients.len())];
        event::add(tx, account, now, Kind::MessageQueued, &fields)?;
    }
    Ok(())
}

/// A message that waits; none when nothing of it is left.
///
/// # Errors
/// The engine's.
pub fn message(snapshot: &mut dyn Snapshot, name: &str) -> Result<Option<Queued>, StoreError> {
    let sql = format!("SELECT {MESSAGE_COLUMNS} FROM queue_message WHERE name = $1");
    query_row(snapshot, &sql, &[name.into()], read_message)
}

/// The entries of a message, by number.
///
/// # Errors
/// The engine's.
pub fn entries(snapshot: &mut dyn Snapshot, message: &str) -> Result<Vec<Entry>, StoreError> {
    let sql = format!("SELECT {ENTRY_COLUMNS} FROM queue_entry WHERE message = $1 ORDER BY number");
    query_all(snapshot, &sql, &[message.into()], read_entry)
}

/// One entry; none when it left.
///
/// # Errors
/// The engine's.
pub fn entry(snapshot: &mut dyn Snapshot, id: &EntryId) -> Result<Option<Entry>, StoreError> {
    let sql = format!("SELECT {ENTRY_COLUMNS} FROM queue_entry WHERE message = $1 AND number = $2");
    query_row(snapshot, &sql, &[Value::Text(&id.message), id.number.into()], read_entry)
}

const MESSAGE_COLUMNS: &str = "name, structure, account, blob, key_month, octets, created, entries, reverse_path, \
                               envelope_id, returned, body, smtputf8, require_tls, message_id, trace_prefix";

/// In the order [`read_entry`] reads them.
pub(crate) const ENTRY_COLUMNS: &str = "message, number, destination, state, due, attempts, first_failure, delay_told, \
                                        cause, forward_path, original_type, original_address, notify";

fn read_message(row: &dyn Row) -> Result<Queued, StoreError> {
    let text = |column: usize| Ok::<_, StoreError>(Some(row.text(column)?.to_owned()).filter(|text| !text.is_empty()));
    Ok(Queued {
        name: row.text(0)?.into(),
        structure: StructureId(row.integer(1)?),
        account: row.integer_or_null(2)?.map(AccountId),
        blob: BlobId::from_octets(row.octets(3)?)?,
        key_month: row.integer(4)?,
        octets: row.integer(5)?.unsigned_abs(),
        created: UnixMillis(row.integer(6)?),
        entries: columns::narrow(row.integer(7)?, "entries")?,
        reverse_path: columns::read_reverse_path(row.text(8)?)?,
        envelope_id: text(9)?,
        returned: row.integer_or_null(10)?.map(columns::read_returned).transpose()?,
        body: columns::read_body(row.integer(11)?)?,
        smtputf8: row.integer(12)? != 0,
        require_tls: row.integer(13)? != 0,
        message_id: text(14)?,
        trace_prefix: row.octets(15)?.to_vec(),
    })
}

pub(crate) fn read_entry(row: &dyn Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: EntryId { message: row.text(0)?.into(), number: columns::narrow(row.integer(1)?, "entry")? },
        destination: row.text(2)?.parse().map_err(|_| columns::damaged("destination"))?,
        state: columns::read_state(row.integer(3)?)?,
        due: UnixMillis(row.integer(4)?),
        attempts: columns::narrow(row.integer(5)?, "attempts")?,
        first_failure: row.integer_or_null(6)?.map(UnixMillis),
        delay_told: row.integer_or_null(7)?.map(UnixMillis),
        cause: Cause::from_word(row.text(8)?),
        recipient: Recipient {
            forward_path: columns::read_forward_path(row.text(9)?)?,
            original: columns::read_original(row.text(10)?, row.text(11)?),
            notify: row.integer_or_null(12)?.map(columns::read_notify).transpose()?,
        },
    })
}

impl Queued {
    /// How long ago it came.
    pub fn age(&self, now: UnixMillis) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(now.0 - self.created.0).unwrap_or(0))
    }
}

impl Entry {
    /// The forward-path's address; none for the domainless postmaster, which never waits here.
    pub fn address(&self) -> Option<&mail::Address> {
        match &self.recipient.forward_path {
            ForwardPath::Address(address) => Some(address),
            ForwardPath::Postmaster => None,
        }
    }
}

impl State {
    /// The word in listings.
    pub fn word(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Held => "held",
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.message, self.number)
    }
}

impl FromStr for EntryId {
    type Err = NoEntryId;

    fn from_str(text: &str) -> Result<EntryId, NoEntryId> {
        let (message, number) = text.split_once('/').ok_or(NoEntryId)?;
        let number = number.parse().map_err(|_| NoEntryId)?;
        match message.is_empty() || number == 0 {
            true => Err(NoEntryId),
            false => Ok(EntryId { message: message.into(), number }),
        }
    }
}
