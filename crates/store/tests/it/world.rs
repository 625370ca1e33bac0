//! A store in a temporary folder, with an account or more.

use std::sync::Arc;

use mail::Language;
use store::account::NewAccount;
use store::mailbox::{Mailbox, MailboxName};
use store::message::{Appended, NewMessage, OverQuota};
use store::{AccountId, Config, Flags, MailboxId, Staged, Store, StoreError, UnixMillis};

/// A fixed moment: 20 November 2026.
pub const NOW: UnixMillis = UnixMillis(1_795_132_800_000);

pub struct World {
    pub folder: Arc<tempfile::TempDir>,
    pub store: Store,
    pub account: AccountId,
}

/// A folder in memory where there is one: these tests simulate what a disk does, and need not wait for a real one.
pub fn folder() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
}

impl World {
    pub async fn new() -> World {
        let folder = folder();
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

    pub async fn in_store(store: Store, folder: Arc<tempfile::TempDir>) -> World {
        let account = account(&store, 0).await;
        World { folder, store, account }
    }

    pub async fn inbox(&self) -> Mailbox {
        self.mailbox("INBOX").await.unwrap()
    }

    pub async fn mailbox(&self, name: &str) -> Option<Mailbox> {
        let (account, name) = (self.account, MailboxName::parse(name).unwrap());
        self.store.read(move |view| store::mailbox::by_name(view, account, &name)).await.unwrap()
    }

    pub async fn create(&self, name: &str) -> MailboxId {
        let (account, name) = (self.account, MailboxName::parse(name).unwrap());
        self.store.transaction(move |tx| store::mailbox::create(tx, account, &name, None, NOW)).await.unwrap()
    }

    pub async fn append(&self, mailbox: MailboxId, content: &[u8], flags: Flags) -> Appended {
        let staged = stage(&self.store, content).await.unwrap();
        append(&self.store, mailbox, staged, flags).await.unwrap()
    }
}

pub async fn account(store: &Store, quota_octets: u64) -> AccountId {
    store
        .transaction(move |tx| {
            let structure = store::structure::create(tx, "Cabinet", NOW)?;
            let new = NewAccount { structure, name: "Anne", language: Language::French, quota_octets };
            store::account::create(tx, &new, NOW)
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

pub async fn stage(store: &Store, content: &[u8]) -> Result<Staged, StoreError> {
    let mut writer = store.stage()?;
    for piece in content.chunks(10_000) {
        writer.write(piece).await?;
    }
    writer.finish().await
}

pub async fn append(store: &Store, mailbox: MailboxId, staged: Staged, flags: Flags) -> Result<Appended, StoreError> {
    store
        .transaction(move |tx| {
            let new = NewMessage {
                staged: &staged,
                trace_prefix: b"Return-Path: <>\r\n",
                internal_date: NOW,
                envelope: b"envelope",
                structure: b"structure",
                preview: "Bonjour",
                header_texts: b"bonjour anne",
                over_quota: OverQuota::Refused,
                message_id: None,
                references: &[],
            };
            store::message::append(tx, mailbox, &new, &flags, NOW)
        })
        .await
}
