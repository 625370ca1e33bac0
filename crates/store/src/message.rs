//! Messages: coming in, and being read.

use std::ops::{ControlFlow, RangeInclusive};

use crate::account::{Advance, State, advance};
use crate::blob::{self, BlobId, Staged};
use crate::engine::query_row;
use crate::entry::Entry;
use crate::event::{self, Kind};
use crate::{
    Change, FlagBits, Flags, Keywords, MailboxId, MessageId, ModSeq, Snapshot, StoreError, ThreadId, Transaction, Uid,
    UidValidity, UnixMillis, Value,
};

/// A message about to be stored: its octets are staged, its index made. The message clients see is `trace_prefix` followed
/// by the staged octets.
#[derive(Clone, Copy)]
pub struct NewMessage<'a> {
    /// The octets received.
    pub staged: &'a Staged,
    /// Trace fields of this delivery, each ending in CRLF; empty for APPEND.
    pub trace_prefix: &'a [u8],
    /// INTERNALDATE (RFC 9051 §2.3.3).
    pub internal_date: UnixMillis,
    /// The envelope, as `mail::mime` encodes it.
    pub envelope: &'a [u8],
    /// The structure with part offsets, as `mail::mime` encodes it; offsets count from the start of the staged octets.
    pub structure: &'a [u8],
    /// The first words (RFC 8970).
    pub preview: &'a str,
    /// Texts of headers for SEARCH, as `mail::mime` encodes them.
    pub header_texts: &'a [u8],
    /// `Message-ID`, as written between `<` and `>`.
    pub message_id: Option<&'a str>,
    /// `In-Reply-To` and `References`, oldest first, as written between `<` and `>`; the last
    /// [`REFERENCES_MAX`] count.
    pub references: &'a [String],
    /// What becomes of it when the account is full.
    pub over_quota: OverQuota,
}

/// What becomes of a message that does not fit into the account's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverQuota {
    /// It is refused: APPEND.
    Refused,
    /// It is taken: whether there was room was asked when the recipient was named, and one full box must not hold back
    /// the other recipients.
    Taken,
}

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox's UIDVALIDITY, for APPENDUID (RFC 4315).
    pub uidvalidity: UidValidity,
    /// The UID it has.
    pub uid: Uid,
    /// The MODSEQ of the change.
    pub modseq: ModSeq,
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub thread: ThreadId,
}

/// Which of the long columns [`fetch`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// [`Fetched::envelope`]
    pub envelope: bool,
    /// [`Fetched::structure`]
    pub structure: bool,
    /// [`Fetched::trace_prefix`]
    pub trace_prefix: bool,
    /// [`Fetched::preview`]
    pub preview: bool,
    /// [`Fetched::header_texts`]
    pub header_texts: bool,
}

/// One message of a mailbox; what was not wanted is empty.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'r> {
    /// The entry.
    pub entry: Entry,
    /// Its conversation.
    pub thread: ThreadId,
    /// The octets received.
    pub blob: BlobId,
    /// When it came here (the JMAP `receivedAt`).
    pub received: UnixMillis,
    /// Precedes the blob's octets.
    pub trace_prefix: &'r [u8],
    /// As given to [`append`].
    pub envelope: &'r [u8],
    /// As given to [`append`].
    pub structure: &'r [u8],
    /// As given to [`append`].
    pub preview: &'r str,
    /// As given to [`append`].
    pub header_texts: &'r [u8],
}

/// References looked up to find a conversation.
pub const REFERENCES_MAX: usize = 20;

/// Puts a message into a mailbox: delivery and APPEND alike. Takes the next UID and MODSEQ, counts the octets of prefix and
/// blob towards the quota, finds the conversation, writes the event and wakes the listeners.
///
/// # Errors
/// [`StoreError::NoSuchMailbox`], [`StoreError::AccountDisabled`], [`StoreError::QuotaExceeded`],
/// [`StoreError::TooManyKeywords`], [`StoreError::NoUidLeft`], `Full` while free space is under the reserve.
pub fn append(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    new: &NewMessage<'_>,
    flags: &Flags,
    now: UnixMillis,
) -> Result<Appended, StoreError> {
    let account = mailbox.account;
    let octets = i64::try_from(new.trace_prefix.len() as u64 + new.staged.octets()).unwrap_or(i64::MAX);
    let by = Advance { modseqs: 1, messages: 1, events: 1, entries: 1, octets, ..Advance::default() };
    let counters = advance(tx, account, by)?;
    if counters.state != State::Active {
        return Err(StoreError::AccountDisabled);
    }
    if new.over_quota == OverQuota::Refused {
        counters.check_quota()?;
    }
    let number = u32::try_from(counters.first_message).map_err(|_| StoreError::Damaged("message counter".into()))?;
    let message = MessageId { account, number };
    let bits = learn_keywords(tx, mailbox, flags)?;
    let arrival = Arrival { modseq: counters.modseq, entries: 1, octets, flags: Tally::of(bits) };
    let (first_uid, uidvalidity) = arrive(tx, mailbox, &arrival)?;
    let uid = u32::try_from(first_uid).ok().and_then(Uid::new).ok_or(StoreError::NoUidLeft)?;

    let blob = blob::keep(tx, new.staged, counters.structure, now)?;
    let thread = find_thread(tx, message, new)?;
    tx.execute(
        "INSERT INTO message (id, thread, blob, key_month, octets, internal_date, received, trace_prefix, \
         envelope, structure, preview, header_texts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            message.key().into(),
            thread.number.into(),
            blob.as_octets().into(),
            blob::month(now).into(),
            octets.into(),
            new.internal_date.0.into(),
            now.0.into(),
            new.trace_prefix.into(),
            new.envelope.into(),
            new.structure.into(),
            new.preview.into(),
            new.header_texts.into(),
        ],
    )?;
    tx.execute(
        "INSERT INTO entry (account, mailbox, uid, message, flags, modseq, octets, internal_date, saved) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            account.0.into(),
            mailbox.number.into(),
            uid.get().into(),
            number.into(),
            bits.0.into(),
            counters.modseq.0.into(),
            octets.into(),
            new.internal_date.0.into(),
            now.0.into(),
        ],
    )?;
    let fields: [(&str, &dyn std::fmt::Display); 4] =
        [("mailbox", &mailbox.number), ("uid", &uid), ("message", &number), ("octets", &octets)];
    event::record(tx, (account, counters.first_event), now, Kind::MessageAdded, &fields)?;
    tx.notify(Change::Mailbox { mailbox, modseq: counters.modseq });
    Ok(Appended { uidvalidity, uid, modseq: counters.modseq, message, thread })
}

/// What entries arriving in a mailbox, or leaving it, change in its counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub unseen: i64,
    pub deleted: i64,
}

pub(crate) struct Arrival {
    pub modseq: ModSeq,
    pub entries: i64,
    pub octets: i64,
    pub flags: Tally,
}

impl Tally {
    pub(crate) fn of(flags: FlagBits) -> Tally {
        Tally {
            unseen: i64::from(flags.0 & FlagBits::SEEN.0 == 0),
            deleted: i64::from(flags.0 & FlagBits::DELETED.0 != 0),
        }
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.unseen += other.unseen;
        self.deleted += other.deleted;
    }

    pub(crate) fn subtract(&mut self, other: Tally) {
        self.unseen -= other.unseen;
        self.deleted -= other.deleted;
    }
}

/// Takes UIDs and counts what arrives; answers the first UID.
pub(crate) fn arrive(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    arrival: &Arrival,
) -> Result<(i64, UidValidity), StoreError> {
    let (uidnext, uidvalidity) = query_row(
        tx,
        "UPDATE mailbox SET uidnext = uidnext + $3, highest_modseq = $4, entries = entries + $3, octets = octets + $5, \
         unseen = unseen + $6, deleted = deleted + $7 WHERE account = $1 AND id = $2 RETURNING uidnext, uidvalidity",
        &[
            mailbox.account.0.into(),
            mailbox.number.into(),
            arrival.entries.into(),
            arrival.modseq.0.into(),
            arrival.octets.into(),
            arrival.flags.unseen.into(),
            arrival.flags.deleted.into(),
        ],
        |row| Ok((row.integer(0)?, row.integer(1)?)),
    )?
    .ok_or(StoreError::NoSuchMailbox)?;
    if uidnext > i64::from(u32::MAX) {
        return Err(StoreError::NoUidLeft);
    }
    let uidvalidity = u32::try_from(uidvalidity).map_err(|_| StoreError::Damaged("uidvalidity".into()))?;
    Ok((uidnext - arrival.entries, UidValidity(uidvalidity)))
}

/// The bits of these flags in the mailbox, after giving bits to keywords it does not know yet.
pub(crate) fn learn_keywords(
    tx: &mut dyn Transaction,
    mailbox: MailboxId,
    flags: &Flags,
) -> Result<FlagBits, StoreError> {
    if flags.keywords.is_empty() {
        return Ok(flags.system);
    }
    let key = [mailbox.account.0.into(), mailbox.number.into()];
    let sql = "SELECT keywords FROM mailbox WHERE account = $1 AND id = $2";
    let mut keywords =
        query_row(tx, sql, &key, |row| Ok(Keywords::from_column(row.text(0)?)))?.ok_or(StoreError::NoSuchMailbox)?;
    let known = keywords.names().count();
    if !keywords.learn(&flags.keywords) {
        return Err(StoreError::TooManyKeywords);
    }
    if keywords.names().count() > known {
        tx.execute(
            "UPDATE mailbox SET keywords = $3 WHERE account = $1 AND id = $2",
            &[mailbox.account.0.into(), mailbox.number.into(), (&keywords.to_column()).into()],
        )?;
    }
    Ok(keywords.bits_known(flags))
}

/// The conversation of the first reference that is known, else a new one; every id of this message then leads to it.
///
/// References stay when their messages go, some 24 octets each: a late answer still finds its conversation.
fn find_thread(tx: &mut dyn Transaction, message: MessageId, new: &NewMessage<'_>) -> Result<ThreadId, StoreError> {
    let account = message.account;
    let skipped = new.references.len().saturating_sub(REFERENCES_MAX);
    let ids = new.references.iter().skip(skipped).map(String::as_str).chain(new.message_id);
    let hashes: Vec<i64> = ids.map(message_id_hash).collect();
    let mut found = None;
    let mut unknown = Vec::new();
    for hash in hashes {
        let sql = "SELECT thread FROM thread_reference WHERE account = $1 AND message_id_hash = $2";
        match query_row(tx, sql, &[account.0.into(), hash.into()], |row| row.integer(0))? {
            Some(thread) => found = found.or(Some(thread)),
            None => unknown.push(hash),
        }
    }
    let thread = found.unwrap_or(i64::from(message.number));
    for hash in unknown {
        tx.execute(
            "INSERT INTO thread_reference (account, message_id_hash, thread) VALUES ($1, $2, $3) \
             ON CONFLICT (account, message_id_hash) DO NOTHING",
            &[account.0.into(), hash.into(), thread.into()],
        )?;
    }
    let number = u32::try_from(thread).map_err(|_| StoreError::Damaged("thread".into()))?;
    Ok(ThreadId { account, number })
}

/// Part of the format on disk.
fn message_id_hash(id: &str) -> i64 {
    let hash = blake3::hash(id.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(hash.as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]));
    i64::from_be_bytes(first)
}

/// Reads messages of a mailbox with the columns wanted, ascending by UID, at most `limit`. `on_message` may break off. Call
/// again from above the last UID seen: no view is held while a socket is written to.
///
/// # Errors
/// The engine's, or what `on_message` answers.
pub fn fetch(
    snapshot: &mut dyn Snapshot,
    mailbox: MailboxId,
    uids: RangeInclusive<u32>,
    limit: u32,
    wanted: Wanted,
    on_message: &mut dyn FnMut(&Fetched<'_>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let column = |wanted: bool, name: &'static str| if wanted { name } else { "NULL" };
    let sql = format!(
        "SELECT e.uid, e.message, e.flags, e.modseq, e.octets, e.internal_date, e.saved, m.thread, m.blob, m.received, \
         {}, {}, {}, {}, {} FROM entry e, message m WHERE e.account = $1 AND e.mailbox = $2 AND e.uid BETWEEN $3 AND $4 \
         AND m.id = e.account * 4294967296 + e.message ORDER BY e.uid LIMIT $5",
        column(wanted.trace_prefix, "m.trace_prefix"),
        column(wanted.envelope, "m.envelope"),
        column(wanted.structure, "m.structure"),
        column(wanted.preview, "m.preview"),
        column(wanted.header_texts, "m.header_texts"),
    );
    let parameters = [
        mailbox.account.0.into(),
        mailbox.number.into(),
        Value::from(*uids.start()),
        Value::from(*uids.end()),
        limit.into(),
    ];
    snapshot.query(&sql, &parameters, &mut |row| {
        let entry = Entry::read(mailbox.account, row)?;
        let thread = u32::try_from(row.integer(7)?).map_err(|_| StoreError::Damaged("thread".into()))?;
        on_message(&Fetched {
            entry,
            thread: ThreadId { account: mailbox.account, number: thread },
            blob: BlobId::from_octets(row.octets(8)?)?,
            received: UnixMillis(row.integer(9)?),
            trace_prefix: row.octets(10)?,
            envelope: row.octets(11)?,
            structure: row.octets(12)?,
            preview: row.text(13)?,
            header_texts: row.octets(14)?,
        })
    })
}

/// What is needed to read a message's octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Octets {
    /// Comes first.
    pub trace_prefix: Vec<u8>,
    /// Comes second.
    pub blob: BlobId,
    /// Length of both, RFC822.SIZE.
    pub octets: u64,
}

/// Where the octets of a message are.
///
/// # Errors
/// [`StoreError::NoSuchMessage`].
pub fn octets(snapshot: &mut dyn Snapshot, message: MessageId) -> Result<Octets, StoreError> {
    query_row(
        snapshot,
        "SELECT trace_prefix, blob, octets FROM message WHERE id = $1",
        &[message.key().into()],
        |row| {
            Ok(Octets {
                trace_prefix: row.octets(0)?.to_vec(),
                blob: BlobId::from_octets(row.octets(1)?)?,
                octets: row.integer(2)?.unsigned_abs(),
            })
        },
    )?
    .ok_or(StoreError::NoSuchMessage)
}
