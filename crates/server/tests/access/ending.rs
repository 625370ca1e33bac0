//! How sessions end from outside, and what waiting clients see of it.

use std::time::{Duration, Instant};

use store::Flags;

use crate::player::Connection;
use crate::world::World;

async fn idle(world: &World) -> Connection {
    let mut connection = Connection::open(world, "anne").await;
    connection.command("SELECT INBOX").await;
    connection.send(b"i IDLE\r\n").await;
    assert!(connection.line().await.unwrap().starts_with('+'));
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_says_bye() {
    let world = World::new().await;
    let mut waiting = idle(&world).await;
    let mut other = Connection::open(&world, "anne").await;
    world.sessions.stop();
    for connection in [&mut waiting, &mut other] {
        assert!(connection.line().await.unwrap().starts_with("* BYE "));
        assert_eq!(connection.line().await, None);
    }
    for _ in 0..100 {
        if world.sessions.count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("sessions are still in the table");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabling_an_account_ends_its_sessions_at_once() {
    let world = World::new().await;
    let mut anne = idle(&world).await;
    let mut paul = Connection::open(&world, "paul").await;
    assert_eq!(world.sessions.end_all_of(world.anne, server::sessions::Ending::Suspended), 1);
    assert!(anne.line().await.unwrap().starts_with("* BYE "));
    assert_eq!(anne.line().await, None);
    assert_eq!(paul.command("NOOP").await, ["t OK NOOP completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_so_many_sessions_and_no_more() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Connection::open(&world, "anne").await);
    }
    let mut one_more = Connection::connect(&world).await;
    let answer = one_more.command("LOGIN anne secret").await;
    assert!(answer.last().unwrap().starts_with("t NO [UNAVAILABLE]"), "{answer:?}");
    drop(open.pop());
    for _ in 0..100 {
        if one_more.command("LOGIN anne secret").await.last().unwrap().starts_with("t OK") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place was not given back");
}

/// The target is 2 ms with an optimised build; here only that it is no polling interval.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_wakes_up_soon_after_the_commit() {
    let world = World::new().await;
    let mut waiting = idle(&world).await;
    let mut delays = Vec::new();
    for number in 1..=20 {
        world.deliver("INBOX", b"Subject: x\r\n\r\nx\r\n", Flags::none()).await;
        let committed = Instant::now();
        assert_eq!(waiting.line().await.unwrap(), format!("* {number} EXISTS"));
        delays.push(committed.elapsed());
        waiting.line().await.unwrap();
    }
    delays.sort();
    assert!(delays[10] < Duration::from_millis(500), "{delays:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_holds_nobody_up() {
    let world = World::new().await;
    let message = [&b"Subject: x\r\n\r\n"[..], "0123456789abcde\r\n".repeat(20_000).as_bytes()].concat();
    for _ in 0..10 {
        world.deliver("INBOX", &message, Flags::none()).await;
    }
    // More stalled readers than the store has reading threads.
    let mut stalled = Vec::new();
    for _ in 0..9 {
        let mut connection = Connection::open(&world, "anne").await;
        connection.command("EXAMINE INBOX").await;
        connection.send(b"f FETCH 1:* BODY[]\r\n").await;
        stalled.push(connection);
    }
    let mut other = Connection::open(&world, "paul").await;
    assert!(other.command("SELECT INBOX").await.last().unwrap().starts_with("t OK"));
    world.deliver("INBOX", b"Subject: y\r\n\r\ny\r\n", Flags::none()).await;
    let mut octets = 0;
    while !stalled[0].octets_to_line_end().await.starts_with(b"f OK") {
        octets += 1;
    }
    assert!(octets > 200_000);
}

/// A session that waits holds a few kilobytes: the rest of the budget of 30 KiB is TLS and the socket's.
#[tokio::test]
async fn a_waiting_session_is_small() {
    let world = World::new().await;
    let place = world.sessions.open(server::sessions::Protocol::Imap, "192.0.2.1".parse().unwrap()).unwrap();
    let transport = imap::server::Transport::Clear;
    let mut conversation = server::access::Conversation::new(world.context.clone(), place, transport);
    let conversation_octets = size_of_val(&conversation);
    let (_, mut stream) = tokio::io::duplex(64);
    let future_octets = size_of_val(&server::access::serve(&mut stream, &mut conversation));
    println!("conversation {conversation_octets}, future {future_octets}");
    assert!(conversation_octets + future_octets < 3_000, "{conversation_octets} and {future_octets}");
}
