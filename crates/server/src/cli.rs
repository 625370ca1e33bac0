//! The command line: what `sceau` is told, and what it says.

mod accounts;
mod export;
mod output;
mod passwords;
mod queue;
mod sessions;
mod sign_in_links;
mod transfers;
mod trust;
mod upkeep;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::admin::Client;
use crate::config::{Config, LogConfig, LogFormat, Severity};
use crate::demo;
use crate::development_certificates::DevelopmentCertificates;
use crate::development_trust_space::{DevelopmentTrustSpace, Plan, Signing};
use crate::lifecycle::Server;
use crate::telemetry::start_logs;

/// Where the configuration is when nothing is said.
const CONFIG_DEFAULT: &str = "/etc/sceau/sceau.toml";

/// An open mail server.
#[derive(Debug, Parser)]
#[command(name = "sceau", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reads certificates and configuration again
    Serve(ConfigFile),
    /// Say everything that is wrong with a configuration, at once
    Check(ConfigFile),
    /// Show a whole server working, in a folder of its own
    Demo(demo::Options),
    /// Certificates
    #[command(subcommand)]
    Certs(Certs),
    /// Structures: hospitals, practices
    #[command(subcommand)]
    Structure(accounts::StructureCommand),
    /// Domains of a structure
    #[command(subcommand)]
    Domain(accounts::DomainCommand),
    /// Accounts
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// Sessions of the running server
    #[command(subcommand)]
    Session(sessions::SessionCommand),
    /// What still has to leave
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// The trust space: white list, revocation lists, who may speak for whom
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Bring in mail from a Maildir or an mbox
    Import(transfers::Import),
    /// Write an account's mail as a Maildir
    Export(export::Export),
    /// Check every octet and every count of the store; one line per fault
    Verify(upkeep::Verify),
    /// Copy everything into a folder while mail flows
    Backup(upkeep::Backup),
    /// Bring back a backup: all of it, one mailbox, or one message
    Restore(upkeep::Restore),
}

/// Which configuration.
#[derive(Clone, Debug, Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = CONFIG_DEFAULT, global = true)]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Certs {
    /// Make an authority for development, a certificate for localhost, 127.0.0.1 and ::1, and a whole trust space:
    /// a fake IGC-Santé, operators A and B, the cases of the audit, revocation lists and a signed white list
    Dev {
        /// Where they go; what is there is kept
        dir: PathBuf,
    },
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = runtime().and_then(|runtime| {
        let outcome = runtime.block_on(cli.command.run());
        // Sessions that were cut off may hold blocking threads; nobody waits for them.
        runtime.shutdown_timeout(std::time::Duration::from_millis(200));
        outcome
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("sceau: {error:#}");
        ExitCode::FAILURE
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

impl Command {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Serve(file) => {
                let config = file.load()?;
                start_logs(&config.log);
                let server = Server::start(config).await?;
                Ok(server.until_stopped().await)
            }
            Command::Check(file) => file.check(),
            Command::Demo(options) => demo::run(options).await,
            Command::Certs(Certs::Dev { dir }) => {
                let made = DevelopmentCertificates::ensure(&dir)?;
                say!("authority    {}", made.authority.display());
                say!("certificate  {}", made.server.chain.display());
                say!("key          {}", made.server.key.display());
                let folder = dir.join("trust-space");
                let space = DevelopmentTrustSpace::ensure(&folder, &Plan::default())?;
                say!("trust space  {}", folder.display());
                if space.signing == Signing::ProgramMissing {
                    say!("             its white list has NO SIGNATURE: install xmlsec1 and run this again");
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Structure(command) => command.run().await,
            Command::Domain(command) => command.run().await,
            Command::Account(command) => command.run().await,
            Command::Session(command) => command.run().await,
            Command::Queue(command) => command.run().await,
            Command::Trust(command) => command.run().await,
            Command::Import(command) => command.run().await,
            Command::Export(command) => command.run().await,
            Command::Verify(command) => command.run().await,
            Command::Backup(command) => command.run().await,
            Command::Restore(command) => command.run().await,
        }
    }
}

impl ConfigFile {
    /// Reads it.
    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.config)?)
    }

    /// Finds the server, or opens the store. Logs only what is wrong.
    async fn client(&self) -> anyhow::Result<Client> {
        let config = self.load()?;
        start_logs(&LogConfig { format: LogFormat::Text, filter: "warn".into() });
        Ok(Client::of(&config).await?)
    }

    fn check(&self) -> anyhow::Result<ExitCode> {
        let problems = Config::check(&self.config).unwrap_or_else(|problems| problems.0);
        for problem in &problems {
            eprintln!("{problem}");
        }
        match problems.iter().filter(|problem| problem.severity == Severity::Fault).count() {
            0 => {
                say!("{}: no fault found", self.config.display());
                Ok(ExitCode::SUCCESS)
            }
            count => {
                eprintln!("{count} fault{}", if count == 1 { "" } else { "s" });
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
