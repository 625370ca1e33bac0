//! A listener: where, for whom, and under which protection.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use auth::sasl::Mechanism;
use ipnet::IpNet;
use mail::Domain;

use super::client_certificates::ClientCertificates;
use super::reader::Section;

/// One `[[listener]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Its name in logs, and that of its socket under socket activation (`FileDescriptorName=`).
    pub name: String,
    /// Whom it serves.
    pub role: Role,
    /// Addresses and ports. Empty only under socket activation.
    pub listen: Vec<SocketAddr>,
    /// When octets become protected.
    pub tls: Tls,
    /// Names of `[[certificate]]`, the default first; empty for all of them in the order of the file.
    pub certificates: Vec<String>,
    /// Networks whose connections begin with a PROXY protocol header.
    pub proxy_from: Vec<IpNet>,
    /// What users may sign in with, in the order announced. Clients mostly take the first they know.
    pub mechanisms: Vec<Mechanism>,
    /// Recipients of one message.
    pub recipients_max: usize,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// Under which of our names only; empty for all.
    pub client_certificates_for: Vec<Domain>,
    /// Who may connect to a gateway listener: others are turned away.
    pub networks: Vec<IpNet>,
    /// Whether a relay listener believes operators of the trust space only.
    pub trust: PeerTrust,
}

/// Whom a relay listener believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerTrust {
    /// Operators of the trust space, by their certificates.
    #[default]
    Required,
    /// Anybody: for development.
    Off,
}

/// Whom a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// SMTP from other hosts.
    Relay,
    /// SMTP from a content filter of ours that stands in front: from its networks only, and nobody is asked for a certificate.
    Gateway,
    /// SMTP from our users (RFC 6409).
    Submission,
    /// IMAP.
    Imap,
}

/// What may stand for a password, by the rest of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Believed {
    /// Certificates: a trust space is configured.
    pub(super) certificates: bool,
    /// Tokens: an identity provider is.
    pub(super) tokens: bool,
}

/// When octets become protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// When the client asks (STARTTLS).
    StartTls,
    /// From the first octet (RFC 8314).
    Implicit,
    /// Never: relays without a certificate only.
    None,
}

impl ListenerConfig {
    /// Reads one; `known` are the certificates there are, `believed` is what else may stand for a password.
    pub(super) fn read(section: &Section<'_>, known: &[String], believed: Believed) -> Option<ListenerConfig> {
        let name: Option<String> = section.required("name", "give the listener a name: logs use it");
        let roles = [
            ("relay", Role::Relay),
            ("gateway", Role::Gateway),
            ("submission", Role::Submission),
            ("imap", Role::Imap),
        ];
        let role = section.text("role").map(|_| section.choice("role", &roles, Role::Relay));
        if role.is_none() {
            section.required::<String>("role", "write role = \"relay\", \"gateway\", \"submission\" or \"imap\"");
        }
        let protections = [("starttls", Tls::StartTls), ("implicit", Tls::Implicit), ("none", Tls::None)];
        let tls = section.choice("tls", &protections, Tls::StartTls);
        let listen = section.list("listen", "write address and port, as \"0.0.0.0:25\" or \"[::]:25\"");
        let certificates: Vec<String> = section.list("certificates", "write the name of a [[certificate]]");
        for name in certificates.iter().filter(|name| !known.contains(name)) {
            let remedy = match known {
                [] => "add a [[certificate]] of that name".to_owned(),
                known => format!("add a [[certificate]] of that name, or use one of: {}", known.join(", ")),
            };
            section.fault("certificates", format!("there is no certificate \"{name}\""), remedy);
        }
        if tls != Tls::None && known.is_empty() {
            let remedy =
                "add a [[certificate]] (sceau certs dev DIR makes one for tests), or tls = \"none\" on a gateway";
            section.fault("tls", "TLS needs a certificate and none is configured", remedy);
        }
        if tls == Tls::None && matches!(role, Some(Role::Submission | Role::Imap)) {
            let remedy = "write \"implicit\" or \"starttls\"";
            section.fault("tls", "passwords would travel in clear: users sign in under TLS only", remedy);
        }
        let networks: Vec<IpNet> = section.list("networks", "write a network, as \"10.0.0.0/8\" or \"192.0.2.1/32\"");
        match (role, networks.is_empty()) {
            (Some(Role::Gateway), true) => {
                section.fault(
                    "networks",
                    "missing: anybody could bring mail",
                    "name the networks of the content filter",
                );
            }
            (Some(role), false) if role != Role::Gateway => {
                section.fault(
                    "networks",
                    "only a gateway is held to networks",
                    "remove it, or write role = \"gateway\"",
                );
            }
            _ => {}
        }
        let trust =
            section.choice("trust", &[("required", PeerTrust::Required), ("off", PeerTrust::Off)], PeerTrust::Required);
        if trust == PeerTrust::Required && tls == Tls::None && role == Some(Role::Relay) {
            let remedy = "write tls = \"starttls\", or for development trust = \"off\"";
            section.fault("tls", "operators are known by their certificates only", remedy);
        }
        let proxy_from = section.list("proxy_from", "write a network, as \"10.0.0.0/8\" or \"192.0.2.1/32\"");
        let mut mechanisms = section.list("mechanisms", "write names, as \"PLAIN\" or \"SCRAM-SHA-256\"");
        let client_certificates = ClientCertificates::read(section, role, tls);
        if client_certificates.are_asked_for() && !believed.certificates {
            section.fault("client_certificates", "there is nobody to judge them by", "add [trust] with its roots");
        }
        let client_certificates_for: Vec<Domain> =
            section.list("client_certificates_for", "write a host name, as \"connect.example.org\"");
        if !client_certificates_for.is_empty() && !client_certificates.are_asked_for() {
            let remedy = "add client_certificates = \"requested\", or take it off";
            section.fault("client_certificates_for", "nobody is asked for a certificate", remedy);
        }
        let possible = |mechanism: &Mechanism| match mechanism {
            Mechanism::External => client_certificates.are_asked_for(),
            mechanism => believed.tokens || !mechanism.carries_tokens(),
        };
        for mechanism in mechanisms.iter().filter(|mechanism| !possible(mechanism)) {
            let remedy = match mechanism {
                Mechanism::External => "add client_certificates = \"requested\", or take it off",
                _ => "add [identity_provider], or take it off",
            };
            section.fault("mechanisms", format!("{} has nothing to go by", mechanism.name()), remedy);
        }
        if mechanisms.is_empty() {
            mechanisms = Mechanism::ALL.into_iter().filter(possible).collect();
        }
        let default = match role {
            Some(Role::Submission) => 500,
            _ => 1_000,
        };
        // RFC 5321 §4.5.3.1.10: at least 100 must be taken.
        let recipients_max = super::whole(section, "recipients_max", 100..=100_000, default);
        Some(ListenerConfig {
            name: name?,
            role: role?,
            listen,
            tls,
            certificates,
            proxy_from,
            mechanisms,
            recipients_max,
            client_certificates,
            client_certificates_for,
            networks,
            trust,
        })
    }
}

/// Faults that only show when all listeners are seen.
pub(super) fn check_together(root: &Section<'_>, listeners: &[ListenerConfig], has_trust: bool) {
    let mut names = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for listener in listeners {
        if listener.role == Role::Relay && listener.trust == PeerTrust::Required && !has_trust {
            let fault =
                format!("\"{}\" believes operators of the trust space only, and there is no [trust]", listener.name);
            root.fault("listener", fault, "add [trust], or for development trust = \"off\" to the listener");
        }
        if !names.insert(&listener.name) {
            root.fault("listener", format!("two listeners are called \"{}\"", listener.name), "rename one");
        }
        for address in listener.listen.iter().filter(|address| address.port() != 0) {
            if !addresses.insert(address) {
                root.fault("listener", format!("{address} is used twice"), "give each listener its own port");
            }
        }
    }
}
