//! A change of somebody else's that is committed between the moment a silent STORE looked and the moment it writes.
//!
//! The other's change holds the store's writer until our STORE has looked and stands in the queue behind it. All tasks share
//! one thread here, so that yielding lets the session run until it waits for the writer.

use std::sync::{Arc, Mutex, mpsc};

use store::entry::set_flags;
use store::flags::FlagOperation;
use store::mailbox::MailboxName;
use store::{Flags, StoreError, SystemFlag, UidSet};

use crate::player::Connection;
use crate::world::World;

/// `before` is done and answered, then `raced` is sent while another session's `\Flagged` is about to be committed.
async fn race(before: &[&str], raced: &str) -> (Vec<String>, Vec<String>) {
    let world = World::new().await;
    for _ in 0..2 {
        world.deliver("INBOX", b"Subject: x\r\n\r\nx\r\n", Flags::none()).await;
    }
    let (account, name) = (world.anne, MailboxName::parse("INBOX").unwrap());
    let found = world.store.read(move |view| store::mailbox::by_name(view, account, &name)).await;
    let inbox = found.unwrap_or_else(|error: StoreError| panic!("{error}")).unwrap().id;
    let mut client = Connection::open(&world, "anne").await;
    for command in ["SELECT INBOX", "UID FETCH 1:* FLAGS"].iter().chain(before) {
        client.command(command).await;
    }

    let (changed, is_changed) = tokio::sync::oneshot::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let (changed, wait) = (Mutex::new(Some(changed)), Arc::new(Mutex::new(wait)));
    let store = world.store.clone();
    let other = tokio::spawn(async move {
        let flagged = Flags::system(&[SystemFlag::Flagged]);
        let change = store.transaction(move |tx| {
            let done = set_flags(tx, inbox, &UidSet::all(), FlagOperation::Add, &flagged, None)?;
            if let Some(changed) = changed.lock().unwrap().take() {
                changed.send(()).unwrap();
                wait.lock().unwrap().recv().unwrap();
            }
            Ok::<_, StoreError>(done)
        });
        change.await.unwrap();
    });
    is_changed.await.unwrap();
    client.send(format!("t {raced}\r\n").as_bytes()).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    go_on.send(()).unwrap();
    other.await.unwrap();
    let mut answered = vec![client.line().await.unwrap()];
    while !answered.last().is_some_and(|line| line.starts_with("t ")) {
        answered.push(client.line().await.unwrap());
    }
    (answered, client.command("NOOP").await)
}

#[tokio::test]
async fn a_silent_store_does_not_hide_what_came_while_it_was_on_its_way() {
    let (answered, after) = race(&[], "STORE 1 +FLAGS.SILENT (\\Answered)").await;
    // Our change told nothing of itself; what another session did is told, at the end of this command or the next.
    let told: Vec<&String> = answered.iter().chain(&after).filter(|line| line.contains("FETCH")).collect();
    assert!(answered.last().unwrap().starts_with("t OK"), "{answered:?}");
    assert!(told.iter().any(|line| line.starts_with("* 1 FETCH (FLAGS (\\Answered \\Flagged")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("* 2 FETCH (FLAGS (\\Flagged")), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn a_store_that_answers_tells_both_changes_once() {
    let (answered, after) = race(&[], "STORE 1 +FLAGS (\\Answered)").await;
    let told: Vec<&String> = answered.iter().chain(&after).filter(|line| line.starts_with("* 1 FETCH")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("\\Answered \\Flagged"), "{told:?}");
}

/// The same where the flag is the one we set: nothing of ours changed, and the other's change is told all the same.
#[tokio::test]
async fn a_silent_store_that_changes_nothing_hides_nothing() {
    let (answered, after) = race(&["STORE 2 +FLAGS (\\Seen)"], "STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    let told: Vec<&String> = answered.iter().chain(&after).filter(|line| line.contains("FETCH")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}
