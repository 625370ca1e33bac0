//! The disk fails: the sender is told, and nothing is half done.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery::{Door, Peer};
use mail::Refusal;
use store::disk::{Disk, DiskFile, Found, RealDisk};

use crate::world::*;

/// A disk on which one thing or another stops working.
#[derive(Default)]
pub struct FailingDisk {
    pub full: AtomicBool,
    writes_fail: Arc<AtomicBool>,
    syncs_fail: Arc<AtomicBool>,
}

struct FailingFile {
    file: Box<dyn DiskFile>,
    writes_fail: Arc<AtomicBool>,
    syncs_fail: Arc<AtomicBool>,
}

fn check(fails: &AtomicBool) -> io::Result<()> {
    match fails.load(Ordering::Relaxed) {
        true => Err(io::Error::other("the disk fails")),
        false => Ok(()),
    }
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (writes_fail, syncs_fail) = (self.writes_fail.clone(), self.syncs_fail.clone());
        Ok(Box::new(FailingFile { file: RealDisk.create(path)?, writes_fail, syncs_fail }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Found>> {
        RealDisk.list(path)
    }

    fn link_or_copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.link_or_copy(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        check(&self.writes_fail)?;
        RealDisk.copy(from, to)
    }

    fn free_octets(&self, path: &Path) -> io::Result<u64> {
        match self.full.load(Ordering::Relaxed) {
            true => Ok(0),
            false => RealDisk.free_octets(path),
        }
    }
}

impl DiskFile for FailingFile {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        check(&self.writes_fail)?;
        self.file.append(octets)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        check(&self.syncs_fail)?;
        self.file.sync()
    }

    fn octets(&self) -> io::Result<u64> {
        self.file.octets()
    }
}

fn large() -> String {
    format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(80_000))
}

#[tokio::test]
async fn a_write_that_fails_is_told_and_the_next_message_comes_through() {
    let disk = Arc::new(FailingDisk::default());
    let world = World::on(disk.clone()).await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example", "dr.ann@a.example"]);
    disk.writes_fail.store(true, Ordering::Relaxed);
    assert_eq!(world.relay(&envelope, &large()).await, Err(Refusal::StoreTrouble));
    assert_eq!(world.texts(world.ann).await.len(), 0);
    disk.writes_fail.store(false, Ordering::Relaxed);
    world.relay(&envelope, &large()).await.unwrap();
    assert_eq!(world.texts(world.ann).await.len(), 1);
}

#[tokio::test]
async fn a_sync_that_fails_ends_all_acceptance() {
    let disk = Arc::new(FailingDisk::default());
    let world = World::on(disk.clone()).await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example"]);
    world.relay(&envelope, MESSAGE).await.unwrap();
    disk.syncs_fail.store(true, Ordering::Relaxed);
    assert_eq!(world.relay(&envelope, &large()).await, Err(Refusal::StoreTrouble));
    disk.syncs_fail.store(false, Ordering::Relaxed);
    assert_eq!(world.relay(&envelope, MESSAGE).await, Err(Refusal::StoreTrouble), "never retried and continued");
    assert!(*world.store.poisoned().borrow());
}

#[tokio::test]
async fn a_full_disk_is_told_before_the_message_is_sent_and_heals() {
    let disk = Arc::new(FailingDisk::default());
    let world = World::with_reserve(disk.clone(), 1).await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example"]);
    disk.full.store(true, Ordering::Relaxed);
    let mut refused = world.delivery.begin(Door::Relay(Peer::Unasked)).await.map(drop);
    // Free space is asked for now and then, not for each message.
    for _ in 0..50 {
        if refused.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        refused = world.delivery.begin(Door::Relay(Peer::Unasked)).await.map(drop);
    }
    assert_eq!(refused, Err(Refusal::StoreFull));
    assert_eq!(world.relay(&envelope, MESSAGE).await, Err(Refusal::StoreFull));
    disk.full.store(false, Ordering::Relaxed);
    while world.delivery.begin(Door::Relay(Peer::Unasked)).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    world.relay(&envelope, MESSAGE).await.unwrap();
    assert_eq!(world.texts(world.ann).await.len(), 1);
}
