//! Keeping data: verify, backup, restore, export, sweep.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::backup::{Backup, Companion};
use store::disk::RealDisk;
use store::mailbox::MailboxName;
use store::verify::Fault;
use store::{Config, Flags, MailboxId, MessageId, Store, StoreError, SystemFlag, UidSet, UnixMillis};

use crate::world::{NOW, World};

/// Later than any grace.
const MUCH_LATER: UnixMillis = UnixMillis(i64::MAX / 2);

const LARGE: usize = 300_000;

pub async fn faults(store: &Store) -> Vec<Fault> {
    let mut faults = Vec::new();
    store.verify(MUCH_LATER, |fault| faults.push(fault), |_| ()).await.unwrap();
    faults
}

async fn sql(world: &World, statement: &'static str) {
    world.store.transaction(move |tx| tx.execute(statement, &[]).map_err(StoreError::from)).await.unwrap();
}

async fn content(store: &Store, message: MessageId) -> Result<Vec<u8>, StoreError> {
    let octets = store.read(move |view| store::message::octets(view, message)).await?;
    store.open_blob(octets.blob).await?.read(0..u64::MAX).await
}

fn blob_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for shard in std::fs::read_dir(folder.join("blobs")).unwrap() {
        files.extend(std::fs::read_dir(shard.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    files.sort();
    files
}

#[tokio::test]
async fn verify_finds_each_kind_of_damage() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        world.append(inbox, b"small", Flags::none()).await;
        world.append(inbox, &[b'x'; LARGE], Flags::none()).await;
        assert_eq!(faults(&world.store).await, []);
        // Each damage, and the faults it must lead to.
        let cases: [(&str, &[&str]); 11] = [
            ("UPDATE mailbox SET unseen = unseen + 1 WHERE name = 'INBOX'", &["3 recorded"]),
            ("UPDATE mailbox SET octets = octets - 1 WHERE name = 'INBOX'", &["octets", "account 1"]),
            ("UPDATE account SET used_octets = 7", &["uses"]),
            ("UPDATE mailbox SET uidnext = 2 WHERE name = 'INBOX'", &["UID 2 is not below"]),
            ("UPDATE mailbox SET highest_modseq = 1 WHERE name = 'INBOX'", &["MODSEQ"]),
            ("INSERT INTO message_more VALUES (1, 1, 3)", &["message M1-1: 1 entries, 4 recorded"]),
            ("INSERT INTO message_release VALUES (1, 2, 1)", &["message M1-2: 1 entries, 0 recorded"]),
            ("UPDATE blob SET uses = 2 WHERE place = 0", &["references"]),
            ("UPDATE blob_reference SET uses = 2", &["references", "structure"]),
            ("DELETE FROM event WHERE seq = 2", &["events"]),
            ("INSERT INTO vanished VALUES (1, 1, 1, 1, 1)", &["vanished"]),
        ];
        for (damage, expected) in cases {
            let taken = backup_of(&world).await;
            sql(&world, damage).await;
            let found: Vec<String> = faults(&world.store).await.iter().map(Fault::to_string).collect();
            for part in expected {
                assert!(found.iter().any(|line| line.contains(part)), "{damage}: {found:?}");
            }
            undo(&world, damage, taken).await;
        }
        assert_eq!(faults(&world.store).await, []);
    }
}

/// What the damages above change, as it was.
type Taken = (i64, i64, i64, i64, i64);

async fn backup_of(world: &World) -> Taken {
    let row = world.inbox().await;
    let account = world.account;
    let used = world.store.read(move |view| store::account::find(view, account)).await.unwrap().unwrap().used_octets;
    (row.unseen.into(), row.octets as i64, used as i64, row.uidnext.into(), row.highest_modseq.0)
}

async fn undo(world: &World, damage: &str, (unseen, octets, used, uidnext, modseq): Taken) {
    let events = damage.starts_with("DELETE FROM event");
    world
        .store
        .transaction(move |tx| {
            for statement in [
                format!("UPDATE account SET used_octets = {used}"),
                format!(
                    "UPDATE mailbox SET unseen = {unseen}, octets = {octets}, uidnext = {uidnext}, \
                     highest_modseq = {modseq} WHERE name = 'INBOX'"
                ),
                "DELETE FROM message_more".into(),
                "DELETE FROM message_release".into(),
                "UPDATE blob SET uses = 1".into(),
                "UPDATE blob_reference SET uses = 1".into(),
                "DELETE FROM vanished".into(),
            ] {
                tx.execute(&statement, &[])?;
            }
            if events {
                tx.execute("INSERT INTO event VALUES (1, 2, 0, 'x', '')", &[])?;
            }
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_a_blob_is_found_and_harms_no_other() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        let bad = world.append(inbox, &[b'x'; LARGE], Flags::none()).await;
        let good = world.append(inbox, &[b'y'; LARGE], Flags::none()).await;
        let file =
            blob_files(world.folder.path()).into_iter().find(|path| std::fs::read(path).unwrap()[100] == b'x').unwrap();
        let mut octets = std::fs::read(&file).unwrap();
        octets[200_000] ^= 4;
        std::fs::write(&file, octets).unwrap();
        let found = faults(&world.store).await;
        assert!(matches!(found.as_slice(), [Fault::Blob { .. }]), "{found:?}");
        let (uid, line) = (bad.uid.get(), found[0].to_string());
        assert!(line.ends_with(&format!(", mailbox \"INBOX\", UID {uid}")), "{line}");
        assert!(matches!(content(&world.store, bad.message).await, Err(StoreError::Damaged(_))));
        assert_eq!(content(&world.store, good.message).await.unwrap(), vec![b'y'; LARGE]);

        let mut export = world.store.export(inbox).await.unwrap();
        let mut read = Vec::new();
        while let Some(next) = export.next().await {
            read.push(next.unwrap().blob.read(0..u64::MAX).await.is_ok());
        }
        assert_eq!(read, [false, true]);
        std::fs::remove_file(file).unwrap();
        let mut export = world.store.export(inbox).await.unwrap();
        assert_eq!(export.next().await.unwrap().err().unwrap().uid, bad.uid);
        assert_eq!(export.next().await.unwrap().ok().unwrap().entry.uid, good.uid);
        assert!(export.next().await.is_none());
    }
}

#[tokio::test]
async fn unused_blobs_and_orphans_are_swept_after_their_grace() {
    for world in World::on_every_engine().await {
        let name = MailboxName::parse("A").unwrap();
        let (account, mailbox) = (world.account, world.create("A").await);
        world.append(mailbox, &[b'x'; LARGE], Flags::none()).await;
        world.append(mailbox, b"small", Flags::none()).await;
        let mut unfinished = world.store.stage().unwrap();
        unfinished.write(&[b'z'; LARGE]).await.unwrap();
        assert_eq!(blob_files(world.folder.path()).len(), 2);
        world.store.transaction(move |tx| store::mailbox::delete(tx, account, &name, NOW)).await.unwrap();
        assert_eq!(world.store.sweep(NOW).await.unwrap().blobs, 0, "within the grace");
        let soon = UnixMillis(NOW.0 + 2 * store::blob::DYING_GRACE_MILLIS);
        assert_eq!(world.store.sweep(soon).await.unwrap().blobs, 2);
        assert_eq!(blob_files(world.folder.path()).len(), 1, "what is being staged is left alone");
        std::mem::forget(unfinished);
        assert_eq!(world.store.sweep(MUCH_LATER).await.unwrap().orphans, 1);
        assert!(blob_files(world.folder.path()).is_empty());
        assert_eq!(faults(&world.store).await, []);
    }
}

#[tokio::test]
async fn staging_broken_off_leaves_nothing() {
    let world = World::new().await;
    let mut writer = world.store.stage().unwrap();
    writer.write(&[b'z'; 10 * LARGE]).await.unwrap();
    drop(writer);
    let staged = crate::world::stage(&world.store, &[b'z'; LARGE]).await.unwrap();
    assert_eq!(staged.open().unwrap().read(0..5).await.unwrap(), b"zzzzz");
    drop(staged);
    assert!(blob_files(world.folder.path()).is_empty());
}

#[tokio::test]
async fn a_backup_adds_what_is_new_and_comes_back_whole() {
    let world = World::new().await;
    let inbox = world.inbox().await;
    let first = world.append(inbox.id, &[b'x'; LARGE], Flags::system(&[SystemFlag::Seen])).await;
    let to = tempfile::tempdir_in(world.folder.path().parent().unwrap()).unwrap();
    let extra = world.folder.path().join("sceau.toml");
    std::fs::write(&extra, "x = 1").unwrap();
    let done = world.store.backup(to.path(), std::slice::from_ref(&extra), NOW, |_| ()).await.unwrap();
    assert_eq!((done.files, done.files_new, done.files_removed), (1, 1, 0));
    let small = world.append(inbox.id, b"small", Flags::none()).await;
    world.append(inbox.id, &[b'y'; LARGE], Flags::none()).await;
    std::fs::write(to.path().join("files/old.pem"), "of an earlier configuration").unwrap();
    let done = world.store.backup(to.path(), std::slice::from_ref(&extra), NOW, |_| ()).await.unwrap();
    assert_eq!((done.files, done.files_new, done.files_removed), (2, 1, 0));
    assert!(done.same_file_system, "both folders are beside each other");
    assert_eq!(std::fs::read(to.path().join("files/sceau.toml")).unwrap(), b"x = 1");
    let companion = |name: &str, was| Companion { at: to.path().join("files").join(name), was };
    let companions = store::backup::companions(to.path()).unwrap();
    assert_eq!(companions, [companion("old.pem", None), companion("sceau.toml", Some(extra))]);
    let after = world.append(inbox.id, b"after the backup", Flags::none()).await;
    let before = world.inbox().await;

    let folder = tempfile::tempdir().unwrap();
    let later = UnixMillis(NOW.0 + 86_400_000);
    let config = Config::in_folder(folder.path());
    let restored = store::restore::whole(to.path(), &config, later).await.unwrap();
    assert_eq!(faults(&restored).await, []);
    assert_eq!(content(&restored, first.message).await.unwrap(), vec![b'x'; LARGE]);
    assert_eq!(content(&restored, small.message).await.unwrap(), b"small");
    assert_eq!(content(&restored, after.message).await, Err(StoreError::NoSuchMessage));
    let world = World { folder: Arc::new(folder), store: restored, account: world.account };
    let row = world.inbox().await;
    assert!(row.uidvalidity > before.uidvalidity && row.highest_modseq > before.highest_modseq);
    let next = world.append(row.id, b"next", Flags::none()).await;
    assert!(next.message > after.message, "no EMAILID is given twice");
    assert!(matches!(store::restore::whole(to.path(), &config, later).await, Err(StoreError::Taken(_))));
}

#[tokio::test]
async fn one_mailbox_comes_back_beside_the_living() {
    let world = World::new().await;
    let (account, mailbox) = (world.account, world.create("Dossier").await);
    let flags = Flags { keywords: vec!["urgent".into()], ..Flags::system(&[SystemFlag::Flagged]) };
    world.append(mailbox, b"one", flags).await;
    world.append(mailbox, &[b'x'; LARGE], Flags::none()).await;
    let to = tempfile::tempdir().unwrap();
    world.store.backup(to.path(), &[], NOW, |_| ()).await.unwrap();
    let name = MailboxName::parse("Dossier").unwrap();
    let gone = name.clone();
    world.store.transaction(move |tx| store::mailbox::delete(tx, account, &gone, NOW)).await.unwrap();

    let backup = Arc::new(Backup::open(to.path(), Arc::new(RealDisk)).unwrap());
    let new_name = MailboxName::parse("Dossier (repris)").unwrap();
    let (target, restored) =
        store::restore::mailbox_of(backup.clone(), account, &name, &world.store, &new_name, NOW, |_| ()).await.unwrap();
    assert_eq!((restored.messages, restored.lost.len()), (2, 0));
    let row = world.mailbox("Dossier (repris)").await.unwrap();
    assert_eq!((row.entries, row.keywords.names().next()), (2, Some("urgent")));

    let inbox = world.inbox().await.id;
    let one: UidSet = store::Uid::new(2).into_iter().collect();
    let source = MailboxId { account, number: mailbox.number };
    let restored = store::restore::messages(backup, source, &one, &world.store, inbox, NOW, |_| ()).await.unwrap();
    assert_eq!(restored.messages, 1);
    let entry =
        world.store.read(move |view| store::entry::by_uid(view, inbox, store::Uid::FIRST)).await.unwrap().unwrap();
    assert_eq!(content(&world.store, entry.message).await.unwrap(), vec![b'x'; LARGE]);
    assert_eq!(faults(&world.store).await, []);
    assert!(target > source);
}

#[tokio::test]
async fn a_backup_is_private_and_keeps_files_of_one_name_apart() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().await;
    let mut extra = Vec::new();
    for name in ["a", "b", "c"] {
        let folder = world.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("chain.pem"), name).unwrap();
        extra.push(folder.join("chain.pem"));
    }
    let to = tempfile::tempdir().unwrap();
    // A folder that others may enter: an administrator made it.
    std::fs::set_permissions(to.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        world.store.backup(to.path(), &extra, NOW, |_| ()).await.unwrap();
        let files = to.path().join("files");
        let whole = |path: &std::path::Path| files.join(path.strip_prefix("/").unwrap());
        assert_eq!(std::fs::read_to_string(files.join("chain.pem")).unwrap(), "a");
        assert_eq!(std::fs::read_to_string(whole(&extra[1])).unwrap(), "b");
        assert_eq!(std::fs::read_to_string(whole(&extra[2])).unwrap(), "c");
        let mode = std::fs::metadata(to.path().join("sceau.sqlite")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}: it holds messages and password hashes");
    }
}

#[tokio::test]
async fn an_unfinished_backup_is_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Backup::open(folder.path(), Arc::new(RealDisk)), Err(StoreError::Damaged(_))));
}

/// Messages come, go and are swept while a backup is made; what comes back has no fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_consistent_while_mail_flows() {
    let world = World::new().await;
    let inbox = world.inbox().await.id;
    for number in 0..20_u8 {
        world.append(inbox, &[number; LARGE], Flags::none()).await;
    }
    let store = world.store.clone();
    let traffic = tokio::spawn(async move {
        for number in 0..40_u8 {
            let content = vec![number; if number % 2 == 0 { LARGE } else { 900 }];
            let staged = crate::world::stage(&store, &content).await.unwrap();
            let deleted = Flags::system(&[SystemFlag::Deleted]);
            crate::world::append(&store, inbox, staged, deleted).await.unwrap();
            store.transaction(move |tx| store::entry::expunge(tx, inbox, store::entry::Scope::All, NOW)).await.unwrap();
            store.sweep(UnixMillis(NOW.0 + 2 * store::blob::DYING_GRACE_MILLIS)).await.unwrap();
        }
    });
    let to = tempfile::tempdir().unwrap();
    let mut rounds = 0;
    while !traffic.is_finished() {
        world.store.backup(to.path(), &[], NOW, |_| ()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let restored = store::restore::whole(to.path(), &Config::in_folder(folder.path()), NOW).await.unwrap();
        restored.sweep(MUCH_LATER).await.unwrap();
        assert_eq!(faults(&restored).await, []);
        rounds += 1;
    }
    traffic.await.unwrap();
    assert!(rounds > 0);
}

/// One delivery to boxes of two structures is one blob; each structure's references go on their own.
#[tokio::test]
async fn structures_reached_by_one_delivery_share_its_blob() {
    for world in World::on_every_engine().await {
        let other = crate::world::account(&world.store, 0).await;
        let account = world.account;
        let inboxes = world
            .store
            .read(move |view| {
                let name = MailboxName::inbox();
                let mut of = |account| store::mailbox::by_name(view, account, &name).map(|found| found.unwrap().id);
                Ok::<_, StoreError>([of(account)?, of(other)?])
            })
            .await
            .unwrap();
        let staged = crate::world::stage(&world.store, &[b'x'; LARGE]).await.unwrap();
        let messages = world
            .store
            .transaction(move |tx| {
                let mut messages = Vec::new();
                for inbox in inboxes {
                    let new = store::message::NewMessage {
                        staged: &staged,
                        trace_prefix: b"Delivered-To: x\r\n",
                        internal_date: NOW,
                        envelope: b"",
                        structure: b"",
                        preview: "",
                        header_texts: b"",
                        message_id: None,
                        references: &[],
                        over_quota: store::message::OverQuota::Taken,
                    };
                    let deleted = Flags::system(&[SystemFlag::Deleted]);
                    messages.push(store::message::append(tx, inbox, &new, &deleted, NOW)?.message);
                }
                Ok::<_, StoreError>(messages)
            })
            .await
            .unwrap();
        assert_eq!(blob_files(world.folder.path()).len(), 1);
        assert_eq!(faults(&world.store).await, []);
        let gone = inboxes[0];
        world
            .store
            .transaction(move |tx| store::entry::expunge(tx, gone, store::entry::Scope::All, NOW))
            .await
            .unwrap();
        world.store.sweep(NOW).await.unwrap();
        assert_eq!(world.store.sweep(MUCH_LATER).await.unwrap().blobs, 0, "the other structure has it");
        assert_eq!(faults(&world.store).await, []);
        assert_eq!(content(&world.store, messages[0]).await, Err(StoreError::NoSuchMessage));
        assert_eq!(content(&world.store, messages[1]).await.unwrap(), vec![b'x'; LARGE]);
    }
}
