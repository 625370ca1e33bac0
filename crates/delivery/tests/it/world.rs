//! A store with two structures, and messages brought in by each door.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use auth::Identity;
use delivery::{Accepted, Config, Delivery, Door, Origin, Peer, Surroundings, TlsNames};
use mail::envelope::{Envelope, ForwardPath, Recipient, ReversePath};
use mail::trace::Protocol;
use mail::{Address, Domain, Language, Refusal};
use store::disk::{Disk, RealDisk};
use store::mailbox::{self, MailboxName};
use store::message::Wanted;
use store::{AccountId, MailboxId, Store, StoreError, UnixMillis};

pub const NOW: UnixMillis = UnixMillis(1_795_182_840_123);
pub const OCTETS_MAX: u64 = 1_000_000;

/// A clock that stands still and randomness that counts.
#[derive(Default)]
pub struct Still(AtomicU64);

impl Surroundings for Still {
    fn now(&self) -> UnixMillis {
        NOW
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn random(&self, octets: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        octets.iter_mut().rev().zip(count.iter().rev()).for_each(|(octet, count)| *octet = *count);
    }
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub delivery: Delivery,
    pub ann: AccountId,
    pub bob: AccountId,
    pub gone: AccountId,
    pub admin: AccountId,
}

pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}

async fn account(store: &Store, structure: store::StructureId, addresses: &[&str], quota_octets: u64) -> AccountId {
    let addresses: Vec<Address> = addresses.iter().map(|text| address(text)).collect();
    let created = store.transaction(move |tx| {
        let name = addresses[0].local_part().as_str();
        let new = store::account::NewAccount { structure, name, language: Language::French, quota_octets };
        let account = store::account::create(tx, &new, NOW)?;
        addresses.iter().try_for_each(|address| store::address::add(tx, account, address, NOW))?;
        Ok::<_, StoreError>(account)
    });
    created.await.unwrap()
}

impl World {
    pub async fn new() -> World {
        World::on(Arc::new(RealDisk)).await
    }

    pub async fn on(disk: Arc<dyn Disk>) -> World {
        World::with_reserve(disk, 0).await
    }

    pub async fn with_reserve(disk: Arc<dyn Disk>, reserve_octets: u64) -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut config = store::Config::in_folder(folder.path());
        config.reserve_octets = reserve_octets;
        let store = Store::open_on(&config, disk).unwrap();
        let structure = store.transaction(move |tx| {
            let first = store::structure::create(tx, "Clinique A", NOW)?;
            store::domain::create(tx, first, &"a.example".parse::<Domain>().unwrap(), NOW)?;
            let second = store::structure::create(tx, "Clinique C", NOW)?;
            store::domain::create(tx, second, &"c.example".parse::<Domain>().unwrap(), NOW)?;
            Ok::<_, StoreError>([first, second])
        });
        let [first, second] = structure.await.unwrap();
        let ann = account(&store, first, &["ann@a.example", "dr.ann@a.example"], 0).await;
        let bob = account(&store, second, &["bob@c.example"], 2_000).await;
        let gone = account(&store, first, &["gone@a.example"], 0).await;
        let admin = account(&store, first, &["admin@a.example"], 0).await;
        let disabled = store.transaction(move |tx| {
            store::domain::set_postmaster(tx, &"a.example".parse().unwrap(), ann)?;
            store::account::set_state(tx, gone, store::account::State::Disabled, NOW)
        });
        disabled.await.unwrap();
        let host = "mx.a.example".parse().unwrap();
        let postmaster = Some("admin@a.example".parse().unwrap());
        let config = Config { postmaster, ..Config::alone(host, OCTETS_MAX) };
        let delivery = Delivery::new(store.clone(), config, Still::default());
        World { folder, store, delivery, ann, bob, gone, admin }
    }

    pub async fn relay(&self, envelope: &Envelope, message: &str) -> Result<Accepted, Refusal> {
        self.bring(Door::Relay(Peer::Unasked), envelope, message).await
    }

    pub async fn submit(&self, envelope: &Envelope, message: &str) -> Result<Accepted, Refusal> {
        let identity = Identity { person: self.ann, acting_for: self.ann, language: Language::French };
        self.bring(Door::Submission(identity), envelope, message).await
    }

    pub async fn bring(&self, door: Door, envelope: &Envelope, message: &str) -> Result<Accepted, Refusal> {
        let authenticated = matches!(door, Door::Submission(_));
        let mut incoming = self.delivery.begin(door).await?;
        for chunk in message.as_bytes().chunks(7) {
            incoming.write(chunk).await?;
        }
        let protocol = Protocol { extended: true, tls: true, authenticated, smtputf8: false };
        let tls = Some(TlsNames { version: "TLSv1.3".into(), cipher: "TLS_AES_256_GCM_SHA384".into() });
        let client_address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        let origin = Origin { client_name: "client.example".into(), client_address, tls, protocol };
        incoming.accept(envelope, &origin).await
    }

    pub async fn inbox(&self, account: AccountId) -> MailboxId {
        let found = self.store.read(move |snapshot| mailbox::by_name(snapshot, account, &MailboxName::inbox()));
        let found: Result<_, StoreError> = found.await;
        found.unwrap().unwrap().id
    }

    /// Every message of the INBOX as clients read it, with its thread.
    pub async fn messages(&self, account: AccountId) -> Vec<(u32, String)> {
        let inbox = self.inbox(account).await;
        let read = self.store.read(move |snapshot| {
            let mut found = Vec::new();
            let wanted = Wanted { trace_prefix: true, ..Wanted::default() };
            store::message::fetch(snapshot, inbox, 1..=u32::MAX, 1_000, wanted, &mut |message| {
                found.push((message.thread.number, message.trace_prefix.to_vec(), message.blob, message.entry.octets));
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            Ok::<_, StoreError>(found)
        });
        let mut messages = Vec::new();
        for (thread, mut octets, blob, size) in read.await.unwrap() {
            let reader = self.store.open_blob(blob).await.unwrap();
            octets.extend(reader.read(0..reader.octets()).await.unwrap());
            assert_eq!(octets.len() as u64, size, "the size counts the trace prefix");
            messages.push((thread, String::from_utf8(octets).unwrap()));
        }
        messages
    }

    pub async fn texts(&self, account: AccountId) -> Vec<String> {
        self.messages(account).await.into_iter().map(|(_, text)| text).collect()
    }
}

pub fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| {
        let forward_path = match *text {
            "Postmaster" => ForwardPath::Postmaster,
            _ => ForwardPath::Address(address(text)),
        };
        Recipient::new(forward_path)
    };
    let reverse_path = if sender.is_empty() { ReversePath::Null } else { ReversePath::Address(address(sender)) };
    let recipients = recipients.iter().map(recipient).collect();
    Envelope { recipients, ..Envelope::new(reverse_path) }
}

pub const MESSAGE: &str = "From: Zoe <zoe@elsewhere.example>\r\nTo: ann@a.example\r\nSubject: =?utf-8?q?h=C3=A9?=\r\n\
                       Message-ID: <1@elsewhere.example>\r\nDate: Fri, 20 Nov 2026 14:54:00 +0100\r\n\
                       X-Odd:no space \r\n\r\n.dot\r\n\r\nend without line end";
