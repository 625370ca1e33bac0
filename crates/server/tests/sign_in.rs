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
use server::authenticator::Authenticator;
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
    ] {
        // Twice: the second time the answer may come from memory.
        for _ in 0..2 {
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
    let slowed = began.elapsed() >= std::time::Duration::from_millis(250);
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
        let began = tokio::time::Instant::now();
        let answer = world.authenticator.answer(&session, challenge()).await;
        let slowed = began.elapsed() >= std::time::Duration::from_millis(250);
        assert!(slowed || matches!(answer, Answer::Refused(Failure::Throttled)), "{login}: {:?}", began.elapsed());
    }
}
