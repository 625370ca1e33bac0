//! What sessions are told after a commit: which mailboxes of an account have a new MODSEQ. Coalesced; nobody waits for a
//! slow listener, who finds the latest state when it looks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::{AccountId, MailboxId, ModSeq};

/// Said by a transaction, published once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Entries, flags or keywords of a mailbox changed.
    Mailbox {
        /// Which.
        mailbox: MailboxId,
        /// Its new highest MODSEQ.
        modseq: ModSeq,
    },
    /// Mailboxes were created, renamed, deleted or subscribed to.
    Mailboxes {
        /// Whose.
        account: AccountId,
        /// The account's new highest MODSEQ.
        modseq: ModSeq,
    },
    /// The account was disabled, or its credentials changed: its sessions end.
    SessionsEnd {
        /// Whose.
        account: AccountId,
    },
}

/// The latest news of an account since the receiver was made.
#[derive(Debug, Default)]
pub struct News {
    mailboxes: HashMap<u32, ModSeq>,
    /// MODSEQ of the last change to the list of mailboxes.
    pub mailbox_list: ModSeq,
    /// How often the account's sessions were told to end.
    pub session_ends: u64,
}

impl News {
    /// The mailbox's MODSEQ as last published; zero when nothing was.
    pub fn mailbox(&self, mailbox: MailboxId) -> ModSeq {
        self.mailboxes.get(&mailbox.number).copied().unwrap_or_default()
    }

    /// Mailboxes that changed, with their MODSEQ as last published.
    pub fn mailboxes(&self) -> impl Iterator<Item = (u32, ModSeq)> + '_ {
        self.mailboxes.iter().map(|(number, modseq)| (*number, *modseq))
    }
}

/// Listens to one account. Dropping it stops listening.
pub struct Changes {
    account: AccountId,
    receiver: watch::Receiver<News>,
    feed: Arc<ChangeFeed>,
}

impl Changes {
    /// Waits until there is something newer than at the last call. Cancel-safe. Ends with the store.
    pub async fn changed(&mut self) -> Option<()> {
        self.receiver.changed().await.ok()
    }

    /// The latest news; held briefly, never across an await.
    pub fn latest(&mut self) -> watch::Ref<'_, News> {
        self.receiver.borrow_and_update()
    }

    /// The latest news, without marking them as seen.
    pub fn peek(&self) -> watch::Ref<'_, News> {
        self.receiver.borrow()
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let mut accounts = self.feed.lock();
        // The receiver being dropped still counts.
        if accounts.get(&self.account).is_some_and(|sender| sender.receiver_count() <= 1) {
            accounts.remove(&self.account);
        }
    }
}

/// One channel for each account that has listeners.
#[derive(Default)]
pub(crate) struct ChangeFeed {
    accounts: Mutex<HashMap<AccountId, watch::Sender<News>>>,
}

impl ChangeFeed {
    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<News>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(self: &Arc<ChangeFeed>, account: AccountId) -> Changes {
        let receiver = self.lock().entry(account).or_insert_with(|| watch::Sender::new(News::default())).subscribe();
        Changes { account, receiver, feed: self.clone() }
    }

    pub(crate) fn publish(&self, changes: &[Change]) {
        let accounts = self.lock();
        for change in changes {
            let account = match change {
                Change::Mailbox { mailbox, .. } => mailbox.account,
                Change::Mailboxes { account, .. } | Change::SessionsEnd { account } => *account,
            };
            let Some(sender) = accounts.get(&account) else { continue };
            sender.send_modify(|news| match *change {
                Change::Mailbox { mailbox, modseq } => {
                    let known = news.mailboxes.entry(mailbox.number).or_default();
                    *known = modseq.max(*known);
                }
                Change::Mailboxes { modseq, .. } => news.mailbox_list = modseq.max(news.mailbox_list),
                Change::SessionsEnd { .. } => news.session_ends += 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_coalesced_and_forgotten_with_their_last_listener() {
        let feed = Arc::new(ChangeFeed::default());
        let mailbox = MailboxId { account: AccountId(1), number: 3 };
        let mut changes = feed.listen(mailbox.account);
        for modseq in [5, 7, 6] {
            feed.publish(&[Change::Mailbox { mailbox, modseq: ModSeq(modseq) }]);
        }
        changes.changed().await.unwrap();
        assert_eq!(changes.latest().mailbox(mailbox), ModSeq(7));
        let second = feed.listen(mailbox.account);
        drop(changes);
        assert_eq!(feed.lock().len(), 1);
        drop(second);
        assert_eq!(feed.lock().len(), 0);
    }
}
