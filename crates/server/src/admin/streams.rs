//! Requests that take long and tell as they go: verify, backup, restore of a part, export.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use store::backup::Backup;
use store::disk::RealDisk;
use store::export::Exported;
use store::mailbox::{self, MailboxName};
use store::{AccountId, SystemFlag, Uid, UidSet};
use tokio::sync::mpsc;

use super::{Administration, Failed, Request};
use crate::machine::now;

/// What is told before the end.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An object: `progress`, `fault`, `mailbox`, `record`.
    Line(Value),
    /// Octets of the last `record`.
    Octets(Vec<u8>),
}

/// Where events go; a slow reader slows the work.
pub type Events = mpsc::Sender<Event>;

/// Events that wait for their reader.
pub(super) const EVENTS_MAX: usize = 16;

/// Said of a backup that a lost disk would take with the store.
const SAME_FILE_SYSTEM: &str = "this backup lies on the same file system as the data, and shares the message files with it: \
                                a lost disk takes both; back up to another disk, or copy the folder to another machine";

/// Octets of a message told at once.
const CHUNK_OCTETS: u64 = 256 * 1_024;

impl Administration {
    /// Does a request that tells as it goes; gives its last word.
    ///
    /// # Errors
    /// A sentence for the person at the terminal.
    pub async fn stream(&self, request: Request, events: Events) -> Result<Value, Failed> {
        match request {
            Request::Verify => self.verify(events).await,
            Request::Backup { destination } => self.backup(&destination, events).await,
            Request::Restore { backup, account, mailbox, uid, into } => {
                self.restore(&backup, &account, &mailbox, uid, into.as_deref(), events).await
            }
            Request::Export { account } => self.export(&account, events).await,
            _ => Err(Failed("this request is answered at once".into())),
        }
    }

    async fn verify(&self, events: Events) -> Result<Value, Failed> {
        let (lines, waiting) = mpsc::unbounded_channel();
        let told = lines.clone();
        let mut last = 0;
        let work = self.store().verify(
            now(),
            move |fault| {
                let _ = told.send(json!({ "fault": fault.to_string() }));
            },
            move |verified| {
                // A line for each hundred blobs is enough for a bar.
                if verified.blobs >= last + 100 {
                    last = verified.blobs;
                    let _ = lines.send(json!({ "progress": verified.blobs }));
                }
            },
        );
        let (verified, ()) = tokio::join!(work, forward(waiting, events));
        let verified = verified.map_err(Failed::because)?;
        Ok(json!({
            "accounts": verified.accounts,
            "blobs": verified.blobs,
            "octets": verified.octets,
            "faults": verified.faults,
        }))
    }

    async fn backup(&self, destination: &Path, events: Events) -> Result<Value, Failed> {
        let (lines, waiting) = mpsc::unbounded_channel();
        let mut last = 0;
        let progress = move |done: store::backup::BackedUp| {
            if done.files >= last + 10 {
                last = done.files;
                let _ = lines.send(json!({ "progress": done.files }));
            }
        };
        let work = self.store().backup(destination, self.taken_along(), now(), progress);
        let (done, ()) = tokio::join!(work, forward(waiting, events));
        let done = done.map_err(Failed::because)?;
        let warning = done.same_file_system.then_some(SAME_FILE_SYSTEM);
        if let Some(warning) = warning.filter(|_| self.has_server()) {
            // Without a server there is only one who hears of it: the person at the terminal.
            tracing::warn!(destination = %destination.display(), "{warning}");
        }
        Ok(json!({
            "files": done.files,
            "new": done.files_new,
            "removed": done.files_removed,
            "same_file_system": done.same_file_system,
            "warning": warning,
        }))
    }

    async fn restore(
        &self,
        backup: &Path,
        account: &str,
        mailbox: &str,
        uid: Option<u32>,
        into: Option<&str>,
        events: Events,
    ) -> Result<Value, Failed> {
        let folder = backup.to_owned();
        let opened = tokio::task::spawn_blocking(move || Backup::open(&folder, Arc::new(RealDisk))).await;
        let backup = Arc::new(opened.map_err(Failed::because)?.map_err(Failed::because)?);
        let account = self.find(account).await?.id;
        let name = MailboxName::parse(mailbox).map_err(Failed::because)?;
        let default = format!("{mailbox} (restored)");
        let (lines, waiting) = mpsc::unbounded_channel();
        let progress = move |restored: &store::restore::Restored| {
            let _ = lines.send(json!({ "progress": restored.messages }));
        };
        let work = async {
            match uid {
                None => {
                    let into = MailboxName::parse(into.unwrap_or(&default)).map_err(Failed::because)?;
                    let restored =
                        store::restore::mailbox_of(backup, account, &name, self.store(), &into, now(), progress);
                    restored.await.map(|(_, restored)| restored).map_err(Failed::because)
                }
                Some(uid) => {
                    let uid = Uid::new(uid).ok_or_else(|| Failed("0 is no UID".into()))?;
                    let from = backup.read(|view| mailbox::by_name(view, account, &name)).map_err(Failed::because)?;
                    let from = from.ok_or_else(|| Failed(format!("the backup has no mailbox {mailbox}")))?.id;
                    let to = self.ensure_mailbox(account, into.unwrap_or(mailbox)).await?;
                    let uids = UidSet::from_iter([uid]);
                    let restored =
                        store::restore::messages(backup, from, &uids, self.store(), to, now(), progress).await;
                    match restored.map_err(Failed::because)? {
                        restored if restored.messages == 0 && restored.lost.is_empty() => {
                            Err(Failed(format!("the backup has no message of UID {uid} in {mailbox}")))
                        }
                        restored => Ok(restored),
                    }
                }
            }
        };
        let (restored, ()) = tokio::join!(work, forward(waiting, events.clone()));
        let restored = restored?;
        for (uid, reason) in &restored.lost {
            tell(&events, Event::Line(json!({ "fault": format!("UID {uid}: {reason}") }))).await?;
        }
        Ok(json!({ "messages": restored.messages, "lost": restored.lost.len() }))
    }

    async fn export(&self, account: &str, events: Events) -> Result<Value, Failed> {
        let account: AccountId = self.find(account).await?.id;
        let mailboxes = self.read(move |view| mailbox::list(view, account)).await?;
        let (mut messages, mut lost) = (0_u64, 0_u64);
        for mailbox in mailboxes {
            tell(&events, Event::Line(json!({ "mailbox": mailbox.name.as_str(), "messages": mailbox.entries })))
                .await?;
            let mut walk = self.store().export(mailbox.id).await.map_err(Failed::because)?;
            while let Some(next) = walk.next().await {
                let outcome = match next {
                    Ok(message) => self.export_one(&message, &events).await?,
                    Err(lost) => Err(format!("UID {}: {}", lost.uid, lost.error)),
                };
                match outcome {
                    Ok(()) => messages += 1,
                    Err(reason) => {
                        lost += 1;
                        let fault = format!("{}: {reason}", mailbox.name.as_str());
                        tell(&events, Event::Line(json!({ "fault": fault }))).await?;
                    }
                }
            }
        }
        Ok(json!({ "messages": messages, "lost": lost }))
    }

    /// The outer error ends the export, the inner one costs the record.
    async fn export_one(&self, message: &Exported, events: &Events) -> Result<Result<(), String>, Failed> {
        let prefix = message.trace_prefix.len() as u64;
        let octets = message.blob.octets();
        let system = SystemFlag::ALL.into_iter().filter(|flag| message.entry.flags.has(*flag));
        let mut flags: Vec<String> = system.map(|flag| flag.name().to_owned()).collect();
        flags.extend(message.keywords.iter().cloned());
        let record = json!({
            "uid": message.entry.uid.get(),
            "flags": flags,
            "internal_date": message.entry.internal_date.seconds(),
            "octets": prefix + octets,
        });
        tell(events, Event::Line(json!({ "record": record }))).await?;
        tell(events, Event::Octets(message.trace_prefix.clone())).await?;
        let mut at = 0;
        while at < octets {
            let end = (at + CHUNK_OCTETS).min(octets);
            match message.blob.read(at..end).await {
                Ok(chunk) => tell(events, Event::Octets(chunk)).await?,
                // The reader drops a record that is followed by anything but its octets.
                Err(error) => return Ok(Err(format!("UID {}: {error}", message.entry.uid))),
            }
            at = end;
        }
        Ok(Ok(()))
    }
}

async fn tell(events: &Events, event: Event) -> Result<(), Failed> {
    events.send(event).await.map_err(|_| Failed("nobody listens any more".into()))
}

/// Lines told by callbacks, which cannot wait, on their way to a reader who may be slow.
async fn forward(mut lines: mpsc::UnboundedReceiver<Value>, events: Events) {
    while let Some(line) = lines.recv().await {
        if events.send(Event::Line(line)).await.is_err() {
            return;
        }
    }
}

/// What a backup takes along beside the store, by paths that mean the same from every folder.
pub(crate) fn taken_along(config: &crate::config::Config) -> Vec<PathBuf> {
    let certificates = config.certificates.iter().flat_map(|(_, files)| [files.chain.clone(), files.key.clone()]);
    let authorities = config.trust.iter().flat_map(|trust| trust.roots.iter().chain(&trust.intermediates).cloned());
    let files = std::iter::once(config.file.clone()).chain(certificates).chain(authorities);
    files.map(|path| std::path::absolute(&path).unwrap_or(path)).collect()
}
