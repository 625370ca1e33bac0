//! `sceau demo`: a whole server in a folder of its own, that proves itself and then serves.
//!
//! Everything runs in this one process: whatever ends it, SIGKILL too, ends everything. What must be known again at the
//! next start (names and passwords) is in `demo.json`; what others read is in `demo.env`.

mod client;
mod environment;
mod people;
mod proof;
mod seed;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use self::people::People;
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::development_certificates::DevelopmentCertificates;
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

/// The ports of a demo: those of the services, by their last two digits.
#[derive(Clone, Copy, Debug)]
struct Ports {
    smtp: u16,
    submission: u16,
    submissions: u16,
    imap: u16,
    imaps: u16,
    admin: u16,
}

/// The folder and what is in it.
struct Place {
    folder: PathBuf,
    config: PathBuf,
    data: PathBuf,
    certificates: DevelopmentCertificates,
    ports: Ports,
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
    place.write_configuration(&people)?;
    let config = Config::load(&place.config)?;
    start_logs_in_file(&config.log, &place.folder.join("sceau.log"))?;
    say!("Sceau {} in {}", env!("CARGO_PKG_VERSION"), place.folder.display());

    seed::ensure(&config, &people, options.accounts).await?;
    let server = Server::start(config).await.context("another --port-base may help if a port is taken")?;
    let mut held = true;
    if is_new || options.exit {
        let proof = proof::run(&place, &people);
        let outcome = tokio::time::timeout(PROOF_TIME_MAX, proof).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {PROOF_TIME_MAX:?}")));
        if let Err(error) = outcome {
            held = false;
            say!("  THE PROOF FAILED: {error:#}");
        }
    }
    environment::write(&place, &people)?;
    if options.exit {
        server.stop_now().await;
        return Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    say!("\n{}", environment::settings_table(&place, &people));
    say!("The log is in {}. Interrupt to stop.", place.folder.join("sceau.log").display());
    Ok(server.until_stopped().await)
}

impl Ports {
    fn from_base(base: u16) -> Ports {
        Ports {
            smtp: base + 25,
            submission: base + 87,
            submissions: base + 65,
            imap: base + 43,
            imaps: base + 93,
            admin: base + 80,
        }
    }
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
        Ok(Place {
            config: folder.join("sceau.toml"),
            data: folder.join("data"),
            certificates,
            ports: Ports::from_base(options.port_base),
            folder,
            _taken: taken,
        })
    }

    /// Written at each start: ports may be others. Changes by hand belong into a copy.
    fn write_configuration(&self, people: &People) -> anyhow::Result<()> {
        let listen = |port: u16| match has_ipv6() {
            true => format!("[\"{}:{port}\", \"[{}]:{port}\"]", Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
            false => format!("[\"{}:{port}\"]", Ipv4Addr::LOCALHOST),
        };
        let mut text = format!(
            "# Written by `sceau demo` at each start. conf/single-host.toml explains every key.\n\
             [server]\nname = \"localhost\"\ndata = {data}\npostmaster = \"{postmaster}\"\nstop_seconds = 5\n\n\
             [log]\nlevel = \"info\"\n\n\
             [admin]\nlisten = {admin}\n\n\
             [limits]\nsessions = 9000\nsessions_per_account = 8000\n\n\
             [[limits.network]]\nnetwork = \"127.0.0.0/8\"\nsessions_per_address = 8000\n\n\
             [[limits.network]]\nnetwork = \"::1/128\"\nsessions_per_address = 8000\n\n\
             [[certificate]]\nname = \"development\"\nchain = {chain}\nkey = {key}\n",
            data = quoted(&self.data),
            postmaster = people.user1.address,
            admin = listen(self.ports.admin),
            chain = quoted(&self.certificates.server.chain),
            key = quoted(&self.certificates.server.key),
        );
        for (name, role, tls, port) in [
            ("relay", "relay", "starttls", self.ports.smtp),
            ("submission", "submission", "starttls", self.ports.submission),
            ("submissions", "submission", "implicit", self.ports.submissions),
            ("imap", "imap", "starttls", self.ports.imap),
            ("imaps", "imap", "implicit", self.ports.imaps),
        ] {
            // Demonstrated without a trust space: anybody may connect from this machine.
            let trust = if role == "relay" { "trust = \"off\"\n" } else { "" };
            text.push_str(&format!(
                "\n[[listener]]\nname = \"{name}\"\nrole = \"{role}\"\nlisten = {}\ntls = \"{tls}\"\n{trust}",
                listen(port)
            ));
        }
        write_whole(&self.config, &text, 0o644)
    }
}

/// A TOML string; paths of the demo hold neither quotes nor backslashes.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
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
