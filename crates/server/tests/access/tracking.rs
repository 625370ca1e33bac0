//! Clients that believe what they are told: whatever several sessions do, each client's picture of the mailbox, made of
//! EXISTS, EXPUNGE and FETCH alone, is the mailbox.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::Flags;

use crate::player::Connection;
use crate::world::World;

/// A client's picture: per sequence number the UID, once it was told, and whether the message is flagged.
struct Client {
    connection: Connection,
    messages: Vec<(Option<u32>, Option<bool>)>,
}

impl Client {
    async fn open(world: &World) -> Client {
        let mut client = Client { connection: Connection::open(world, "anne").await, messages: Vec::new() };
        client.command("SELECT INBOX", Expunges::Allowed).await;
        client
    }

    async fn command(&mut self, command: &str, expunges: Expunges) -> Vec<String> {
        let lines = self.connection.command(command).await;
        for line in &lines {
            self.hear(line, command, expunges);
        }
        assert!(lines.last().unwrap().starts_with("t OK"), "{command}: {lines:?}");
        lines
    }

    fn hear(&mut self, line: &str, command: &str, expunges: Expunges) {
        let Some((number, what)) = line.strip_prefix("* ").and_then(|line| line.split_once(' ')) else { return };
        let Ok(number) = number.parse::<usize>() else { return };
        match what.split(' ').next().unwrap() {
            "EXISTS" => {
                assert!(number >= self.messages.len(), "{command}: {line} shrinks the mailbox");
                self.messages.resize(number, (None, None));
            }
            "EXPUNGE" => {
                assert_eq!(expunges, Expunges::Allowed, "{command}: {line} here");
                self.messages.remove(number - 1);
            }
            "FETCH" => {
                let message = &mut self.messages[number - 1];
                if let Some(uid) = what.split_once("UID ").map(|(_, rest)| rest) {
                    let digits: String = rest_digits(uid);
                    let uid = digits.parse().unwrap();
                    assert!(message.0.is_none_or(|known| known == uid), "{command}: {line} is another message");
                    message.0 = Some(uid);
                }
                if what.contains("FLAGS (") {
                    message.1 = Some(what.contains("\\Flagged"));
                }
            }
            _ => {}
        }
    }
}

fn rest_digits(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expunges {
    Allowed,
    Forbidden,
}

/// Small, repeatable, and good enough to choose commands.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// What one client does next.
async fn step(world: &World, client: &mut Client, dice: &mut Dice) {
    let count = client.messages.len();
    let number = if count == 0 { 1 } else { dice.roll(count) + 1 };
    match dice.roll(11) {
        0 | 1 => {
            world.deliver("INBOX", b"Subject: new\r\n\r\nx\r\n", Flags::none()).await;
        }
        2 if count > 0 => {
            let command = format!("STORE {number} +FLAGS (\\Flagged)");
            client.command(&command, Expunges::Forbidden).await;
        }
        3 if count > 0 => {
            let command = format!("STORE {number} -FLAGS (\\Flagged)");
            client.command(&command, Expunges::Forbidden).await;
        }
        4 if count > 0 => {
            let command = format!("STORE {number} +FLAGS.SILENT (\\Deleted)");
            client.command(&command, Expunges::Forbidden).await;
        }
        5 => {
            client.command("EXPUNGE", Expunges::Allowed).await;
        }
        6 if count > 0 => {
            client.command("FETCH 1:* (UID FLAGS)", Expunges::Forbidden).await;
        }
        7 => {
            client.command("UID FETCH 1:* (FLAGS)", Expunges::Allowed).await;
        }
        8 if count > 0 => {
            let command = format!("MOVE {number} Archive");
            client.command(&command, Expunges::Allowed).await;
        }
        9 if count > 0 => {
            let command = format!("COPY {number} INBOX");
            client.command(&command, Expunges::Allowed).await;
        }
        _ => {
            client.command("NOOP", Expunges::Allowed).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_has_the_same_true_picture() {
    for seed in 1..=6 {
        let world = World::new().await;
        let mut dice = Dice(seed);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Client::open(&world).await);
        }
        for _ in 0..120 {
            let who = dice.roll(clients.len());
            step(&world, &mut clients[who], &mut dice).await;
        }
        agree(&mut clients, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_at_the_same_time_end_with_the_same_true_picture() {
    for seed in 1..=3 {
        let world = Arc::new(World::new().await);
        let mut running = Vec::new();
        for number in 0..5 {
            let world = world.clone();
            running.push(tokio::spawn(async move {
                let (mut client, mut dice) = (Client::open(&world).await, Dice(seed * 100 + number));
                for _ in 0..60 {
                    step(&world, &mut client, &mut dice).await;
                }
                client
            }));
        }
        let mut clients = Vec::new();
        for client in running {
            clients.push(client.await.unwrap());
        }
        agree(&mut clients, seed).await;
    }
}

/// After one NOOP each, all know the same, and it is what the mailbox holds.
async fn agree(clients: &mut [Client], seed: u64) {
    let mut pictures = BTreeSet::new();
    for client in clients {
        client.command("NOOP", Expunges::Allowed).await;
        // Flags heard so far must be true already; the FETCH below only fills the gaps.
        let heard = client.messages.clone();
        client.command("UID FETCH 1:* (FLAGS)", Expunges::Allowed).await;
        for (before, after) in heard.iter().zip(&client.messages) {
            assert!(before.0.is_none() || before.0 == after.0, "seed {seed}");
            assert!(before.1.is_none() || before.1 == after.1, "seed {seed}: {before:?} {after:?}");
        }
        pictures.insert(client.messages.clone());
        let lines = client.command("UID SEARCH ALL", Expunges::Allowed).await;
        let uids: Vec<u32> = lines[0].split(' ').skip(2).map(|uid| uid.parse().unwrap()).collect();
        let known: Vec<u32> = client.messages.iter().map(|(uid, _)| uid.unwrap_or_default()).collect();
        assert_eq!(uids, known, "seed {seed}");
    }
    assert_eq!(pictures.len(), 1, "seed {seed}: the clients disagree");
}
