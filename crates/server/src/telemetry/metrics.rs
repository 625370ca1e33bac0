//! Figures in OpenMetrics text. Labels are of small closed sets: never an account or an address, and of domains only a
//! bounded number of destinations of the relay.

use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use queue::figures::Depth;

use crate::machine::now;

/// Everything counted. Cheap to clone: the figures are shared.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Sessions open now.
    pub sessions_open: Family<SessionLabels, Gauge>,
    /// Sessions let in since the start.
    pub sessions: Family<SessionLabels, Counter>,
    /// Connections turned away: limits, broken PROXY headers.
    pub connections_refused: Family<ReasonLabels, Counter>,
    /// Handshakes that failed.
    pub tls_failures: Family<SessionLabels, Counter>,
    /// Sign-ins by outcome: `accepted`, `credentials`, `throttled`, `unavailable`.
    pub sign_ins: Family<OutcomeLabels, Counter>,
    /// Argon2id computations.
    pub password_hashes: Counter,
    /// Messages by outcome: `accepted`, or the rule that refused.
    pub messages: Family<OutcomeLabels, Counter>,
    /// What was refused, by rule: recipients, senders, messages, APPEND.
    pub refusals: Family<RuleLabels, Counter>,
    /// When the certificates we show end, seconds since 1970.
    pub certificate_expiry: Family<CertificateLabels, Gauge>,
    /// When this process started, seconds since 1970.
    started: i64,
    /// Verdicts on peers at MAIL: `trusted`, or the rule that refused.
    pub peer_verdicts: Family<OutcomeLabels, Counter>,
    /// From end of data to the commit's answer.
    pub commit_seconds: Histogram,
    /// Forward-paths tried, by destination and outcome: `relayed`, `deferred`, `failed`.
    pub relay_attempts: Family<RelayLabels, Counter>,
    /// Refreshes of lists by what and outcome.
    pub trust_refreshes: Family<RefreshLabels, Counter>,
    /// Certificates judged by purpose and outcome: `trusted`, or the cause.
    pub trust_judgements: Family<JudgementLabels, Counter>,
    /// When the white list in use was generated, seconds since 1970.
    pub trust_list_generated: Gauge,
    /// Domains of the white list in use.
    pub trust_list_domains: Gauge,
    /// Entries of the white list that could not be read.
    pub trust_list_faults: Gauge,
    /// 1 while the white list is older than it should be, or missing.
    pub trust_list_stale: Gauge,
    /// IMAP commands by name and outcome.
    pub imap_commands: Family<CommandLabels, Counter>,
    /// Time an IMAP command took.
    pub imap_seconds: Histogram,
}

/// `destination` and `state`: `waiting`, `held`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DepthLabels {
    destination: String,
    state: &'static str,
}

/// `destination`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OldestLabels {
    destination: String,
}

/// Destinations that have a name in the figures.
pub const DESTINATIONS_NAMED: u32 = 100;

/// `protocol`: `relay`, `gateway`, `submission`, `imap`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SessionLabels {
    /// What the sessions speak.
    pub protocol: &'static str,
}

/// `reason`, of a closed list.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabels {
    /// Why.
    pub reason: &'static str,
}

/// `outcome`, of a closed list.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// What came of it.
    pub outcome: &'static str,
}

/// `rule`, of the closed list of [`mail::Refusal`].
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RuleLabels {
    /// [`mail::Refusal::rule`].
    pub rule: &'static str,
}

/// `name`: of a certificate of the configuration.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CertificateLabels {
    /// As `[[certificate]]` says.
    pub name: String,
}

/// `destination`: a domain, of a bounded number, or `others`; `outcome`, of a closed list.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RelayLabels {
    /// Where to.
    pub destination: String,
    /// What came of it.
    pub outcome: &'static str,
}

/// `what` and `outcome`, of closed lists.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RefreshLabels {
    /// `white list`, `revocation lists`.
    pub what: &'static str,
    /// `done`, `failed`.
    pub outcome: &'static str,
}

/// `purpose` and `outcome`, of closed lists.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct JudgementLabels {
    /// `client`, `server`, `signer`.
    pub purpose: &'static str,
    /// `trusted`, or the word of the cause.
    pub outcome: &'static str,
}

/// `command` and `outcome`, of closed lists.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CommandLabels {
    /// The verb.
    pub command: &'static str,
    /// `ok`, `no`, `bad`.
    pub outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Metrics {
        // 0.1 ms to 26 s.
        let seconds = || Histogram::new(exponential_buckets(0.0001, 4.0, 10));
        Metrics {
            sessions_open: Family::default(),
            sessions: Family::default(),
            connections_refused: Family::default(),
            tls_failures: Family::default(),
            sign_ins: Family::default(),
            password_hashes: Counter::default(),
            messages: Family::default(),
            refusals: Family::default(),
            certificate_expiry: Family::default(),
            started: now().seconds(),
            peer_verdicts: Family::default(),
            commit_seconds: seconds(),
            relay_attempts: Family::default(),
            trust_refreshes: Family::default(),
            trust_judgements: Family::default(),
            trust_list_generated: Gauge::default(),
            trust_list_domains: Gauge::default(),
            trust_list_faults: Gauge::default(),
            trust_list_stale: Gauge::default(),
            imap_commands: Family::default(),
            imap_seconds: seconds(),
        }
    }
}

impl Metrics {
    /// All figures as OpenMetrics text, those that the store keeps of itself among them, and what waits in the queue.
    pub fn encode(&self, store: &store::metrics::Metrics, depths: &[Depth]) -> String {
        let mut registry = Registry::with_prefix("sceau");
        registry.register("sessions_open", "Sessions open now", self.sessions_open.clone());
        registry.register("sessions", "Sessions let in", self.sessions.clone());
        registry.register("connections_refused", "Connections turned away", self.connections_refused.clone());
        registry.register("tls_failures", "TLS handshakes that failed", self.tls_failures.clone());
        registry.register("sign_ins", "Sign-ins by outcome", self.sign_ins.clone());
        registry.register("password_hashes", "Argon2id computations", self.password_hashes.clone());
        registry.register("messages", "Messages by outcome", self.messages.clone());
        registry.register("refusals", "What was refused, by rule", self.refusals.clone());
        registry.register("build", "What runs", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        let started = ConstGauge::new(self.started);
        registry.register_with_unit("process_start_time", "When the process started", Unit::Seconds, started);
        let (help, expiry) = ("When a certificate of ours ends", self.certificate_expiry.clone());
        registry.register_with_unit("certificate_expiry_timestamp", help, Unit::Seconds, expiry);
        registry.register("peer_verdicts", "Verdicts on operators at MAIL", self.peer_verdicts.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit("commit", "End of data to commit", seconds(), self.commit_seconds.clone());
        registry.register("relay_attempts", "Forward-paths tried by outcome", self.relay_attempts.clone());
        self.register_trust(registry.sub_registry_with_prefix("trust"));
        registry.register("imap_commands", "IMAP commands by outcome", self.imap_commands.clone());
        registry.register_with_unit("imap_command", "Time an IMAP command took", seconds(), self.imap_seconds.clone());
        register_queue(&mut registry, depths);
        register_store(&mut registry, store);
        let mut encoded = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut encoded, &registry);
        encoded
    }

    fn register_trust(&self, registry: &mut Registry) {
        registry.register("refreshes", "Refreshes of lists by outcome", self.trust_refreshes.clone());
        registry.register("judgements", "Certificates judged by outcome", self.trust_judgements.clone());
        let generated = self.trust_list_generated.clone();
        registry.register_with_unit("list_generated", "When the white list was generated", Unit::Seconds, generated);
        registry.register("list_domains", "Domains of the white list", self.trust_list_domains.clone());
        registry.register("list_faults", "Entries that could not be read", self.trust_list_faults.clone());
        registry.register("list_stale", "1 while the white list is old or missing", self.trust_list_stale.clone());
    }

    /// Counts a refusal that somebody is told.
    pub fn refused(&self, rule: &'static str) {
        self.refusals.get_or_create(&RuleLabels { rule }).inc();
    }

    /// Tells when a certificate ends.
    pub fn certificate_ends(&self, name: &str, at: i64) {
        self.certificate_expiry.get_or_create(&CertificateLabels { name: name.to_owned() }).set(at);
    }

    /// Counts a refresh.
    pub fn trust_refreshed(&self, what: &'static str, outcome: &'static str) {
        self.trust_refreshes.get_or_create(&RefreshLabels { what, outcome }).inc();
    }

    /// Counts a certificate judged.
    pub fn trust_judged(&self, purpose: trust::Purpose, outcome: &'static str) {
        self.trust_judgements.get_or_create(&JudgementLabels { purpose: purpose.word(), outcome }).inc();
    }

    /// Tells of the white list now in use.
    pub fn trust_list(&self, generated: i64, domains: usize, faults: usize) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.trust_list_generated.set(generated);
        self.trust_list_domains.set(gauge(domains));
        self.trust_list_faults.set(gauge(faults));
    }

    /// Tells whether the white list is old or missing.
    pub fn trust_stale(&self, stale: bool) {
        self.trust_list_stale.set(i64::from(stale));
    }

    /// Counts an executed IMAP command.
    pub fn imap_command(&self, command: &'static str, outcome: &'static str, took: Duration) {
        self.imap_commands.get_or_create(&CommandLabels { command, outcome }).inc();
        self.imap_seconds.observe(took.as_secs_f64());
    }
}

fn register_queue(registry: &mut Registry, depths: &[Depth]) {
    let (entries, oldest) = (Family::<DepthLabels, Gauge>::default(), Family::<OldestLabels, Gauge>::default());
    for depth in depths {
        for (state, count) in [("waiting", depth.waiting), ("held", depth.held)] {
            let labels = DepthLabels { destination: depth.destination.clone(), state };
            entries.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let labels = OldestLabels { destination: depth.destination.clone() };
        oldest.get_or_create(&labels).set(depth.oldest.seconds());
    }
    registry.register("queue_entries", "Recipients for whom a message waits", entries);
    let help = "When the oldest message that waits came";
    registry.register_with_unit("queue_oldest_timestamp", help, Unit::Seconds, oldest);
}

/// The store counts in plain numbers; they become metrics at the moment they are asked for.
fn register_store(registry: &mut Registry, store: &store::metrics::Metrics) {
    let registry = registry.sub_registry_with_prefix("store");
    for (name, help, value) in [
        ("commits", "Groups committed", &store.commits),
        ("transactions", "Transactions in them", &store.transactions),
        ("transactions_refused", "Transactions rolled back alone", &store.refused),
        ("groups_rerun", "Groups run again one by one", &store.groups_rerun),
        ("commit_microseconds", "Time in COMMIT, the sync of the log in it", &store.commit_microseconds),
        ("checkpoints", "Checkpoints of the log", &store.checkpoints),
        ("checkpoint_microseconds", "Time in checkpoints", &store.checkpoint_microseconds),
        ("staged_inline", "Blobs kept in the database", &store.staged_inline),
        ("staged_files", "Blobs kept as files", &store.staged_files),
        ("reads", "Read transactions", &store.reads),
    ] {
        registry.register(name, help, ConstCounter::new(value.load(Ordering::Relaxed)));
    }
    for (name, help, value) in [
        ("group_max", "Transactions in the largest group", &store.group_max),
        ("commit_microseconds_max", "The longest COMMIT", &store.commit_microseconds_max),
        ("checkpoint_microseconds_max", "The longest checkpoint", &store.checkpoint_microseconds_max),
        ("log_pages", "Pages the log holds", &store.log_pages),
        ("free_octets", "Octets free on the disk", &store.free_octets),
        ("reusable_octets", "Octets of the database free for use while the disk is short", &store.reusable_octets),
        ("reserve_octets", "Octets under which new mail is refused", &store.reserve_octets),
    ] {
        let value = i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        registry.register(name, help, ConstGauge::new(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_openmetrics() {
        let metrics = Metrics::default();
        metrics.imap_command("NOOP", "ok", Duration::from_millis(1));
        metrics.refused("recipient.unknown");
        metrics.certificate_ends("public", 1_900_000_000);
        let depth = |destination: &str| Depth {
            destination: destination.into(),
            waiting: 3,
            held: 1,
            oldest: store::UnixMillis(1_795_182_840_000),
        };
        let text = metrics.encode(&store::metrics::Metrics::default(), &[depth("b.example"), depth("others")]);
        assert!(text.contains("sceau_queue_entries{destination=\"others\",state=\"held\"} 1"), "{text}");
        let oldest = "sceau_queue_oldest_timestamp_seconds{destination=\"b.example\"} 1795182840";
        assert!(text.contains(oldest), "{text}");
        assert!(text.contains("sceau_imap_commands_total{command=\"NOOP\",outcome=\"ok\"} 1"), "{text}");
        assert!(text.contains("sceau_imap_command_seconds_bucket"), "{text}");
        assert!(text.contains("sceau_store_commits_total 0"), "{text}");
        assert!(text.contains("sceau_refusals_total{rule=\"recipient.unknown\"} 1"), "{text}");
        assert!(text.contains("sceau_certificate_expiry_timestamp_seconds{name=\"public\"} 1900000000"), "{text}");
        assert!(text.contains(concat!("sceau_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")), "{text}");
        assert!(text.contains("\nsceau_process_start_time_seconds 1"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
