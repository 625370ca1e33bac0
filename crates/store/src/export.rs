//! Going through a mailbox message by message, so that a bad record costs that record.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::mailbox::Mailbox;
use crate::message::{self, Wanted};
use crate::{BlobReader, Entry, MailboxId, Snapshot, Store, StoreError, Uid, UnixMillis};

/// One message, ready to be read: the prefix, then the blob.
#[derive(Clone)]
pub struct Exported {
    /// The entry.
    pub entry: Entry,
    /// Its keywords by name; system flags are in the entry.
    pub keywords: Vec<String>,
    /// When it came.
    pub received: UnixMillis,
    /// Comes first.
    pub trace_prefix: Vec<u8>,
    /// Comes second. Its octets are checked when they are read.
    pub blob: BlobReader,
}

/// A message that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which.
    pub uid: Uid,
    /// Why.
    pub error: StoreError,
}

/// Goes through a mailbox, ascending by UID, up to where it was when the walk began.
pub struct Export {
    store: Store,
    mailbox: Mailbox,
    next: u32,
    ready: VecDeque<Result<Exported, Lost>>,
}

/// Messages taken in one view.
const AT_ONCE: u32 = 32;

impl Store {
    /// Begins to go through a mailbox.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn export(&self, id: MailboxId) -> Result<Export, StoreError> {
        let mailbox = self.read(move |view| crate::mailbox::by_id(view, id)).await?.ok_or(StoreError::NoSuchMailbox)?;
        Ok(Export { store: self.clone(), mailbox, next: 1, ready: VecDeque::new() })
    }
}

impl Export {
    /// The mailbox as it was when the walk began.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The next message, or the next loss.
    pub async fn next(&mut self) -> Option<Result<Exported, Lost>> {
        while self.ready.is_empty() && self.next < self.mailbox.uidnext {
            let (mailbox, from) = (self.mailbox.clone(), self.next);
            let some = move |view: &mut dyn Snapshot| some_messages(view, &mailbox, from, AT_ONCE);
            match self.store.read(some).await {
                Ok((found, next)) => {
                    self.ready.extend(found.into_iter().map(Ok));
                    self.next = next;
                }
                Err(_) => self.one_by_one().await,
            }
        }
        self.ready.pop_front()
    }

    /// Among these is a bad one: each is asked for alone.
    async fn one_by_one(&mut self) {
        let end = self.next.saturating_add(AT_ONCE).min(self.mailbox.uidnext);
        for number in self.next..end {
            let Some(uid) = Uid::new(number) else { continue };
            let mailbox = self.mailbox.clone();
            let found = self.store.read(move |view: &mut dyn Snapshot| one_message(view, &mailbox, uid)).await;
            match found {
                Ok(found) => self.ready.extend(found.map(Ok)),
                Err(error) => self.ready.push_back(Err(Lost { uid, error })),
            }
        }
        self.next = end;
    }
}

fn one_message(view: &mut dyn Snapshot, mailbox: &Mailbox, uid: Uid) -> Result<Option<Exported>, StoreError> {
    if crate::entry::by_uid(view, mailbox.id, uid)?.is_none() {
        return Ok(None);
    }
    let (mut found, _) = read_messages(view, mailbox, uid.get()..=uid.get(), 1)?;
    found.pop().map(Some).ok_or(StoreError::NoSuchMessage)
}

fn some_messages(
    view: &mut dyn Snapshot,
    mailbox: &Mailbox,
    from: u32,
    limit: u32,
) -> Result<(Vec<Exported>, u32), StoreError> {
    let last = mailbox.uidnext.saturating_sub(1);
    let (found, seen) = read_messages(view, mailbox, from..=last, limit)?;
    // An entry whose message is lost is passed over by the join: then each is asked for alone.
    let upto = if found.len() < limit as usize { last } else { seen };
    let mut entries = 0;
    crate::entry::flags(view, mailbox.id, from..=upto, limit + 1, &mut |_| {
        entries += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    match entries == found.len() {
        true => Ok((found, upto.saturating_add(1))),
        false => Err(StoreError::NoSuchMessage),
    }
}

fn read_messages(
    view: &mut dyn Snapshot,
    mailbox: &Mailbox,
    uids: std::ops::RangeInclusive<u32>,
    limit: u32,
) -> Result<(Vec<Exported>, u32), StoreError> {
    let mut rows = Vec::new();
    let wanted = Wanted { trace_prefix: true, ..Wanted::default() };
    message::fetch(view, mailbox.id, uids, limit, wanted, &mut |message| {
        rows.push((message.entry, message.received, message.trace_prefix.to_vec(), message.blob));
        Ok(ControlFlow::Continue(()))
    })?;
    let blobs = view.blobs().clone();
    let last = rows.last().map_or(0, |(entry, ..)| entry.uid.get());
    let mut found = Vec::with_capacity(rows.len());
    for (entry, received, trace_prefix, blob) in rows {
        let keywords = mailbox.keywords.of(entry.flags).map(str::to_owned).collect();
        found.push(Exported { entry, keywords, received, trace_prefix, blob: blobs.open(view, blob)? });
    }
    Ok((found, last))
}
