//! A mailbox of 100,000 messages: what is not asked for is not read.

use std::time::Instant;

use store::mailbox::MailboxName;
use store::{Flags, StoreError, UidSet};

use crate::player::Connection;
use crate::world::{THEN, World};

/// 102,400 messages: 100 that came in, and their copies, doubled ten times.
async fn large_world() -> World {
    let world = World::new().await;
    for number in 0..100 {
        let flags = if number % 2 == 0 { Flags::none() } else { Flags::system(&[store::flags::SystemFlag::Seen]) };
        let message = format!("From: a{number}@example.org\r\nSubject: message {number}\r\n\r\nbody {number}\r\n");
        world.deliver("INBOX", message.as_bytes(), flags).await;
    }
    let account = world.anne;
    for _ in 0..10 {
        let copied = world.store.transaction(move |tx| {
            let inbox =
                store::mailbox::by_name(tx, account, &MailboxName::inbox())?.ok_or(StoreError::NoSuchMailbox)?;
            store::entry::copy_to(tx, inbox.id, &UidSet::all(), inbox.id, THEN)
        });
        copied.await.unwrap();
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_mailbox_opens_from_its_counters_and_streams() {
    let world = large_world().await;
    let mut connection = Connection::open(&world, "anne").await;
    let reads = || world.store.metrics().reads.load(std::sync::atomic::Ordering::Relaxed);

    let (before, began) = (reads(), Instant::now());
    let lines = connection.command("SELECT INBOX").await;
    assert!(lines.iter().any(|line| line == "* 102400 EXISTS"), "{lines:?}");
    println!("SELECT: {:?}", began.elapsed());
    assert_eq!(reads() - before, 1);

    // EXISTS of a new message needs no list of UIDs either.
    let before = reads();
    world.deliver("INBOX", b"Subject: last\r\n\r\nx\r\n", Flags::none()).await;
    let delivering = reads() - before;
    let lines = connection.command("NOOP").await;
    assert_eq!(lines[0], "* 102401 EXISTS");
    assert_eq!(reads() - before - delivering, 1);

    for command in ["FETCH 1:* FLAGS", "FETCH 1:* (UID FLAGS)", "UID FETCH 1:* (FLAGS)"] {
        let began = Instant::now();
        let told = connection.raw(command).await;
        println!("{command}: {:?}, {} octets", began.elapsed(), told.len());
        assert_eq!(told.iter().filter(|octet| **octet == b'\n').count(), 102_402);
        assert!(told.starts_with(b"* 1 FETCH ("));
        assert!(String::from_utf8_lossy(&told).contains("\r\n* 102401 FETCH ("));
    }

    let began = Instant::now();
    let told = connection.raw("FETCH 50001:51000 ENVELOPE").await;
    println!("ENVELOPE of 1,000: {:?}", began.elapsed());
    assert_eq!(told.iter().filter(|octet| **octet == b'\n').count(), 1_001);

    let began = Instant::now();
    let lines = connection.command("SEARCH RETURN (COUNT) UNSEEN").await;
    println!("SEARCH UNSEEN: {:?}", began.elapsed());
    assert_eq!(lines[0], "* ESEARCH (TAG \"t\") COUNT 51201");

    let began = Instant::now();
    let lines = connection.command("SEARCH 101000:* SUBJECT \"message 7\"").await;
    println!("SEARCH SUBJECT in 1,400: {:?}", began.elapsed());
    assert!(lines[0].starts_with("* SEARCH 101008 "), "{lines:?}");

    let began = Instant::now();
    let lines = connection.command("STORE 1:1000 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(lines, ["t OK STORE completed"]);
    let lines = connection.command("EXPUNGE").await;
    println!("1,000 deleted and expunged: {:?}", began.elapsed());
    assert_eq!(lines.len(), 1_001);
    assert_eq!(connection.command("FETCH 1 UID").await[0], "* 1 FETCH (UID 1001)");
}
