//! What was told as recent is noted in the store before the last session of the account is forgotten.

use store::{Flags, StoreError};

use crate::player::Connection;
use crate::world::World;

/// `recent_from` of INBOX, once it is `expected` or nothing more will come.
async fn noted(world: &World, expected: u32) -> u32 {
    let mut found = 0;
    for _ in 0..500 {
        let (account, name) = (world.anne, store::mailbox::MailboxName::parse("INBOX").unwrap());
        let row = world.store.read(move |view| store::mailbox::by_name(view, account, &name)).await;
        found = row.unwrap_or_else(|error: StoreError| panic!("{error}")).unwrap().recent_from;
        if found == expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_is_noted_at_select_and_when_the_session_ends() {
    let world = World::new().await;
    let message = b"Subject: x\r\n\r\nx\r\n";
    world.deliver("INBOX", message, Flags::none()).await;
    let mut client = Connection::open(&world, "anne").await;
    client.command("EXAMINE INBOX").await;
    client.command("SELECT INBOX").await;
    assert_eq!(noted(&world, 2).await, 2);
    world.deliver("INBOX", message, Flags::none()).await;
    let told = client.command("NOOP").await;
    assert_eq!(told, ["* 2 EXISTS", "* 2 RECENT", "t OK NOOP completed"]);
    drop(client);
    assert_eq!(noted(&world, 3).await, 3);
    world.deliver("INBOX", message, Flags::none()).await;
    let mut client = Connection::open(&world, "anne").await;
    let told = client.command("SELECT INBOX").await;
    assert!(told.contains(&"* 1 RECENT".to_owned()), "{told:?}");
}
