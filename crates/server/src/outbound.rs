//! Empties the queue: to the operators of the trust space, over TLS with certificates on both sides, and nobody else.
//!
//! ```text
//! scheduler   asks queue::Schedule what may be tried now, and gives it to workers
//! worker      one connection: opens it, sends what it is given, records what came of it, takes more
//!   route       destination → hosts → addresses
//!   opening     connection, STARTTLS, whose certificate it is and for whom it speaks
//!   link        pumps smtp::client::Session over the connection
//!   transaction one message: envelope, content, what each forward-path was answered
//!   smart_host  the other way, for notices alone
//! ```

mod configured;
mod judge;
mod link;
mod opening;
mod route;
mod scheduler;
mod smart_host;
mod transaction;
mod trouble;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use delivery::Delivery;
use net::dns::Resolver;
use net::tls::TlsClient;
use net::{Clock, Randomness, SystemRandomness};
use policy::retry::Jitter;
use policy::{MxRules, RetryPolicy};
use queue::figures::Names;
use queue::schedule::Limits;
use smtp::ClientName;
use smtp::client::Transfer;
use store::{Store, UnixMillis};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::judge::{Judge, Judging};
pub use self::smart_host::{Signature, SmartHost};
use crate::config::StaticRoute;
use crate::telemetry::{Metrics, RelayLabels};

/// Destinations that have figures of their own; the others share one.
const DESTINATIONS_NAMED_MAX: usize = 200;

/// How mail leaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name in EHLO.
    pub name: ClientName,
    /// Domains whose mail goes to a host of our choosing.
    pub routes: Vec<StaticRoute>,
    /// Where hosts found by DNS listen.
    pub port: u16,
    /// Which of them may be tried.
    pub rules: MxRules,
    /// How bodies travel.
    pub transfer: Transfer,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// Connections, recipients, pauses.
    pub limits: Limits,
    /// How long a connection waits for more to the same destination.
    pub idle: Duration,
}

/// Whom it works with.
pub struct Parts {
    /// Where the queue is.
    pub store: Store,
    /// Records outcomes, and tells senders.
    pub delivery: Delivery,
    /// Takes the system's own notices; where there is none, they wait.
    pub smart_host: Option<SmartHost>,
    /// Looks names up.
    pub resolver: Arc<dyn Resolver>,
    /// Shows our certificate.
    pub tls: TlsClient,
    /// Says who is believed.
    pub judge: Arc<dyn Judge>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
}

/// Empties the queue.
pub struct Outbound {
    settings: Settings,
    parts: Parts,
    names: Names,
}

impl Outbound {
    /// Touches nothing yet.
    pub fn new(settings: Settings, parts: Parts) -> Arc<Outbound> {
        Arc::new(Outbound { settings, parts, names: Names::new(DESTINATIONS_NAMED_MAX) })
    }

    /// Works until `stopping`, then lets what is under way finish. Connections are tasks of `tracker`.
    pub async fn run(self: Arc<Outbound>, tracker: TaskTracker, stopping: CancellationToken) {
        scheduler::run(self, tracker, stopping).await;
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(i64::try_from(self.parts.clock.since_epoch().as_millis()).unwrap_or(i64::MAX))
    }

    /// Spreads attempts that would fall together.
    fn jitter(&self) -> Jitter {
        let mut octets = [0; 4];
        SystemRandomness.fill(&mut octets);
        Jitter::from_random(u32::from_le_bytes(octets))
    }

    fn count(&self, destination: &str, outcome: &'static str) {
        let labels = RelayLabels { destination: self.names.of(destination), outcome };
        self.parts.metrics.relay_attempts.get_or_create(&labels).inc();
    }
}
