//! A provider of identities, such as Pro Santé Connect: its keys, its word on tokens, and whom a token names.
//!
//! Tokens that are signed are verified here, under keys that are fetched, kept for an hour, and fetched anew when a token
//! names one that is not known. About others, and always where so configured, the provider is asked. When it cannot be
//! asked nobody is let in who was not verified. No token is kept, nor logged.

mod claims;
mod introspection;
mod jws;
mod keys;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use auth::sasl::{Secret, TokenRefusal, TokenStatus};
use net::http::{HttpClient, HttpError, HttpLimits};
use serde::Deserialize;
use tokio::time::Instant;

use self::jws::{Jws, Shape};
use self::keys::Key;
use crate::config::identity_provider::{IdentityProviderConfig, TokenVerification, is_protected};
use crate::machine::now;
use crate::trust_space::authorities;

/// How much the provider may say, and how long it may take: somebody waits to sign in.
const LIMITS: HttpLimits = HttpLimits { octets_max: 256 * 1_024, time_max: Duration::from_secs(5) };

/// How long keys and addresses are believed without asking again.
const FRESH: Duration = Duration::from_secs(3_600);

/// Questions asked of the provider at once; who finds no place is told to come back.
const QUESTIONS_MAX: usize = 64;

/// A configured provider. Shared by all sessions.
pub struct IdentityProvider {
    config: IdentityProviderConfig,
    secret: Option<Secret>,
    client: HttpClient,
    known: Mutex<Known>,
    /// One fetch at a time; the others find what it brought.
    fetching: tokio::sync::Mutex<()>,
    questions: tokio::sync::Semaphore,
}

/// What the provider said of itself.
#[derive(Default)]
struct Known {
    endpoints: Option<(Arc<Endpoints>, Instant)>,
    keys: Option<(Arc<Vec<Key>>, Instant)>,
    /// The last time anything was fetched, or tried.
    tried: Option<Instant>,
}

/// What we use of the provider's description (OpenID Connect Discovery §3, RFC 8414 §2).
#[derive(Clone, Debug, Deserialize)]
struct Endpoints {
    issuer: String,
    jwks_uri: Option<String>,
    introspection_endpoint: Option<String>,
}

/// Why a token lets nobody in. The texts are for the log; no token is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Forged, expired, for somebody else.
    #[error("{0}")]
    Invalid(String),
    /// The person signed in at the provider less surely than we ask.
    #[error("acr is {0}")]
    Insufficient(String),
    /// It cannot be known now.
    #[error("{0}")]
    Unavailable(String),
}

impl TokenFault {
    fn invalid(why: impl Into<String>) -> TokenFault {
        TokenFault::Invalid(why.into())
    }

    fn unavailable(why: impl Into<String>) -> TokenFault {
        TokenFault::Unavailable(why.into())
    }
}

impl IdentityProvider {
    /// Reads authorities and secret; asks the provider nothing yet.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn open(config: &IdentityProviderConfig) -> anyhow::Result<IdentityProvider> {
        let authorities = authorities::any(&config.authorities)?;
        let client = HttpClient::showing(&authorities, config.certificate.as_ref());
        let client = client.context("identity_provider")?;
        let secret = match &config.introspection {
            None => None,
            Some(us) => {
                let text = std::fs::read_to_string(&us.secret);
                let text = text.with_context(|| format!("reading {}", us.secret.display()))?;
                Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        };
        Ok(IdentityProvider {
            config: config.clone(),
            secret,
            client,
            known: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            questions: tokio::sync::Semaphore::new(QUESTIONS_MAX),
        })
    }

    /// How old a session may grow that a token opened.
    pub fn session(&self) -> Duration {
        self.config.session
    }

    /// What a client is told whose token is no good.
    pub fn refusal(&self, status: TokenStatus) -> TokenRefusal {
        TokenRefusal { status, scope: self.config.scope.clone(), discovery: self.config.discovery.clone() }
    }

    /// The national identifier of whom the token names.
    ///
    /// # Errors
    /// [`TokenFault`].
    pub async fn person(&self, token: &str) -> Result<String, TokenFault> {
        let claims = match (self.config.verification, jws::shape(token)?) {
            (TokenVerification::Signature, Shape::Signed(jws)) => self.verified(&jws).await?,
            _ if self.config.introspection.is_some() => self.introspected(token).await?,
            _ => return Err(TokenFault::invalid("it is not signed, and introspection is not configured")),
        };
        claims::person(&claims, &self.config, now().seconds())
    }

    /// The claims of a token whose signature is good.
    async fn verified(&self, jws: &Jws<'_>) -> Result<claims::Claims, TokenFault> {
        let mut keys = self.keys().await?;
        // A key that is there under that name, and of another kind, is no new one.
        if !keys.iter().any(|key| key.may_be(jws) || key.is_named_by(jws)) {
            keys = self.newer_keys(&keys).await?;
        }
        match keys.iter().any(|key| key.may_be(jws) && key.verifies(jws)) {
            true => claims::Claims::read(&jws.payload, claims::Source::Signed),
            false => Err(TokenFault::invalid("its signature is not one of the provider's")),
        }
    }

    async fn introspected(&self, token: &str) -> Result<claims::Claims, TokenFault> {
        let (Some(us), Some(secret)) = (&self.config.introspection, &self.secret) else {
            return Err(TokenFault::unavailable("introspection is not configured"));
        };
        let endpoints = self.endpoints().await?;
        let address = endpoints.introspection_endpoint.as_deref();
        let address = address.ok_or_else(|| TokenFault::unavailable("the provider names no introspection endpoint"))?;
        let _place = self.questions.try_acquire().map_err(|_| TokenFault::unavailable("too many questions at once"))?;
        let (body, authorization) = introspection::request(token, &us.id, secret.expose());
        let answer = self.client.post_authorized(address, introspection::FORM, body, &authorization, LIMITS).await;
        introspection::claims(&answer.map_err(|error| away("introspection", &error))?)
    }

    /// The keys: those kept while they are fresh.
    async fn keys(&self) -> Result<Arc<Vec<Key>>, TokenFault> {
        if let Some(keys) = self.known().fresh_keys() {
            return Ok(keys);
        }
        let _turn = self.fetching.lock().await;
        if let Some(keys) = self.known().fresh_keys() {
            return Ok(keys);
        }
        self.fetch_keys().await
    }

    /// Other keys than these, which lack one: fetched, unless that was tried a moment ago.
    async fn newer_keys(&self, old: &Arc<Vec<Key>>) -> Result<Arc<Vec<Key>>, TokenFault> {
        let _turn = self.fetching.lock().await;
        match self.known().fresh_keys() {
            Some(keys) if !Arc::ptr_eq(&keys, old) => return Ok(keys),
            _ => {}
        }
        self.fetch_keys().await
    }

    /// Fetches the keys. Whoever signs with a key that is not there yet may be right a moment later: that is no refusal.
    async fn fetch_keys(&self) -> Result<Arc<Vec<Key>>, TokenFault> {
        self.may_try()?;
        let endpoints = self.endpoints_fetched().await?;
        let address = endpoints.jwks_uri.as_deref();
        let address = address.ok_or_else(|| TokenFault::unavailable("the provider names no keys"))?;
        let document = self.client.get(address, LIMITS).await.map_err(|error| away("keys", &error))?;
        let keys = Arc::new(keys::read(&document).map_err(TokenFault::Unavailable)?);
        tracing::info!(keys = keys.len(), "the identity provider's keys were fetched");
        self.known().keys = Some((keys.clone(), Instant::now()));
        Ok(keys)
    }

    async fn endpoints(&self) -> Result<Arc<Endpoints>, TokenFault> {
        if let Some(endpoints) = self.known().fresh_endpoints() {
            return Ok(endpoints);
        }
        let _turn = self.fetching.lock().await;
        if self.known().fresh_endpoints().is_none() {
            self.may_try()?;
        }
        self.endpoints_fetched().await
    }

    /// The provider's addresses, fetched when they are not fresh.
    async fn endpoints_fetched(&self) -> Result<Arc<Endpoints>, TokenFault> {
        if let Some(endpoints) = self.known().fresh_endpoints() {
            return Ok(endpoints);
        }
        let document = self.client.get(&self.config.discovery, LIMITS).await;
        let document = document.map_err(|error| away("description", &error))?;
        let endpoints: Endpoints = serde_json::from_slice(&document)
            .map_err(|error| TokenFault::unavailable(format!("the provider's description: {error}")))?;
        // OpenID Connect Discovery §4.3: letter by letter.
        if endpoints.issuer != self.config.issuer {
            return Err(TokenFault::unavailable(format!("the provider calls itself {:?}", endpoints.issuer)));
        }
        let addresses = [&endpoints.jwks_uri, &endpoints.introspection_endpoint];
        if let Some(open) = addresses.into_iter().flatten().find(|address| !is_protected(address)) {
            return Err(TokenFault::unavailable(format!("{open:?} would be asked in clear")));
        }
        let endpoints = Arc::new(endpoints);
        self.known().endpoints = Some((endpoints.clone(), Instant::now()));
        Ok(endpoints)
    }

    /// One fetch in [`IdentityProviderConfig::keys_refetch`]: tokens with made-up keys cost the provider nothing.
    fn may_try(&self) -> Result<(), TokenFault> {
        let mut known = self.known();
        if known.tried.is_some_and(|tried| tried.elapsed() < self.config.keys_refetch) {
            return Err(TokenFault::unavailable("the provider was asked a moment ago"));
        }
        known.tried = Some(Instant::now());
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn fresh_keys(&self) -> Option<Arc<Vec<Key>>> {
        fresh(&self.keys)
    }

    fn fresh_endpoints(&self) -> Option<Arc<Endpoints>> {
        fresh(&self.endpoints)
    }
}

fn fresh<T>(kept: &Option<(Arc<T>, Instant)>) -> Option<Arc<T>> {
    kept.as_ref().filter(|(_, fetched)| fetched.elapsed() < FRESH).map(|(it, _)| it.clone())
}

fn away(what: &str, error: &HttpError) -> TokenFault {
    TokenFault::unavailable(format!("the provider's {what}: {error}"))
}
