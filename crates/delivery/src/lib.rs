//! Brings a message in: facts, then policy's verdict, then one transaction of the store; for every door alike.
//!
//! ```text
//! recipient(door, path)…  at RCPT: a box here with room, or the domain it leaves for
//! begin(door)             a stage is opened
//!   write(chunk)…         scanned, mended if it is a submission, and staged, as it comes
//!   accept(envelope, …)   verdict, trace fields, commit: every recipient or none
//!   append(mailbox, …)    the same for APPEND and import
//! ```
//! Dropping an [`Incoming`] before its commit discards it.

mod destinations;
mod directory_cache;
mod door;
mod incoming;
mod recipient;
mod relayed;
mod routing;
mod sender_authentication;
mod settle;
mod trace_prefix;

use std::sync::Arc;

use mail::{Address, Domain};
use policy::ContentLimits;
use store::{Store, UnixMillis};

use self::directory_cache::DirectoryCache;
pub use self::door::{Accepted, AppendError, AppendOrder, Door, Operator, Origin, Peer, TlsNames};
pub use self::incoming::Incoming;
pub use self::relayed::RelayRules;
pub use self::routing::Outside;
pub use self::sender_authentication::{Findings, SenderAuthentication, SenderFacts};
pub use self::settle::PreparedReport;

/// What delivery is told by configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our name: in Received, and in the Message-ID of whoever has no address.
    pub host: Domain,
    /// Octets of a message on the wire: what SIZE and APPENDLIMIT announce.
    pub octets_max: u64,
    /// An address of who reads `<Postmaster>`, and `postmaster@` of every domain that names nobody (RFC 5321 §4.5.1).
    /// Its account may come later.
    pub postmaster: Option<Address>,
    /// Where mail may go that is for nobody here.
    pub outside: Outside,
    /// What other operators' mail is held to.
    pub relay: RelayRules,
}

impl Config {
    /// Of a host that sends nothing to anybody elsewhere, and where nobody is the postmaster.
    pub fn alone(host: Domain, octets_max: u64) -> Config {
        let (outside, relay) = (Outside::default(), RelayRules::default());
        Config { host, octets_max, postmaster: None, outside, relay }
    }
}

/// The clock and the randomness of the process.
pub trait Surroundings: Send + Sync + 'static {
    /// Wall time.
    fn now(&self) -> UnixMillis;
    /// A monotonic clock, for what is remembered a moment.
    fn instant(&self) -> std::time::Instant;
    /// Fills with octets nobody can guess.
    fn random(&self, octets: &mut [u8]);
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    config: Config,
    surroundings: Box<dyn Surroundings>,
    directory: DirectoryCache,
}

impl Delivery {
    /// Opens the way into a store.
    pub fn new(store: Store, config: Config, surroundings: impl Surroundings) -> Delivery {
        let directory = DirectoryCache::default();
        Delivery { shared: Arc::new(Shared { store, config, surroundings: Box::new(surroundings), directory }) }
    }

    /// To be called after accounts, addresses, domains or quotas changed, so that nothing older is remembered.
    pub fn directory_changed(&self) {
        self.shared.directory.clear();
    }

    /// The bounds of content.
    fn limits(&self, door: &Door) -> ContentLimits {
        let octets_max = match door {
            Door::Relay(_) | Door::Gateway => self.shared.config.relay.octets_max,
            Door::Submission(_) | Door::Append => None,
        };
        ContentLimits { octets_max: octets_max.unwrap_or(self.shared.config.octets_max) }
    }

    /// A name for a message in log and reply: 80 random bits in base 32.
    fn message_name(&self) -> String {
        let mut random = [0; 16];
        self.shared.surroundings.random(&mut random);
        let digit = |octet: &u8| ALPHABET.get(usize::from(octet % 32)).copied().map(char::from);
        random.iter().filter_map(digit).collect()
    }
}

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("host", &self.shared.config.host).finish_non_exhaustive()
    }
}
