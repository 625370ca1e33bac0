//! What sessions are told after a commit: which mailboxes of an account have a new MODSEQ. Coalesced; nobody waits for a
//! slow listener, who finds the latest state when it looks.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::{AccountId, MailboxId, ModSeq};

/// Said by a transaction, published once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Something in the queue may be due now.
    Queue {
        /// Where to.
        destination: Arc<str>,
        /// Somebody wants it tried at once, whatever is known of the destination.
        by_hand: bool,
    },
}

/// Destinations in the queue that may have something due, since the last time that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueNews {
    /// These.
    pub destinations: BTreeSet<Arc<str>>,
    /// Those among them that somebody wants tried at once, whatever is known of them.
    pub by_hand: BTreeSet<Arc<str>>,
    /// More than are named: look at all.
    pub others: bool,
}

/// Listens to the queue. One listener takes the news from the others.
pub struct QueueChanges {
    feed: Arc<ChangeFeed>,
}

/// Destinations remembered for a listener that does not look.
const DESTINATIONS_MAX: usize = 1_000;

impl QueueChanges {
    /// Waits until there are news, and takes them. Cancel-safe.
    pub async fn next(&mut self) -> QueueNews {
        loop {
            // Whoever is told between the look and the wait finds its permit kept.
            if let Some(news) = self.take() {
                return news;
            }
            self.feed.queue_woken.notified().await;
        }
    }

    /// Takes the news that there are.
    pub fn take(&mut self) -> Option<QueueNews> {
        let mut news = self.feed.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = news.destinations.is_empty() && !news.others;
        (!empty).then(|| std::mem::take(&mut *news))
    }
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

    /// A session is about to tell its client of the messages below `uidnext`: those from the UID answered on are recent to it,
    /// and to no session after it (RFC 3501 §2.3.2). `stored` is the mailbox's `recent_from` as it was read.
    pub fn claim_recent(&self, mailbox: MailboxId, stored: u32, uidnext: u32) -> u32 {
        self.recent(mailbox, stored, Some(uidnext))
    }

    /// As [`Changes::claim_recent`], for who looks without taking: EXAMINE and STATUS.
    pub fn recent_from(&self, mailbox: MailboxId, stored: u32) -> u32 {
        self.recent(mailbox, stored, None)
    }

    fn recent(&self, mailbox: MailboxId, stored: u32, claimed: Option<u32>) -> u32 {
        let mut accounts = self.feed.lock();
        // An account that has a listener is there, and it is asked for its own mailboxes alone.
        let Some(account) = accounts.get_mut(&self.account).filter(|_| mailbox.account == self.account) else {
            return stored;
        };
        let from = account.recent_from.get(&mailbox.number).map_or(stored, |known| stored.max(*known));
        if let Some(uidnext) = claimed {
            account.recent_from.insert(mailbox.number, from.max(uidnext));
        }
        from
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
        if accounts.get(&self.account).is_some_and(|account| account.news.receiver_count() <= 1) {
            accounts.remove(&self.account);
        }
    }
}

/// One channel for each account that has listeners.
#[derive(Default)]
pub(crate) struct ChangeFeed {
    accounts: Mutex<HashMap<AccountId, Account>>,
    queue: Mutex<QueueNews>,
    queue_woken: Notify,
}

struct Account {
    news: watch::Sender<News>,
    /// By mailbox: the first UID that no session was told of as recent yet, where that is more than the row knows.
    recent_from: HashMap<u32, u32>,
}

impl Account {
    fn new() -> Account {
        Account { news: watch::Sender::new(News::default()), recent_from: HashMap::new() }
    }
}

impl ChangeFeed {
    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(self: &Arc<ChangeFeed>, account: AccountId) -> Changes {
        let receiver = self.lock().entry(account).or_insert_with(Account::new).news.subscribe();
        Changes { account, receiver, feed: self.clone() }
    }

    pub(crate) fn listen_to_queue(self: &Arc<ChangeFeed>) -> QueueChanges {
        QueueChanges { feed: self.clone() }
    }

    fn queue_changed(&self, destination: &Arc<str>, by_hand: bool) {
        let mut news = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match news.destinations.len() < DESTINATIONS_MAX || by_hand {
            true => drop(news.destinations.insert(destination.clone())),
            false => news.others |= !news.destinations.contains(destination),
        }
        if by_hand {
            news.by_hand.insert(destination.clone());
        }
        drop(news);
        self.queue_woken.notify_one();
    }

    pub(crate) fn publish(&self, changes: &[Change]) {
        let accounts = self.lock();
        for change in changes {
            let account = match change {
                Change::Queue { destination, by_hand } => {
                    self.queue_changed(destination, *by_hand);
                    continue;
                }
                Change::Mailbox { mailbox, .. } => mailbox.account,
                Change::Mailboxes { account, .. } | Change::SessionsEnd { account } => *account,
            };
            let Some(account) = accounts.get(&account) else { continue };
            account.news.send_modify(|news| match *change {
                Change::Mailbox { mailbox, modseq } => {
                    let known = news.mailboxes.entry(mailbox.number).or_default();
                    *known = modseq.max(*known);
                }
                Change::Mailboxes { modseq, .. } => news.mailbox_list = modseq.max(news.mailbox_list),
                Change::SessionsEnd { .. } => news.session_ends += 1,
                Change::Queue { .. } => {}
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_recent_to_the_first_that_claims_it() {
        let feed = Arc::new(ChangeFeed::default());
        let mailbox = MailboxId { account: AccountId(1), number: 3 };
        let (first, second) = (feed.listen(mailbox.account), feed.listen(mailbox.account));
        assert_eq!(second.recent_from(mailbox, 4), 4);
        assert_eq!(first.claim_recent(mailbox, 4, 9), 4);
        // The row the second read was older than the first's claim.
        assert_eq!(second.claim_recent(mailbox, 4, 10), 9);
        assert_eq!(first.claim_recent(mailbox, 4, 9), 10);
        assert_eq!((first.recent_from(mailbox, 4), first.recent_from(mailbox, 12)), (10, 12));
        drop((first, second));
        assert_eq!(feed.listen(mailbox.account).claim_recent(mailbox, 9, 10), 9);
    }

    #[tokio::test]
    async fn the_queue_names_what_changed_up_to_a_bound() {
        let feed = Arc::new(ChangeFeed::default());
        let mut changes = feed.listen_to_queue();
        assert_eq!(changes.take(), None);
        let change = |name: &str| Change::Queue { destination: name.into(), by_hand: false };
        feed.publish(&[change("b.example"), change("a.example"), change("b.example")]);
        let news = changes.next().await;
        assert_eq!(news.destinations.iter().map(|name| &**name).collect::<Vec<_>>(), ["a.example", "b.example"]);
        assert!(!news.others && changes.take().is_none());
        for number in 0..=DESTINATIONS_MAX {
            feed.publish(&[change(&format!("d{number}.example"))]);
        }
        let news = changes.next().await;
        assert_eq!((news.destinations.len(), news.others), (DESTINATIONS_MAX, true));
    }

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
