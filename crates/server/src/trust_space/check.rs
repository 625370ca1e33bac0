//! `sceau trust check`: connects to another operator as the relay would, and explains each step.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mail::{Domain, MxAnswer};
use net::Connection;
use net::dns::Resolver;
use net::tls::TlsClient;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trust::{Cause, timestamp};

use super::TrustSpace;

/// Time for a connection, and for a reply.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Octets of a reply.
const REPLY_OCTETS_MAX: usize = 16 << 10;

/// Addresses tried of one host.
const ADDRESSES_MAX: usize = 4;

/// What is checked.
#[derive(Clone, Debug)]
pub struct Subject {
    /// A mail domain, or the name of a host.
    pub name: Domain,
    /// The port; 25 between operators.
    pub port: u16,
    /// The domain the host should speak for; by default `name` when it is listed.
    pub speaks_for: Option<Domain>,
    /// Our name in EHLO.
    pub our_name: Domain,
}

/// One step, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `list`, `dns`, `connection`, `starttls`, `handshake`, `certificate`, `revocation`, `host-name`, `speaks-for`.
    pub step: &'static str,
    /// Whether mail could go on.
    pub good: bool,
    /// What was found.
    pub found: String,
}

/// All steps with one host, and the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The host, and the address connected to.
    pub host: String,
    /// In order; the last one decides.
    pub steps: Vec<Step>,
    /// `trusted`, the word of a cause, or `unreachable`.
    pub verdict: &'static str,
}

/// Steps so far, or the verdict that ends them.
struct Course {
    steps: Vec<Step>,
}

impl Course {
    fn good(&mut self, step: &'static str, found: impl Into<String>) {
        self.steps.push(Step { step, good: true, found: found.into() });
    }

    fn bad(&mut self, step: &'static str, found: impl Into<String>, verdict: &'static str) -> &'static str {
        self.steps.push(Step { step, good: false, found: found.into() });
        verdict
    }
}

const UNREACHABLE: &str = "unreachable";

impl TrustSpace {
    /// Checks every host that takes the subject's mail, or the subject itself when it is a host.
    pub async fn check(&self, subject: &Subject, resolver: &dyn Resolver, us: &TlsClient) -> Vec<Checked> {
        let mut before = Course { steps: Vec::new() };
        let listed = self.list().is_some_and(|list| list.lists_domain(&subject.name));
        let speaks_for = subject.speaks_for.clone().or_else(|| listed.then(|| subject.name.clone()));
        match self.list().and_then(|list| list.operators(speaks_for.as_ref()?).cloned()) {
            Some(operators) => {
                let names: Vec<String> = operators.iter().map(ToString::to_string).collect();
                before.good("list", format!("{} is listed with {}", show(speaks_for.as_ref()), names.join(" and ")));
            }
            None if speaks_for.is_some() => {
                let found = format!("{} is not in the white list", show(speaks_for.as_ref()));
                let verdict = before.bad("list", found, Cause::Unlisted.word());
                return vec![Checked { host: subject.name.to_string(), steps: before.steps, verdict }];
            }
            None => before.good("list", format!("{} is taken for a host: it is no listed domain", subject.name)),
        }
        let hosts = match (listed, resolver.mx(&subject.name).await) {
            (false, _) | (true, Ok(MxAnswer::Implicit)) => vec![subject.name.clone()],
            (true, Ok(MxAnswer::Exchanges(mut exchanges))) => {
                exchanges.sort_by_key(|exchange| exchange.preference);
                exchanges.into_iter().map(|exchange| exchange.host).collect()
            }
            (true, Ok(MxAnswer::Null)) => {
                let verdict = before.bad("dns", "it takes no mail at all (null MX, RFC 7505)", UNREACHABLE);
                return vec![Checked { host: subject.name.to_string(), steps: before.steps, verdict }];
            }
            (true, Err(error)) => {
                let verdict = before.bad("dns", format!("MX: {error}"), UNREACHABLE);
                return vec![Checked { host: subject.name.to_string(), steps: before.steps, verdict }];
            }
        };
        let mut checked = Vec::new();
        for host in hosts {
            let mut course = Course { steps: before.steps.clone() };
            let addresses = match resolver.addresses(&host).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    let verdict = course.bad("dns", format!("{host}: {error}"), UNREACHABLE);
                    checked.push(Checked { host: host.to_string(), steps: course.steps, verdict });
                    continue;
                }
            };
            for address in addresses.into_iter().take(ADDRESSES_MAX) {
                let mut course = Course { steps: course.steps.clone() };
                course.good("dns", format!("{host} is at {address}"));
                let verdict = self.converse(&mut course, subject, speaks_for.as_ref(), &host, address, us).await;
                checked.push(Checked { host: format!("{host} [{address}]"), steps: course.steps, verdict });
            }
        }
        checked
    }

    async fn converse(
        &self,
        course: &mut Course,
        subject: &Subject,
        speaks_for: Option<&Domain>,
        host: &Domain,
        address: IpAddr,
        us: &TlsClient,
    ) -> &'static str {
        let to = SocketAddr::new(address, subject.port);
        let mut connection = match Connection::open(to, TIME_MAX).await {
            Ok(connection) => connection,
            Err(error) => return course.bad("connection", format!("{to}: {error}"), UNREACHABLE),
        };
        let greeting = match reply(&mut connection).await {
            Ok(greeting) if greeting.starts_with("220") => greeting,
            Ok(other) => return course.bad("connection", first_line(&other), UNREACHABLE),
            Err(error) => return course.bad("connection", format!("no greeting: {error}"), UNREACHABLE),
        };
        course.good("connection", first_line(&greeting));
        let offered = match ask(&mut connection, &format!("EHLO {}\r\n", subject.our_name)).await {
            Ok(offered) => offered,
            Err(error) => return course.bad("connection", format!("no answer to EHLO: {error}"), UNREACHABLE),
        };
        let offers = |line: &str| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"));
        if !offered.lines().any(offers) {
            return course.bad("starttls", "STARTTLS is not offered", Cause::TlsRequired.word());
        }
        match ask(&mut connection, "STARTTLS\r\n").await {
            Ok(answer) if answer.starts_with("220") => course.good("starttls", first_line(&answer)),
            Ok(answer) => return course.bad("starttls", first_line(&answer), Cause::TlsRequired.word()),
            Err(error) => return course.bad("starttls", error.to_string(), Cause::TlsRequired.word()),
        }
        let (mut connection, peer) = match connection.connect_tls(us, host.as_str()).await {
            Ok(secured) => secured,
            Err(error) => return course.bad("handshake", error.to_string(), Cause::TlsRequired.word()),
        };
        course.good("handshake", format!("{} {}, {} certificates", peer.version, peer.cipher, peer.chain.len()));
        let verdict = self.judge_host(course, &peer.chain, host, speaks_for).await;
        // A server that refuses our certificate under TLS 1.3 says so only now (RFC 8446 §4.4.2.4).
        match ask(&mut connection, &format!("EHLO {}\r\n", subject.our_name)).await {
            Ok(_) => course.good("our-certificate", "the server goes on under TLS"),
            Err(error) => {
                let alert = connection.alert_behind(&error).await;
                let why = alert.map_or_else(|| error.to_string(), |alert| alert.to_string());
                return course.bad("our-certificate", format!("the server ends the session: {why}"), UNREACHABLE);
            }
        }
        let _ = ask(&mut connection, "QUIT\r\n").await;
        verdict
    }

    async fn judge_host(
        &self,
        course: &mut Course,
        chain: &[Vec<u8>],
        host: &Domain,
        speaks_for: Option<&Domain>,
    ) -> &'static str {
        let Some(judged) = self.server(chain, host).await else {
            return course.bad("list", "there is no white list yet", UNREACHABLE);
        };
        if let Ok(leaf) = trust::certificate::read_leaf(chain) {
            let (from, until) = (timestamp::to_rfc3339(leaf.not_before), timestamp::to_rfc3339(leaf.not_after));
            let found =
                format!("{}, issued by {}, serial {}, valid from {from} to {until}", leaf.dn, leaf.issuer, leaf.serial);
            course.steps.push(Step { step: "certificate", good: judged.is_ok(), found });
        }
        let certificate = match judged {
            Ok(certificate) => certificate,
            Err(rejected) => return course.bad("certificate", rejected.explanation, rejected.cause.word()),
        };
        let path: Vec<String> = certificate.path.iter().map(ToString::to_string).collect();
        course.good("certificate", format!("leads to a configured root: {}", path.join(" < ")));
        course.good("revocation", certificate.standing.to_string());
        let named = if certificate.names_host(host) { "names" } else { "does not name (which is not its identity)" };
        course.good("host-name", format!("the certificate {named} {host}"));
        let speaks = match (speaks_for, self.current().get()) {
            (Some(domain), Some(space)) => space.speaks_for(&certificate, domain),
            (None, Some(space)) => space.is_listed(&certificate),
            (_, None) => Err(Cause::Unlisted),
        };
        match (speaks, speaks_for) {
            (Ok(()), Some(domain)) => course.good("speaks-for", format!("its subject may speak for {domain}")),
            (Ok(()), None) => course.good("speaks-for", "its subject is in the white list"),
            (Err(cause), _) => return course.bad("speaks-for", cause.sentence(mail::Language::English), cause.word()),
        }
        "trusted"
    }
}

fn show(domain: Option<&Domain>) -> String {
    domain.map(ToString::to_string).unwrap_or_default()
}

fn first_line(reply: &str) -> String {
    reply.lines().next().unwrap_or_default().chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect()
}

async fn ask(connection: &mut Connection, command: &str) -> io::Result<String> {
    connection.write_all(command.as_bytes()).await?;
    connection.flush().await?;
    reply(connection).await
}

/// One reply, all its lines (RFC 5321 §4.2.1).
async fn reply(connection: &mut Connection) -> io::Result<String> {
    let reading = async {
        let mut octets = Vec::new();
        loop {
            let mut piece = [0; 1_024];
            let count = connection.read(&mut piece).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            octets.extend_from_slice(piece.get(..count).unwrap_or_default());
            if octets.len() > REPLY_OCTETS_MAX {
                return Err(io::Error::other("the reply is too long"));
            }
            let text = String::from_utf8_lossy(&octets);
            let is_last = |line: &str| line.as_bytes().get(3).is_none_or(|separator| *separator != b'-');
            if text.ends_with("\r\n") && text.lines().last().is_some_and(is_last) {
                return Ok(text.into_owned());
            }
        }
    };
    tokio::time::timeout(TIME_MAX, reading).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
