//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2).

use imap::command::Select;
use imap::response::{Code, ListAttribute, ListResponse, Status};
use imap::server::{Completed, Then};
use imap::view::{Snapshot, View};
use store::StoreError;
use store::entry::Scope;
use store::mailbox::Opened;

use super::executor::{Executor, Stop, answer_to, now};
use super::flags::KeywordTable;
use super::mailboxes::store_name;
use super::selected::{Access, Selected, permanent_flags};

impl Executor<'_, '_> {
    /// One read of the mailbox's row; no entry is listed for it.
    pub(super) async fn select(&mut self, select: Select, access: Access) -> Result<Completed, Stop> {
        // The old mailbox is left even when the new one cannot be opened (RFC 9051 §6.3.2).
        let closed = self.leave();
        let opened = match self.open(&select).await {
            Ok(opened) => opened,
            Err(error) => {
                if closed {
                    self.closed();
                }
                return Ok(answer_to(&error, &self.identity).then(Then::Unselected));
            }
        };
        if closed {
            self.closed();
        }
        let mailbox = &opened.mailbox;
        let keywords = KeywordTable::new(mailbox.keywords.clone());
        let first_recent_uid = self.first_recent(mailbox, access);
        let snapshot = Snapshot {
            exists: mailbox.entries,
            // Without looking at entries: exact while none of the new ones is gone.
            recent: mailbox.uidnext.saturating_sub(first_recent_uid).min(mailbox.entries),
            first_recent_uid,
            uid_next: mailbox.uidnext,
            mod_sequence: mailbox.highest_modseq.0.unsigned_abs(),
        };
        self.tell_opened(&select, &opened, &snapshot, &keywords, access);
        let selected = Selected {
            id: mailbox.id,
            access,
            view: View::new(snapshot),
            keywords,
            recent_stored: mailbox.recent_from,
        };
        *self.mailbox = Some(Box::new(selected));
        self.note_recent();
        let (code, text) = match access {
            Access::ReadWrite => (Code::ReadWrite, "SELECT completed"),
            Access::ReadOnly => (Code::ReadOnly, "EXAMINE completed"),
        };
        Ok(Completed::ok(text).code(code).then(Then::Selected))
    }

    async fn open(&self, select: &Select) -> Result<Opened, StoreError> {
        let name = store_name(&select.mailbox)?;
        let account = self.account();
        let opened = self.read(move |snapshot| store::mailbox::open(snapshot, account, &name)).await?;
        opened.ok_or(StoreError::NoSuchMailbox)
    }

    fn closed(&mut self) {
        self.responses.status(Status::Ok, Some(&Code::Closed), "Previous mailbox is closed");
    }

    fn tell_opened(
        &mut self,
        select: &Select,
        opened: &Opened,
        snapshot: &Snapshot,
        keywords: &KeywordTable,
        access: Access,
    ) {
        let mailbox = &opened.mailbox;
        let flags = keywords.all();
        self.responses.flags(&flags);
        self.responses.exists(snapshot.exists);
        self.responses.recent(snapshot.recent);
        let permanent = permanent_flags(access, flags);
        if let Some(number) = opened.first_unseen.filter(|_| !self.enabled().rev2) {
            self.responses.status(Status::Ok, Some(&Code::Unseen(number)), "First unseen message");
        }
        self.responses.status(Status::Ok, Some(&permanent), "Flags that are kept");
        self.responses.status(Status::Ok, Some(&Code::UidNext(mailbox.uidnext)), "Next UID");
        self.responses.status(Status::Ok, Some(&Code::UidValidity(mailbox.uidvalidity.0)), "UIDs are valid");
        let highest = Code::HighestModSeq(snapshot.mod_sequence);
        self.responses.status(Status::Ok, Some(&highest), "Highest mod-sequence");
        let id = Code::MailboxId(mailbox.id.to_string());
        self.responses.status(Status::Ok, Some(&id), "Mailbox id");
        if self.enabled().rev2 {
            let special_use = mailbox.special_use.map(super::mailboxes::wire_use).map(ListAttribute::Use);
            let attributes: Vec<ListAttribute> = special_use.into_iter().collect();
            let response = ListResponse {
                attributes: &attributes,
                mailbox: &select.mailbox,
                child_subscribed: false,
                old_name: None,
            };
            self.responses.list(&response);
        }
    }

    /// CLOSE: removes what has `\Deleted`, without a word about it, unless the mailbox is read-only.
    pub(super) async fn close(&mut self) -> Result<Completed, Stop> {
        let selected = self.selected()?;
        let (id, access) = (selected.id, selected.access);
        self.leave();
        if access == Access::ReadWrite {
            let now = now();
            loop {
                match self.write(move |tx| store::entry::expunge(tx, id, Scope::All, now)).await {
                    Ok(step) if step.more => {}
                    // Deleted meanwhile: closed all the same.
                    Ok(_) | Err(StoreError::NoSuchMailbox) => break,
                    Err(error) => return Ok(answer_to(&error, &self.identity).then(Then::Unselected)),
                }
            }
        }
        Ok(Completed::ok("CLOSE completed").then(Then::Unselected))
    }

    /// UNSELECT: leaves it as it is.
    pub(super) fn unselect(&mut self) -> Completed {
        self.leave();
        Completed::ok("UNSELECT completed").then(Then::Unselected)
    }
}
