//! S14: how long a refusal takes tells nothing. Known and unknown logins are tried in an order of chance, so that a busy
//! machine troubles both alike, and their times are compared.
//!
//! The full count (`scripts/test --long`) is held to Welch's t-test, the usual one to a coarse look at the medians.
//! `SCEAU_TEST_TIMINGS` is the number of attempts of each kind, `SCEAU_TEST_SEED` repeats the order of a run.

use std::{
    net::Ipv4Addr,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tests::{
    imap::Imap,
    random::Random,
    server::{Options, Server},
    smtp::Smtp,
    welch::Comparison,
    wire::Wire,
};

use super::long;

/// Between the means of known and unknown logins: what S14 asks for. The timers that hold refusals back tick in
/// milliseconds, and less than one cannot be told apart over a network in as many attempts as the throttle lets through.
const DIFFERENCE_MAX: f64 = 0.001;

/// Attempts of each kind in the long run. With a standard deviation of 2 ms, |t| passes 4.5 at a difference of 0.9 ms; on a
/// machine six times overloaded it was 8 ms, which finds 4 ms: a tenth of what one hash takes.
const ATTEMPTS_LONG: u32 = 200;
/// See [`ATTEMPTS_LONG`].
const ATTEMPTS_SHORT: u32 = 12;

/// Attempts under way at once: refusals mostly wait, so there is time for several; few enough to leave hashing no queue.
const AT_ONCE: usize = 4;
/// The same from a slowed address, where they wait longer.
const AT_ONCE_SLOWED: usize = 16;

/// Attempts of one login from one address that are not slowed for being of one login.
const ATTEMPTS_PER_LOGIN: u32 = 4;

/// One failing sign-in.
#[derive(Clone, Debug)]
struct Attempt {
    login: String,
    known: bool,
    source: Ipv4Addr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    ImapLogin,
    SmtpPlain,
    /// The time of the challenge, which holds the salt.
    ScramFirst,
}

#[test]
fn s14_failed_logins_take_the_same_time() -> Result<()> {
    let attempts = attempts();
    let server = Server::start_with(Options { accounts: Some(attempts), ..Options::default() })?;
    // Half of the known ones are remembered: they signed in a moment ago, elsewhere.
    for number in (1..=attempts).step_by(2) {
        enter(&server, &login(&server, "user", number), Ipv4Addr::LOCALHOST)?;
    }
    let mut random = Random::for_this_run();
    for (third, door) in [(1, Door::ImapLogin), (2, Door::SmtpPlain), (3, Door::ScramFirst)] {
        // Each from an address of its own: what is measured is the work, not the slowing down.
        let mut planned = Vec::new();
        for number in 1..=attempts {
            let [.., high, low] = number.to_be_bytes();
            for (name, known, fourth) in [("user", true, 2 * third), ("gone", false, 2 * third + 1)] {
                let source = Ipv4Addr::new(127, 10 + fourth, high, low);
                planned.push(Attempt { login: login(&server, name, number), known, source });
            }
        }
        let [known, unknown] = measured(&server, door, shuffled(planned, &mut random), AT_ONCE)?;
        compare(&format!("{door:?}"), &known, &unknown)?;
    }
    Ok(())
}

/// Behind the address of a hospital where many fail, those who signed in there before are let in at once; whoever tries
/// their logins from there with another password waits as for a login nobody has.
#[test]
fn s14_failed_logins_from_a_slowed_address_take_the_same_time() -> Result<()> {
    let logins = attempts().div_ceil(ATTEMPTS_PER_LOGIN);
    let server = Server::start_with(Options { accounts: Some(logins), ..Options::default() })?;
    let hospital = Ipv4Addr::new(127, 200, 0, 1);
    for number in 1..=logins {
        enter(&server, &login(&server, "user", number), hospital)?;
    }
    // Every account that entered lets the address fail some more: 50 and 5 for each (`auth::throttle`), then up to 2 s.
    let guesses = 50 + 5 * logins + 20;
    let guess = |number| Attempt { login: login(&server, "guess", number), known: false, source: hospital };
    measured(&server, Door::SmtpPlain, (1..=guesses).map(guess).collect(), AT_ONCE_SLOWED)?;

    let mut planned = Vec::new();
    for number in 1..=logins {
        for (name, known) in [("user", true), ("gone", false)] {
            let attempt = Attempt { login: login(&server, name, number), known, source: hospital };
            planned.extend(std::iter::repeat_n(attempt, ATTEMPTS_PER_LOGIN as usize));
        }
    }
    let planned = shuffled(planned, &mut Random::for_this_run());
    let [known, unknown] = measured(&server, Door::SmtpPlain, planned, AT_ONCE_SLOWED)?;
    let fastest = known.iter().chain(&unknown).copied().fold(f64::INFINITY, f64::min);
    ensure!(fastest > 1.5, "the address is not slowed: {fastest} s");
    compare("SmtpPlain from a slowed address", &known, &unknown)?;

    let begun = Instant::now();
    enter(&server, &login(&server, "user", 1), hospital)?;
    ensure!(begun.elapsed().as_secs_f64() < fastest, "the owner waited {:?}", begun.elapsed());
    Ok(())
}

fn compare(what: &str, known: &[f64], unknown: &[f64]) -> Result<()> {
    if !long() {
        let (known, unknown) = (median(known), median(unknown));
        let tolerated = 0.5 * known.max(unknown);
        ensure!((known - unknown).abs() <= tolerated, "{what}: median of known {known} s, of unknown {unknown} s");
        return Ok(());
    }
    // As they are, too: a difference that only the slowest show is one.
    for (which, compared) in
        [("cropped", Comparison::cropped(known, unknown)), ("whole", Comparison::of(known, unknown))]
    {
        println!("{what}, {which}: known and unknown logins: {compared}");
        ensure!(!compared.differs_by(DIFFERENCE_MAX), "{what}, {which}: {compared}");
    }
    Ok(())
}

/// The times of the known and of the unknown ones, in seconds.
fn measured(server: &Server, door: Door, planned: Vec<Attempt>, at_once: usize) -> Result<[Vec<f64>; 2]> {
    let planned = Mutex::new(planned);
    let next = || planned.lock().unwrap().pop();
    let work = || -> Result<Vec<(bool, Duration)>> {
        let mut times = Vec::new();
        while let Some(attempt) = next() {
            times.push((attempt.known, refused(server, door, &attempt)?));
        }
        Ok(times)
    };
    let times = std::thread::scope(|scope| -> Result<Vec<(bool, Duration)>> {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("the thread ends")?);
        }
        Ok(all)
    })?;
    let of = |known| times.iter().filter(|time| time.0 == known).map(|time| time.1.as_secs_f64()).collect();
    Ok([of(true), of(false)])
}

fn refused(server: &Server, door: Door, attempt: &Attempt) -> Result<Duration> {
    let Attempt { login, source, .. } = attempt;
    if door == Door::ImapLogin {
        let wire = Wire::plain_from(*source, server.settings.address("IMAPS_PORT"))?.upgrade(&server.trust)?;
        let mut imap = Imap::over(wire)?;
        let begun = Instant::now();
        let status = imap.command(&format!("LOGIN {login} not-the-password"))?.status;
        let elapsed = begun.elapsed();
        ensure!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "{login}: {status}");
        return Ok(elapsed);
    }
    let wire = Wire::plain_from(*source, server.settings.address("SUBMISSIONS_PORT"))?.upgrade(&server.trust)?;
    let mut smtp = Smtp::over(wire)?;
    smtp.expect("EHLO client.example", 250)?;
    let (line, code) = match door {
        Door::ScramFirst => {
            (format!("AUTH SCRAM-SHA-256 {}", STANDARD.encode(format!("n,,n={login},r=fyko+d2lbbFgONRv9"))), 334)
        }
        Door::SmtpPlain | Door::ImapLogin => (tests::smtp::auth_plain(login, "not-the-password"), 535),
    };
    let begun = Instant::now();
    smtp.expect(&line, code)?;
    Ok(begun.elapsed())
}

fn enter(server: &Server, login: &str, source: Ipv4Addr) -> Result<()> {
    let wire = Wire::plain_from(source, server.settings.address("SUBMISSIONS_PORT"))?.upgrade(&server.trust)?;
    let mut smtp = Smtp::over(wire)?;
    smtp.expect("EHLO client.example", 250)?;
    smtp.expect(&tests::smtp::auth_plain(login, server.settings.get("LOAD_PASSWORD")), 235)?;
    Ok(())
}

fn login(server: &Server, name: &str, number: u32) -> String {
    format!("{name}{number:04}@{}", server.settings.get("LOAD_DOMAIN"))
}

fn attempts() -> u32 {
    let told = std::env::var("SCEAU_TEST_TIMINGS").ok().and_then(|text| text.parse().ok());
    told.unwrap_or(if long() { ATTEMPTS_LONG } else { ATTEMPTS_SHORT })
}

fn shuffled(mut planned: Vec<Attempt>, random: &mut Random) -> Vec<Attempt> {
    for last in (1..planned.len()).rev() {
        let other = random.between(0, last as u64 + 1) as usize;
        planned.swap(last, other);
    }
    planned
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
