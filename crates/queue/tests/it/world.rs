//! A store with an account, and a queue in it.

use std::sync::Arc;

use mail::Language;
use mail::envelope::{Envelope, ForwardPath, Notify, Recipient, ReversePath};
use policy::RetryPolicy;
use policy::retry::Jitter;
use queue::{Answer, Attempt, Entry, NewMessage, Outcome, Plan, Queued, Stage, Tried};
use store::account::NewAccount;
use store::mailbox::MailboxName;
use store::{AccountId, Config, Staged, Store, StoreError, StructureId, UnixMillis};

/// A fixed moment: 20 November 2026.
pub const NOW: UnixMillis = UnixMillis(1_795_132_800_000);

pub const ORIGINAL: &[u8] = b"From: ann@a.example\r\nSubject: Result\r\nMessage-ID: <one@a.example>\r\n\r\nSecret.\r\n";

pub struct World {
    pub folder: Arc<tempfile::TempDir>,
    pub store: Store,
    pub account: AccountId,
    pub structure: StructureId,
}

impl World {
    pub async fn new() -> World {
        let folder = Arc::new(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap());
        let store = Store::open(&Config::in_folder(folder.path())).unwrap();
        World::in_store(store, folder).await
    }

    /// One on each engine built in: the same test passes on all.
    pub async fn on_every_engine() -> Vec<World> {
        #[allow(unused_mut, reason = "a second engine is behind a feature")]
        let mut worlds = vec![World::new().await];
        #[cfg(feature = "postgres")]
        worlds.push(World::on_postgres().await);
        worlds
    }

    #[cfg(feature = "postgres")]
    async fn on_postgres() -> World {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let path = folder.path().to_owned();
        // Its client blocks.
        let open = move || {
            let engine = store::EngineConfig::Postgres(crate::postgres_server::fresh_database());
            Store::open(&Config { engine, ..Config::in_folder(path) }).unwrap()
        };
        let store = tokio::task::spawn_blocking(open).await.unwrap();
        World::in_store(store, folder).await
    }

    async fn in_store(store: Store, folder: Arc<tempfile::TempDir>) -> World {
        let (structure, account) = store
            .transaction(move |tx| {
                let structure = store::structure::create(tx, "Cabinet", NOW)?;
                let new = NewAccount { structure, name: "Ann", language: Language::French, quota_octets: 0 };
                Ok::<_, StoreError>((structure, store::account::create(tx, &new, NOW)?))
            })
            .await
            .unwrap();
        World { folder, store, account, structure }
    }

    pub async fn stage(&self, content: &[u8]) -> Staged {
        let mut writer = self.store.stage().unwrap();
        writer.write(content).await.unwrap();
        writer.finish().await.unwrap()
    }

    /// Puts a message from Ann into the queue.
    pub async fn queue(&self, name: &'static str, recipients: Vec<Recipient>, at: UnixMillis) {
        let envelope = Envelope::new(ReversePath::Address("ann@a.example".parse().unwrap()));
        self.queue_from(name, envelope, recipients, at).await;
    }

    pub async fn queue_from(&self, name: &'static str, envelope: Envelope, recipients: Vec<Recipient>, at: UnixMillis) {
        let staged = self.stage(ORIGINAL).await;
        let (structure, account) = (self.structure, self.account);
        self.store
            .transaction(move |tx| {
                let new = NewMessage {
                    name,
                    staged: &staged,
                    trace_prefix: b"Received: by mx.a.example; x\r\n",
                    structure,
                    account: Some(account),
                    envelope: &envelope,
                    message_id: Some("one@a.example"),
                };
                queue::insert(tx, &new, &recipients, at)
            })
            .await
            .unwrap();
    }

    pub async fn read(&self, name: &'static str) -> Option<(Queued, Vec<Entry>)> {
        self.store
            .read(move |view| {
                let message = queue::entry::message(view, name)?;
                let entries = queue::entry::entries(view, name)?;
                Ok::<_, StoreError>(message.map(|message| (message, entries)))
            })
            .await
            .unwrap()
    }

    /// What follows when every entry of a message meets these outcomes, in their order.
    pub async fn plan(&self, name: &'static str, outcomes: &[Outcome], now: UnixMillis) -> Plan {
        let (message, entries) = self.read(name).await.unwrap();
        let tried = entries.into_iter().zip(outcomes);
        let tried = tried.map(|(entry, outcome)| Tried { entry, attempt: attempt(now), outcome: outcome.clone() });
        Plan::after(message, tried.collect(), &RetryPolicy::default(), Jitter::NONE, now)
    }

    pub async fn record(&self, plan: &Plan) -> Result<(), StoreError> {
        let plan = plan.clone();
        self.store.transaction(move |tx| queue::record(tx, &plan)).await
    }

    /// Nothing of the store is damaged, nothing miscounted.
    pub async fn verify(&self) {
        let mut faults = Vec::new();
        self.store.verify(NOW, |fault| faults.push(fault), |_| {}).await.unwrap();
        assert_eq!(faults, []);
    }

    pub async fn inbox(&self) -> store::mailbox::Mailbox {
        let account = self.account;
        let found = self.store.read(move |view| store::mailbox::by_name(view, account, &MailboxName::inbox())).await;
        found.unwrap().unwrap()
    }

    /// The kinds of events of the account, without those of its creation.
    pub async fn events(&self) -> Vec<String> {
        let account = self.account;
        let events = self.store.read(move |view| store::event::list(view, account, 0, 1_000)).await.unwrap();
        let events = events.into_iter().filter(|event| event.kind.starts_with("message-"));
        events.map(|event| format!("{} {}", event.kind, event.fields)).collect()
    }
}

pub fn recipient(address: &str) -> Recipient {
    Recipient::new(ForwardPath::Address(address.parse().unwrap()))
}

pub fn notified(address: &str, notify: Notify) -> Recipient {
    Recipient { notify: Some(notify), ..recipient(address) }
}

pub fn attempt(at: UnixMillis) -> Attempt {
    Attempt {
        at,
        stage: Stage::Content,
        host: "mx.b.example".into(),
        address: Some("192.0.2.1".parse().unwrap()),
        certificate: Some("CN=mx.b.example,C=FR".into()),
    }
}

pub fn answered(code: u16, status: &str, text: &str) -> Outcome {
    Outcome::of_answer(Answer { code, status: status.parse().ok(), text: text.into() }, true)
}

pub fn later(time: UnixMillis, seconds: i64) -> UnixMillis {
    UnixMillis(time.0 + seconds * 1_000)
}
