//! Writes the store that `tests/it/format.rs` opens: once for each schema version, kept for ever.
//!
//! `cargo run -p store --example write_fixture -- tests/corpus/store/vN`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a program of ours, run by hand: it ends at the first error"
)]

use store::account::NewAccount;
use store::certificate::Matching;
use store::entry::Scope;
use store::flags::FlagOperation;
use store::identifier::Standing;
use store::mailbox::MailboxName;
use store::message::{NewMessage, OverQuota};
use store::{Config, Flags, MailboxId, Store, StoreError, SystemFlag, UidSet, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_795_132_800_000);

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).expect("a folder that does not exist yet");
    let store = Store::open(&Config::in_folder(&folder)).unwrap();
    let account = store
        .transaction(|tx| {
            let structure = store::structure::create(tx, "Hôpital", NOW)?;
            let domain = "hopital.example".parse().expect("a domain");
            store::domain::create(tx, structure, &domain, NOW)?;
            let new = NewAccount { structure, name: "Anne", language: mail::Language::French, quota_octets: 1 << 30 };
            let account = store::account::create(tx, &new, NOW)?;
            store::domain::set_postmaster(tx, &domain, account)?;
            let address = "Anne@hopital.example".parse().expect("an address");
            store::address::add(tx, account, &address, NOW)?;
            store::credential::set(tx, account, "password", "", "$argon2id$x", NOW)?;
            store::login_failure::record(tx, "account 1", NOW)?;
            let names = ("subject 2.5.4.3=dpi", "CN=dpi");
            store::certificate::bind(tx, account, Matching::Subject, names, NOW)?;
            let names = ("issuer 2.5.4.3=ac 0a", "CN=ac, serial 0a");
            store::certificate::bind(tx, account, Matching::IssuerAndSerial, names, NOW)?;
            store::identifier::link(tx, account, "10000000001", Standing::Holder, NOW)?;
            Ok::<_, StoreError>(account)
        })
        .await
        .unwrap();
    let [inbox, dossier, gone] = store
        .transaction(move |tx| {
            let dossier = MailboxName::parse("Dossier/2026")?;
            let gone = MailboxName::parse("Supprimé")?;
            let inbox =
                store::mailbox::by_name(tx, account, &MailboxName::inbox())?.ok_or(StoreError::NoSuchMailbox)?;
            let dossier = store::mailbox::create(tx, account, &dossier, None, NOW)?;
            Ok::<_, StoreError>([inbox.id, dossier, store::mailbox::create(tx, account, &gone, None, NOW)?])
        })
        .await
        .unwrap();
    let urgent = Flags { keywords: vec!["urgent".into()], ..Flags::system(&[SystemFlag::Seen]) };
    append(&store, inbox, b"Subject: one\r\n\r\nBonjour\r\n".to_vec(), urgent).await;
    append(&store, inbox, (0..70_000_u32).map(|place| (place / 5) as u8).collect(), Flags::none()).await;
    append(&store, inbox, b"gone".to_vec(), Flags::system(&[SystemFlag::Deleted])).await;
    append(&store, gone, b"gone too".to_vec(), Flags::none()).await;
    let name = MailboxName::parse("Supprimé").unwrap();
    store
        .transaction(move |tx| {
            let all = UidSet::all();
            store::entry::copy_to(tx, inbox, &all, dossier, NOW)?;
            store::entry::expunge(tx, inbox, Scope::All, NOW)?;
            let flagged = Flags::system(&[SystemFlag::Flagged]);
            store::entry::set_flags(tx, dossier, &all, FlagOperation::Add, &flagged, None)?;
            store::mailbox::delete(tx, account, &name, NOW)
        })
        .await
        .unwrap();
    queue(&store, account).await;
    store.close().await;
}

/// What crate `queue` writes: a message with two forward-paths, one of them tried and held.
async fn queue(store: &Store, account: store::AccountId) {
    let mut writer = store.stage().unwrap();
    writer.write(b"Subject: leaving\r\n\r\nBonjour\r\n").await.unwrap();
    let staged = writer.finish().await.unwrap();
    store
        .transaction(move |tx| {
            let structure = store::account::find(tx, account)?.ok_or(StoreError::Unknown("account"))?.structure;
            let blob = store::blob::keep(tx, &staged, structure, NOW)?;
            tx.execute(
                "INSERT INTO queue_message (name, structure, account, blob, key_month, octets, created, entries, \
                 reverse_path, envelope_id, returned, body, smtputf8, require_tls, message_id, trace_prefix) \
                 VALUES ('0123456789abcdef', $1, $2, $3, $4, 40, $5, 2, 'Anne@hopital.example', 'id+1', 1, 1, 0, 0, \
                 'one@hopital.example', $6)",
                &[
                    structure.0.into(),
                    account.0.into(),
                    blob.as_octets().into(),
                    store::blob::month(NOW).into(),
                    NOW.0.into(),
                    b"Received: x\r\n".as_slice().into(),
                ],
            )?;
            tx.execute(
                "INSERT INTO queue_entry (message, number, destination, state, due, attempts, cause, forward_path, \
                 original_type, original_address, notify) VALUES ('0123456789abcdef', 1, 'b.example', 0, $1, 0, '', \
                 'bob@b.example', 'rfc822', 'robert@b.example', 3)",
                &[NOW.0.into()],
            )?;
            tx.execute(
                "INSERT INTO queue_entry (message, number, destination, state, due, attempts, first_failure, cause, \
                 forward_path, original_type, original_address) VALUES ('0123456789abcdef', 2, 'c.example', 1, $1, 1, $1, \
                 'timed-out', 'zoe@c.example', '', '')",
                &[NOW.0.into()],
            )?;
            tx.execute(
                "INSERT INTO queue_attempt (message, number, attempt, at, cause, at_stage, host, address, certificate, code, \
                 status, answer) VALUES ('0123456789abcdef', 2, 1, $1, 'timed-out', 'rcpt', 'mx.c.example', '192.0.2.1', \
                 'CN=mx.c.example,C=FR', 451, '4.3.0', 'later')",
                &[NOW.0.into()],
            )?;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

async fn append(store: &Store, mailbox: MailboxId, content: Vec<u8>, flags: Flags) {
    let mut writer = store.stage().unwrap();
    writer.write(&content).await.unwrap();
    let staged = writer.finish().await.unwrap();
    store
        .transaction(move |tx| {
            let new = NewMessage {
                staged: &staged,
                trace_prefix: b"Return-Path: <>\r\n",
                internal_date: NOW,
                envelope: b"envelope",
                structure: b"structure",
                preview: "Bonjour",
                header_texts: b"texts",
                message_id: Some("one@hopital.example"),
                references: &["zero@hopital.example".to_owned()],
                over_quota: OverQuota::Refused,
            };
            store::message::append(tx, mailbox, &new, &flags, NOW)
        })
        .await
        .unwrap();
}
