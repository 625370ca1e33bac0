//! Messages through every door into a real store: each verdict, one commit, nothing half done, octets identical.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, and they look at files and clocks"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use auth::Identity;
use delivery::{Accepted, AppendError, AppendOrder, Config, Delivery, Door, Origin, Surroundings, TlsNames};
use mail::envelope::{Envelope, ForwardPath, Recipient, ReversePath};
use mail::trace::Protocol;
use mail::{Address, BodyKind, Domain, Language, Refusal};
use store::mailbox::{self, MailboxName};
use store::message::Wanted;
use store::{AccountId, Flags, MailboxId, Store, StoreError, SystemFlag, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_795_182_840_123);
const OCTETS_MAX: u64 = 100_000;

/// A clock that stands still and randomness that counts.
#[derive(Default)]
struct Still(AtomicU64);

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

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    delivery: Delivery,
    ann: AccountId,
    bob: AccountId,
    gone: AccountId,
    admin: AccountId,
}

fn address(text: &str) -> Address {
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
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut config = store::Config::in_folder(folder.path());
        config.reserve_octets = 0;
        let store = Store::open(&config).unwrap();
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
        let config = Config { host, octets_max: OCTETS_MAX, postmaster: Some(admin) };
        let delivery = Delivery::new(store.clone(), config, Still::default());
        World { _folder: folder, store, delivery, ann, bob, gone, admin }
    }

    async fn relay(&self, envelope: &Envelope, message: &str) -> Result<Accepted, Refusal> {
        self.bring(Door::Relay, envelope, message).await
    }

    async fn submit(&self, envelope: &Envelope, message: &str) -> Result<Accepted, Refusal> {
        let identity = Identity { person: self.ann, acting_for: self.ann, language: Language::French };
        self.bring(Door::Submission(identity), envelope, message).await
    }

    async fn bring(&self, door: Door, envelope: &Envelope, message: &str) -> Result<Accepted, Refusal> {
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

    async fn inbox(&self, account: AccountId) -> MailboxId {
        let found = self.store.read(move |snapshot| mailbox::by_name(snapshot, account, &MailboxName::inbox()));
        let found: Result<_, StoreError> = found.await;
        found.unwrap().unwrap().id
    }

    /// Every message of the INBOX as clients read it, with its thread.
    async fn messages(&self, account: AccountId) -> Vec<(u32, String)> {
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

    async fn texts(&self, account: AccountId) -> Vec<String> {
        self.messages(account).await.into_iter().map(|(_, text)| text).collect()
    }
}

fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| {
        let forward_path = match *text {
            "Postmaster" => ForwardPath::Postmaster,
            _ => ForwardPath::Address(address(text)),
        };
        Recipient { forward_path, original: None }
    };
    let reverse_path = if sender.is_empty() { ReversePath::Null } else { ReversePath::Address(address(sender)) };
    let recipients = recipients.iter().map(recipient).collect();
    Envelope { reverse_path, recipients, body: BodyKind::default(), smtputf8: false, declared_octets: None }
}

const MESSAGE: &str = "From: Zoe <zoe@elsewhere.example>\r\nTo: ann@a.example\r\nSubject: =?utf-8?q?h=C3=A9?=\r\n\
                       Message-ID: <1@elsewhere.example>\r\nDate: Fri, 20 Nov 2026 14:54:00 +0100\r\n\
                       X-Odd:no space \r\n\r\n.dot\r\n\r\nend without line end";

#[tokio::test]
async fn recipients_are_judged_at_rcpt_and_again_at_the_end() {
    let world = World::new().await;
    let unlisted = Refusal::RecipientUnlisted { domain: "elsewhere.example".into() };
    for (recipient, verdict) in [
        ("ann@a.example", Ok(world.ann)),
        ("Dr.Ann@A.example", Ok(world.ann)),
        ("bob@c.example", Ok(world.bob)),
        ("bob@a.example", Err(Refusal::RecipientUnknown)),
        ("gone@a.example", Err(Refusal::RecipientDisabled)),
        ("zoe@elsewhere.example", Err(unlisted)),
        ("zoe%elsewhere.example@a.example", Err(Refusal::RecipientUnknown)),
        ("elsewhere.example!zoe@a.example", Err(Refusal::RecipientUnknown)),
        ("\"zoe@elsewhere.example\"@a.example", Err(Refusal::RecipientUnknown)),
        ("postmaster@a.example", Ok(world.ann)),
        ("POSTMASTER@c.example", Ok(world.admin)),
        ("Postmaster", Ok(world.admin)),
    ] {
        let envelope = envelope("zoe@elsewhere.example", &[recipient]);
        for _ in 0..2 {
            let answer = world.delivery.recipient(&envelope.recipients[0].forward_path, None).await;
            assert_eq!(answer, verdict, "{recipient}");
        }
        let answer = world.relay(&envelope, MESSAGE).await.map(|accepted| accepted.copies[0].message.account);
        assert_eq!(answer, verdict, "{recipient}");
    }
    assert_eq!(world.texts(world.gone).await.len(), 0);
}

#[tokio::test]
async fn one_recipient_refused_at_the_end_means_none_gets_it() {
    let world = World::new().await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example", "bob@a.example"]);
    assert_eq!(world.relay(&envelope, MESSAGE).await, Err(Refusal::RecipientUnknown));
    assert_eq!(world.texts(world.ann).await.len(), 0);
}

#[tokio::test]
async fn content_is_judged() {
    let world = World::new().await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example"]);
    let received = |count: usize| format!("{}{MESSAGE}", "Received: from x by y; Fri, 20 Nov 2026\r\n".repeat(count));
    let sized = |octets: u64| {
        let lines = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(10_000));
        lines[..usize::try_from(octets).unwrap()].trim_end_matches('\r').to_owned()
    };
    for (message, verdict) in [
        (received(50), Ok(())),
        (received(51), Err(Refusal::Loop { received_max: 50 })),
        (sized(OCTETS_MAX), Ok(())),
        (sized(OCTETS_MAX + 2), Err(Refusal::MessageTooLarge { octets_max: OCTETS_MAX })),
        ("Subject: a\n\r\nb\r\n".to_owned(), Err(Refusal::BareLineEnd)),
        ("Subject: a\r\n\r\nb\rc\r\n".to_owned(), Err(Refusal::BareLineEnd)),
        ("Subject: a\r\n\r\nb\0c\r\n".to_owned(), Err(Refusal::ContentMalformed)),
        (String::new(), Ok(())),
        ("no header at all".to_owned(), Ok(())),
    ] {
        let before = world.texts(world.ann).await.len();
        let answer = world.relay(&envelope, &message).await.map(drop);
        assert_eq!(answer, verdict, "{}", &message[..message.len().min(60)]);
        let after = world.texts(world.ann).await;
        assert_eq!(after.len() - before, usize::from(verdict.is_ok()));
        assert!(verdict.is_err() || after.last().is_some_and(|text| text.ends_with(&message)));
    }
}

#[tokio::test]
async fn a_full_mailbox_is_told_at_rcpt_and_holds_back_nobody_else() {
    let world = World::new().await;
    let bob = envelope("zoe@elsewhere.example", &["bob@c.example"]);
    let path = &bob.recipients[0].forward_path;
    assert_eq!(world.delivery.recipient(path, Some(2_000)).await, Ok(world.bob));
    assert_eq!(world.delivery.recipient(path, Some(2_001)).await, Err(Refusal::QuotaExceeded));
    let long = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(200));
    let both = envelope("zoe@elsewhere.example", &["ann@a.example", "bob@c.example"]);
    world.relay(&both, &long).await.unwrap();
    assert_eq!(world.texts(world.bob).await.len(), 1, "accepted at RCPT, so delivered, a little over");
    assert_eq!(world.delivery.recipient(path, None).await, Err(Refusal::QuotaExceeded));
}

#[tokio::test]
async fn a_submission_that_needs_no_mending_is_left_alone() {
    let world = World::new().await;
    let text = "From: ann@a.example\r\nDate: Fri, 20 Nov 2026 14:54:00 +0100\r\nMessage-ID: <2@a.example>\r\n\
                subject:odd\r\n\t folded \r\n\r\n\r\n.\r\n..x";
    world.submit(&envelope("ann@a.example", &["ann@a.example"]), text).await.unwrap();
    assert!(world.texts(world.ann).await.remove(0).ends_with(&format!("\r\n{text}")));
}

#[tokio::test]
async fn replies_join_the_thread() {
    let world = World::new().await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example"]);
    for header in [
        "Message-ID: <1@b>\r\n",
        "Message-ID: <2@b>\r\nIn-Reply-To: <1@b>\r\n",
        "Message-ID: <9@b>\r\n",
        "Message-ID: <3@b>\r\nReferences: <0@b>\r\n\t<2@b>\r\n",
    ] {
        world.relay(&envelope, &format!("From: z@b\r\n{header}Subject: x\r\n\r\n")).await.unwrap();
    }
    let threads: Vec<u32> = world.messages(world.ann).await.into_iter().map(|(thread, _)| thread).collect();
    assert!(threads[0] == threads[1] && threads[1] == threads[3] && threads[2] != threads[0], "{threads:?}");
}

#[tokio::test]
async fn an_appended_message_stays_as_it_is() {
    let world = World::new().await;
    let mailbox = world.inbox(world.ann).await;
    let order =
        AppendOrder { mailbox, flags: Flags::system(&[SystemFlag::Seen]), internal_date: Some(UnixMillis(1_000)) };
    let text = "Bcc: kept@a.example\nbare line ends\n\nof an old archive\n";
    let mut incoming = world.delivery.begin(Door::Append).await.unwrap();
    incoming.write(text.as_bytes()).await.unwrap();
    let appended = incoming.append(order.clone()).await.unwrap();
    assert_eq!((appended.uid.get(), appended.message.account), (1, world.ann));
    assert_eq!(world.texts(world.ann).await, [text]);

    let mut incoming = world.delivery.begin(Door::Append).await.unwrap();
    incoming.write(b"a\0b").await.unwrap();
    assert_eq!(incoming.append(order.clone()).await, Err(AppendError::Refused(Refusal::ContentMalformed)));

    let full = AppendOrder { mailbox: world.inbox(world.bob).await, ..order.clone() };
    let mut incoming = world.delivery.begin(Door::Append).await.unwrap();
    incoming.write(&[b'x'; 2_001]).await.unwrap();
    assert_eq!(incoming.append(full).await, Err(AppendError::Store(StoreError::QuotaExceeded)));

    let nowhere = AppendOrder { mailbox: MailboxId { account: world.ann, number: 99 }, ..order };
    let incoming = world.delivery.begin(Door::Append).await.unwrap();
    assert_eq!(incoming.append(nowhere).await, Err(AppendError::Store(StoreError::NoSuchMailbox)));
}

#[tokio::test]
async fn a_message_dropped_half_way_leaves_nothing() {
    let world = World::new().await;
    let mut incoming = world.delivery.begin(Door::Relay).await.unwrap();
    incoming.write(&vec![b'x'; 1 << 20]).await.unwrap();
    drop(incoming);
    assert_eq!(world.texts(world.ann).await.len(), 0);
    let staging = world._folder.path().join("blobs/staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_change_of_the_directory_is_seen_once_it_is_told() {
    let world = World::new().await;
    let path = ForwardPath::Address(address("new@a.example"));
    assert_eq!(world.delivery.recipient(&path, None).await, Err(Refusal::RecipientUnknown));
    let ann = world.ann;
    let added = world.store.transaction(move |tx| store::address::add(tx, ann, &address("new@a.example"), NOW));
    added.await.unwrap();
    world.delivery.directory_changed();
    assert_eq!(world.delivery.recipient(&path, None).await, Ok(world.ann));
}
