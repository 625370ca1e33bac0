//! Debian's Postfix as the operator of OTHER_DOMAIN: at the address DNS gives for it, with its certificate.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{server::Doors, smtp::Smtp};

/// Where DNS of the demo says that OTHER_DOMAIN takes its mail.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Time in which Postfix does whatever it does.
const PATIENCE: Duration = Duration::from_secs(40);

/// A Postfix that is ended when dropped.
#[derive(Debug)]
pub struct Postfix {
    folder: TempDir,
    /// For other operators: TLS and certificates on both sides.
    operators: SocketAddr,
    /// For its own users, played by the test: in clear.
    users: SocketAddr,
}

impl Postfix {
    /// Starts it beside a demo. It must be started as root, as Postfix always must.
    pub fn start(doors: &Doors) -> Result<Postfix> {
        Postfix::start_with(doors, "")
    }

    /// Like [`Postfix::start`], with other lines of `main.cf`, or more of them.
    pub fn start_with(doors: &Doors, more: &str) -> Result<Postfix> {
        let folder = TempDir::with_prefix("sceau-postfix-")?;
        // Its processes run under their own users, and come in here by name.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let port = |key: &str| doors.settings.address(key).port();
        let postfix = Postfix {
            operators: SocketAddr::from((ADDRESS, port("B_SMTP_PORT"))),
            users: SocketAddr::from((ADDRESS, port("GATEWAY_PORT"))),
            folder,
        };
        postfix.configure(doors, more)?;
        postfix.run()?;
        Ok(postfix)
    }

    /// Starts it again.
    pub fn run(&self) -> Result<()> {
        self.command("start")?;
        let begun = Instant::now();
        while TcpStream::connect(self.users).is_err() || TcpStream::connect(self.operators).is_err() {
            ensure!(begun.elapsed() < PATIENCE, "Postfix does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops it.
    pub fn stop(&self) -> Result<()> {
        self.command("stop")
    }

    /// Waits until so many messages were put off, then tries everything in its queue.
    pub fn flush(&self, count: usize) -> Result<()> {
        let begun = Instant::now();
        while self.log().matches("status=deferred").count() < count {
            ensure!(begun.elapsed() < PATIENCE, "not everything was put off");
            std::thread::sleep(Duration::from_millis(50));
        }
        // What `postfix flush` says, which needs an installation of its own: dead destinations live, all is due, look.
        let mut manager = UnixStream::connect(self.path("queue/public/qmgr")).context("the queue manager")?;
        Ok(manager.write_all(b"FAD")?)
    }

    /// What it answers to RCPT, as `address code text` or `address OK`; others are taken.
    pub fn answer(&self, rules: &str) -> Result<()> {
        Ok(fs::write(self.path("access"), rules)?)
    }

    /// A session of one of its users, after EHLO.
    pub fn user(&self) -> Result<Smtp> {
        let mut smtp = Smtp::plain(self.users)?;
        smtp.expect("EHLO client.ailleurs.example", 250)?;
        Ok(smtp)
    }

    /// The messages it delivered.
    pub fn delivered(&self) -> Result<Vec<Vec<u8>>> {
        let mut messages = Vec::new();
        let Ok(files) = fs::read_dir(self.path("mail/inbox/new")) else { return Ok(messages) };
        for file in files {
            messages.push(fs::read(file?.path())?);
        }
        Ok(messages)
    }

    /// Waits until it delivered so many messages that hold these words.
    pub fn delivers(&self, count: usize, words: &str) -> Result<Vec<Vec<u8>>> {
        let begun = Instant::now();
        let holds = |message: &Vec<u8>| message.windows(words.len()).any(|window| window == words.as_bytes());
        loop {
            let mut found = self.delivered()?;
            found.retain(holds);
            if found.len() >= count {
                return Ok(found);
            }
            if begun.elapsed() > PATIENCE {
                bail!("Postfix delivered {} of {count} with {words}:\n{}", found.len(), self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it logged a line with these words.
    pub fn logs(&self, words: &str) -> Result<String> {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.log().lines().find(|line| line.contains(words)) {
                return Ok(line.to_owned());
            }
            ensure!(begun.elapsed() < PATIENCE, "Postfix did not log {words}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("postfix.log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, command: &str) -> Result<()> {
        // What goes on in the background would keep a pipe of ours open for ever.
        let status = Command::new("postfix")
            .arg("-c")
            .arg(self.path("config"))
            .arg(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("starting postfix")?;
        ensure!(status.success(), "postfix {command}: {status}\n{}", self.log());
        Ok(())
    }

    fn configure(&self, doors: &Doors, more: &str) -> Result<()> {
        let settings = &doors.settings;
        let here = self.folder.path().display();
        for (name, owner) in [("config", None), ("data", Some("postfix")), ("queue", None), ("mail", Some("mail"))] {
            fs::create_dir_all(self.path(name))?;
            if let Some(owner) = owner {
                let status = Command::new("chown").arg(format!("{owner}:{owner}")).arg(self.path(name)).status()?;
                ensure!(status.success(), "chown {owner}: {status}");
            }
        }
        self.answer("")?;
        let certificate = settings.get("CERT_OTHER_DOMAIN");
        let roots = Path::new(certificate).with_file_name("root.pem");
        let own = settings.get("USER1").rsplit('@').next().unwrap_or_default();
        let configuration = format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/queue\ndata_directory = {here}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\nmaillog_file = {here}/postfix.log\nmaillog_file_prefixes = {here}\n\
             myhostname = mx.ailleurs.example\nmydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\ndisable_dns_lookups = yes\nsmtp_host_lookup = native\nsmtpd_peername_lookup = no\n\
             alias_maps =\nalias_database =\nsmtputf8_enable = yes\nmessage_size_limit = 100000000\n\
             virtual_mailbox_limit = 0\nmailbox_size_limit = 0\nvirtual_mailbox_domains = {domain}\n\
             virtual_mailbox_base = {here}/mail\nvirtual_mailbox_maps = static:inbox/\nvirtual_minimum_uid = 1\n\
             virtual_uid_maps = static:8\nvirtual_gid_maps = static:8\n\
             smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
             smtpd_recipient_restrictions = check_recipient_access texthash:{here}/access, permit\n\
             smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\nsmtpd_tls_ccert_verifydepth = 9\n\
             smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\nsmtpd_tls_CAfile = {roots}\n\
             smtpd_tls_loglevel = 1\nsmtpd_tls_session_cache_database =\n\
             smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = mx.operateur-a.example\n\
             smtp_tls_cert_file = {certificate}\nsmtp_tls_key_file = {key}\nsmtp_tls_CAfile = {roots}\n\
             smtp_tls_loglevel = 1\nsmtp_tls_session_cache_database =\n\
             transport_maps = inline:{{ {own}=smtp:[127.0.0.1]:{port} }}\n\
             minimal_backoff_time = 2s\nmaximal_backoff_time = 4s\nqueue_run_delay = 2s\n",
            domain = settings.get("OTHER_DOMAIN"),
            key = settings.get("KEY_OTHER_DOMAIN"),
            roots = roots.display(),
            port = settings.get("RELAY_PORT"),
        );
        // One line of each name: Postfix warns of a second one, even in the process that takes warnings, which then waits
        // for itself.
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let is_replaced = |line: &&str| more.lines().any(|other| name(other) == name(line));
        let kept = configuration.lines().filter(|line| !is_replaced(line));
        let configuration: String = kept.chain(more.lines()).map(|line| format!("{line}\n")).collect();
        fs::write(self.path("config/main.cf"), configuration)?;
        let services = [
            format!("{} inet n - n - - smtpd", self.operators),
            format!(
                "{} inet n - n - - smtpd -o smtpd_tls_security_level=none -o smtpd_tls_req_ccert=no \
                 -o smtpd_recipient_restrictions=permit",
                self.users
            ),
            "cleanup unix n - n - 0 cleanup".into(),
            "qmgr unix n - n 300 1 qmgr".into(),
            "tlsmgr unix - - n 1000? 1 tlsmgr".into(),
            "rewrite unix - - n - - trivial-rewrite".into(),
            "bounce unix - - n - 0 bounce".into(),
            "defer unix - - n - 0 bounce".into(),
            "trace unix - - n - 0 bounce".into(),
            "verify unix - - n - 1 verify".into(),
            "flush unix n - n 1000? 0 flush".into(),
            "proxymap unix - - n - - proxymap".into(),
            "smtp unix - - n - - smtp".into(),
            "error unix - - n - - error".into(),
            "retry unix - - n - - error".into(),
            "discard unix - - n - - discard".into(),
            "virtual unix - n n - - virtual".into(),
            "anvil unix - - n - 1 anvil".into(),
            "scache unix - - n - 1 scache".into(),
            "postlog unix-dgram n - n - 1 postlogd".into(),
        ];
        fs::write(self.path("config/master.cf"), services.join("\n") + "\n")?;
        for file in ["postfix-files", "post-install", "postfix-script"] {
            let installed = Path::new("/etc/postfix").join(file);
            if installed.exists() {
                fs::copy(installed, self.path("config").join(file))?;
            }
        }
        Ok(())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _stopped_already = self.stop();
        if std::thread::panicking() {
            eprintln!("--- Postfix said:\n{}", self.log());
        }
    }
}
