//! The configuration: typed, complete, and said to be wrong in all its places at once.

mod client_certificates;
pub mod identity_provider;
mod listener;
mod problem;
pub mod reader;
mod receiving;
mod relay;
mod smart_host;
mod surroundings;
pub mod trust;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use mail::Domain;
use net::tls::CertificateFiles;

pub use client_certificates::ClientCertificates;
use identity_provider::IdentityProviderConfig;
pub use listener::{ListenerConfig, PeerTrust, Role, Tls};
pub use problem::{Problem, Problems, Severity};
use reader::Section;
pub use receiving::{ReceivingConfig, SenderAuthentication};
pub use relay::{RelayConfig, StaticRoute};
pub use smart_host::{SignIn, Signing, SmartHostConfig};
use trust::TrustConfig;

/// Everything `sceau serve` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Our name: in greetings, Received and message ids.
    pub name: Domain,
    /// Where the data is.
    pub data: PathBuf,
    /// An address of the account that reads `<Postmaster>`, and `postmaster@` of every domain that names nobody.
    pub postmaster: Option<mail::Address>,
    /// The Unix socket of the commands.
    pub admin_socket: PathBuf,
    /// How long running transactions have to finish when the server stops.
    pub stop_within: Duration,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Where metrics and health are served: loopback unless said otherwise.
    pub admin: Vec<SocketAddr>,
    /// Who may have how much.
    pub limits: Limits,
    /// Password checking.
    pub passwords: Passwords,
    /// The certificates by name.
    pub certificates: Vec<(String, CertificateFiles)>,
    /// Whose tokens are believed.
    pub identity_provider: Option<IdentityProviderConfig>,
    /// Who is believed outside: the trust space. Without it nobody is.
    pub trust: Option<TrustConfig>,
    /// Where mail comes in and is read.
    pub listeners: Vec<ListenerConfig>,
    /// How mail leaves; without it none does.
    pub relay: Option<RelayConfig>,
    /// What mail from other operators is held to.
    pub receiving: ReceivingConfig,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Text for people, JSON for machines.
    pub format: LogFormat,
    /// Levels by module, in the syntax of tracing's `EnvFilter`.
    pub filter: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// Figures that keep one client from taking everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions from one address.
    pub sessions_per_address: usize,
    /// Sessions of one account.
    pub sessions_per_account: usize,
    /// Networks whose addresses have a figure of their own.
    pub networks: Vec<(IpNet, usize)>,
    /// Octets of a message's attachments and texts, decoded: what users call its size.
    pub message_octets: u64,
    /// Free space under which nothing new is accepted.
    pub reserve_octets: u64,
}

/// Password checking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passwords {
    /// Argon2id computations at once; each takes 19 MiB.
    pub hashes_at_once: usize,
    /// Networks whose failed sign-ins are never slowed nor counted.
    pub never_slowed: Vec<IpNet>,
}

/// How far a configuration is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    AtTheText,
    /// At the files it names, too.
    Around,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// All faults of the file at once.
    pub fn load(file: &Path) -> Result<Config, Problems> {
        Config::parse(file, &text_of(file)?)
    }

    /// Reads a file and looks at what it names: are the certificates there, can the data be written. Gives what is allowed
    /// and yet no good idea.
    ///
    /// # Errors
    /// All problems of both at once, when one of them is a fault.
    pub fn check(file: &Path) -> Result<Vec<Problem>, Problems> {
        let text = text_of(file)?;
        reader::read(file, &text, |root| Config::read(file, root, Look::Around)).map(|(_, warnings)| warnings)
    }

    /// Reads a text as if it were that file's.
    ///
    /// # Errors
    /// All faults at once.
    pub fn parse(file: &Path, text: &str) -> Result<Config, Problems> {
        reader::read(file, text, |root| Config::read(file, root, Look::AtTheText)).map(|(config, _)| config)
    }

    fn read(file: &Path, root: &Section<'_>, look: Look) -> Option<Config> {
        let log = root.section("log", |section| LogConfig {
            format: section.choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)], LogFormat::Text),
            filter: read_filter(section),
        });
        let admin =
            root.section("admin", |section| section.list("listen", "write address and port, as \"127.0.0.1:8025\""));
        let limits = root.section("limits", Limits::read);
        let passwords = root.section("passwords", |section| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            Passwords {
                hashes_at_once: whole(section, "hashes_at_once", 1..=1_024, cores),
                never_slowed: section.list("never_slowed", "write a network, as \"192.0.2.0/24\""),
            }
        });
        let trust = root.optional_section("trust", |section| {
            let trust = TrustConfig::read(section);
            if look == Look::Around
                && let Some(trust) = &trust
            {
                surroundings::trust(section, trust);
            }
            trust
        });
        let mut names: Vec<String> = Vec::new();
        let certificates = root.sections("certificate", |section| {
            let name: Option<String> = section.required("name", "give the certificate a name for listeners to use");
            names.extend(name.clone());
            let chain =
                section.required_path("chain", "write the path of a PEM file with the certificate and its chain");
            let key = section.required_path("key", "write the path of a PEM file with the private key");
            let files = CertificateFiles { chain: chain?, key: key? };
            if look == Look::Around {
                surroundings::certificate(section, &files);
            }
            Some((name?, files))
        });
        let identity_provider = root.optional_section("identity_provider", |section| {
            let provider = IdentityProviderConfig::read(section, &certificates)?;
            if look == Look::Around {
                surroundings::identity_provider(section, &provider);
            }
            Some(provider)
        });
        let believed = listener::Believed { certificates: trust.is_some(), tokens: identity_provider.is_some() };
        let listeners = root.sections("listener", |section| ListenerConfig::read(section, &names, believed));
        listener::check_together(root, &listeners, trust.is_some());
        let relay = root.optional_section("relay", |section| RelayConfig::read(section, &certificates));
        let receiving = root.section("receiving", ReceivingConfig::read);
        if relay.is_some() && trust.is_none() {
            root.fault("relay", "nobody would be believed, and nothing sent", "add the table [trust]");
        }
        let server = root.section("server", |section| {
            let name = section.required("name", "write the host's full name, as name = \"mail.example.org\"");
            let data = section.path("data").unwrap_or_else(|| PathBuf::from("/var/lib/sceau"));
            let admin_socket = section.path("admin_socket").unwrap_or_else(|| data.join("admin.sock"));
            let postmaster = section.parsed("postmaster", "write an address of one of our accounts");
            let stop_within = Duration::from_secs(section.whole("stop_seconds", 0..=3_600, 30));
            if look == Look::Around {
                surroundings::data(section, &data);
                surroundings::postmaster(section, postmaster.as_ref(), &listeners);
            }
            name.map(|name| (name, data, postmaster, admin_socket, stop_within))
        });
        let (name, data, postmaster, admin_socket, stop_within) = server?;
        let file = file.to_owned();
        Some(Config {
            file,
            name,
            data,
            postmaster,
            admin_socket,
            stop_within,
            log,
            admin,
            limits,
            passwords,
            certificates,
            identity_provider,
            trust,
            listeners,
            relay,
            receiving,
        })
    }

    /// The certificates of a listener, the default one first.
    pub fn certificates_of(&self, listener: &ListenerConfig) -> Vec<CertificateFiles> {
        let named = |name: &String| self.certificates.iter().find(|(known, _)| known == name);
        match listener.certificates.is_empty() {
            true => self.certificates.iter().map(|(_, files)| files.clone()).collect(),
            false => listener.certificates.iter().filter_map(named).map(|(_, files)| files.clone()).collect(),
        }
    }
}

impl Limits {
    fn read(section: &Section<'_>) -> Limits {
        let networks = section.sections("network", |section| {
            let network = section.required("network", "write a network, as network = \"192.0.2.0/24\"");
            let sessions = whole(section, "sessions_per_address", 1..=1_000_000, 1_000);
            network.map(|network: IpNet| (network, sessions))
        });
        Limits {
            sessions: whole(section, "sessions", 1..=1_000_000, 20_000),
            sessions_per_address: whole(section, "sessions_per_address", 1..=1_000_000, 100),
            sessions_per_account: whole(section, "sessions_per_account", 1..=1_000_000, 100),
            networks,
            message_octets: section.whole("message_megabytes", 1..=1_024, 50) << 20,
            reserve_octets: section.whole("reserve_megabytes", 1..=1_048_576, 256) << 20,
        }
    }

    /// Octets a message may have on the wire so that [`Limits::message_octets`] of attachments fit: base64 in lines of 76
    /// with CRLF (RFC 2045 §6.8), and a mebibyte of headers. Announced as SIZE (RFC 1870) and APPENDLIMIT (RFC 7889).
    pub fn wire_octets(&self) -> u64 {
        wire_octets(self.message_octets)
    }
}

impl Config {
    /// As [`Limits::wire_octets`], of what other operators bring.
    pub fn received_octets(&self) -> u64 {
        wire_octets(self.receiving.message_octets.unwrap_or(self.limits.message_octets))
    }
}

fn wire_octets(message_octets: u64) -> u64 {
    let base64 = message_octets.div_ceil(3) * 4;
    base64 + base64.div_ceil(76) * 2 + (1 << 20)
}

fn text_of(file: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(file).map_err(|error| {
        let remedy = "give the path of a readable TOML file, as those in conf/".to_owned();
        Problems(vec![Problem {
            severity: Severity::Fault,
            file: file.to_owned(),
            line: None,
            key: String::new(),
            fault: error.to_string(),
            remedy,
        }])
    })
}

fn whole(section: &Section<'_>, key: &'static str, range: std::ops::RangeInclusive<u64>, default: usize) -> usize {
    usize::try_from(section.whole(key, range, default as u64)).unwrap_or(default)
}

fn read_filter(section: &Section<'_>) -> String {
    let filter = section.text("level").unwrap_or("info");
    // A word that is no level would be taken for a module, and everything else fall silent.
    let bare = |directive: &&str| !directive.contains(['=', '[']);
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| levels.iter().any(|level| word.eq_ignore_ascii_case(level));
    let stranger = filter.split(',').map(str::trim).filter(bare).find(|word| !is_level(word));
    let fault = match (stranger, filter.parse::<tracing_subscriber::EnvFilter>()) {
        (Some(word), _) => format!("\"{word}\" is no level"),
        (None, Err(error)) => format!("\"{filter}\": {error}"),
        (None, Ok(_)) => return filter.to_owned(),
    };
    let remedy = "write a level (error, warn, info, debug, trace), or levels by module: \"info,smtp=debug\"";
    section.fault("level", fault, remedy);
    "info".to_owned()
}
