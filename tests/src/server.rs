//! A running `sceau`, in a folder and on ports of its own, gone when dropped.

mod template;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Deref,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{imap::Imap, smtp::Smtp, wire::Trust};

/// The demo may take a minute to prove itself; building accounts comes on top.
const START_PATIENCE: Duration = Duration::from_secs(150);
/// `sceau demo` takes its ports in N to N + 99.
const PORTS_PER_SERVER: u16 = 100;
/// Below the range from which the system gives ports to clients.
const PORT_BASES: std::ops::Range<u16> = 200..320;

/// How to start a server.
#[derive(Debug, Default)]
pub struct Options {
    /// `--accounts N`.
    pub accounts: Option<u32>,
    /// Environment of the server, for the fault library and the logs.
    pub environment: Vec<(String, String)>,
    /// Data that outlives the server; a temporary folder otherwise.
    pub folder: Option<PathBuf>,
}

/// A server started by `sceau demo`, and what it says in `demo.env`.
#[derive(Debug)]
pub struct Server {
    doors: Doors,
    folder: PathBuf,
    process: Child,
    _ports: PortRange,
    _temporary: Option<TempDir>,
}

/// How to reach a server: addresses, names, trust. A clone outlives the server, and finds its doors shut.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The settings of `demo.env`.
    pub settings: Settings,
    /// Trust in the authority of the demo.
    pub trust: Trust,
}

/// The lines of `demo.env`.
#[derive(Clone, Debug)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Reads `demo.env`, holding it to its form: `KEY=value`, nothing that a shell would interpret.
    pub fn read(path: &Path) -> Result<Settings> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut settings = BTreeMap::new();
        for line in text.lines() {
            let (key, value) = line.split_once('=').with_context(|| format!("no KEY=value: {line}"))?;
            ensure!(!value.contains([' ', '"', '\'', '\\', '$', '#']), "a shell would read {line} otherwise");
            settings.insert(key.to_owned(), value.to_owned());
        }
        Ok(Settings(settings))
    }

    /// One value, which must be there.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or_else(|| panic!("demo.env has no {key}"), String::as_str)
    }

    /// The address of a listener, by its key.
    #[must_use]
    pub fn address(&self, key: &str) -> SocketAddr {
        let port = self.get(key).parse().unwrap_or_else(|_| panic!("{key} is no port"));
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

impl Server {
    /// A new demo in a folder that goes with it.
    pub fn start() -> Result<Server> {
        Server::start_with(Options::default())
    }

    /// A demo on a folder that has one, or on a copy of one that proved itself: a new one takes several seconds.
    pub fn start_with(options: Options) -> Result<Server> {
        let (folder, temporary) = match options.folder {
            Some(folder) => (folder, None),
            None => {
                let temporary = TempDir::with_prefix("sceau-test-")?;
                (temporary.path().join("data"), Some(temporary))
            }
        };
        let ports = PortRange::take()?;
        let env_file = folder.join("demo.env");
        if env_file.exists() {
            fs::remove_file(&env_file)?;
        }
        if !folder.join("demo.json").exists() {
            template::copy_to(&folder)?;
        }
        let log = File::create(folder.with_extension("log"))?;
        let mut command = Command::new(binary());
        command.arg("demo").arg("--dir").arg(&folder).args(["--port-base", &ports.base.to_string()]);
        if let Some(accounts) = options.accounts {
            command.args(["--accounts", &accounts.to_string()]);
        }
        command.envs(options.environment).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut process = command.spawn().with_context(|| format!("starting {}", binary().display()))?;

        let begun = Instant::now();
        while !env_file.exists() {
            let gone = process.try_wait()?;
            if gone.is_some() || begun.elapsed() > START_PATIENCE {
                let _ = process.kill();
                let _ = process.wait();
                let said = fs::read_to_string(folder.with_extension("log")).unwrap_or_default();
                bail!("the server did not start ({gone:?}):\n{said}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let settings = Settings::read(&env_file)?;
        let trust = Trust::from_file(Path::new(settings.get("CA_FILE")))?;
        Ok(Server { doors: Doors { settings, trust }, folder, process, _ports: ports, _temporary: temporary })
    }

    /// The process of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where its data are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it said on standard output and error so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.folder.with_extension("log"))
            .map(|octets| String::from_utf8_lossy(&octets).into_owned())
            .unwrap_or_default()
    }

    /// SIGKILL, and wait for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM: a graceful stop.
    pub fn terminate(&self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.process);
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
    }

    /// Waits for the server to end by itself.
    pub fn ended_within(&mut self, patience: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            ensure!(begun.elapsed() < patience, "the server still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs another `sceau` command with this server's configuration.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        run(Path::new(self.settings.get("CONFIG")), arguments)
    }

    /// A figure of `/proc/PID/status` or `/proc/PID/smaps_rollup`, like `VmHWM` or `Pss`, in KiB.
    pub fn memory(&self, figure: &str) -> Result<u64> {
        let file = if figure.starts_with("Vm") { "status" } else { "smaps_rollup" };
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid()))?;
        let line = text.lines().find(|line| line.starts_with(&format!("{figure}:")));
        let value = line.and_then(|line| line.split_whitespace().nth(1)).context("no such figure")?;
        Ok(value.parse()?)
    }
}

impl Deref for Server {
    type Target = Doors;
    fn deref(&self) -> &Doors {
        &self.doors
    }
}

impl Doors {
    /// A session that brings mail from outside without TLS: by the gateway, for other operators need a certificate.
    pub fn relay(&self) -> Result<Smtp> {
        Smtp::plain(self.settings.address("GATEWAY_PORT"))
    }

    /// A session on a port for operators, under TLS, with the certificate of a case of the audit, after EHLO.
    pub fn operator(&self, port: &str, case: &str) -> Result<Smtp> {
        let files = |kind: &str| PathBuf::from(self.settings.get(&format!("{kind}_{case}")));
        let trust = Trust::showing(Path::new(self.settings.get("CA_FILE")), &files("CERT"), &files("KEY"))?;
        let mut smtp = Smtp::plain(self.settings.address(port))?;
        smtp.expect("EHLO mx.client.example", 250)?;
        let mut smtp = smtp.starttls(&trust)?;
        smtp.expect("EHLO mx.client.example", 250)?;
        Ok(smtp)
    }

    /// A submission session under TLS, signed in as USERn.
    pub fn submission(&self, user: u8) -> Result<Smtp> {
        let (name, password) = self.user(user);
        Smtp::signed_in(self.settings.address("SUBMISSIONS_PORT"), &self.trust, name, password)
    }

    /// An IMAP session under TLS, signed in as USERn.
    pub fn imap(&self, user: u8) -> Result<Imap> {
        let (name, password) = self.user(user);
        Imap::signed_in(self.settings.address("IMAPS_PORT"), &self.trust, name, password)
    }

    /// The name and password of USERn.
    #[must_use]
    pub fn user(&self, user: u8) -> (&str, &str) {
        (self.settings.get(&format!("USER{user}")), self.settings.get(&format!("PASSWORD{user}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() || std::env::var_os("SCEAU_TEST_SHOW_LOG").is_some() {
            eprintln!("--- the server said:\n{}", self.log());
        }
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Its status.
    pub status: ExitStatus,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `sceau ARGUMENTS --config FILE`.
pub fn run(config: &Path, arguments: &[&str]) -> Result<Output> {
    let output = Command::new(binary()).args(arguments).arg("--config").arg(config).stdin(Stdio::null()).output()?;
    Ok(Output {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The binary under test: `SCEAU_BIN`, or the one cargo builds beside this test.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("SCEAU_BIN") {
            return path.into();
        }
        let this = std::env::current_exe().expect("a test knows its own path");
        let profile = this.ancestors().find(|folder| folder.join("deps").is_dir()).expect("cargo's target folder");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "server"]).current_dir(root());
        build.env("CARGO_TARGET_DIR", profile.parent().expect("the target folder is above"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "cargo build --package server");
        profile.join("sceau")
    })
}

/// The top of the repository.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the repository")
}

/// A hundred ports that no other test has, as long as the lock on its file is held.
#[derive(Debug)]
pub struct PortRange {
    /// The first of them.
    pub base: u16,
    _lock: File,
}

impl PortRange {
    /// Takes the next one that is free.
    pub fn take() -> Result<PortRange> {
        let locks = std::env::temp_dir().join("sceau-test-ports");
        fs::create_dir_all(&locks)?;
        // Begin somewhere else each time: ports of a server just killed may still be in use.
        let begin = u16::try_from(std::process::id() % u32::from(PORT_BASES.end - PORT_BASES.start))?;
        for step in 0..PORT_BASES.end - PORT_BASES.start {
            let hundred = PORT_BASES.start + (begin + step) % (PORT_BASES.end - PORT_BASES.start);
            let base = hundred * PORTS_PER_SERVER;
            let lock = File::create(locks.join(base.to_string()))?;
            let ours = lock.try_lock().is_ok();
            if ours
                && (base..base + PORTS_PER_SERVER).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
            {
                return Ok(PortRange { base, _lock: lock });
            }
        }
        bail!("every range of ports is taken");
    }
}
