//! What all sessions share, put together from a configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use delivery::Delivery;
use net::tls::{ClientCertificates, TlsServer};
use net::{Randomness, SystemRandomness};
use store::{Store, StoreError};

use crate::access;
use crate::authenticator::Authenticator;
use crate::config::{self, Config, ListenerConfig, PeerTrust, Role, SenderAuthentication, Tls};
use crate::identity_provider::IdentityProvider;
use crate::machine::Machine;
use crate::sessions::{Protocol, SessionLimits, Sessions};
use crate::telemetry::Metrics;
use crate::trust_space::TrustSpace;

/// What all sessions share.
pub struct Assembly {
    /// As it was when the server started; what SIGHUP changed since is in the parts.
    pub config: Config,
    /// Where everything is kept.
    pub store: Store,
    /// The way in.
    pub delivery: Delivery,
    /// Who may sign in.
    pub authenticator: Arc<Authenticator>,
    /// The open sessions.
    pub sessions: Sessions,
    /// What is counted.
    pub metrics: Metrics,
    /// Who is believed outside; without it nobody is.
    pub trust: Option<Arc<TrustSpace>>,
}

/// What the sessions of one listener share.
pub struct Door {
    /// Its configuration.
    pub config: ListenerConfig,
    /// Its certificates.
    pub tls: Option<Arc<TlsServer>>,
    /// What it speaks.
    pub speech: Speech,
}

/// What a listener speaks, and as what.
pub enum Speech {
    /// SMTP.
    Smtp(Arc<smtp::server::SessionConfig>),
    /// IMAP.
    Imap(Arc<access::Context>),
}

impl Assembly {
    /// Opens the store and what stands around it. The data folder is taken already.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn open(config: Config) -> anyhow::Result<Arc<Assembly>> {
        let store = open_store(&config).await?;
        let metrics = Metrics::default();
        look_for_postmaster(&config, &store).await?;
        let trust = match &config.trust {
            None => None,
            Some(trust) => Some(TrustSpace::open(trust, &config.data, metrics.clone()).await.context("trust")?),
        };
        let authenticator = Authenticator::open(store.clone(), &config.passwords, &config.data, metrics.clone())
            .with_context(|| format!("opening {}", config.data.display()))?;
        let authenticator = match &config.identity_provider {
            Some(provider) => authenticator.trusting(IdentityProvider::open(provider).context("identity_provider")?),
            None => authenticator,
        };
        let authenticator = match &trust {
            Some(trust) => authenticator.judging_by(trust.clone()),
            None => authenticator,
        };
        let sessions = Sessions::new(session_limits(&config));
        let authenticator = Arc::new(authenticator);
        let current = trust.as_ref().map(|trust| trust.current().clone());
        let delivery = delivery_within(&config, &store, current, sender_authentication(&config)?);
        Ok(Arc::new(Assembly { config, store, delivery, authenticator, sessions, metrics, trust }))
    }

    /// Puts a listener's share together.
    ///
    /// # Errors
    /// When a certificate cannot be served.
    pub fn door(self: &Arc<Assembly>, listener: &ListenerConfig) -> anyhow::Result<Arc<Door>> {
        let tls = match listener.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Implicit => {
                let certificates = self.config.certificates_of(listener);
                let server = TlsServer::open(certificates, self.asked_of_clients(listener))
                    .with_context(|| format!("listener {}", listener.name))?;
                Some(Arc::new(server))
            }
        };
        let speech = match listener.role {
            Role::Relay | Role::Gateway | Role::Submission => Speech::Smtp(Arc::new(self.smtp(listener))),
            Role::Imap => Speech::Imap(Arc::new(self.imap(listener))),
        };
        Ok(Arc::new(Door { config: listener.clone(), tls, speech }))
    }

    /// Operators and hospital software are asked for a certificate, and nobody else: where people connect, programs and card
    /// readers would prompt them.
    fn asked_of_clients(&self, listener: &ListenerConfig) -> ClientCertificates {
        let operators = listener.role == Role::Relay && listener.trust == PeerTrust::Required;
        let hints = || self.trust.as_ref().map_or_else(Vec::new, |trust| trust.hints());
        let names: Vec<String> = listener.client_certificates_for.iter().map(|name| name.to_string()).collect();
        match operators || listener.client_certificates.are_asked_for() {
            false => ClientCertificates::Ignored,
            true if !names.is_empty() => ClientCertificates::RequestedUnder { names, hints: hints() },
            true => ClientCertificates::Requested { hints: hints() },
        }
    }

    fn smtp(&self, listener: &ListenerConfig) -> smtp::server::SessionConfig {
        smtp::server::SessionConfig {
            role: match listener.role {
                Role::Submission => smtp::server::Role::Submission,
                Role::Relay | Role::Gateway | Role::Imap => smtp::server::Role::Relay,
            },
            host_name: self.config.name.clone(),
            tls: match listener.tls {
                Tls::Implicit => smtp::server::Tls::Implicit,
                Tls::StartTls => smtp::server::Tls::StartTls,
                Tls::None => smtp::server::Tls::Never,
            },
            octets_max: match listener.role {
                Role::Relay | Role::Gateway => self.config.received_octets(),
                Role::Submission | Role::Imap => self.config.limits.wire_octets(),
            },
            recipients_max: listener.recipients_max,
            mechanisms: listener.mechanisms.clone(),
            without_auth: match listener.client_certificates {
                config::ClientCertificates::SignIn => smtp::server::WithoutAuth::ByCertificate,
                config::ClientCertificates::Ignored | config::ClientCertificates::Requested => {
                    smtp::server::WithoutAuth::Refused
                }
            },
            nonce,
            dsn: smtp::server::Dsn::Announced,
            require_tls: smtp::server::RequireTls::Announced,
        }
    }

    fn imap(self: &Arc<Assembly>, listener: &ListenerConfig) -> access::Context {
        let config = imap::server::Config {
            host_name: self.config.name.to_string(),
            append_octets_max: self.config.limits.wire_octets(),
            sign_in_time: SIGN_IN_TIME,
            idle_time: IDLE_TIME,
            failures_max: FAILURES_MAX,
            mechanisms: listener.mechanisms.clone(),
            random: Box::new(|octets| SystemRandomness.fill(octets)),
        };
        access::Context {
            store: self.store.clone(),
            delivery: self.delivery.clone(),
            imap: Arc::new(config),
            host: self.clone(),
        }
    }
}

impl access::Host for Assembly {
    fn authenticate<'a>(
        &'a self,
        session: &'a crate::sessions::Session,
        question: auth::sasl::Question,
    ) -> access::Authenticating<'a> {
        Box::pin(self.authenticator.answer(session, question))
    }

    fn executed(&self, command: &'static str, outcome: &'static str, took: std::time::Duration) {
        self.metrics.imap_command(command, outcome, took);
    }

    fn refused(&self, rule: &'static str) {
        self.metrics.refused(rule);
    }
}

impl ListenerConfig {
    /// What its sessions are called.
    pub fn protocol(&self) -> Protocol {
        match self.role {
            Role::Relay => Protocol::Relay,
            Role::Gateway => Protocol::Gateway,
            Role::Submission => Protocol::Submission,
            Role::Imap => Protocol::Imap,
        }
    }
}

/// Opens the store of a configuration, off the network threads: recovery may take a while.
///
/// # Errors
/// The store's.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let settings = store_settings(config);
    let folder = settings.folder.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&settings)).await?;
    opened.with_context(|| format!("opening the store in {}", folder.display()))
}

/// Where the store of a configuration is, and how it works.
pub fn store_settings(config: &Config) -> store::Config {
    let mut settings = store::Config::in_folder(config.data.join("store"));
    settings.reserve_octets = config.limits.reserve_octets;
    settings
}

/// The way into a store, for commands that put messages into boxes while no server runs.
pub fn delivery(config: &Config, store: &Store) -> Delivery {
    delivery_within(config, store, None, None)
}

fn delivery_within(
    config: &Config,
    store: &Store,
    trust: Option<trust::Current>,
    sender_authentication: Option<Arc<dyn delivery::SenderAuthentication>>,
) -> Delivery {
    let settings = delivery::Config {
        postmaster: config.postmaster.clone(),
        outside: outside(config, trust),
        relay: delivery::RelayRules {
            octets_max: Some(config.received_octets()),
            foreign_author: config.receiving.from_header,
            sender_authentication,
        },
        ..delivery::Config::alone(config.name.clone(), config.limits.wire_octets())
    };
    Delivery::new(store.clone(), settings, Machine)
}

/// Where mail may go that is for nobody here: nowhere where nothing empties the queue. A configured route says where mail
/// goes, not whether it may: the server's certificate is looked up for the domain all the same.
fn outside(config: &Config, trust: Option<trust::Current>) -> delivery::Outside {
    let shared = config.receiving.shared_domains.clone();
    match &config.relay {
        None => delivery::Outside::default(),
        Some(_) => delivery::Outside { trust, routes: BTreeSet::new(), shared },
    }
}

/// Who looks at what operators bring, where one of the listeners takes it in.
fn sender_authentication(config: &Config) -> anyhow::Result<Option<Arc<dyn delivery::SenderAuthentication>>> {
    let takes_in = |listener: &ListenerConfig| listener.role == Role::Relay && listener.trust == PeerTrust::Required;
    if config.receiving.sender_authentication == SenderAuthentication::Off || !config.listeners.iter().any(takes_in) {
        return Ok(None);
    }
    let authentication = crate::sender_authentication::configured(config).context("receiving.dns_servers")?;
    Ok(Some(Arc::new(authentication)))
}

/// How many sessions a configuration allows.
pub fn session_limits(config: &Config) -> SessionLimits {
    SessionLimits {
        total_max: config.limits.sessions,
        per_address_max: config.limits.sessions_per_address,
        per_account_max: config.limits.sessions_per_account,
        networks: config.limits.networks.clone(),
    }
}

/// A server without a postmaster still serves: domains may name their own, and accounts may come later.
async fn look_for_postmaster(config: &Config, store: &Store) -> anyhow::Result<()> {
    let Some(address) = config.postmaster.clone() else {
        tracing::warn!(
            key = "server.postmaster",
            "no postmaster is configured: mail to <Postmaster> is put off with 451 (RFC 5321 section 4.5.1)"
        );
        return Ok(());
    };
    let holder = store.read(move |snapshot| store::address::find(snapshot, &address)).await;
    let holder = holder.map_err(|error: StoreError| anyhow::anyhow!("looking up the postmaster: {error}"))?;
    if holder.is_none() {
        tracing::warn!(
            key = "server.postmaster",
            "the configured postmaster is nobody's address yet: mail to <Postmaster> is put off with 451 until it is"
        );
    }
    Ok(())
}

/// Time from the first octet of an IMAP session to its sign-in.
const SIGN_IN_TIME: std::time::Duration = std::time::Duration::from_secs(120);

/// Time an IMAP session may be silent: at least 30 minutes (RFC 9051 §5.4), and a little for slow clocks.
const IDLE_TIME: std::time::Duration = std::time::Duration::from_secs(31 * 60);

/// Failed sign-ins before an IMAP session is ended.
const FAILURES_MAX: u32 = 3;

fn nonce() -> [u8; auth::sasl::NONCE_OCTETS] {
    let mut octets = [0; auth::sasl::NONCE_OCTETS];
    SystemRandomness.fill(&mut octets);
    octets
}
