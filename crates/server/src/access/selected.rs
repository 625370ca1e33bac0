//! The selected mailbox of a session, and how it keeps up with the store.

use imap::Flags;
use imap::response::{Code, Status};
use imap::sequence::{Messages, Ranges};
use imap::server::Completed;
use imap::view::{Allowed, Changes, FlagChange, Told, View, ViewError};
use store::entry::{Changed, changes_since};
use store::mailbox::ViewPoint;
use store::{Keywords, MailboxId, ModSeq, Snapshot, StoreError, UidSet};
use tracing::error;

use super::executor::{Executor, Stop};
use super::flags::{KeywordTable, system};
use super::wire::Disconnected;

/// What SELECT and EXAMINE left behind.
pub struct Selected {
    /// The mailbox.
    pub id: MailboxId,
    /// Whether it may be changed.
    pub access: Access,
    /// What the client was told.
    pub view: View,
    /// Its keywords, as told last.
    pub keywords: KeywordTable,
    /// Messages below this UID are noted in the store as no longer recent.
    pub recent_stored: u32,
}

/// SELECT or EXAMINE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// SELECT.
    ReadWrite,
    /// EXAMINE: nothing changes, `\Seen` and `\Recent` neither.
    ReadOnly,
}

impl Selected {
    /// The moment up to which changes were applied. Other than at [`Selected::view_point`], messages that wait to be told
    /// belong to it: one of them may be gone again.
    pub fn applied_point(&self) -> ViewPoint {
        ViewPoint { uidnext: self.view.applied_uid_next(), ..self.view_point() }
    }

    /// The moment up to which the view is true, with the messages the client was told of.
    pub fn view_point(&self) -> ViewPoint {
        ViewPoint {
            uidnext: self.view.uid_next(),
            modseq: ModSeq(i64::try_from(self.view.mod_sequence()).unwrap_or(i64::MAX)),
            entries: self.view.exists(),
        }
    }

    /// Takes what a read found; nothing is told yet. New messages from `first_recent_uid` on are recent to this session.
    pub fn apply(&mut self, changed: &Changed, first_recent_uid: u32) {
        let known = self.view.applied_uid_next();
        let (old, new): (Vec<_>, Vec<_>) = changed.entries.iter().partition(|entry| entry.uid.get() < known);
        let flag_change = |entry: &&store::entry::Entry| FlagChange {
            uid: entry.uid.get(),
            system: system(entry.flags),
            keywords: self.keywords.of(entry.flags).cloned().collect(),
            mod_sequence: entry.modseq.0.unsigned_abs(),
        };
        let flags = old.iter().map(flag_change).collect();
        self.view.apply(Changes {
            mod_sequence: changed.mailbox.highest_modseq.0.unsigned_abs(),
            appended: new.iter().map(|entry| entry.uid.get()).collect(),
            expunged: changed.vanished.iter().map(store::Uid::get).collect(),
            flags,
            first_recent_uid,
        });
    }
}

/// What may be stored in a mailbox opened so.
pub fn permanent_flags(access: Access, flags: Flags) -> Code {
    match access {
        Access::ReadWrite => Code::PermanentFlags { flags, new_keywords: true },
        Access::ReadOnly => Code::PermanentFlags { flags: Flags::default(), new_keywords: false },
    }
}

impl Executor<'_, '_> {
    /// The selected mailbox; the session lets no command through that needs one and has none.
    pub(super) fn selected(&mut self) -> Result<&mut Selected, Stop> {
        self.mailbox.as_deref_mut().ok_or_else(|| Stop::Answer(Completed::bad("No mailbox is selected")))
    }

    /// As [`Executor::selected`], for commands that change it.
    pub(super) fn selected_for_change(&mut self) -> Result<&mut Selected, Stop> {
        let selected = self.selected()?;
        match selected.access {
            Access::ReadWrite => Ok(selected),
            Access::ReadOnly => Err(Completed::no(None, "The mailbox is selected read-only").into()),
        }
    }

    /// The messages a command names, as sequence numbers, with the UIDs loaded.
    pub(super) async fn resolve(&mut self, messages: &Messages) -> Result<Ranges, Stop> {
        self.load().await?;
        let resolved = self.selected()?.view.resolve(messages);
        resolved.map_err(|error| Stop::Answer(Completed::bad(error.to_string())))
    }

    /// As [`Executor::resolve`], as UIDs.
    pub(super) async fn resolve_uids(&mut self, messages: &Messages) -> Result<UidSet, Stop> {
        let numbers = self.resolve(messages).await?;
        let view = &self.selected()?.view;
        Ok(uid_set(&view.uids_of(&numbers).unwrap_or_default()))
    }

    /// Loads the UIDs of the view, once for a selected mailbox.
    pub(super) async fn load(&mut self) -> Result<(), Stop> {
        let selected = self.selected()?;
        if selected.view.is_loaded() {
            return Ok(());
        }
        let (id, point) = (selected.id, selected.view_point());
        let uids = self.read(move |snapshot| store::entry::uids(snapshot, id, point)).await?;
        let uids = uids.iter().map(store::Uid::get).collect();
        if let Err(mismatch @ ViewError::Mismatch { .. }) = self.selected()?.view.load(uids) {
            // The counters and the entries of the mailbox disagree: `sceau verify` names it. Guessing would give the
            // client wrong numbers.
            error!(session = self.session().0, mailbox = %id, %mismatch, "the mailbox cannot be listed");
            return Err(StoreError::Damaged("the mailbox's counters".into()).into());
        }
        Ok(())
    }

    /// Takes the mailbox's keywords; new ones are told before any message is told to have them (RFC 9051 §7.3.5, §7.1).
    pub(super) fn learn_keywords(&mut self, keywords: &Keywords) -> Result<(), Stop> {
        let selected = self.selected()?;
        if *keywords == *selected.keywords.known() {
            return Ok(());
        }
        selected.keywords = KeywordTable::new(keywords.clone());
        let (flags, access) = (selected.keywords.all(), selected.access);
        self.responses.flags(&flags);
        let permanent = permanent_flags(access, flags);
        self.responses.status(Status::Ok, Some(&permanent), "Flags that are kept");
        Ok(())
    }

    /// Reads what changed since the view's moment, when the feed says that something did.
    pub(super) async fn catch_up(&mut self) -> Result<(), Stop> {
        let Some(selected) = self.mailbox.as_deref() else { return Ok(()) };
        let (id, point) = (selected.id, selected.applied_point());
        if self.changes.latest().mailbox(id) <= point.modseq {
            return Ok(());
        }
        match self.read(move |snapshot| changes_since(snapshot, id, point)).await {
            Ok(changed) => self.take_changes(&changed, point).await?,
            // Deleted by another session: its messages are gone, and no new one comes (RFC 2180 §3.2).
            Err(StoreError::NoSuchMailbox) => {
                let view = &mut self.selected()?.view;
                let mod_sequence = view.mod_sequence();
                if !view.is_loaded() {
                    // Which UIDs there were is lost, and was never told: any will do to say that they are gone.
                    let _ = view.load((1..=view.exists()).collect());
                }
                let expunged = view.uids().to_vec();
                view.apply(Changes { mod_sequence, expunged, ..Changes::default() });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes what was read of the time since `point`.
    pub(super) async fn take_changes(&mut self, changed: &Changed, point: ViewPoint) -> Result<(), Stop> {
        if !changed.is_exact(point) {
            // Only a view that knows its UIDs can tell which of those without a message were messages.
            self.load().await?;
        }
        self.learn_keywords(&changed.mailbox.keywords)?;
        let access = self.selected()?.access;
        let first_recent_uid = self.first_recent(&changed.mailbox, access);
        self.selected()?.apply(changed, first_recent_uid);
        Ok(())
    }

    /// Reads for STATUS. When it `concerns` the selected mailbox, what changed there is read in the same view of the store and
    /// told first: the numbers then are those of the mailbox as the client knows it (RFC 9051 §6.3.11).
    pub(super) async fn read_and_tell<T, R, C>(&mut self, read: R, concerns: C) -> Result<T, Stop>
    where
        T: Send + 'static,
        R: FnOnce(&mut dyn Snapshot) -> Result<T, StoreError> + Send + 'static,
        C: FnOnce(&T, MailboxId) -> bool + Send + 'static,
    {
        let selected = self.mailbox.as_deref().map(|selected| (selected.id, selected.applied_point()));
        let both = self.read(move |snapshot| {
            let answer = read(snapshot)?;
            let Some((id, point)) = selected.filter(|(id, _)| concerns(&answer, *id)) else {
                return Ok((answer, None));
            };
            match changes_since(snapshot, id, point) {
                Ok(changed) => Ok((answer, Some((changed, point)))),
                // Deleted by another session: told at the end of the command.
                Err(StoreError::NoSuchMailbox) => Ok((answer, None)),
                Err(error) => Err(error),
            }
        });
        let (answer, changed) = both.await?;
        if let Some((changed, point)) = changed {
            self.take_changes(&changed, point).await?;
            self.tell_applied(Allowed::Everything).await?;
        }
        Ok(answer)
    }

    /// Tells what changed in the selected mailbox, as far as allowed.
    pub(super) async fn tell_changes(&mut self, allowed: Allowed) -> Result<(), Stop> {
        self.catch_up().await?;
        self.tell_applied(allowed).await
    }

    async fn tell_applied(&mut self, allowed: Allowed) -> Result<(), Stop> {
        if !self.mailbox.as_deref().is_some_and(|selected| selected.view.has_news()) {
            return Ok(());
        }
        if self.mailbox.as_deref().is_some_and(|selected| selected.view.needs_load_to_tell()) {
            self.load().await?;
        }
        loop {
            let Some(selected) = self.mailbox.as_deref_mut() else { return Ok(()) };
            let told = selected.view.tell(&mut self.responses, allowed);
            self.send_when_much().await?;
            if told != Ok(Told::More) {
                return Ok(());
            }
        }
    }

    /// What is to be told now, outside of any command: IDLE.
    pub async fn gather_news(&mut self) -> Result<Vec<u8>, Disconnected> {
        match self.tell_changes(Allowed::Everything).await {
            Ok(()) | Err(Stop::Answer(_)) => {}
            Err(Stop::Disconnected) => return Err(Disconnected),
            Err(Stop::Store(error)) => {
                error!(session = self.session().0, %error, "changes cannot be told");
                return Err(Disconnected);
            }
        }
        Ok(self.responses.take())
    }
}

/// UIDs between the two crates' sets.
pub fn uid_set(ranges: &Ranges) -> UidSet {
    let mut set = UidSet::new();
    for (first, last) in ranges.as_slice() {
        set.insert_range(*first..=*last);
    }
    set
}

/// UIDs between the two crates' sets.
pub fn ranges(set: &UidSet) -> Ranges {
    Ranges::from_ranges(set.ranges().map(|range| (*range.start(), *range.end())).collect())
}
