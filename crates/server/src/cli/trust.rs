//! `sceau trust`: the white list, the revocation lists, who may speak for whom.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use mail::Domain;
use net::dns::{Hickory, Servers};
use net::tls::TlsClient;
use serde_json::{Value, json};
use trust::WhiteList;
use trust::white_list::Parsed;

use super::ConfigFile;
use super::accounts::ask;
use super::output::{Form, print_value};
use crate::admin::{Request, TrustView};
use crate::config::{Config, LogConfig, LogFormat};
use crate::telemetry::{Metrics, start_logs};
use crate::trust_space::check::Subject;
use crate::trust_space::{TrustSpace, TrustStatus};

/// `sceau trust`
#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Say how fresh the lists are; the exit status is 1 when the white list is old or missing
    Status {
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Show the subjects that may speak for a domain, or the domains that a subject may speak for
    Show {
        /// A domain, or a distinguished name as "CN=…,OU=…,O=…,ST=…,C=FR"
        what: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Connect to an operator as we would to send, and explain the verdict step by step; status 1 unless trusted
    Check {
        /// A mail domain: its exchanges are checked; or the name of a host
        host: Domain,
        /// The port
        #[arg(long, default_value_t = 25)]
        port: u16,
        /// The domain the host should speak for, when HOST is not a domain of the list
        #[arg(long)]
        domain: Option<Domain>,
        /// The certificate to show, by its name in the configuration; the first one by default
        #[arg(long, value_name = "NAME")]
        certificate: Option<String>,
        /// A DNS server to ask instead of the system's, as 192.0.2.1:53
        #[arg(long, value_name = "ADDRESS")]
        dns: Vec<SocketAddr>,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Show what changes from one white list to another; the exit status is 1 when something does
    Diff {
        /// The older file
        old: PathBuf,
        /// The newer file
        new: PathBuf,
        #[command(flatten)]
        form: Form,
    },
    /// Fetch white list and revocation lists now
    Refresh {
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
}

impl TrustCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            TrustCommand::Status { form, config } => status(form, &config, Request::TrustStatus).await,
            TrustCommand::Refresh { form, config } => status(form, &config, Request::TrustRefresh).await,
            TrustCommand::Show { what, form, config } => show(form, &config, what).await,
            TrustCommand::Check { host, port, domain, certificate, dns, form, config } => {
                let config = config.load()?;
                start_logs(&LogConfig { format: LogFormat::Text, filter: "error".into() });
                let subject = Subject { name: host, port, speaks_for: domain, our_name: config.name.clone() };
                check(form, &config, &subject, certificate.as_deref(), dns).await
            }
            TrustCommand::Diff { old, new, form } => diff(form, &old, &new),
        }
    }
}

async fn status(form: Form, config: &ConfigFile, request: Request) -> anyhow::Result<ExitCode> {
    let status: TrustStatus = ask(config, request).await?;
    let code = if status.list.stale { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if form.json {
        say!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(code);
    }
    print_value(form, &serde_json::to_value(&status.list)?)?;
    say!();
    form.print(&["revocation list of", "issued", "valid until", "revoked"], &status.revocation, |list| {
        let until = if list.valid { list.next_update.clone() } else { format!("{} (past)", list.next_update) };
        vec![list.issuer.clone(), list.this_update.clone(), until, list.revoked.to_string()]
    })?;
    if let Some(error) = status.revocation_error {
        say!("the last attempt failed: {error}");
    }
    Ok(code)
}

async fn show(form: Form, config: &ConfigFile, what: String) -> anyhow::Result<ExitCode> {
    let view: TrustView = ask(config, Request::TrustShow { what }).await?;
    let (asked, listed, lines) = match &view {
        TrustView::Domain { domain, listed, operators } => (domain, *listed, operators),
        TrustView::Subject { subject, listed, domains } => (subject, *listed, domains),
    };
    let code = if listed { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if form.json {
        say!("{}", serde_json::to_string_pretty(&view)?);
    } else if listed {
        lines.iter().for_each(|line| say!("{line}"));
    } else {
        say!("{asked} is not in the white list");
    }
    Ok(code)
}

fn diff(form: Form, old: &Path, new: &Path) -> anyhow::Result<ExitCode> {
    let (before, after) = (read(old)?, read(new)?);
    let difference = before.list.diff(&after.list);
    if form.json {
        let names = |domains: &[mail::Domain]| domains.iter().map(ToString::to_string).collect::<Vec<_>>();
        let subjects = |subjects: &[trust::Dn]| subjects.iter().map(ToString::to_string).collect::<Vec<_>>();
        let change = |change: &trust::white_list::Change| {
            json!({
                "domain": change.domain.to_string(),
                "gained": subjects(&change.gained),
                "lost": subjects(&change.lost),
            })
        };
        let value: Value = json!({
            "old": trust::timestamp::to_rfc3339(before.list.generated()),
            "new": trust::timestamp::to_rfc3339(after.list.generated()),
            "added": names(&difference.added),
            "removed": names(&difference.removed),
            "changed": difference.changed.iter().map(change).collect::<Vec<_>>(),
        });
        say!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        for domain in &difference.removed {
            say!("- {domain}");
        }
        for domain in &difference.added {
            say!("+ {domain}");
            for subject in after.list.operators(domain).into_iter().flatten() {
                say!("    + {subject}");
            }
        }
        for change in &difference.changed {
            say!("  {}", change.domain);
            change.lost.iter().for_each(|subject| say!("    - {subject}"));
            change.gained.iter().for_each(|subject| say!("    + {subject}"));
        }
    }
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// With the lists that the server keeps on disk.
async fn check(
    form: Form,
    config: &Config,
    subject: &Subject,
    certificate: Option<&str>,
    dns: Vec<SocketAddr>,
) -> anyhow::Result<ExitCode> {
    let trust = config.trust.as_ref().context("no trust space is configured: add [trust] to the configuration")?;
    let space = TrustSpace::open(trust, &config.data, Metrics::default()).await?;
    anyhow::ensure!(space.list().is_some(), "there is no white list yet: sceau trust refresh");
    let named = config.certificates.iter().find(|(name, _)| certificate.is_none_or(|wanted| name == wanted));
    if let (Some(wanted), None) = (certificate, named) {
        anyhow::bail!("there is no certificate \"{wanted}\" in the configuration");
    }
    let us = TlsClient::new(named.map(|(_, files)| files.clone()))?;
    let servers = if dns.is_empty() { Servers::System } else { Servers::These(dns) };
    let checked = space.check(subject, &Hickory::new(&servers)?, &us).await;
    let trusted = !checked.is_empty() && checked.iter().all(|one| one.verdict == "trusted");
    if form.json {
        say!("{}", serde_json::to_string_pretty(&checked)?);
    } else {
        for one in &checked {
            say!("{}", one.host);
            for step in &one.steps {
                say!("  {} {:<16}{}", if step.good { "ok " } else { "NO " }, step.step, step.found);
            }
            say!("  => {}", one.verdict);
        }
    }
    Ok(if trusted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a file for comparison; what cannot be read of it is told, its signature is not looked at.
fn read(file: &Path) -> anyhow::Result<Parsed> {
    let xml = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let parsed = WhiteList::parse(&xml).with_context(|| file.display().to_string())?;
    for fault in &parsed.faults {
        eprintln!("{}: {fault}", file.display());
    }
    Ok(parsed)
}
