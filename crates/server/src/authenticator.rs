//! Answers the questions of SASL exchanges: from the directory in the store, with Argon2id off the network threads,
//! bounded in parallel, behind a cache of verified passwords and a throttle.

mod attempt;
mod connectors;
mod secret;
mod throttle;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth::password::cache::Ticket;
use auth::password::{StoredCredential, VerifiedPasswords, scram, verify_any};
use auth::sasl::{Answer, Failure, Question, ScramCredentials, Secret};
use auth::throttle::Source;
use auth::{AccountId, Identity, PreparedPassword};
use directory::login;
use ipnet::IpNet;
use mail::Language;
use net::{Randomness, SystemRandomness};
use store::{Snapshot, Store, StoreError};
use tokio::sync::Semaphore;

use self::attempt::Attempt;
pub use self::attempt::REFUSED_AFTER;
use self::throttle::KeptThrottle;
use crate::certificate_sign_in::{Certificates, Judge};
use crate::config::Passwords;
use crate::identity_provider::IdentityProvider;
use crate::sessions::Session;
use crate::telemetry::{Metrics, OutcomeLabels};

/// Sign-ins that wait for a place to hash. More are told to come back: each holds a connection.
const WAITING_MAX: usize = 4_096;

/// Time a sign-in waits for a place to hash before it is told to come back.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// No SCRAM challenge leaves sooner: what looking up a known login takes longer than an unknown one stays hidden (S14).
const CHALLENGE_AFTER: Duration = Duration::from_millis(20);

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
    certificates: Certificates,
    identity_provider: Option<Arc<IdentityProvider>>,
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
            certificates: Certificates::new(store.clone(), None),
            identity_provider: None,
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

    /// Believes the certificates that this judge believes.
    pub fn judging_by(mut self, judge: Arc<dyn Judge>) -> Authenticator {
        self.certificates = Certificates::new(self.store.clone(), Some(judge));
        self
    }

    /// Believes the tokens of this provider.
    pub fn trusting(mut self, provider: IdentityProvider) -> Authenticator {
        self.identity_provider = Some(Arc::new(provider));
        self
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
            Question::ScramCredentials { login } => self.scram_credentials(login).await,
            Question::Authorize { login, acting_for } => self.authorize(source, login, acting_for).await,
            Question::Certificate { acting_for } => self.certificate(session, acting_for).await,
            Question::Token { acting_for, token } => self.token(session, acting_for, token).await,
            Question::WrongProof { login } => Answer::Refused(self.attempt(&login, source).wrong(Duration::ZERO).await),
        };
        let outcome = match &answer {
            Answer::Accepted(_) => "accepted",
            Answer::Scram(_) => return answer,
            Answer::Refused(Failure::Unavailable) => "unavailable",
            Answer::Refused(Failure::Throttled) => "throttled",
            Answer::Refused(Failure::Certificate(_)) => "certificate",
            Answer::TokenRefused(_) => "token",
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
        let mut attempt = self.attempt(&login, source);
        if let Err(failure) = attempt.turn().await {
            return Answer::Refused(failure);
        }
        let begun = Instant::now();
        // Taken before the hash is read: a password that changes from here on is not remembered.
        let ticket = self.verified().ticket();
        let Ok(known) = self.look_up(&login).await else {
            attempt.withdraw();
            return Answer::Refused(Failure::Unavailable);
        };
        let active = known.filter(|known| known.active);
        let verified = match PreparedPassword::new(password.expose()) {
            Ok(password) => self.verify(active.as_ref(), password, ticket).await,
            // Nobody's password (RFC 8265 §4.2): wrong like any other, without the work.
            Err(_) => Ok(false),
        };
        let entered = match verified {
            Ok(true) => self.entered(active, acting_for.as_deref(), &login).await,
            Ok(false) => Ok(None),
            Err(failure) => Err(failure),
        };
        attempt.conclude(entered, begun.elapsed()).await
    }

    /// Whether the password is right: from memory, or by hashing.
    async fn verify(
        &self,
        active: Option<&Known>,
        password: PreparedPassword,
        ticket: Ticket,
    ) -> Result<bool, Failure> {
        let account = active.map_or(NOBODY, |known| known.account);
        let remembered = self.verified().contains(account, password.expose(), Instant::now());
        match active {
            Some(_) if remembered => Ok(true),
            active => self.hash(active, password, ticket).await,
        }
    }

    /// Hashes, also for nobody: unknown and disabled accounts take the same time (S14).
    async fn hash(&self, known: Option<&Known>, password: PreparedPassword, ticket: Ticket) -> Result<bool, Failure> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Failure::Unavailable)?;
        let permit = tokio::time::timeout(WAIT_MAX, self.hashing.clone().acquire_owned());
        let permit = permit.await.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)?;
        let (account, credentials) = match known {
            Some(known) => (Some(known.account), known.credentials.clone()),
            None => (None, Vec::new()),
        };
        let hashing = tokio::task::spawn_blocking(move || {
            let verified = verify_any(&credentials, &password);
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

    /// Everyone is answered, and at the same time: who has to wait hears so when the proof is known.
    async fn scram_credentials(&self, login: String) -> Answer {
        let leaves_at = tokio::time::Instant::now() + CHALLENGE_AFTER;
        let Ok(known) = self.look_up(&login).await else {
            return Answer::Refused(Failure::Unavailable);
        };
        let (key, stable) = (&self.false_credentials_key, spelling(&login));
        let active = known.as_ref().is_some_and(|known| known.active);
        let credentials = match known.and_then(Known::scram) {
            Some(real) if active => real,
            Some(real) => scram::disarmed(real, key, &stable),
            None => scram::false_credentials(key, &stable),
        };
        tokio::time::sleep_until(leaves_at).await;
        Answer::Scram(credentials)
    }

    async fn authorize(&self, source: Source, login: String, acting_for: Option<String>) -> Answer {
        let mut attempt = self.attempt(&login, source);
        if let Err(failure) = attempt.turn().await {
            return Answer::Refused(failure);
        }
        let begun = Instant::now();
        let entered = match self.look_up(&login).await {
            Ok(known) => self.entered(known.filter(|known| known.active), acting_for.as_deref(), &login).await,
            Err(_) => Err(Failure::Unavailable),
        };
        attempt.conclude(entered, begun.elapsed()).await
    }

    /// The person is who they say. Until boxes can be shared, a person acts for their own only.
    async fn entered(
        &self,
        person: Option<Known>,
        acting_for: Option<&str>,
        login: &str,
    ) -> Result<Option<Identity>, Failure> {
        let Some(known) = person else { return Ok(None) };
        if let Some(box_named) = acting_for.filter(|name| *name != login) {
            let other = self.look_up(box_named).await.map_err(|_| Failure::Unavailable)?;
            if other.is_none_or(|other| other.account != known.account) {
                return Ok(None);
            }
        }
        Ok(Some(Identity { person: known.account, acting_for: known.account, language: known.language }))
    }

    fn attempt(&self, login: &str, source: Source) -> Attempt<'_> {
        Attempt::begin(&self.throttle, spelling(login), source)
    }

    async fn look_up(&self, login: &str) -> Result<Option<Known>, StoreError> {
        let address = login::address(login);
        let found = self.store.read(move |snapshot| known(snapshot, address.as_ref())).await;
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

/// Reads all three tables whether the address is found or not: how long it takes says nothing (S14).
fn known(snapshot: &mut dyn Snapshot, address: Option<&mail::Address>) -> Result<Option<Known>, StoreError> {
    let holder = match address {
        Some(address) => store::address::find(snapshot, address)?,
        None => None,
    };
    let id = holder.map_or(NOBODY, |holder| holder.account);
    let account = store::account::find(snapshot, id)?;
    let credentials = store::credential::list(snapshot, id)?;
    Ok(account.map(|account| Known {
        account: account.id,
        language: account.language,
        active: account.state == store::account::State::Active,
        credentials: credentials.iter().filter_map(|one| StoredCredential::parse(&one.kind, &one.secret)).collect(),
    }))
}

/// One text for all spellings of a login: failures of one are failures of all, and its false salt is one.
fn spelling(login: &str) -> String {
    match login::address(login) {
        Some(address) => address.to_string(),
        None => login.trim().to_lowercase(),
    }
}

/// An account that is never made: the store counts them from 1.
const NOBODY: AccountId = AccountId(0);

impl Known {
    fn scram(self) -> Option<ScramCredentials> {
        self.credentials.into_iter().find_map(|credential| match credential {
            StoredCredential::Scram(credentials) => Some(credentials),
            StoredCredential::Password(_) => None,
        })
    }
}
