//! Commands on names: LIST, LSUB, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE (RFC 9051 §6.3.4 to §6.3.11).

use std::collections::HashMap;

use imap::MailboxName;
use imap::command::{ListCommand, ListPattern, SpecialUse, StatusItem};
use imap::list::{Matcher, combined};
use imap::response::{Code, ListResponse, StatusResponse};
use imap::server::Completed;
use store::mailbox::{self, Mailbox};
use store::{Snapshot, StoreError};

use super::executor::{Executor, Stop, now};
use super::list::{Line, Names};

impl Executor<'_, '_> {
    /// Every name of the account with what LIST and STATUS tell of it, in one read.
    async fn names(&mut self, tells_status: bool) -> Result<(Names, HashMap<MailboxName, Mailbox>), Stop> {
        let account = self.account();
        let read = move |snapshot: &mut dyn Snapshot| {
            Ok((mailbox::list(snapshot, account)?, mailbox::subscriptions(snapshot, account)?))
        };
        let (mailboxes, subscribed) = self.read_and_tell(read, move |_, _| tells_status).await?;
        // What another door let in and IMAP cannot name is not told.
        let rows: HashMap<MailboxName, Mailbox> =
            mailboxes.into_iter().filter_map(|row| Some((wire_name(&row.name)?, row))).collect();
        let names = Names {
            mailboxes: rows.iter().map(|(name, row)| (name.clone(), row.special_use.map(wire_use))).collect(),
            subscribed: subscribed.iter().filter_map(wire_name).collect(),
        };
        Ok((names, rows))
    }

    pub(super) async fn list(&mut self, command: ListCommand) -> Result<Completed, Stop> {
        let asks_for_separator = |pattern: &ListPattern| pattern.0.is_empty();
        if !command.extended && command.patterns.iter().all(asks_for_separator) {
            self.responses.separator();
            return Ok(Completed::ok("LIST completed"));
        }
        let patterns = command.patterns.iter().map(|pattern| Matcher::new(&combined(&command.reference, &pattern.0)));
        let patterns: Vec<Matcher> = patterns.collect();
        let (names, rows) = self.names(!command.returns.status.is_empty()).await?;
        let any = |name: &MailboxName| patterns.iter().any(|pattern| pattern.matches(name.as_str()));
        for line in names.list(&command.selection, &command.returns, any) {
            self.responses.list(&response(&line));
            // After its LIST response, and only for what can be selected (RFC 5819 §2).
            if let Some(row) = rows.get(&line.name).filter(|_| !command.returns.status.is_empty()) {
                self.tell_status(&line.name, row, &command.returns.status);
            }
            self.send_when_much().await?;
        }
        Ok(Completed::ok("LIST completed"))
    }

    pub(super) async fn lsub(&mut self, reference: &str, pattern: &ListPattern) -> Result<Completed, Stop> {
        let pattern = Matcher::new(&combined(reference, &pattern.0));
        let (names, _) = self.names(false).await?;
        for line in names.lsub(|name| pattern.matches(name.as_str())) {
            self.responses.lsub(&response(&line));
            self.send_when_much().await?;
        }
        Ok(Completed::ok("LSUB completed"))
    }

    pub(super) async fn status(&mut self, name: MailboxName, items: Vec<StatusItem>) -> Result<Completed, Stop> {
        let (account, wanted) = (self.account(), store_name(&name)?);
        let read = move |snapshot: &mut dyn Snapshot| mailbox::by_name(snapshot, account, &wanted);
        let is_named = |row: &Option<Mailbox>, id| row.as_ref().is_some_and(|row| row.id == id);
        let row = self.read_and_tell(read, is_named).await?;
        let row = row.ok_or(StoreError::NoSuchMailbox)?;
        self.tell_status(&name, &row, &items);
        Ok(Completed::ok("STATUS completed"))
    }

    fn tell_status(&mut self, name: &MailboxName, row: &Mailbox, items: &[StatusItem]) {
        let append_octets_max = self.context.imap.append_octets_max;
        let selected = self.mailbox.as_deref().filter(|selected| selected.id == row.id);
        let recent = match selected {
            Some(selected) => selected.view.recent_told(),
            None => {
                let from = self.changes.recent_from(row.id, row.recent_from);
                row.uidnext.saturating_sub(from).min(row.entries)
            }
        };
        let number = |item: &StatusItem| match item {
            StatusItem::Messages => u64::from(row.entries),
            StatusItem::Recent => u64::from(recent),
            StatusItem::UidNext => u64::from(row.uidnext),
            StatusItem::UidValidity => u64::from(row.uidvalidity.0),
            StatusItem::Unseen => u64::from(row.unseen),
            StatusItem::Deleted => u64::from(row.deleted),
            StatusItem::Size => row.octets,
            StatusItem::HighestModSeq => row.highest_modseq.0.unsigned_abs(),
            StatusItem::AppendLimit => append_octets_max,
            StatusItem::MailboxId => 0,
        };
        let items: Vec<(StatusItem, u64)> = items.iter().map(|item| (*item, number(item))).collect();
        let mailbox_id = row.id.to_string();
        self.responses.mailbox_status(&StatusResponse { mailbox: name, items: &items, mailbox_id: &mailbox_id });
    }

    pub(super) async fn create(&mut self, name: MailboxName, uses: Vec<SpecialUse>) -> Result<Completed, Stop> {
        let special_use = match uses.as_slice() {
            [] => None,
            [one] => Some(store_use(*one).ok_or_else(|| unusable("This special use is not offered"))?),
            _ => return Err(unusable("A mailbox has one special use").into()),
        };
        let (account, name) = (self.account(), store_name(&name)?);
        let now = now();
        let id = self.write(move |tx| mailbox::create(tx, account, &name, special_use, now)).await?;
        Ok(Completed::ok("CREATE completed").code(Code::MailboxId(id.to_string())))
    }

    pub(super) async fn delete(&mut self, name: MailboxName) -> Result<Completed, Stop> {
        let (account, name) = (self.account(), store_name(&name)?);
        let now = now();
        self.write(move |tx| mailbox::delete(tx, account, &name, now)).await?;
        Ok(Completed::ok("DELETE completed"))
    }

    /// RENAME INBOX moves its messages into the new mailbox and leaves INBOX empty (RFC 9051 §6.3.6).
    pub(super) async fn rename(&mut self, from: MailboxName, to: MailboxName) -> Result<Completed, Stop> {
        let (account, from, to) = (self.account(), store_name(&from)?, store_name(&to)?);
        let now = now();
        self.write(move |tx| mailbox::rename(tx, account, &from, &to, now)).await?;
        Ok(Completed::ok("RENAME completed"))
    }

    /// A name may be subscribed to whether or not it has a mailbox (RFC 9051 §6.3.7).
    pub(super) async fn subscribe(&mut self, name: MailboxName) -> Result<Completed, Stop> {
        let (account, name) = (self.account(), store_name(&name)?);
        self.write(move |tx| mailbox::subscribe(tx, account, &name)).await?;
        Ok(Completed::ok("SUBSCRIBE completed"))
    }

    pub(super) async fn unsubscribe(&mut self, name: MailboxName) -> Result<Completed, Stop> {
        let (account, name) = (self.account(), store_name(&name)?);
        self.write(move |tx| mailbox::unsubscribe(tx, account, &name)).await?;
        Ok(Completed::ok("UNSUBSCRIBE completed"))
    }
}

fn response(line: &Line) -> ListResponse<'_> {
    ListResponse {
        attributes: &line.attributes,
        mailbox: &line.name,
        child_subscribed: line.child_subscribed,
        old_name: None,
    }
}

fn unusable(why: &'static str) -> Completed {
    Completed::no(Some(Code::UseAttr), why)
}

/// A name as the store takes it.
pub fn store_name(name: &MailboxName) -> Result<mailbox::MailboxName, StoreError> {
    mailbox::MailboxName::parse(name.as_str())
}

fn wire_name(name: &mailbox::MailboxName) -> Option<MailboxName> {
    MailboxName::new(name.as_str()).ok()
}

/// A special use as it is printed.
pub fn wire_use(special_use: mailbox::SpecialUse) -> SpecialUse {
    match special_use {
        mailbox::SpecialUse::All => SpecialUse::All,
        mailbox::SpecialUse::Archive => SpecialUse::Archive,
        mailbox::SpecialUse::Drafts => SpecialUse::Drafts,
        mailbox::SpecialUse::Flagged => SpecialUse::Flagged,
        mailbox::SpecialUse::Junk => SpecialUse::Junk,
        mailbox::SpecialUse::Sent => SpecialUse::Sent,
        mailbox::SpecialUse::Trash => SpecialUse::Trash,
    }
}

/// `\All` and `\Flagged` would be views over every mailbox, which we do not have; `\Important` is nobody's here.
fn store_use(special_use: SpecialUse) -> Option<mailbox::SpecialUse> {
    match special_use {
        SpecialUse::Archive => Some(mailbox::SpecialUse::Archive),
        SpecialUse::Drafts => Some(mailbox::SpecialUse::Drafts),
        SpecialUse::Junk => Some(mailbox::SpecialUse::Junk),
        SpecialUse::Sent => Some(mailbox::SpecialUse::Sent),
        SpecialUse::Trash => Some(mailbox::SpecialUse::Trash),
        SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important => None,
    }
}
