//! Killed again and again while mail leaves: what was acknowledged arrives, and twice only where RFC 5321 §6.1 allows it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use server::development_trust_space::Holder;

use crate::peer::{Behaviour, Peer, Tls};
use crate::program::{Place, free_port};
use crate::world::PATIENCE;

/// As often as the issue asks of every run.
const ROUNDS: u64 = 20;

/// What Ann's program was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Acknowledged,
}

/// Numbers that look random and are the same in each run.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_what_was_acknowledged_arrives_however_often_the_server_is_killed() {
    let port = free_port();
    let place = Place::new(port).await;
    let behaviour = Behaviour {
        greeting: "220 mx.clinique.example ESMTP\r\n",
        tls: Tls::Shown(place.made.certificate(Holder::Valid)),
        extensions: vec!["PIPELINING", "8BITMIME", "SIZE 60000000"],
        answers: BTreeMap::new(),
        pause: Duration::from_millis(3),
    };
    let peer = Peer::start_at(&format!("127.0.0.1:{port}"), behaviour).await;
    let mut ledger: BTreeMap<String, Told> = BTreeMap::new();
    let mut state = 20_261_120;
    for round in 0..ROUNDS {
        let mut program = place.start().await;
        let client = place.client().await.expect("it signs in");
        let life = Duration::from_millis(random(&mut state, 700));
        let sending = send_until_broken(client, round, &mut ledger);
        // Dropped where it stands: what was asked and not answered is written down as such.
        let _ = tokio::time::timeout(life, sending).await;
        program.kill();
    }
    let acknowledged = ledger.values().filter(|told| **told == Told::Acknowledged).count();
    assert!(acknowledged > 50, "{acknowledged} is no load");

    let _program = place.start().await;
    let began = Instant::now();
    while place.queue().trim() != "[]" {
        assert!(began.elapsed() < 3 * PATIENCE, "{}\n{}", place.queue(), place.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let heard = peer.heard();
    let mut times: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for taken in &heard.taken {
        let name = taken.recipient.strip_prefix("RCPT TO:<").unwrap().split('@').next().unwrap();
        times.entry(name).or_default().push(taken.was_last);
    }
    for (name, told) in &ledger {
        let times = times.get(&**name).map_or(&[][..], Vec::as_slice);
        assert!(!times.is_empty() || *told == Told::Nothing, "{name} was acknowledged and is lost");
        let Some((_, earlier)) = times.split_last() else { continue };
        // The server said something more on that connection: it had heard the answer, and recorded it.
        assert!(earlier.iter().all(|was_last| *was_last), "{name} came again though its answer was recorded");
    }
    let twice = times.values().filter(|times| times.len() > 1).count();
    assert!(times.keys().all(|name| ledger.contains_key(*name)), "nothing comes that was not sent");
    println!("{acknowledged} acknowledged, {} arrived, {twice} of them twice", times.len());
}

async fn send_until_broken(mut client: crate::program::Client, round: u64, ledger: &mut BTreeMap<String, Told>) {
    for number in 0.. {
        let name = format!("m{round}-{number}");
        ledger.insert(name.clone(), Told::Nothing);
        let to = format!("<{name}@clinique.example>");
        let content = format!("From: ann@hopital.example\r\nTo: {to}\r\nSubject: {name}\r\n\r\nWell.\r\n");
        match client.send("", &[&to], content.as_bytes()).await {
            Ok(reply) if reply.starts_with("250") => {
                ledger.insert(name, Told::Acknowledged);
            }
            Ok(reply) => panic!("{reply}"),
            Err(_) => return,
        }
    }
}
