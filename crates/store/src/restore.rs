//! Bringing back what a backup holds: all of it, a mailbox, or messages.
//!
//! Clients remember UIDs and MODSEQs given after the backup was made. So whatever comes back is new to them: mailboxes of an
//! older state get new UIDVALIDITYs and a MODSEQ no one has seen; single messages come into a mailbox as new ones.

use std::path::Path;
use std::sync::Arc;

use crate::account::{Advance, advance};
use crate::backup::Backup;
use crate::disk::{Disk, RealDisk, disk_error};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::mailbox::{self, MailboxName};
use crate::message::{self, NewMessage, OverQuota};
use crate::{
    AccountId, BlobReader, Config, EngineError, FlagBits, Flags, MailboxId, MessageId, Snapshot, Store, StoreError,
    Transaction, Uid, UidSet, UnixMillis, Value,
};

/// MODSEQs, message and mailbox numbers that may have been given between the backup and its restoration.
const MODSEQ_STEP: i64 = 1 << 32;
const MESSAGE_STEP: i64 = 1 << 20;
const MAILBOX_STEP: i64 = 1 << 12;

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Messages brought back.
    pub messages: u64,
    /// Messages of the backup that cannot be read, with the reason.
    pub lost: Vec<(Uid, String)>,
}

/// Restores a whole backup into a folder that holds no store, and opens it. What waited to leave then may have left since:
/// it comes back held, so that nothing is sent twice before somebody looked.
///
/// # Errors
/// [`StoreError::Taken`] when there is a store; the disk's; the engine's.
pub async fn whole(backup: &Path, config: &Config, now: UnixMillis) -> Result<Store, StoreError> {
    let (from, to) = (backup.to_owned(), config.clone());
    let store =
        tokio::task::spawn_blocking(move || copy_whole(&from, &to)).await.map_err(|_| EngineError::Closed)??;
    let mut after = AccountId(0);
    loop {
        let accounts = store.read(move |view| crate::account::list(view, after, 100)).await?;
        let Some(last) = accounts.last() else { break };
        after = last.id;
        let ids: Vec<AccountId> = accounts.iter().map(|account| account.id).collect();
        store.transaction(move |tx| ids.iter().try_for_each(|account| renew(tx, *account, now))).await?;
    }
    store.transaction(hold_queue).await?;
    Ok(store)
}

fn copy_whole(from: &Path, config: &Config) -> Result<Store, StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let failed = |error: std::io::Error| StoreError::Engine(disk_error("restoring", &error));
    if !disk.list(from).map_err(failed)?.iter().any(|found| found.name == "complete") {
        return Err(StoreError::Damaged(format!("{} is no complete backup", from.display())));
    }
    disk.create_folder(&config.folder).map_err(failed)?;
    let database = config.folder.join("sceau.sqlite");
    if disk.list(&config.folder).map_err(failed)?.iter().any(|found| found.name.starts_with("sceau.sqlite")) {
        return Err(StoreError::Taken("folder"));
    }
    let blobs = config.folder.join("blobs");
    for folder in disk.list(&from.join("blobs")).unwrap_or_default().into_iter().filter(|found| found.folder) {
        let (source, target) = (from.join("blobs").join(&folder.name), blobs.join(&folder.name));
        disk.create_folder(&target).map_err(failed)?;
        for file in disk.list(&source).map_err(failed)? {
            match disk.link_or_copy(&source.join(&file.name), &target.join(&file.name)) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
        }
        disk.sync_folder(&target).map_err(failed)?;
    }
    // The database last, under its name only when whole: a restoration broken off leaves no store.
    let partial = config.folder.join("restoring.sqlite");
    let _ = disk.remove(&partial);
    disk.copy(&from.join("sceau.sqlite"), &partial).map_err(failed)?;
    disk.rename(&partial, &database).map_err(failed)?;
    disk.sync_folder(&config.folder).map_err(failed)?;
    Store::open_on(config, disk)
}

fn hold_queue(tx: &mut dyn Transaction) -> Result<(), StoreError> {
    tx.execute("UPDATE queue_entry SET state = 1 WHERE state = 0", &[])?;
    Ok(())
}

/// Makes an account of an older state new to its clients.
fn renew(tx: &mut dyn Transaction, account: AccountId, now: UnixMillis) -> Result<(), StoreError> {
    let by = Advance {
        modseqs: MODSEQ_STEP,
        messages: MESSAGE_STEP,
        mailboxes: MAILBOX_STEP,
        events: 1,
        ..Advance::default()
    };
    let counters = advance(tx, account, by)?;
    let key = [Value::Integer(account.0)];
    let numbers = query_all(tx, "SELECT id FROM mailbox WHERE account = $1 ORDER BY id", &key, |row| row.integer(0))?;
    // UIDVALIDITYs begin with the seconds of the account's creation and go up by one for each mailbox: those of now are
    // above any given since the backup.
    let first = counters.first_uidvalidity.max(now.seconds());
    for (number, uidvalidity) in numbers.iter().zip(first..) {
        tx.execute(
            "UPDATE mailbox SET uidvalidity = $3, highest_modseq = $4, flags_modseq = $4, vanished_floor = $4 \
             WHERE account = $1 AND id = $2",
            &[account.0.into(), (*number).into(), uidvalidity.into(), counters.modseq.0.into()],
        )?;
    }
    tx.execute("UPDATE entry SET modseq = $2 WHERE account = $1", &[account.0.into(), counters.modseq.0.into()])?;
    tx.execute("DELETE FROM vanished WHERE account = $1", &key)?;
    let next = first + numbers.len() as i64;
    tx.execute("UPDATE account SET next_uidvalidity = $2 WHERE id = $1", &[account.0.into(), next.into()])?;
    event::record(tx, (account, counters.first_event), now, Kind::Restored, &[("scope", &"account")])
}

/// Restores messages of a backup's mailbox into a mailbox of the same account, as new messages with their flags and dates.
/// What is there already is not looked for: the target is best a mailbox of its own ([`mailbox_of`]).
///
/// # Errors
/// [`StoreError::NoSuchMailbox`] for either; the engine's.
pub async fn messages(
    backup: Arc<Backup>,
    from: MailboxId,
    uids: &UidSet,
    store: &Store,
    to: MailboxId,
    now: UnixMillis,
    mut on_progress: impl FnMut(&Restored) + Send,
) -> Result<Restored, StoreError> {
    let mut restored = Restored::default();
    for uid in existing(&backup, from, uids)? {
        let reading = backup.clone();
        let found = tokio::task::spawn_blocking(move || reading.read(|view| Record::read(view, from, uid)));
        let outcome = match found.await.map_err(|_| EngineError::Closed)? {
            Ok(record) => bring_back(record, store, to, now).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => restored.messages += 1,
            Err(error @ (StoreError::Damaged(_) | StoreError::NoSuchMessage)) => {
                restored.lost.push((uid, error.to_string()));
            }
            Err(error) => return Err(error),
        }
        on_progress(&restored);
    }
    Ok(restored)
}

/// Restores a mailbox of a backup as a new one under another name.
///
/// # Errors
/// As [`messages`]; [`StoreError::MailboxExists`].
pub async fn mailbox_of(
    backup: Arc<Backup>,
    account: AccountId,
    name: &MailboxName,
    store: &Store,
    new_name: &MailboxName,
    now: UnixMillis,
    on_progress: impl FnMut(&Restored) + Send,
) -> Result<(MailboxId, Restored), StoreError> {
    let source = backup.read(|view| mailbox::by_name(view, account, name))?.ok_or(StoreError::NoSuchMailbox)?;
    let new_name = new_name.clone();
    let target = store.transaction(move |tx| mailbox::create(tx, account, &new_name, None, now)).await?;
    let restored = messages(backup, source.id, &UidSet::all(), store, target, now, on_progress).await?;
    let from = source.id.number;
    store
        .transaction(move |tx| {
            let seq = advance(tx, account, Advance { events: 1, ..Advance::default() })?.first_event;
            let fields: [(&str, &dyn std::fmt::Display); 2] = [("mailbox", &target.number), ("from", &from)];
            event::record(tx, (account, seq), now, Kind::Restored, &fields)
        })
        .await?;
    Ok((target, restored))
}

fn existing(backup: &Backup, from: MailboxId, uids: &UidSet) -> Result<Vec<Uid>, StoreError> {
    backup.read(|view| {
        let mut found = Vec::new();
        for range in uids.ranges() {
            crate::entry::flags(view, from, range, u32::MAX, &mut |one| {
                found.push(one.uid);
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
        }
        Ok(found)
    })
}

/// A message of a backup.
#[derive(Clone)]
struct Record {
    flags: Flags,
    internal_date: UnixMillis,
    trace_prefix: Vec<u8>,
    envelope: Vec<u8>,
    structure: Vec<u8>,
    preview: String,
    header_texts: Vec<u8>,
    thread: i64,
    blob: BlobReader,
}

impl Record {
    fn read(view: &mut dyn Snapshot, mailbox: MailboxId, uid: Uid) -> Result<Record, StoreError> {
        let row = mailbox::by_id(view, mailbox)?.ok_or(StoreError::NoSuchMailbox)?;
        let entry = crate::entry::by_uid(view, mailbox, uid)?.ok_or(StoreError::NoSuchMessage)?;
        let flags = Flags {
            system: FlagBits(entry.flags.0 & FlagBits::SYSTEM.0),
            keywords: row.keywords.of(entry.flags).map(str::to_owned).collect(),
        };
        let blobs = view.blobs().clone();
        let id = message::octets(view, entry.message)?.blob;
        let blob = blobs.open(view, id)?;
        query_row(
            view,
            "SELECT trace_prefix, envelope, structure, preview, header_texts, thread FROM message WHERE id = $1",
            &[entry.message.key().into()],
            |row| {
                Ok(Record {
                    flags: flags.clone(),
                    internal_date: entry.internal_date,
                    trace_prefix: row.octets(0)?.to_vec(),
                    envelope: row.octets(1)?.to_vec(),
                    structure: row.octets(2)?.to_vec(),
                    preview: row.text(3)?.to_owned(),
                    header_texts: row.octets(4)?.to_vec(),
                    thread: row.integer(5)?,
                    blob: blob.clone(),
                })
            },
        )?
        .ok_or(StoreError::NoSuchMessage)
    }
}

async fn bring_back(record: Record, store: &Store, to: MailboxId, now: UnixMillis) -> Result<(), StoreError> {
    let mut writer = store.stage()?;
    let mut at = 0;
    while at < record.blob.octets() {
        writer.write(&record.blob.read(at..at + (1 << 20)).await?).await?;
        at += 1 << 20;
    }
    let staged = writer.finish().await?;
    store
        .transaction(move |tx| {
            let new = NewMessage {
                staged: &staged,
                trace_prefix: &record.trace_prefix,
                internal_date: record.internal_date,
                envelope: &record.envelope,
                structure: &record.structure,
                preview: &record.preview,
                header_texts: &record.header_texts,
                message_id: None,
                references: &[],
                over_quota: OverQuota::Taken,
            };
            let appended = message::append(tx, to, &new, &record.flags, now)?;
            // The number of a conversation is never given twice within an account.
            let set = "UPDATE message SET thread = $2 WHERE id = $1";
            tx.execute(set, &[MessageId::key(appended.message).into(), record.thread.into()])?;
            Ok(())
        })
        .await
}
