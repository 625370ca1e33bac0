//! Looking for damage: read-only, while the store is in use. Each check sees one consistent view; a fault found is told at
//! once and the search goes on.

use std::fmt;

use crate::blob::{self, BlobId, BlobReader, Blobs, ORPHAN_GRACE_MILLIS};
use crate::engine::query_all;
use crate::{
    AccountId, EngineError, MailboxId, MessageId, Snapshot, Store, StoreError, StructureId, UnixMillis, Value,
};

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The engine finds its own files damaged.
    Engine(String),
    /// A blob cannot be read, or its octets are not those received.
    Blob {
        /// Which.
        blob: BlobId,
        /// What is wrong.
        what: String,
        /// The messages that are it, up to a few.
        messages: Vec<Whereabouts>,
    },
    /// The count of a blob's uses differs from its references.
    BlobUses {
        /// Which.
        blob: BlobId,
        /// As counted.
        counted: i64,
        /// As recorded.
        recorded: i64,
    },
    /// A reference's count differs from the messages that hold it.
    ReferenceUses {
        /// Of which structure.
        structure: StructureId,
        /// Which blob.
        blob: BlobId,
        /// As counted.
        counted: i64,
        /// As recorded.
        recorded: i64,
    },
    /// The count of a message's entries is wrong; zero counted: nothing leads to it.
    MessageUses {
        /// Which.
        message: MessageId,
        /// As counted.
        counted: i64,
        /// As recorded.
        recorded: i64,
    },
    /// A message's blob has no row.
    MessageWithoutBlob(MessageId),
    /// An entry's message, or its mailbox, is not there.
    EntryWithoutMessage {
        /// In which mailbox.
        mailbox: MailboxId,
        /// Which.
        uid: u32,
    },
    /// A UID is not below the mailbox's UIDNEXT.
    UidOrder {
        /// In which mailbox.
        mailbox: MailboxId,
        /// Which.
        uid: u32,
    },
    /// A UID is both there and in the log of what vanished.
    UidVanished {
        /// In which mailbox.
        mailbox: MailboxId,
        /// Which.
        uid: u32,
    },
    /// A MODSEQ lies above the highest one of its mailbox, or that one above its account's.
    ModSeq(MailboxId),
    /// A counter of a mailbox is wrong.
    Counter {
        /// Which mailbox.
        mailbox: MailboxId,
        /// Which counter.
        counter: &'static str,
        /// As counted.
        counted: i64,
        /// As recorded.
        recorded: i64,
    },
    /// What an account is said to use is not what its mailboxes hold.
    Quota {
        /// Whose.
        account: AccountId,
        /// As counted.
        counted: i64,
        /// As recorded.
        recorded: i64,
    },
    /// The trail of a box has a gap, or goes on above its counter.
    EventGap {
        /// Whose.
        account: AccountId,
        /// Events there are.
        counted: i64,
        /// The last number given.
        recorded: i64,
    },
    /// The blob of a message that waits to leave is not there.
    QueuedWithoutBlob(String),
    /// A message that waits to leave has another number of forward-paths left than it says, or none.
    QueueEntries {
        /// Its name.
        message: String,
        /// As counted.
        counted: i64,
        /// As recorded.
        recorded: i64,
    },
    /// An entry or attempt of the queue belongs to nothing.
    QueueStray {
        /// `entry` or `attempt`.
        what: &'static str,
        /// Of which entry it says it is.
        of: String,
    },
    /// A file that no blob knows, older than the grace of what is being staged.
    Orphan(String),
}

/// Where a message is, in the words in which it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The first address of the account.
    pub account: String,
    /// The name of the mailbox.
    pub mailbox: String,
    /// Its UID there.
    pub uid: u32,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Accounts.
    pub accounts: u64,
    /// Blobs whose every octet was read.
    pub blobs: u64,
    /// Octets in them.
    pub octets: u64,
    /// Faults told.
    pub faults: u64,
}

/// Messages named for each damaged blob.
const NAMED_MAX: u32 = 5;

/// Blobs looked at in one view.
const BLOBS_AT_ONCE: u32 = 64;

impl Store {
    /// Looks at everything; `on_fault` hears each fault as it is found, `on_progress` what was looked at so far.
    ///
    /// # Errors
    /// Only what stops the search: an engine that answers nothing any more.
    pub async fn verify(
        &self,
        now: UnixMillis,
        mut on_fault: impl FnMut(Fault) + Send,
        mut on_progress: impl FnMut(Verified) + Send,
    ) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        let engine = self.engine().clone();
        let own = tokio::task::spawn_blocking(move || engine.integrity()).await.map_err(|_| EngineError::Closed)??;
        let mut tell = |faults: Vec<Fault>, verified: &mut Verified| {
            verified.faults += faults.len() as u64;
            faults.into_iter().for_each(&mut on_fault);
            on_progress(*verified);
        };
        tell(own.into_iter().map(Fault::Engine).collect(), &mut verified);

        let mut after = AccountId(0);
        loop {
            let accounts = self.read(move |view| crate::account::list(view, after, 100)).await?;
            let Some(last) = accounts.last() else { break };
            after = last.id;
            for account in accounts {
                let faults = self.read(move |view| account_faults(view, account.id)).await?;
                verified.accounts += 1;
                tell(faults, &mut verified);
            }
        }
        tell(self.read(reference_faults).await?, &mut verified);
        tell(self.read(queue_faults).await?, &mut verified);

        let mut after = None;
        loop {
            // Readers are opened within the view: a blob swept afterwards can still be read to its end.
            let (last, readers, faults) = self.read(move |view| open_some(view, after)).await?;
            tell(faults, &mut verified);
            let Some(last) = last else { break };
            after = Some(last);
            for (reader, sha256) in readers {
                let octets = reader.octets();
                let blob = reader.id();
                let what = tokio::task::spawn_blocking(move || content_fault(&reader, &sha256))
                    .await
                    .map_err(|_| EngineError::Closed)?;
                verified.blobs += 1;
                verified.octets += octets;
                let mut faults = Vec::new();
                if let Some(what) = what {
                    let messages = self.read(move |view| whereabouts(view, blob)).await?;
                    faults.push(Fault::Blob { blob, what, messages });
                }
                tell(faults, &mut verified);
            }
        }
        let orphans = self.read(move |view| {
            let blobs = view.blobs().clone();
            orphans(view, &blobs, now)
        });
        tell(orphans.await?, &mut verified);
        Ok(verified)
    }
}

type Opened = (Option<BlobId>, Vec<(BlobReader, Vec<u8>)>, Vec<Fault>);

fn open_some(view: &mut dyn Snapshot, after: Option<BlobId>) -> Result<Opened, StoreError> {
    let blobs = view.blobs().clone();
    let rows = blob::rows_after(view, after, BLOBS_AT_ONCE)?;
    let (mut readers, mut faults) = (Vec::new(), Vec::new());
    for row in &rows {
        match blobs.open(view, row.id) {
            Ok(reader) => readers.push((reader, row.sha256.clone())),
            Err(error) => {
                let messages = whereabouts(view, row.id)?;
                faults.push(Fault::Blob { blob: row.id, what: error.to_string(), messages });
            }
        }
    }
    Ok((rows.last().map(|row| row.id), readers, faults))
}

fn content_fault(reader: &BlobReader, sha256: &[u8]) -> Option<String> {
    match reader.check() {
        Ok(found) if found == sha256 => None,
        Ok(_) => Some("its SHA-256 is another".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// The first messages that are this blob. Looks through all of them: damage is rare.
fn whereabouts(view: &mut dyn Snapshot, blob: BlobId) -> Result<Vec<Whereabouts>, StoreError> {
    query_all(
        view,
        "SELECT coalesce(a.written, 'account ' || CAST(e.account AS TEXT)), m.name, e.uid FROM message g \
         JOIN entry e ON e.account = g.id / 4294967296 AND e.message = g.id % 4294967296 \
         JOIN mailbox m ON m.account = e.account AND m.id = e.mailbox \
         LEFT JOIN address a ON a.account = e.account AND a.primary_one = 1 \
         WHERE g.blob = $1 ORDER BY e.account, e.mailbox, e.uid LIMIT $2",
        &[blob.as_octets().into(), NAMED_MAX.into()],
        |row| {
            let (account, mailbox) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            Ok(Whereabouts { account, mailbox, uid: u32::try_from(row.integer(2)?).unwrap_or(0) })
        },
    )
}

/// What can be seen within one account.
fn account_faults(view: &mut dyn Snapshot, account: AccountId) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    let key = [Value::Integer(account.0)];
    let mailbox = |number: i64| MailboxId { account, number: u32::try_from(number).unwrap_or(0) };
    let narrow = |number: i64| u32::try_from(number).unwrap_or(0);

    let counted = "SELECT m.id, m.entries, m.unseen, m.deleted, m.octets, count(e.uid), \
                   CAST(coalesce(sum(1 - ((e.flags >> 3) & 1)), 0) AS BIGINT), \
                   CAST(coalesce(sum((e.flags >> 2) & 1), 0) AS BIGINT), CAST(coalesce(sum(e.octets), 0) AS BIGINT), \
                   CASE WHEN m.highest_modseq > a.highest_modseq \
                       OR coalesce(max(e.modseq), 0) > m.highest_modseq THEN 1 ELSE 0 END \
                   FROM account a, mailbox m LEFT JOIN entry e ON e.account = m.account AND e.mailbox = m.id \
                   WHERE m.account = $1 AND a.id = $1 \
                   GROUP BY m.id, m.entries, m.unseen, m.deleted, m.octets, m.highest_modseq, a.highest_modseq ORDER BY m.id";
    for (id, pairs, modseq) in query_all(view, counted, &key, |row| {
        let mut pairs = Vec::new();
        for (place, counter) in ["entries", "unseen", "deleted", "octets"].into_iter().enumerate() {
            pairs.push((counter, row.integer(place + 1)?, row.integer(place + 5)?));
        }
        Ok((row.integer(0)?, pairs, row.integer(9)?))
    })? {
        for (counter, recorded, counted) in pairs.into_iter().filter(|(_, recorded, counted)| recorded != counted) {
            faults.push(Fault::Counter { mailbox: mailbox(id), counter, counted, recorded });
        }
        if modseq != 0 {
            faults.push(Fault::ModSeq(mailbox(id)));
        }
    }

    let order = "SELECT e.mailbox, e.uid FROM entry e, mailbox m WHERE e.account = $1 AND m.account = $1 \
                 AND m.id = e.mailbox AND (e.uid >= m.uidnext OR e.uid < 1)";
    let found = query_all(view, order, &key, |row| Ok((row.integer(0)?, row.integer(1)?)))?;
    faults.extend(found.into_iter().map(|(id, uid)| Fault::UidOrder { mailbox: mailbox(id), uid: narrow(uid) }));

    let vanished = "SELECT e.mailbox, e.uid FROM vanished v, entry e WHERE v.account = $1 AND e.account = $1 \
                    AND e.mailbox = v.mailbox AND e.uid BETWEEN v.first_uid AND v.last_uid";
    let found = query_all(view, vanished, &key, |row| Ok((row.integer(0)?, row.integer(1)?)))?;
    faults.extend(found.into_iter().map(|(id, uid)| Fault::UidVanished { mailbox: mailbox(id), uid: narrow(uid) }));

    let lost = "SELECT e.mailbox, e.uid FROM entry e LEFT JOIN message m ON m.id = e.account * 4294967296 + e.message \
                LEFT JOIN mailbox b ON b.account = e.account AND b.id = e.mailbox \
                LEFT JOIN mailbox_removed r ON r.account = e.account AND r.mailbox = e.mailbox \
                WHERE e.account = $1 AND (m.id IS NULL OR (b.id IS NULL AND r.mailbox IS NULL))";
    let found = query_all(view, lost, &key, |row| Ok((row.integer(0)?, row.integer(1)?)))?;
    faults.extend(
        found.into_iter().map(|(id, uid)| Fault::EntryWithoutMessage { mailbox: mailbox(id), uid: narrow(uid) }),
    );

    let uses = "SELECT m.id, coalesce(c.n, 0), 1 + coalesce(o.uses, 0) - coalesce(r.uses, 0) FROM message m \
                LEFT JOIN (SELECT message, count(*) AS n FROM entry WHERE account = $1 GROUP BY message) c \
                ON m.id = $1 * 4294967296 + c.message \
                LEFT JOIN message_more o ON o.account = $1 AND o.message = m.id - $1 * 4294967296 \
                LEFT JOIN message_release r ON r.account = $1 AND r.message = m.id - $1 * 4294967296 \
                WHERE m.id >= $1 * 4294967296 AND m.id < ($1 + 1) * 4294967296 \
                AND 1 + coalesce(o.uses, 0) - coalesce(r.uses, 0) <> coalesce(c.n, 0)";
    let found = query_all(view, uses, &key, |row| Ok((row.integer(0)?, row.integer(1)?, row.integer(2)?)))?;
    faults.extend(found.into_iter().map(|(id, counted, recorded)| Fault::MessageUses {
        message: MessageId::from_key(id),
        counted,
        recorded,
    }));

    let blobs = "SELECT m.id FROM message m LEFT JOIN blob b ON b.id = m.blob \
                 WHERE m.id >= $1 * 4294967296 AND m.id < ($1 + 1) * 4294967296 AND b.id IS NULL";
    let found = query_all(view, blobs, &key, |row| Ok(MessageId::from_key(row.integer(0)?)))?;
    faults.extend(found.into_iter().map(Fault::MessageWithoutBlob));

    let quota = "SELECT CAST(coalesce(sum(m.octets), 0) AS BIGINT), a.used_octets FROM account a \
                 LEFT JOIN mailbox m ON m.account = a.id WHERE a.id = $1 GROUP BY a.used_octets";
    let found = query_all(view, quota, &key, |row| Ok((row.integer(0)?, row.integer(1)?)))?;
    let wrong = found.into_iter().filter(|(counted, recorded)| counted != recorded);
    faults.extend(wrong.map(|(counted, recorded)| Fault::Quota { account, counted, recorded }));

    let trail = "SELECT count(e.seq), coalesce(max(e.seq), 0), a.next_event - 1 FROM account a \
                 LEFT JOIN event e ON e.account = a.id WHERE a.id = $1 GROUP BY a.next_event";
    let found = query_all(view, trail, &key, |row| Ok((row.integer(0)?, row.integer(1)?, row.integer(2)?)))?;
    let wrong = found.into_iter().filter(|(counted, last, recorded)| counted != recorded || last != recorded);
    faults.extend(wrong.map(|(counted, _, recorded)| Fault::EventGap { account, counted, recorded }));
    Ok(faults)
}

/// References of blobs, against the blobs above them and the messages below.
fn reference_faults(view: &mut dyn Snapshot) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    let uses = "SELECT b.id, CAST(coalesce(r.n, 0) AS BIGINT), b.uses FROM blob b \
                LEFT JOIN (SELECT blob, sum(uses) AS n FROM blob_reference GROUP BY blob) r ON r.blob = b.id \
                WHERE b.uses <> coalesce(r.n, 0) OR (b.uses = 0 AND b.dying IS NULL)";
    faults.extend(query_all(view, uses, &[], |row| {
        let blob = BlobId::from_octets(row.octets(0)?)?;
        Ok(Fault::BlobUses { blob, counted: row.integer(1)?, recorded: row.integer(2)? })
    })?);
    let references = "SELECT r.structure, r.blob, coalesce(c.n, 0) + coalesce(q.n, 0), r.uses FROM blob_reference r \
                      LEFT JOIN (SELECT a.structure AS structure, m.blob AS blob, m.key_month AS month, count(*) AS n \
                          FROM message m, account a WHERE a.id = m.id / 4294967296 \
                          GROUP BY a.structure, m.blob, m.key_month) c \
                      ON c.structure = r.structure AND c.blob = r.blob AND c.month = r.month \
                      LEFT JOIN (SELECT structure, blob, key_month AS month, count(*) AS n FROM queue_message \
                          GROUP BY structure, blob, key_month) q \
                      ON q.structure = r.structure AND q.blob = r.blob AND q.month = r.month \
                      WHERE r.uses <> coalesce(c.n, 0) + coalesce(q.n, 0)";
    faults.extend(query_all(view, references, &[], |row| {
        Ok(Fault::ReferenceUses {
            structure: StructureId(row.integer(0)?),
            blob: BlobId::from_octets(row.octets(1)?)?,
            counted: row.integer(2)?,
            recorded: row.integer(3)?,
        })
    })?);
    Ok(faults)
}

/// The queue: every message has its blob and as many entries as it says, every entry and attempt its message.
fn queue_faults(view: &mut dyn Snapshot) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    let lost =
        "SELECT q.name FROM queue_message q LEFT JOIN blob b ON b.id = q.blob WHERE b.id IS NULL ORDER BY q.name";
    let found = query_all(view, lost, &[], |row| Ok(row.text(0)?.to_owned()))?;
    faults.extend(found.into_iter().map(Fault::QueuedWithoutBlob));
    let counts = "SELECT q.name, count(e.message), q.entries FROM queue_message q \
                  LEFT JOIN queue_entry e ON e.message = q.name GROUP BY q.name, q.entries \
                  HAVING count(e.message) <> q.entries OR q.entries < 1 ORDER BY q.name";
    faults.extend(query_all(view, counts, &[], |row| {
        let message = row.text(0)?.to_owned();
        Ok(Fault::QueueEntries { message, counted: row.integer(1)?, recorded: row.integer(2)? })
    })?);
    for (what, sql) in [
        (
            "entry",
            "SELECT e.message, e.number FROM queue_entry e LEFT JOIN queue_message q ON q.name = e.message \
             WHERE q.name IS NULL ORDER BY e.message, e.number",
        ),
        (
            "attempt",
            "SELECT DISTINCT a.message, a.number FROM queue_attempt a LEFT JOIN queue_entry e \
             ON e.message = a.message AND e.number = a.number WHERE e.message IS NULL ORDER BY a.message, a.number",
        ),
    ] {
        faults.extend(query_all(view, sql, &[], |row| {
            Ok(Fault::QueueStray { what, of: format!("{}/{}", row.text(0)?, row.integer(1)?) })
        })?);
    }
    Ok(faults)
}

fn orphans(view: &mut dyn Snapshot, blobs: &Blobs, now: UnixMillis) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    for folder in blobs.disk.list(&blobs.folder).unwrap_or_default().into_iter().filter(|found| found.folder) {
        for file in blobs.disk.list(&blobs.folder.join(&folder.name)).unwrap_or_default() {
            let known = match BlobId::from_hex(&file.name) {
                Some(id) if folder.name == id.shard() => blob::is_known(view, id)?,
                _ => false,
            };
            if !known && file.modified < now.0 - ORPHAN_GRACE_MILLIS {
                faults.push(Fault::Orphan(format!("{}/{}", folder.name, file.name)));
            }
        }
    }
    Ok(faults)
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, mailbox {:?}, UID {}", self.account, self.mailbox, self.uid)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Engine(what) => write!(f, "engine: {what}"),
            Fault::Blob { blob, what, messages } => {
                write!(f, "blob {blob}: {what}")?;
                let places = messages.iter().map(Whereabouts::to_string).collect::<Vec<_>>().join("; ");
                match messages.len() {
                    0 => f.write_str(": in no mailbox"),
                    found if found >= NAMED_MAX as usize => write!(f, ": {places}; and perhaps more"),
                    _ => write!(f, ": {places}"),
                }
            }
            Fault::BlobUses { blob, counted, recorded } => {
                write!(f, "blob {blob}: {counted} references, {recorded} recorded")
            }
            Fault::ReferenceUses { structure, blob, counted, recorded } => {
                write!(f, "blob {blob}, structure {structure}: {counted} messages, {recorded} recorded")
            }
            Fault::MessageUses { message, counted, recorded } => {
                write!(f, "message {message}: {counted} entries, {recorded} recorded")
            }
            Fault::MessageWithoutBlob(message) => write!(f, "message {message}: its blob is not there"),
            Fault::EntryWithoutMessage { mailbox, uid } => {
                write!(f, "mailbox {mailbox}: UID {uid} leads to no message or is in no mailbox")
            }
            Fault::UidOrder { mailbox, uid } => write!(f, "mailbox {mailbox}: UID {uid} is not below UIDNEXT"),
            Fault::UidVanished { mailbox, uid } => write!(f, "mailbox {mailbox}: UID {uid} is there and vanished"),
            Fault::ModSeq(mailbox) => write!(f, "mailbox {mailbox}: a MODSEQ above the highest"),
            Fault::Counter { mailbox, counter, counted, recorded } => {
                write!(f, "mailbox {mailbox}: {counted} {counter}, {recorded} recorded")
            }
            Fault::Quota { account, counted, recorded } => {
                write!(f, "account {account}: uses {counted} octets, {recorded} recorded")
            }
            Fault::EventGap { account, counted, recorded } => {
                write!(f, "account {account}: {counted} events, {recorded} recorded")
            }
            Fault::QueuedWithoutBlob(message) => write!(f, "queued message {message}: its blob is not there"),
            Fault::QueueEntries { message, counted, recorded } => {
                write!(f, "queued message {message}: {counted} entries, {recorded} recorded")
            }
            Fault::QueueStray { what, of } => write!(f, "queue: an {what} of {of}, which is not there"),
            Fault::Orphan(name) => write!(f, "blobs/{name}: belongs to nothing"),
        }
    }
}
