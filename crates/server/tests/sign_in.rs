//! Who gets in, and what strangers learn: nothing.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests open a store of their own"
)]

use std::net::IpAddr;
use std::path::Path;

use auth::sasl::{Answer, Failure, Question, Secret};
use server::admin::{Administration, Request};
use server::assembly;
use server::authenticator::{Authenticator, REFUSED_AFTER};
use server::config::Config;
use server::sessions::{Protocol, Session, Sessions};
use server::telemetry::Metrics;

const ANNE: &str = "anne@a.example";
const CHOSEN: &str = "quatre mots au hasard";

/// A store with Anne, who chose her password, Paul, whose password was generated, and Lea, who is disabled.
struct World {
    folder: tempfile::TempDir,
    config: Config,
    administration: Administration,
    authenticator: Authenticator,
    generated: String,
    sessions: Sessions,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let text = "[server]\nname = \"localhost\"\ndata = \".\"\n[passwords]\nnever_slowed = [\"192.0.2.0/24\"]\n";
        let config = Config::parse(&folder.path().join("sceau.toml"), text).unwrap();
        let store = assembly::open_store(&config).await.unwrap();
        let delivery = assembly::delivery(&config, &store);
        let administration = Administration::on_store(&config, store, delivery);
        let ask = async |request| administration.execute(request).await.unwrap();
        ask(Request::StructureAdd { name: "A".into() }).await;
        ask(Request::DomainAdd { structure: "1".into(), domain: "a.example".into() }).await;
        let account = |address: &str, password: Option<&str>| Request::AccountAdd {
            address: address.into(),
            name: "N".into(),
            language: "fr".into(),
            quota_octets: 0,
            password: password.map(str::to_owned),
        };
        ask(account(ANNE, Some(CHOSEN))).await;
        let generated = ask(account("paul@a.example", None)).await["password"].as_str().unwrap().to_owned();
        ask(account("lea@a.example", Some(CHOSEN))).await;
        ask(account("zoe@a.example", Some("l'\u{e9}te\u{301} \u{e0} la mer"))).await;
        ask(Request::AccountDisable { account: "lea@a.example".into() }).await;
        ask(Request::AccountAddress { account: ANNE.into(), address: "a.martin@a.example".into() }).await;
        let authenticator = open(&administration, &config, folder.path());
        let sessions = Sessions::new(assembly::session_limits(&config));
        World { folder, config, administration, authenticator, generated, sessions }
    }

    fn session(&self, peer: IpAddr) -> Session {
        self.sessions.open(Protocol::Submission, peer).unwrap()
    }

    async fn password(&self, login: &str, acting_for: Option<&str>, password: &str) -> Answer {
        let question = Question::Password {
            login: login.into(),
            acting_for: acting_for.map(str::to_owned),
            password: Secret::new(password.into()),
        };
        self.authenticator.answer(&self.session(home()), question).await
    }
}

fn open(administration: &Administration, config: &Config, folder: &Path) -> Authenticator {
    Authenticator::open(administration.store().clone(), &config.passwords, folder, Metrics::default()).unwrap()
}

/// An address whose failures are not counted, so that these tests do not wait.
fn home() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn account(answer: &Answer) -> Option<i64> {
    match answer {
        Answer::Accepted(identity) => Some(identity.acting_for.0),
        Answer::Refused(Failure::Credentials) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_right_password_of_an_active_account_and_nothing_else() {
    let world = World::new().await;
    for (login, acting_for, password, expected) in [
        (ANNE, None, CHOSEN, Some(1)),
        ("ANNE@A.example", None, CHOSEN, Some(1)),
        ("a.martin@a.example", None, CHOSEN, Some(1)),
        (ANNE, Some(ANNE), CHOSEN, Some(1)),
        (ANNE, Some("a.martin@a.example"), CHOSEN, Some(1)),
        (ANNE, Some("paul@a.example"), CHOSEN, None),
        (ANNE, Some("nobody@a.example"), CHOSEN, None),
        (ANNE, None, "quatre mots au hasarD", None),
        (ANNE, None, "", None),
        ("paul@a.example", None, &world.generated, Some(2)),
        ("paul@a.example", None, CHOSEN, None),
        ("lea@a.example", None, CHOSEN, None),
        ("nobody@a.example", None, CHOSEN, None),
        ("' OR 1=1 --", None, CHOSEN, None),
        ("", None, "", None),
        // As macOS, a word processor, and nobody at all would type them.
        ("zoe@a.example", None, "l'e\u{301}te\u{301} a\u{300} la mer", Some(4)),
        ("\u{a0}zoe@a.example", None, "l'\u{e9}t\u{e9}\u{a0}\u{e0}\u{202f}la mer", Some(4)),
        ("\u{a0}anne@a.example", None, CHOSEN, Some(1)),
        (ANNE, None, "quatre mots au hasard\0", None),
    ] {
        // Twice: the second time the answer may come from memory. What is refused never does.
        for _ in 0..if expected.is_some() { 2 } else { 1 } {
            let answer = world.password(login, acting_for, password).await;
            assert_eq!(account(&answer), expected, "{login} {acting_for:?}");
        }
    }
}

#[tokio::test]
async fn what_was_verified_before_a_change_counts_no_more() {
    let world = World::new().await;
    assert_eq!(account(&world.password(ANNE, None, CHOSEN).await), Some(1));
    let new = Request::AccountPassword { account: ANNE.into(), password: Some("cinq autres mots au hasard".into()) };
    world.administration.execute(new).await.unwrap();
    world.authenticator.forget(auth::AccountId(1));
    assert_eq!(account(&world.password(ANNE, None, CHOSEN).await), None);
    assert_eq!(account(&world.password(ANNE, None, "cinq autres mots au hasard").await), Some(1));
}

#[tokio::test]
async fn scram_credentials_of_strangers_are_false_and_stay_the_same() {
    let world = World::new().await;
    let ask = async |authenticator: &Authenticator, login: &str| match authenticator
        .answer(&world.session(home()), Question::ScramCredentials { login: login.into() })
        .await
    {
        Answer::Scram(credentials) => credentials,
        other => panic!("{other:?}"),
    };
    let again = open(&world.administration, &world.config, world.folder.path());
    // Nobody, the disabled one, and the one whose chosen password has no SCRAM credentials look like anyone else.
    for login in ["nobody@a.example", "lea@a.example", ANNE, "no address at all"] {
        let first = ask(&world.authenticator, login).await;
        assert!(first == ask(&again, login).await, "{login}: the same after a restart");
        let real = ask(&world.authenticator, "paul@a.example").await;
        assert_eq!((first.salt.len(), first.iterations), (real.salt.len(), real.iterations), "{login}");
        assert!(first.salt != real.salt);
    }
}

#[tokio::test]
async fn failures_are_remembered_over_a_restart() {
    let world = World::new().await;
    let elsewhere: IpAddr = "198.51.100.7".parse().unwrap();
    let wrong = || Question::Password { login: ANNE.into(), acting_for: None, password: Secret::new("wrong".into()) };
    for _ in 0..=auth::throttle::PAIR_FAILURES_FREE {
        world.authenticator.answer(&world.session(elsewhere), wrong()).await;
    }
    world.authenticator.keep_counters();
    let again = open(&world.administration, &world.config, world.folder.path());
    let began = tokio::time::Instant::now();
    let answer = again.answer(&world.session(elsewhere), wrong()).await;
    let slowed = began.elapsed() >= REFUSED_AFTER + std::time::Duration::from_millis(250);
    assert!(slowed || matches!(answer, Answer::Refused(Failure::Throttled)), "{answer:?} {:?}", began.elapsed());
    // The person herself, somewhere else, gets in.
    assert_eq!(account(&world.password(ANNE, None, CHOSEN).await), Some(1));
}

#[tokio::test]
async fn s16_wrong_scram_proofs_count_like_wrong_passwords() {
    let world = World::new().await;
    let session = world.session("198.51.100.8".parse().unwrap());
    for login in ["paul@a.example", "nobody@a.example"] {
        let challenge = || Question::ScramCredentials { login: login.into() };
        for _ in 0..=auth::throttle::PAIR_FAILURES_FREE {
            assert!(matches!(world.authenticator.answer(&session, challenge()).await, Answer::Scram(_)));
            let refused = world.authenticator.answer(&session, Question::WrongProof { login: login.into() }).await;
            assert_eq!(account(&refused), None);
        }
        // The challenge never waits: it comes as soon for the owner as for a stranger.
        assert!(matches!(world.authenticator.answer(&session, challenge()).await, Answer::Scram(_)));
        let began = tokio::time::Instant::now();
        let answer = world.authenticator.answer(&session, Question::WrongProof { login: login.into() }).await;
        let slowed = began.elapsed() >= REFUSED_AFTER + std::time::Duration::from_millis(250);
        assert!(slowed || matches!(answer, Answer::Refused(Failure::Throttled)), "{login}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn s14_disabling_an_account_does_not_change_its_salt_and_its_secret_opens_nothing() {
    let world = World::new().await;
    let salt = async || match world
        .authenticator
        .answer(&world.session(home()), Question::ScramCredentials { login: "paul@a.example".into() })
        .await
    {
        Answer::Scram(credentials) => credentials,
        other => panic!("{other:?}"),
    };
    let before = salt().await;
    world.administration.execute(Request::AccountDisable { account: "paul@a.example".into() }).await.unwrap();
    let after = salt().await;
    assert!(before.salt == after.salt && before.iterations == after.iterations);
    assert!(before.stored_key != after.stored_key && before.server_key != after.server_key);
}

/// From an address slowed by others' failures: the owner, known there, enters at once; wrong passwords for her, for one who
/// never came, for the disabled one and for nobody are refused at the same time.
#[tokio::test]
async fn s14_s16_where_all_are_slowed_only_the_right_password_is_quick() {
    let world = World::new().await;
    let hospital: IpAddr = "198.51.100.9".parse().unwrap();
    let timed = async |login: &str, password: &str| {
        let question =
            Question::Password { login: login.into(), acting_for: None, password: Secret::new(password.into()) };
        let began = tokio::time::Instant::now();
        let answer = world.authenticator.answer(&world.session(hospital), question).await;
        (answer, began.elapsed())
    };
    assert_eq!(account(&timed(ANNE, CHOSEN).await.0), Some(1));
    let guesses: Vec<_> = (0..80).map(|number| format!("guess{number}@a.example")).collect();
    let (world_of, hospital_of) = (&world, hospital);
    let strangers = guesses.iter().map(|login| async move {
        let session = world_of.session(hospital_of);
        world_of.authenticator.answer(&session, Question::WrongProof { login: login.clone() }).await
    });
    at_once(strangers.collect()).await;

    let (answer, elapsed) = timed(ANNE, CHOSEN).await;
    assert_eq!(account(&answer), Some(1));
    assert!(elapsed < REFUSED_AFTER, "she waited {elapsed:?}");
    let least = auth::throttle::ADDRESS_DELAY_MAX + REFUSED_AFTER;
    for login in [ANNE, "paul@a.example", "lea@a.example", "nobody@a.example"] {
        let (answer, elapsed) = timed(login, "not the password").await;
        assert_eq!(account(&answer), None);
        assert!(elapsed >= least && elapsed < least + REFUSED_AFTER / 2, "{login}: {elapsed:?}");
    }
}

#[tokio::test]
async fn hanging_up_before_the_refusal_counts_as_a_wrong_password() {
    let world = World::new().await;
    let session = world.session("198.51.100.10".parse().unwrap());
    for _ in 0..=auth::throttle::PAIR_FAILURES_FREE {
        let guess = Question::WrongProof { login: ANNE.into() };
        let soon = std::time::Duration::from_millis(5);
        assert!(tokio::time::timeout(soon, world.authenticator.answer(&session, guess)).await.is_err());
    }
    let began = tokio::time::Instant::now();
    world.authenticator.answer(&session, Question::WrongProof { login: ANNE.into() }).await;
    assert!(began.elapsed() >= REFUSED_AFTER + std::time::Duration::from_millis(250));
}

/// Drives futures that borrow side by side.
async fn at_once<F: std::future::Future>(futures: Vec<F>) {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
