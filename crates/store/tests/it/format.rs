//! What earlier versions wrote is opened, verified and written to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::{Config, Flags, Store, StoreError, SystemFlag};

use crate::keeping::faults;
use crate::world::{NOW, World};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test]
async fn the_store_of_each_version_opens() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/store");
    let versions = std::fs::read_dir(&corpus).unwrap().count() as i64;
    assert_eq!(versions, store::schema::VERSION, "a new schema version needs its fixture: examples/write_fixture.rs");
    for version in 1..=versions {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        copy(&corpus.join(format!("v{version}")), folder.path());
        let store = Store::open(&Config::in_folder(folder.path())).unwrap();
        assert_eq!(faults(&store).await, [], "v{version}");
        let address = "anne@HOPITAL.example".parse().unwrap();
        let holder = store.read(move |view| store::address::find(view, &address)).await.unwrap().unwrap();
        let world = World { folder, store, account: holder.account };
        let inbox = world.inbox().await;
        assert_eq!((inbox.entries, inbox.unseen, inbox.uidnext), (2, 1, 4));
        assert_eq!(inbox.keywords.names().collect::<Vec<_>>(), ["urgent"]);
        let dossier = world.mailbox("Dossier/2026").await.unwrap();
        assert_eq!((dossier.entries, dossier.deleted), (3, 1));
        let mut export = world.store.export(dossier.id).await.unwrap();
        let mut contents = Vec::new();
        while let Some(message) = export.next().await {
            let message = message.unwrap();
            assert!(message.entry.flags.has(SystemFlag::Flagged));
            contents.push(message.blob.read(0..u64::MAX).await.unwrap());
        }
        let large: Vec<u8> = (0..70_000_u32).map(|place| (place / 5) as u8).collect();
        assert_eq!(contents, [b"Subject: one\r\n\r\nBonjour\r\n".to_vec(), large, b"gone".to_vec()]);
        let account = world.account;
        let credentials = world.store.read(move |view| store::credential::list(view, account)).await.unwrap();
        assert_eq!(credentials.len(), 1);
        let bound = world.store.read(move |view| store::certificate::list(view, account)).await.unwrap();
        let people = world.store.read(move |view| store::identifier::list(view, account)).await.unwrap();
        let expected = if version >= 2 { (2, 1) } else { (0, 0) };
        assert_eq!((bound.len(), people.len()), expected, "v{version}");
        let queued = "SELECT count(*) FROM queue_entry";
        let queued =
            world.store.read(move |view| store::engine::query_row(view, queued, &[], |row| row.integer(0))).await;
        assert_eq!(queued.unwrap(), Some(if version >= 2 { 2 } else { 0 }), "v{version}");
        world.append(inbox.id, b"new", Flags::none()).await;
        world.store.sweep(NOW).await.unwrap();
        assert_eq!(faults(&world.store).await, [], "v{version}");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let world = World::new().await;
    world
        .store
        .transaction(|tx| tx.execute("UPDATE schema_version SET version = 999", &[]).map_err(StoreError::from))
        .await
        .unwrap();
    let (folder, config) = (world.folder.clone(), Config::in_folder(world.folder.path()));
    drop(world);
    assert!(Store::open(&config).err().unwrap().to_string().contains("install a newer one"));
    drop(folder);
}
