//! `kill -9` while mail is on its way to another operator: everything accepted arrives there, and what arrives twice was
//! under way when the server was killed (RFC 5321 §6.1).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{
    letter,
    postfix::ADDRESS,
    random::Random,
    server::{Doors, Options, Server},
    sink::Sink,
};

const THERE: &str = "paul@ailleurs.example";

/// Sessions that submit at one time.
const SENDERS: usize = 3;

/// Connections to one operator, each with a message under way when the server is killed, and as many answers not yet
/// written down.
const DUPLICATES_OF_A_ROUND_MAX: usize = 40;

/// Time for the last ones to arrive: pauses after a failed attempt are part of it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_was_accepted_arrives_though_the_server_is_killed_again_and_again() -> Result<()> {
    let rounds: usize = if std::env::var_os("SCEAU_TEST_LONG").is_some() { 100 } else { 20 };
    let temporary = TempDir::with_prefix("sceau-relay-kill-")?;
    let options = || Options { folder: Some(temporary.path().join("data")), ..Options::default() };
    let mut random = Random::for_this_run();
    let mut accepted = Vec::new();
    // In which rounds each message arrived.
    let mut arrived: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for round in 0..rounds {
        let mut server = Server::start_with(options())?;
        let sink = sink(&server)?;
        let life = Duration::from_millis(random.between(50, 600));
        accepted.extend(submit_until_killed(&mut server, life)?);
        while let Some(message) = sink.next_within(Duration::from_millis(20)) {
            arrived.entry(message.name).or_default().push(round);
        }
    }
    let server = Server::start_with(options())?;
    let sink = sink(&server)?;
    let begun = Instant::now();
    while !accepted.iter().all(|name| arrived.contains_key(name)) {
        let missing = accepted.iter().filter(|name| !arrived.contains_key(*name)).count();
        let late = begun.elapsed() > PATIENCE;
        ensure!(!late, "{missing} of {} did not arrive:\n{}", accepted.len(), server.run(&["queue", "list"])?.out);
        if let Some(message) = sink.next_within(Duration::from_millis(200)) {
            arrived.entry(message.name).or_default().push(rounds);
        }
    }
    let twice: Vec<&Vec<usize>> = arrived.values().filter(|rounds| rounds.len() > 1).collect();
    println!("{} accepted in {rounds} rounds, {} of them arrived more than once", accepted.len(), twice.len());
    ensure!(accepted.len() > rounds, "hardly anything was accepted: {}", accepted.len());
    for rounds in &twice {
        ensure!(rounds.windows(2).all(|two| two[0] < two[1]), "twice without a kill in between: {rounds:?}");
    }
    ensure!(twice.len() <= rounds * DUPLICATES_OF_A_ROUND_MAX, "{} arrived twice", twice.len());
    let verified = server.run(&["verify"])?;
    ensure!(verified.status.success(), "verify: {}{}", verified.out, verified.err);
    Ok(())
}

fn sink(server: &Server) -> Result<Sink> {
    let file = |key: &str| Path::new(server.settings.get(key)).to_owned();
    let address = SocketAddr::from((ADDRESS, server.settings.address("B_SMTP_PORT").port()));
    let chain = file("CERT_OTHER_DOMAIN");
    Sink::start(address, &chain, &file("KEY_OTHER_DOMAIN"), &chain.with_file_name("root.pem"))
}

/// Submits one message after the other, kills the server after a while; gives the names of those acknowledged.
fn submit_until_killed(server: &mut Server, life: Duration) -> Result<Vec<String>> {
    let doors = Doors::clone(server);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let submit = || {
            let mut acknowledged = Vec::new();
            let sender = doors.settings.get("MSS1");
            let Ok(mut session) = doors.submission(1) else { return acknowledged };
            while !stop.load(Ordering::Relaxed) {
                let name = letter::unique_name();
                match session.send(sender, &[THERE], &letter::named(sender, THERE, &name, 3_000)) {
                    Ok(reply) if reply.is_ok() => acknowledged.push(name),
                    _ => break,
                }
            }
            acknowledged
        };
        let working: Vec<_> = (0..SENDERS).map(|_| scope.spawn(submit)).collect();
        std::thread::sleep(life);
        server.kill()?;
        stop.store(true, Ordering::Relaxed);
        let names = working.into_iter().filter_map(|thread| thread.join().ok());
        Ok(names.flatten().collect())
    })
}
