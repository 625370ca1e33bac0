//! `[relay]`: how mail leaves, to other operators and nobody else.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use mail::Domain;
use net::tls::CertificateFiles;
use policy::RetryPolicy;
use queue::schedule::Limits;
use smtp::client::Transfer;

use super::reader::Section;
use super::smart_host::SmartHostConfig;

/// How mail leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// Our name in EHLO; the server's where none is given.
    pub name: Option<Domain>,
    /// What other operators are shown: our certificate in the trust space.
    pub certificate: CertificateFiles,
    /// Domains whose mail goes to a host of ours choosing, whatever DNS says.
    pub routes: Vec<StaticRoute>,
    /// Where hosts found by DNS listen.
    pub port: u16,
    /// Who is asked; empty for the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// Loopback, private and other special networks in which hosts found by DNS may be nonetheless.
    pub allowed_networks: Vec<IpNet>,
    /// How bodies travel.
    pub transfer: Transfer,
    /// When it is tried again, told, given up.
    pub retry: RetryPolicy,
    /// Connections, recipients, pauses.
    pub limits: Limits,
    /// How long a connection waits for more to the same destination.
    pub idle: Duration,
    /// What takes the system's own notices.
    pub smart_host: Option<SmartHostConfig>,
}

/// One `[[relay.route]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// The recipients' domain.
    pub domain: Domain,
    /// A host's name or address.
    pub host: Domain,
    /// Where it listens.
    pub port: u16,
}

/// SMTP between hosts (RFC 5321 §2.3.4).
const SMTP_PORT: u16 = 25;

impl RelayConfig {
    pub(super) fn read(section: &Section<'_>, known: &[(String, CertificateFiles)]) -> Option<RelayConfig> {
        let name: Option<String> = section.required("certificate", "write the name of a [[certificate]]");
        let certificate = name.and_then(|name| {
            let found = known.iter().find(|(known, _)| *known == name).map(|(_, files)| files.clone());
            if found.is_none() {
                let fault = format!("there is no certificate \"{name}\"");
                section.fault("certificate", fault, "add a [[certificate]] of that name");
            }
            found
        });
        let routes = section.sections("route", |section| {
            let domain = section.required("domain", "write the domain behind the @");
            let host = section.required("host", "write a host name or an IPv4 address");
            let port = port(section);
            Some(StaticRoute { domain: domain?, host: host?, port })
        });
        let transfers = [("data", Transfer::Data), ("chunks", Transfer::Chunks)];
        Some(RelayConfig {
            name: section.parsed("name", "write the host's full name"),
            routes,
            port: port(section),
            dns_servers: section.list("dns_servers", "write address and port, as \"192.0.2.53:53\""),
            allowed_networks: section.list("allowed_networks", "write a network, as \"10.0.0.0/8\""),
            transfer: section.choice("transfer", &transfers, Transfer::Data),
            retry: section.section("retry", read_retry),
            idle: seconds(section, "idle_seconds", 0..=300, Duration::from_secs(10)),
            limits: read_limits(section),
            smart_host: section.optional_section("smart_host", SmartHostConfig::read),
            certificate: certificate?,
        })
    }
}

fn port(section: &Section<'_>) -> u16 {
    u16::try_from(section.whole("port", 1..=65_535, SMTP_PORT.into())).unwrap_or(SMTP_PORT)
}

fn read_limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        connections_max: super::whole(section, "connections", 1..=10_000, default.connections_max),
        destination_connections_max: super::whole(
            section,
            "connections_per_destination",
            1..=1_000,
            default.destination_connections_max,
        ),
        recipients_max: super::whole(section, "recipients", 1..=1_000, default.recipients_max),
        pause_first: seconds(section, "pause_first_seconds", 1..=86_400, default.pause_first),
        pause_max: seconds(section, "pause_max_seconds", 1..=86_400, default.pause_max),
        ..default
    }
}

fn read_retry(section: &Section<'_>) -> RetryPolicy {
    let default = RetryPolicy::default();
    let year = 366 * 86_400;
    let pauses: Vec<u64> = section.list("first_pauses_seconds", "write seconds in quotes, as [\"60\", \"300\"]");
    RetryPolicy {
        first_pauses: match pauses.is_empty() {
            true => default.first_pauses,
            false => pauses.into_iter().map(|pause| Duration::from_secs(pause.clamp(1, year))).collect(),
        },
        pause_max: seconds(section, "pause_max_seconds", 1..=year, default.pause_max),
        notice_after: seconds(section, "notice_after_seconds", 1..=year, default.notice_after),
        trust_notice_after: seconds(section, "trust_notice_after_seconds", 1..=year, default.trust_notice_after),
        give_up_after: seconds(section, "give_up_after_seconds", 1..=year, default.give_up_after),
    }
}

fn seconds(
    section: &Section<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    default: Duration,
) -> Duration {
    Duration::from_secs(section.whole(key, range, default.as_secs()))
}
