//! `sceau demo`: two operators in a folder of their own, with DNS and trust space, that prove themselves and then serve.
//!
//! Everything runs in this one process: whatever ends it, SIGKILL too, ends everything. What must be known again at the
//! next start (names and passwords) is in `demo.json`; what others read is in `demo.env`.
//!
//! ```text
//! demo-data/                operator A: sceau.toml, demo.json, data; demo.env and the log of both
//! demo-data/operator-b/     operator B: sceau.toml, demo.json, data
//! demo-data/certificates/   what users are shown
//! demo-data/trust-space/    what operators are shown, revocation lists, the white list
//! ```

mod client;
mod environment;
mod operator;
mod outside;
mod people;
mod proof;
mod seed;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use self::operator::{Operator, Surroundings};
use self::people::{Counterpart, People};
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::development_certificates::DevelopmentCertificates;
use crate::development_trust_space::DevelopmentTrustSpace;
use crate::lifecycle::Server;
use crate::telemetry::start_logs_in_file;

/// The longest the proof may take.
const PROOF_TIME_MAX: Duration = Duration::from_secs(60);

/// `sceau demo`
#[derive(Debug, Args)]
pub struct Options {
    /// The folder; what is in it from an earlier start is kept
    #[arg(long, default_value = "./demo-data")]
    dir: PathBuf,
    /// Ports lie in N to N+99: N plus the last two digits of the port that each service usually has
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..=65_436))]
    port_base: u16,
    /// Also have accounts user0001 to N
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9_999))]
    accounts: u32,
    /// End after the proof: status 0 when it held, else 1
    #[arg(long)]
    exit: bool,
}

/// The folder and what is in it.
struct Place {
    folder: PathBuf,
    a: Operator,
    b: Operator,
    certificates: DevelopmentCertificates,
    space: DevelopmentTrustSpace,
    dns: SocketAddr,
    /// Held until the end: a second demo in one folder would take `demo.env` from the first.
    _taken: DataFolder,
}

/// Runs the demonstration.
///
/// # Errors
/// What could not be made, opened or bound: a taken port by its number.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let place = Place::prepare(&options)?;
    let known = People::load(&place.folder)?;
    let is_new = known.is_none();
    let people = match known {
        Some(people) => people,
        None => People::invent(&place.folder)?,
    };
    let counterpart = Counterpart::ensure(&place.folder_b())?;
    place.write_configurations(&people, &counterpart)?;
    let (config_a, config_b) = (Config::load(&place.a.config)?, Config::load(&place.b.config)?);
    start_logs_in_file(&config_a.log, &place.folder.join("sceau.log"))?;
    say!("Sceau {} in {}", env!("CARGO_PKG_VERSION"), place.folder.display());

    place.a.ports.ensure_free()?;
    place.b.ports.ensure_free().context("operator B")?;
    seed::ensure(&config_a, &people, options.accounts).await?;
    seed::ensure_counterpart(&config_b, &counterpart).await?;
    outside::serve_names(place.dns).await?;
    let operators = Operators::start(config_a, config_b).await?;
    let mut held = true;
    if is_new || options.exit {
        let scene = proof::Scene { place: &place, people: &people, counterpart: &counterpart, operators: &operators };
        let outcome = tokio::time::timeout(PROOF_TIME_MAX, proof::run(&scene)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {PROOF_TIME_MAX:?}")));
        if let Err(error) = outcome {
            held = false;
            say!("  THE PROOF FAILED: {error:#}");
        }
    }
    environment::write(&place, &people, &counterpart)?;
    if options.exit {
        operators.stop_now().await;
        return Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    say!("\n{}", environment::settings_table(&place, &people, &counterpart));
    say!("The log is in {}. Interrupt to stop.", place.folder.join("sceau.log").display());
    Ok(operators.until_stopped().await)
}

impl Place {
    fn prepare(options: &Options) -> anyhow::Result<Place> {
        fs::create_dir_all(&options.dir).with_context(|| format!("creating {}", options.dir.display()))?;
        let folder = fs::canonicalize(&options.dir).with_context(|| format!("finding {}", options.dir.display()))?;
        environment::check_path(&folder)?;
        let taken = DataFolder::take(&folder)?;
        // Whoever waits for it waits for this start.
        let _ = fs::remove_file(folder.join("demo.env"));
        let certificates = DevelopmentCertificates::ensure(&folder.join("certificates"))?;
        let space = outside::ensure_trust_space(&folder.join("trust-space"))?;
        let place = Place {
            a: Operator::a(&folder, options.port_base, &space),
            b: Operator::b(&folder.join("operator-b"), options.port_base, &space),
            dns: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port_base + 53)),
            certificates,
            space,
            folder,
            _taken: taken,
        };
        fs::create_dir_all(place.folder_b()).with_context(|| format!("creating {}", place.folder_b().display()))?;
        Ok(place)
    }

    fn folder_b(&self) -> PathBuf {
        self.folder.join("operator-b")
    }

    fn write_configurations(&self, people: &People, counterpart: &Counterpart) -> anyhow::Result<()> {
        let around = Surroundings { certificates: &self.certificates, space: &self.space, dns: self.dns };
        self.a.write_configuration(&people.user1.address, &self.b, &around)?;
        self.b.write_configuration(&counterpart.user1.address, &self.a, &around)
    }
}

/// Both servers, running.
struct Operators {
    a: Server,
    b: Server,
}

impl Operators {
    /// Starts both, and lets them read the white list: who connects afterwards is judged.
    async fn start(config_a: Config, config_b: Config) -> anyhow::Result<Operators> {
        let start =
            async |config| Server::start(config).await.context("another --port-base may help if a port is taken");
        let operators = Operators { a: start(config_a).await?, b: start(config_b).await.context("operator B")? };
        for server in [&operators.a, &operators.b] {
            let trust = server.assembly().trust.as_ref().context("the demo's configuration has a trust space")?;
            let refreshed = trust.refresh().await;
            refreshed.revocation.map_err(anyhow::Error::msg).context("revocation lists")?;
            refreshed.list.map_err(anyhow::Error::msg).context("the white list")?;
        }
        Ok(operators)
    }

    async fn stop_now(self) {
        tokio::join!(self.a.stop_now(), self.b.stop_now());
    }

    /// Serves until both are stopped; where one ends by itself, the other is told to.
    async fn until_stopped(self) -> ExitCode {
        let until_stopped = async |server: Server| {
            let status = server.until_stopped().await;
            if status != ExitCode::SUCCESS {
                let this = rustix::process::getpid();
                let _ended_already = rustix::process::kill_process(this, rustix::process::Signal::TERM);
            }
            status
        };
        let (a, b) = tokio::join!(until_stopped(self.a), until_stopped(self.b));
        if a == ExitCode::SUCCESS { b } else { a }
    }
}

/// Written beside, then renamed into place: nobody reads half a file.
fn write_whole(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
