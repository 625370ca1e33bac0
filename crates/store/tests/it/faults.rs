//! Each step of each write fails in turn: what was acknowledged is there once and whole, nothing else is.

use std::io;
use std::path::Path;
use std::sync::Arc;

use store::disk::{Disk, DiskFile, Found, RealDisk};
use store::entry::Scope;
use store::flags::FlagOperation;
use store::{Config, EngineError, Flags, MessageId, Staged, Store, StoreError, SystemFlag, UidSet, UnixMillis};
use testkit::faulty_disk::{Fault, FaultyDisk, FaultyFile};

use crate::keeping::faults;
use crate::world::{NOW, World, append, stage};

struct Faulty(FaultyDisk);

struct Opened(FaultyFile);

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Opened(self.0.create(path)?)))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Opened(self.0.open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.sync_folder(path)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Found>> {
        RealDisk.list(path)
    }
    fn link_or_copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.link_or_copy(from, to)
    }
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.copy(from, to)
    }
    fn free_octets(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.free_octets())
    }
}

impl DiskFile for Opened {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.append(octets)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
    fn octets(&self) -> io::Result<u64> {
        self.0.octets()
    }
}

fn large(number: u8) -> Vec<u8> {
    (0..400_000_u32).map(|place| (place / 3) as u8 ^ number).collect()
}

async fn read_back(store: &Store, message: MessageId) -> Result<Vec<u8>, StoreError> {
    let octets = store.read(move |view| store::message::octets(view, message)).await?;
    store.open_blob(octets.blob).await?.read(0..u64::MAX).await
}

/// Four messages, two of them large, on a disk with one planned fault; answers how many operations there were.
async fn one_run(fault: Option<(u64, Fault)>, seed: u64) -> u64 {
    let disk = FaultyDisk::new();
    let folder = crate::world::folder();
    let config = Config::in_folder(folder.path());
    let store = Store::open_on(&config, Arc::new(Faulty(disk.clone()))).unwrap();
    let world = World::in_store(store, folder.clone()).await;
    let inbox = world.inbox().await.id;
    let before = disk.operations();
    if let Some((at, fault)) = fault {
        disk.plan(before + at, fault);
    }
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 0..4_u8 {
        let content = if number % 2 == 0 { large(number) } else { vec![number; 500] };
        let taken = match stage(&world.store, &content).await {
            Ok(staged) => append(&world.store, inbox, staged, Flags::none()).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(appended) => acknowledged.push((appended, content)),
            Err(_) => refused += 1,
        }
    }
    let operations = disk.operations() - before;
    assert!(fault.is_some() || refused == 0);
    world.store.close().await;
    drop(world);
    disk.settle(seed);

    let store = Store::open(&config).unwrap();
    for (appended, content) in &acknowledged {
        assert_eq!(read_back(&store, appended.message).await.as_ref(), Ok(content), "{fault:?} {seed}");
    }
    store.sweep(UnixMillis(i64::MAX / 2)).await.unwrap();
    assert_eq!(faults(&store).await, [], "{fault:?} {seed}");
    let world = World { account: inbox.account, folder, store };
    let row = world.inbox().await;
    assert_eq!(row.entries as usize, acknowledged.len(), "{fault:?}: nothing that was not acknowledged");
    let next = world.append(row.id, b"next", Flags::none()).await;
    assert!(acknowledged.iter().all(|(appended, _)| appended.uid < next.uid), "no UID is given twice");
    operations
}

#[tokio::test]
async fn every_step_may_fail() {
    let steps = one_run(None, 0).await;
    assert!(steps > 15, "{steps}");
    for step in 0..steps {
        for fault in [
            Fault::Error(io::ErrorKind::StorageFull),
            Fault::Error(io::ErrorKind::Other),
            Fault::Torn,
            Fault::PowerLoss,
        ] {
            one_run(Some((step, fault)), step).await;
        }
        one_run(Some((step, Fault::PowerLoss)), step + 1_000).await;
    }
}

#[tokio::test]
async fn a_failed_sync_poisons() {
    let disk = FaultyDisk::new();
    let folder = crate::world::folder();
    let store = Store::open_on(&Config::in_folder(folder.path()), Arc::new(Faulty(disk.clone()))).unwrap();
    let world = World::in_store(store, folder).await;
    let inbox = world.inbox().await.id;
    let poisoned = world.store.poisoned();
    let mut writer = world.store.stage().unwrap();
    writer.write(&large(1)).await.unwrap();
    // What remains is one write, then the sync.
    disk.plan(disk.operations() + 1, Fault::Error(io::ErrorKind::Other));
    assert_eq!(writer.finish().await.err(), Some(StoreError::Engine(EngineError::Poisoned)));
    assert!(*poisoned.borrow());
    assert!(world.store.stage().is_err());
    let refused = world.store.transaction(move |tx| store::entry::expunge(tx, inbox, Scope::All, NOW)).await;
    assert_eq!(refused, Err(StoreError::Engine(EngineError::Poisoned)));
    assert_eq!(world.inbox().await.entries, 0, "reading goes on");
}

#[tokio::test]
async fn under_the_reserve_only_what_makes_room_commits() {
    let disk = FaultyDisk::new();
    let folder = crate::world::folder();
    let store = Store::open_on(&Config::in_folder(folder.path()), Arc::new(Faulty(disk.clone()))).unwrap();
    let world = World::in_store(store, folder).await;
    let inbox = world.inbox().await.id;
    world.append(inbox, b"one", Flags::system(&[SystemFlag::Deleted])).await;
    let staged = stage(&world.store, b"two").await.unwrap();

    disk.set_free_octets(Config::RESERVE_OCTETS - 1);
    let full = StoreError::Engine(EngineError::Full);
    assert_eq!(world.store.stage().err(), Some(full.clone()));
    assert_eq!(append(&world.store, inbox, staged.clone(), Flags::none()).await, Err(full.clone()));
    assert_eq!(full.refusal(), mail::Refusal::StoreFull);
    let all = UidSet::all();
    let copied = world.store.transaction(move |tx| store::entry::copy_to(tx, inbox, &all, inbox, NOW)).await;
    assert_eq!(copied, Err(full));
    let gone = world.store.transaction(move |tx| store::entry::expunge(tx, inbox, Scope::All, NOW)).await.unwrap();
    assert_eq!(gone.uids.count(), 1);

    disk.set_free_octets(Config::RESERVE_OCTETS);
    append(&world.store, inbox, staged, Flags::none()).await.unwrap();
}

async fn page_limit(store: &Store, pages: Option<i64>) {
    store
        .transaction(move |tx| {
            let mut count = 0;
            tx.query("PRAGMA page_count", &[], &mut |row| {
                count = row.integer(0)?;
                Ok(std::ops::ControlFlow::Break(()))
            })?;
            let limit = pages.map_or(1 << 30, |pages| count + pages);
            tx.query(&format!("PRAGMA max_page_count = {limit}"), &[], &mut |_| Ok(std::ops::ControlFlow::Break(())))
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
}

/// SQLite answers FULL in the middle of a group, whose other members must not suffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_costs_only_what_does_not_fit() {
    let world = World::new().await;
    let inbox = world.inbox().await.id;
    page_limit(&world.store, Some(60)).await;
    let content = vec![b'x'; 40_000];
    let mut staged: Vec<Staged> = Vec::new();
    for _ in 0..20 {
        staged.push(stage(&world.store, &content).await.unwrap());
    }
    let tasks: Vec<_> = staged
        .into_iter()
        .map(|staged| {
            let store = world.store.clone();
            tokio::spawn(async move { append(&store, inbox, staged, Flags::none()).await })
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(appended) => taken.push(appended),
            Err(error) => assert_eq!(error, StoreError::Engine(EngineError::Full)),
        }
    }
    assert!((1..20).contains(&taken.len()), "{} taken", taken.len());
    assert!(!*world.store.poisoned().borrow());
    assert_eq!(world.inbox().await.entries as usize, taken.len());
    for appended in &taken {
        assert_eq!(read_back(&world.store, appended.message).await.unwrap(), content);
    }
    page_limit(&world.store, None).await;
    world.append(inbox, &content, Flags::none()).await;
    let uids: Vec<u32> = taken.iter().map(|appended| appended.uid.get()).collect();
    let distinct: std::collections::BTreeSet<u32> = uids.iter().copied().collect();
    assert_eq!(distinct.len(), uids.len());
    assert_eq!(faults(&world.store).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refusal_in_a_group_leaves_the_others() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        let tasks: Vec<_> = (0..60_u32)
            .map(|number| {
                let store = world.store.clone();
                tokio::spawn(async move {
                    let staged = stage(&store, &number.to_be_bytes()).await.unwrap();
                    match number % 3 {
                        0 => {
                            let refused: Result<(), StoreError> = store
                                .transaction(move |tx| {
                                    let all = Flags::system(&[SystemFlag::Seen]);
                                    store::entry::set_flags(tx, inbox, &UidSet::all(), FlagOperation::Add, &all, None)?;
                                    Err(StoreError::NoSuchMessage)
                                })
                                .await;
                            assert_eq!(refused, Err(StoreError::NoSuchMessage));
                        }
                        _ => drop(append(&store, inbox, staged, Flags::none()).await.unwrap()),
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let row = world.inbox().await;
        assert_eq!((row.entries, row.unseen), (40, 40));
        assert_eq!(faults(&world.store).await, []);
    }
}

/// Nor may one in a reading closure take a reader from everybody.
#[tokio::test]
async fn a_panic_in_a_read_costs_its_own_answer() {
    let world = World::new().await;
    for _ in 0..2 * Config::READERS {
        let answer = world
            .store
            .read(|view| {
                if view.query("SELECT 1", &[], &mut |_| Ok(std::ops::ControlFlow::Break(()))).is_ok() {
                    panic!("as planned")
                } else {
                    Ok::<(), StoreError>(())
                }
            })
            .await;
        assert!(matches!(answer, Err(StoreError::Engine(EngineError::Closed))));
    }
    world.append(world.inbox().await.id, b"on it goes", Flags::none()).await;
}

/// A mistake of ours in one closure must not stop the writer for everybody.
#[tokio::test]
async fn a_panic_in_a_transaction_stays_in_it() {
    let world = World::new().await;
    let inbox = world.inbox().await.id;
    let answer = world
        .store
        .transaction(move |tx| {
            store::mailbox::claim_recent(tx, inbox, 7)?;
            if tx.accepting().is_ok() { panic!("as planned") } else { Ok::<(), StoreError>(()) }
        })
        .await;
    assert!(matches!(answer, Err(StoreError::Engine(EngineError::Other(_)))));
    assert_eq!(world.inbox().await.recent_from, 1);
    world.append(inbox, b"on it goes", Flags::none()).await;
}

#[tokio::test]
async fn a_store_has_one_process_and_its_lock_dies_with_it() {
    let world = World::new().await;
    let config = Config::in_folder(world.folder.path());
    assert!(Store::open(&config).err().unwrap().to_string().contains("in use"));
    let folder = world.folder.clone();
    drop(world);
    Store::open(&config).unwrap();
    drop(folder);
}

/// A reader, such as a backup, keeps the log from starting anew; when it ends the log is moved and cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_grows_only_while_somebody_reads_it() {
    let world = World::new().await;
    let log = world.folder.path().join("sceau.sqlite-wal");
    let (release, released) = std::sync::mpsc::channel::<()>();
    let store = world.store.clone();
    let reading = tokio::spawn(async move {
        let hold = move |view: &mut dyn store::Snapshot| {
            view.query("SELECT 1 FROM setting", &[], &mut |_| Ok(std::ops::ControlFlow::Break(())))?;
            let _ = released.recv();
            Ok::<_, StoreError>(())
        };
        store.read(hold).await
    });
    let write = async |numbers: std::ops::Range<u32>| {
        for number in numbers {
            // SQLite does not write a page that stays the same.
            let text = format!("{number:08}").repeat(1 << 17);
            world
                .store
                .transaction(move |tx| {
                    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) \
                               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                    let name = format!("test {}", number % 20);
                    tx.execute(sql, &[(&name).into(), (&text).into()]).map_err(StoreError::from)
                })
                .await
                .unwrap();
        }
    };
    write(0..120).await;
    let grown = std::fs::metadata(&log).unwrap().len();
    assert!(grown > 100 << 20, "{grown}");
    release.send(()).unwrap();
    reading.await.unwrap().unwrap();
    let mut size = grown;
    for round in 0..40 {
        write(200 + 5 * round..205 + 5 * round).await;
        size = std::fs::metadata(&log).unwrap().len();
        if size <= 64 << 20 {
            break;
        }
    }
    assert!(size <= 64 << 20, "{size}");
}

#[tokio::test]
async fn short_room_is_made_soon() {
    let disk = FaultyDisk::new();
    let folder = crate::world::folder();
    let store = Store::open_on(&Config::in_folder(folder.path()), Arc::new(Faulty(disk.clone()))).unwrap();
    let world = World::in_store(store, folder).await;
    let inbox = world.inbox().await.id;
    let ballast = world.folder.path().join("ballast");
    assert!(world.store.keep_room(NOW).await.unwrap().enough);
    assert!(ballast.exists(), "set aside while there is room");

    let large = vec![b'x'; 200_000];
    world.append(inbox, &large, Flags::system(&[SystemFlag::Deleted])).await;
    let mut inline = 0;
    while inline < 8 << 20 {
        world.append(inbox, &large[..60_000], Flags::system(&[SystemFlag::Deleted])).await;
        inline += 60_000;
    }
    disk.set_free_octets(Config::RESERVE_OCTETS - (4 << 20));
    assert!(!world.store.keep_room(NOW).await.unwrap().enough);
    world.store.transaction(move |tx| store::entry::expunge(tx, inbox, Scope::All, NOW)).await.unwrap();
    assert_eq!(world.store.keep_room(NOW).await.unwrap().removed, 0, "within the grace");
    let soon = UnixMillis(NOW.0 + store::room::SHORT_GRACE_MILLIS + 1);
    let room = world.store.keep_room(soon).await.unwrap();
    assert!(room.removed > 100, "{room:?}");
    assert!(room.reusable > 4 << 20 && room.enough, "the database's empty pages count: {room:?}");
    // The checkpointer works beside the writer, and looks after each commit.
    let log = || std::fs::metadata(world.folder.path().join("sceau.sqlite-wal")).unwrap().len();
    for _ in 0..400 {
        world.append(inbox, b"taken again", Flags::none()).await;
        if log() < 4 << 20 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(log() < 4 << 20, "the log did not give back what it held: {}", log());

    disk.set_free_octets(Config::RESERVE_OCTETS / 2 - 1);
    assert!(!world.store.keep_room(soon).await.unwrap().enough, "half of the reserve is to be free");
    disk.set_free_octets(0);
    world.store.keep_room(soon).await.unwrap();
    assert!(!ballast.exists(), "given up on a full disk");
    disk.set_free_octets(3 * Config::RESERVE_OCTETS);
    assert!(world.store.keep_room(soon).await.unwrap().enough);
    assert!(ballast.exists());
}
