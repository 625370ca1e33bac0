//! A `sceau serve` within a trust space of its own, made by `sceau certs dev`: it believes operators by their certificates.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    imap::Imap,
    server::{Output, PortRange, binary, run},
    smtp::Smtp,
    wire::Trust,
};

/// The domain of our own people.
pub const OURS: &str = "hopital.example";
/// The domain of operator B, whose certificate is `operator-b`.
pub const OF_B: &str = "clinique.example";
/// A listed domain of somebody else, whose certificate is `other-domain`.
pub const OF_ANOTHER: &str = "ailleurs.example";
/// A domain that is not listed.
pub const UNLISTED: &str = "internet.example";
/// Whoever has an account here has this password.
pub const PASSWORD: &str = "quatre-mots-au-hasard";

const START_PATIENCE: Duration = Duration::from_secs(60);

/// The server, gone when dropped.
#[derive(Debug)]
pub struct Trusted {
    folder: TempDir,
    process: Child,
    ports: PortRange,
    authority: PathBuf,
}

impl Trusted {
    /// Anne and Paul have boxes. `more` is added to the configuration.
    pub fn start(more: &str) -> Result<Trusted> {
        let folder = TempDir::with_prefix("sceau-trusted-")?;
        let made = Command::new(binary()).args(["certs", "dev"]).arg(folder.path().join("certs")).output()?;
        ensure!(made.status.success(), "sceau certs dev: {}", String::from_utf8_lossy(&made.stderr));
        let ports = PortRange::take()?;
        fs::write(folder.path().join("sceau.toml"), configuration(ports.base) + more)?;
        fs::write(folder.path().join("password"), PASSWORD)?;
        let password = folder.path().join("password");
        let password = password.to_str().context("a path of ours")?;
        let config = folder.path().join("sceau.toml");
        for arguments in [
            vec!["structure", "add", "Hopital"],
            vec!["domain", "add", OURS, "--structure", "Hopital"],
            vec!["account", "add", "anne@hopital.example", "--name", "Anne", "--password-file", password],
            vec!["account", "add", "paul@hopital.example", "--name", "Paul", "--password-file", password],
        ] {
            let output = run(&config, &arguments)?;
            ensure!(output.status.success(), "{arguments:?}: {}", output.err);
        }
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(binary());
        command.args(["serve", "--config"]).arg(&config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn()?;
        let authority = folder.path().join("certs/ca.pem");
        let mut server = Trusted { folder, process, ports, authority };
        server.await_list()?;
        Ok(server)
    }

    /// Until the white list is loaded.
    fn await_list(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let ended = self.process.try_wait()?;
            ensure!(ended.is_none() && begun.elapsed() < START_PATIENCE, "it did not start: {}", self.log());
            // Before it listens there, the command would take the data folder itself.
            let listens = self.folder.path().join("data/admin.sock").exists();
            if listens && self.sceau(&["trust", "show", OF_B]).is_ok_and(|shown| shown.status.success()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where port 25 is.
    #[must_use]
    pub fn relay(&self) -> SocketAddr {
        self.at(25)
    }

    /// Where the content filter delivers.
    #[must_use]
    pub fn gateway(&self) -> SocketAddr {
        self.at(26)
    }

    fn at(&self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.base + offset))
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The authority of the server's own certificate.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Chain and key of a holder of the development trust space, by the name of its files.
    #[must_use]
    pub fn certificate(&self, holder: &str) -> (PathBuf, PathBuf) {
        let file = |ending: &str| self.folder.path().join(format!("certs/trust-space/{holder}.{ending}"));
        (file("pem"), file("key"))
    }

    /// A relay session under TLS as this holder, after EHLO; without a certificate when there is none.
    pub fn operator(&self, holder: Option<&str>) -> Result<Smtp> {
        let trust = match holder {
            None => Trust::from_file(&self.authority)?,
            Some(holder) => {
                let (chain, key) = self.certificate(holder);
                Trust::showing(&self.authority, &chain, &key)?
            }
        };
        let mut smtp = Smtp::plain(self.relay())?;
        smtp.expect("EHLO mx.operateur-b.example", 250)?;
        let mut smtp = smtp.starttls(&trust)?;
        smtp.expect("EHLO mx.operateur-b.example", 250)?;
        Ok(smtp)
    }

    /// A submission session of somebody here.
    pub fn submission(&self, local_part: &str) -> Result<Smtp> {
        let trust = Trust::from_file(&self.authority)?;
        Smtp::signed_in(self.at(65), &trust, &format!("{local_part}@{OURS}"), PASSWORD)
    }

    /// An IMAP session of somebody here.
    pub fn imap(&self, local_part: &str) -> Result<Imap> {
        let trust = Trust::from_file(&self.authority)?;
        Imap::signed_in(self.at(93), &trust, &format!("{local_part}@{OURS}"), PASSWORD)
    }

    /// The headers of every message in somebody's INBOX.
    pub fn headers(&self, local_part: &str) -> Result<Vec<String>> {
        let mut imap = self.imap(local_part)?;
        imap.ok("SELECT INBOX")?;
        let fetched = imap.ok("FETCH 1:* BODY.PEEK[HEADER]");
        let literals = fetched.map(|completed| completed.untagged).unwrap_or_default();
        let headers = literals.iter().filter_map(|response| response.literals.first());
        Ok(headers.map(|octets| String::from_utf8_lossy(octets).replace("\r\n ", " ")).collect())
    }

    /// Another command of `sceau`, of this server.
    pub fn sceau(&self, arguments: &[&str]) -> Result<Output> {
        run(&self.folder.path().join("sceau.toml"), arguments)
    }
}

impl Drop for Trusted {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() || std::env::var_os("SCEAU_TEST_SHOW_LOG").is_some() {
            eprintln!("--- the server said:\n{}", self.log());
        }
    }
}

fn configuration(base: u16) -> String {
    let listener = |name: &str, role: &str, offset: u16, more: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nrole = \"{role}\"\nlisten = [\"127.0.0.1:{}\"]\n{more}\n",
            base + offset
        )
    };
    let space = "certs/trust-space";
    [
        "[server]\nname = \"mx.operateur-a.example\"\ndata = \"data\"\npostmaster = \"anne@hopital.example\"\n"
            .to_owned(),
        "stop_seconds = 1\n[log]\nlevel = \"debug\"\n".to_owned(),
        format!("[admin]\nlisten = [\"127.0.0.1:{}\"]\n", base + 80),
        format!("[trust]\nroots = [\"{space}/root.pem\"]\nintermediates = [\"{space}/organisations.pem\"]\n"),
        format!(
            "[trust.white_list]\nfile = \"{space}/white-list.xml\"\nverification = \"signed\"\nsigner = \"{SIGNER}\"\n"
        ),
        format!("[trust.revocation]\nfiles = [\"{space}/organisations.crl\", \"{space}/root.crl\"]\n"),
        "ocsp = false\ndistribution_points = false\n".to_owned(),
        "[receiving]\nsender_authentication = \"off\"\n".to_owned(),
        format!(
            "[[certificate]]\nname = \"us\"\nchain = \"{space}/operator-a.pem\"\nkey = \"{space}/operator-a.key\"\n"
        ),
        "[[certificate]]\nname = \"people\"\nchain = \"certs/server.pem\"\nkey = \"certs/server.key\"\n".to_owned(),
        // Nobody answers at that port: what leaves waits.
        "[relay]\ncertificate = \"us\"\ndns_servers = [\"127.0.0.1:9\"]\n".to_owned(),
        listener("relay", "relay", 25, "certificates = [\"people\"]"),
        listener("gateway", "gateway", 26, "certificates = [\"people\"]\nnetworks = [\"127.0.0.1/32\"]"),
        listener("submissions", "submission", 65, "tls = \"implicit\"\ncertificates = [\"people\"]"),
        listener("imaps", "imap", 93, "tls = \"implicit\"\ncertificates = [\"people\"]"),
    ]
    .concat()
}

/// Who signs the white list of `sceau certs dev`.
const SIGNER: &str = "CN=espacedeconfiance.example,OU=318751275100020,O=SCEAU ESPACE DE CONFIANCE,ST=Paris (75),C=FR";
