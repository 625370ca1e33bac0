//! A session that did not look for long: what vanished meanwhile has left the log, and it still comes to the truth.

use store::entry::{Scope, expunge, set_flags};
use store::flags::FlagOperation;
use store::mailbox::MailboxName;
use store::{Flags, SystemFlag, Uid, UidSet};

use crate::player::Connection;
use crate::world::World;

async fn expunge_and_lose_the_log(world: &World, uids: &[u32]) {
    let (account, name) = (world.anne, MailboxName::parse("INBOX").unwrap());
    let found = world.store.read(move |view| store::mailbox::by_name(view, account, &name)).await;
    let inbox = found.unwrap_or_else(|error: store::StoreError| panic!("{error}")).unwrap().id;
    let uids: UidSet = uids.iter().filter_map(|uid| Uid::new(*uid)).collect();
    let done = world.store.transaction(move |tx| {
        let deleted = Flags::system(&[SystemFlag::Deleted]);
        set_flags(tx, inbox, &uids, FlagOperation::Add, &deleted, None)?;
        let gone = expunge(tx, inbox, Scope::Uids(&uids), crate::world::THEN)?;
        tx.execute("DELETE FROM vanished", &[])?;
        tx.execute("UPDATE mailbox SET vanished_floor = $1", &[gone.modseq.0.into()])?;
        Ok::<_, store::StoreError>(())
    });
    done.await.unwrap();
}

async fn world_of_five() -> World {
    let world = World::new().await;
    for _ in 0..5 {
        world.deliver("INBOX", b"Subject: x\r\n\r\nx\r\n", Flags::none()).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_knows_its_uids_hears_which_went() {
    let world = world_of_five().await;
    let mut client = Connection::open(&world, "anne").await;
    client.command("SELECT INBOX").await;
    client.command("FETCH 1:* UID").await;
    expunge_and_lose_the_log(&world, &[2, 4]).await;
    assert_eq!(client.command("NOOP").await, ["* 4 EXPUNGE", "* 2 EXPUNGE", "t OK NOOP completed"]);
    let left = client.command("FETCH 1:* UID").await;
    assert_eq!(left, ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)", "t OK FETCH completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_is_left_with_what_is_there() {
    let world = world_of_five().await;
    let mut client = Connection::open(&world, "anne").await;
    client.command("SELECT INBOX").await;
    expunge_and_lose_the_log(&world, &[2, 4]).await;
    let told = client.command("NOOP").await;
    assert!(told.len() == 3 && told[..2].iter().all(|line| line.ends_with(" EXPUNGE")), "{told:?}");
    let left = client.command("FETCH 1:* UID").await;
    assert_eq!(left, ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)", "t OK FETCH completed"]);
}
