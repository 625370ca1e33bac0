//! A blob whose octets on disk are not what was written: its message alone suffers, and no wrong octet is told.

use std::path::PathBuf;

use store::Flags;

use crate::player::Connection;
use crate::world::World;

/// Long enough to be kept in a file, in many chunks.
fn long_message(subject: &str) -> Vec<u8> {
    let mut message = format!("Subject: {subject}\r\n\r\n").into_bytes();
    for line in 0..30_000 {
        message.extend_from_slice(format!("line {line:06} of {subject}: {}\r\n", "x".repeat(40)).as_bytes());
    }
    message
}

fn blob_files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// Three messages, the second one kept in a file that is damaged after `octet`.
async fn world_with_damage(octet: usize) -> (World, Vec<u8>) {
    let world = World::new().await;
    world.deliver("INBOX", b"Subject: first\r\n\r\nfine\r\n", Flags::none()).await;
    let long = long_message("second");
    world.deliver("INBOX", &long, Flags::none()).await;
    world.deliver("INBOX", b"Subject: third\r\n\r\nfine\r\n", Flags::none()).await;
    let files = blob_files(world.folder.path());
    assert_eq!(files.len(), 1);
    let mut stored = std::fs::read(&files[0]).unwrap();
    stored[octet] ^= 1;
    std::fs::write(&files[0], stored).unwrap();
    (world, long)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_message_is_left_out_and_the_others_are_told() {
    let (world, _) = world_with_damage(700_000).await;
    let mut connection = Connection::open(&world, "anne").await;
    connection.command("EXAMINE INBOX").await;
    let lines = connection.command("FETCH 1:3 (UID BODY[TEXT])").await;
    assert_eq!(lines[0], "* 1 FETCH (UID 1 BODY[TEXT] {6}");
    assert_eq!(lines[3], "* 3 FETCH (UID 3 BODY[TEXT] {6}");
    assert!(lines[6].starts_with("t NO [SERVERBUG] "), "{lines:?}");
    // What needs no octets of it is there.
    let lines = connection.command("FETCH 2 (RFC822.SIZE ENVELOPE BODYSTRUCTURE)").await;
    assert!(lines[0].starts_with("* 2 FETCH (RFC822.SIZE 1950019 ENVELOPE ("), "{lines:?}");
    assert!(lines[1].starts_with("t OK"));
    // The damage is behind what is asked for, or before it.
    let lines = connection.command("FETCH 2 BODY[]<0.15>").await;
    assert_eq!(lines[..2], ["* 2 FETCH (BODY[]<0> {15}", "Subject: second)"]);
    let lines = connection.command("FETCH 2 BODY[]<1000000.4>").await;
    assert!(lines[0].starts_with("* 2 FETCH (BODY[]<1000000> {4}"), "{lines:?}");
    let lines = connection.command("FETCH 2 BODY[]<690000.20000>").await;
    assert!(lines[0].starts_with("t NO [SERVERBUG] "), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_what_can_be_read_and_says_that_something_cannot() {
    let (world, _) = world_with_damage(700_000).await;
    let mut connection = Connection::open(&world, "anne").await;
    connection.command("EXAMINE INBOX").await;
    let lines = connection.command("SEARCH BODY fine").await;
    assert_eq!(lines[0], "* SEARCH 1 3");
    assert!(lines[1].starts_with("t NO [SERVERBUG] "), "{lines:?}");
    // Found before the damage is reached.
    assert_eq!(connection.command("SEARCH BODY {4+}\r\n0042").await[0], "* SEARCH 2");
    // No octet is needed.
    assert_eq!(
        connection.command("SEARCH SUBJECT second UNSEEN LARGER 1000").await,
        ["* SEARCH 2", "t OK SEARCH completed"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_message_comes_out_octet_for_octet() {
    let world = World::new().await;
    let long = long_message("long");
    world.deliver("INBOX", &long, Flags::none()).await;
    let mut connection = Connection::open(&world, "anne").await;
    connection.command("SELECT INBOX").await;
    let told = connection.raw("FETCH 1 BODY.PEEK[]").await;
    let begin = format!("* 1 FETCH (BODY[] {{{}}}\r\n", long.len());
    assert!(told.starts_with(begin.as_bytes()));
    assert!(told[begin.len()..].starts_with(&long));
    assert_eq!(&told[begin.len() + long.len()..], b")\r\nt OK FETCH completed\r\n");
}
