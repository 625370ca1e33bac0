//! Answers the questions of SASL exchanges: from the directory in the store, with Argon2id off the network threads,
//! bounded in parallel, behind a cache of verified passwords and a throttle.

mod secret;
mod throttle;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth::password::cache::Ticket;
use auth::password::{StoredCredential, VerifiedPasswords, scram, verify_any};
use auth::sasl::{Answer, Failure, Question, ScramCredentials, Secret};
use auth::throttle::{Admission, Source};
use auth::{AccountId, Identity};
use directory::login;
use ipnet::IpNet;
use mail::Language;
use net::{Randomness, SystemRandomness};
use store::{Snapshot, Store, StoreError};
use tokio::sync::Semaphore;

use self::throttle::KeptThrottle;
use crate::config::Passwords;
use crate::machine::now;
use crate::sessions::Session;
use crate::telemetry::{Metrics, OutcomeLabels};

/// Sign-ins that wait for a place to hash. More are told to come back: each holds a connection.
const WAITING_MAX: usize = 4_096;

/// Time a sign-in waits for a place to hash before it is told to come back.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Who may sign in, and how surely. Shared by all sessions.
pub struct Authenticator {
    store: Store,
    hashing: Arc<Semaphore>,
    waiting: Semaphore,
    verified: Mutex<VerifiedPasswords>,
    throttle: KeptThrottle,
    never_slowed: Vec<IpNet>,
    /// Makes the false SCRAM credentials of unknown logins (S14); the same after a restart.
    false_credentials_key: [u8; 32],
    metrics: Metrics,
}

/// What the directory knows of a login.
struct Known {
    account: AccountId,
    language: Language,
    active: bool,
    credentials: Vec<StoredCredential>,
}

impl Authenticator {
    /// `data` holds the counters of failures and the key of false credentials over restarts.
    ///
    /// # Errors
    /// When that key can be neither read nor written.
    pub fn open(store: Store, config: &Passwords, data: &Path, metrics: Metrics) -> std::io::Result<Authenticator> {
        let mut cache_key = [0; 32];
        SystemRandomness.fill(&mut cache_key);
        Ok(Authenticator {
            store,
            hashing: Arc::new(Semaphore::new(config.hashes_at_once)),
            waiting: Semaphore::new(WAITING_MAX),
            verified: Mutex::new(VerifiedPasswords::new(&cache_key)),
            throttle: KeptThrottle::open(&data.join("sign-in-failures")),
            never_slowed: config.never_slowed.clone(),
            false_credentials_key: secret::ensure(&data.join("false-credentials.key"))?,
            metrics,
        })
    }

    /// Answers one question of a session's client.
    pub async fn answer(&self, session: &Session, question: Question) -> Answer {
        // Credentials are read from here on; SCRAM read them at its first question.
        if !matches!(question, Question::Authorize { .. }) {
            session.sign_in_begins();
        }
        let source = self.source(session.peer());
        let answer = match question {
            Question::Password { login, acting_for, password } => {
                self.password(source, login, acting_for, password).await
            }
            Question::ScramCredentials { login } => self.scram_credentials(source, login).await,
            Question::Authorize { login, acting_for } => self.authorize(source, login, acting_for).await,
            Question::WrongProof { login } => self.wrong(source, &login),
        };
        let outcome = match &answer {
            Answer::Accepted(_) => "accepted",
            Answer::Scram(_) => return answer,
            Answer::Refused(Failure::Unavailable) => "unavailable",
            Answer::Refused(Failure::Throttled) => "throttled",
            Answer::Refused(_) => "credentials",
        };
        self.metrics.sign_ins.get_or_create(&OutcomeLabels { outcome }).inc();
        answer
    }

    /// The account's password changed, or it was disabled: what was verified before counts no more.
    pub fn forget(&self, account: AccountId) {
        self.verified().forget(account);
    }

    /// Lets an address try at once again.
    pub fn forgive_address(&self, address: IpAddr) {
        self.throttle.with(|throttle| throttle.forgive_address(address));
    }

    /// Keeps the counters of failures for the next start.
    pub fn keep_counters(&self) {
        self.throttle.keep();
    }

    async fn password(&self, source: Source, login: String, acting_for: Option<String>, password: Secret) -> Answer {
        if let Err(failure) = self.admitted(&login, source).await {
            return Answer::Refused(failure);
        }
        // Taken before the hash is read: a password that changes from here on is not remembered.
        let ticket = self.verified().ticket();
        let Ok(known) = self.look_up(&login).await else {
            return Answer::Refused(Failure::Unavailable);
        };
        let active = known.filter(|known| known.active);
        let verified = match &active {
            Some(known) if self.verified().contains(known.account, password.expose(), Instant::now()) => true,
            _ => match self.verify(active.as_ref(), password, ticket).await {
                Ok(verified) => verified,
                Err(failure) => return Answer::Refused(failure),
            },
        };
        match active.filter(|_| verified) {
            Some(known) => self.accept(source, &login, &known, acting_for.as_deref()).await,
            None => self.wrong(source, &login),
        }
    }

    /// Counts a wrong password or proof, of known and unknown logins alike.
    fn wrong(&self, source: Source, login: &str) -> Answer {
        self.throttle.with(|throttle| throttle.failed(login, source, now_millis()));
        Answer::Refused(Failure::Credentials)
    }

    /// Hashes, also for nobody: unknown and disabled accounts take the same time (S14).
    async fn verify(&self, known: Option<&Known>, password: Secret, ticket: Ticket) -> Result<bool, Failure> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Failure::Unavailable)?;
        let permit = tokio::time::timeout(WAIT_MAX, self.hashing.clone().acquire_owned());
        let permit = permit.await.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)?;
        let (account, credentials) = match known {
            Some(known) => (Some(known.account), known.credentials.clone()),
            None => (None, Vec::new()),
        };
        let hashing = tokio::task::spawn_blocking(move || {
            let verified = verify_any(&credentials, password.expose());
            drop(permit);
            (verified, password)
        });
        let (verified, password) = hashing.await.map_err(|_| Failure::Unavailable)?;
        self.metrics.password_hashes.inc();
        if let (Some(account), true) = (account, verified) {
            self.verified().insert(ticket, account, password.expose(), Instant::now());
        }
        Ok(verified)
    }

    /// Whoever waits for wrong passwords waits here too: wrong proofs count like them.
    async fn scram_credentials(&self, source: Source, login: String) -> Answer {
        if let Err(failure) = self.admitted(&login, source).await {
            return Answer::Refused(failure);
        }
        match self.look_up(&login).await {
            Ok(known) => {
                let real = known.filter(|known| known.active).and_then(|known| known.scram());
                let credentials = real.unwrap_or_else(|| {
                    let stable = login.trim().to_lowercase();
                    scram::false_credentials(&self.false_credentials_key, &stable)
                });
                Answer::Scram(credentials)
            }
            Err(_) => Answer::Refused(Failure::Unavailable),
        }
    }

    async fn authorize(&self, source: Source, login: String, acting_for: Option<String>) -> Answer {
        match self.look_up(&login).await {
            Ok(Some(known)) if known.active => self.accept(source, &login, &known, acting_for.as_deref()).await,
            Ok(_) => Answer::Refused(Failure::Credentials),
            Err(_) => Answer::Refused(Failure::Unavailable),
        }
    }

    /// The person is who they say. Until boxes can be shared, a person acts for their own only.
    async fn accept(&self, source: Source, login: &str, known: &Known, acting_for: Option<&str>) -> Answer {
        if let Some(box_named) = acting_for.filter(|name| *name != login) {
            match self.look_up(box_named).await {
                Ok(Some(other)) if other.account == known.account => {}
                Ok(_) => return Answer::Refused(Failure::Credentials),
                Err(_) => return Answer::Refused(Failure::Unavailable),
            }
        }
        self.throttle.with(|throttle| throttle.succeeded(login, source, now_millis()));
        Answer::Accepted(Identity { person: known.account, acting_for: known.account, language: known.language })
    }

    /// Waits out the delay that earlier failures earned.
    async fn admitted(&self, login: &str, source: Source) -> Result<(), Failure> {
        match self.throttle.with(|throttle| throttle.admit(login, source, now_millis())) {
            Admission::Now => Ok(()),
            Admission::After(delay) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            Admission::Refuse => Err(Failure::Throttled),
        }
    }

    async fn look_up(&self, login: &str) -> Result<Option<Known>, StoreError> {
        let Some(address) = login::address(login) else {
            return Ok(None);
        };
        let found = self.store.read(move |snapshot| known(snapshot, &address)).await;
        found.inspect_err(|error| tracing::warn!(%error, "cannot look up a login"))
    }

    fn source(&self, peer: IpAddr) -> Source {
        match self.never_slowed.iter().any(|network| network.contains(&peer)) {
            true => Source::Listed(peer),
            false => Source::Address(peer),
        }
    }

    fn verified(&self) -> MutexGuard<'_, VerifiedPasswords> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(snapshot: &mut dyn Snapshot, address: &mail::Address) -> Result<Option<Known>, StoreError> {
    let Some(holder) = store::address::find(snapshot, address)? else {
        return Ok(None);
    };
    let Some(account) = store::account::find(snapshot, holder.account)? else {
        return Ok(None);
    };
    let credentials = store::credential::list(snapshot, holder.account)?;
    Ok(Some(Known {
        account: account.id,
        language: account.language,
        active: account.state == store::account::State::Active,
        credentials: credentials.iter().filter_map(|one| StoredCredential::parse(&one.kind, &one.secret)).collect(),
    }))
}

impl Known {
    fn scram(self) -> Option<ScramCredentials> {
        self.credentials.into_iter().find_map(|credential| match credential {
            StoredCredential::Scram(credentials) => Some(credentials),
            StoredCredential::Password(_) => None,
        })
    }
}

fn now_millis() -> i64 {
    now().0
}
