//! Debian's Postfix and Dovecot, configured to do the same work with the same promise: synced before the answer.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tests::wire::Trust;

use crate::target::{ACCOUNTS, Format, Target};

const SMTP_PORT: u16 = 19_825;
const IMAPS_PORT: u16 = 19_893;
const PASSWORD: &str = "bench-password";
const DOMAIN: &str = "bench.example";

/// Starts both; they end with the guard in the target.
pub fn start(folder: &Path) -> Result<Target> {
    fs::create_dir_all(folder)?;
    // Their processes run under their own users, and come in here by name.
    for open in [folder.parent().unwrap_or(folder), folder] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
    }
    let certificate = certificate(folder)?;
    let stop = Stop { folder: folder.to_owned() };
    dovecot(folder)?;
    postfix(folder)?;
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let begun = Instant::now();
    for port in [SMTP_PORT, IMAPS_PORT] {
        while std::net::TcpStream::connect(address(port)).is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(20), "the peer does not listen on {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let pid = fs::read_to_string(folder.join("dovecot-run/master.pid"))?.trim().parse()?;
    Ok(Target {
        side: "peer",
        smtp: address(SMTP_PORT),
        imaps: address(IMAPS_PORT),
        trust: Trust::from_file(&certificate)?,
        accounts: (1..=ACCOUNTS).map(|number| format!("user{number:04}@{DOMAIN}")).collect(),
        password: PASSWORD.to_owned(),
        formats: &[Format { words: "", prefix: "" }, Format { words: ", sdbox", prefix: "sdbox/" }],
        // Maildir takes one at a time: 24 clients fill 10,000 in 28 s, one in 14.
        filling: 1,
        pid,
        _guard: Box::new(stop),
    })
}

struct Stop {
    folder: PathBuf,
}

impl Drop for Stop {
    fn drop(&mut self) {
        let _ = Command::new("postfix").arg("-c").arg(self.folder.join("postfix")).arg("stop").status();
        let _ = Command::new("doveadm").arg("-c").arg(self.folder.join("dovecot.conf")).arg("stop").status();
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("starting {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts what goes on in the background: it would keep a pipe of ours open for ever.
fn daemon(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{program} {arguments:?}: {status}");
    Ok(())
}

/// An authority and a certificate for localhost, of the same kind as ours.
fn certificate(folder: &Path) -> Result<PathBuf> {
    let certs = folder.join("certs");
    run(&tests::server::binary().to_string_lossy(), &["certs", "dev", &certs.to_string_lossy()])?;
    Ok(certs.join("ca.pem"))
}

fn dovecot(folder: &Path) -> Result<()> {
    let here = folder.display();
    for format in ["mail", "sdbox"] {
        let mail = folder.join(format);
        fs::create_dir_all(&mail)?;
        run("chown", &["mail:mail", &mail.to_string_lossy()])?;
    }
    let hash = run("doveadm", &["pw", "-s", "SHA512-CRYPT", "-p", PASSWORD])?;
    let users = (1..=ACCOUNTS).map(|number| format!("user{number:04}@{DOMAIN}:{}::::::\n", hash.trim()));
    fs::write(folder.join("users"), users.collect::<String>())?;
    let configuration = format!(
        "protocols = imap lmtp\nbase_dir = {here}/dovecot-run\nstate_dir = {here}/dovecot-state\n\
         log_path = {here}/dovecot.log\nlisten = 127.0.0.1\nssl = required\nssl_cert = <{here}/certs/server.pem\n\
         ssl_key = <{here}/certs/server.key\nssl_min_protocol = TLSv1.2\n\
         mail_location = maildir:{here}/mail/%u\nmail_uid = mail\nmail_gid = mail\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
         mail_fsync = optimized\nmail_max_userip_connections = 0\nmail_privileged_group = mail\n\
         passdb {{\n  driver = passwd-file\n  args = {here}/users\n}}\n\
         userdb {{\n  driver = static\n  args = uid=mail gid=mail home={here}/mail/%u\n}}\n\
         namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n\
         namespace sdbox {{\n  prefix = sdbox/\n  separator = /\n  location = sdbox:{here}/sdbox/%u\n}}\n\
         default_client_limit = 20000\ndefault_process_limit = 1000\n\
         service anvil {{\n  client_limit = 20000\n}}\n\
         service imap-login {{\n  service_count = 0\n  process_min_avail = 2\n  client_limit = 2000\n\
           inet_listener imap {{\n    port = 0\n  }}\n  inet_listener imaps {{\n    port = {IMAPS_PORT}\n    ssl = yes\n  }}\n}}\n\
         service imap {{\n  process_limit = 8000\n}}\n\
         service lmtp {{\n  process_min_avail = 5\n  unix_listener lmtp {{\n    mode = 0666\n  }}\n}}\n\
         service stats {{\n  client_limit = 20000\n}}\nauth_cache_size = 1M\nauth_cache_ttl = 1 hour\n",
    );
    let file = folder.join("dovecot.conf");
    fs::write(&file, configuration)?;
    daemon("dovecot", &["-c", &file.to_string_lossy()])
}

fn postfix(folder: &Path) -> Result<()> {
    let here = folder.display();
    let configuration = folder.join("postfix");
    fs::create_dir_all(&configuration)?;
    let data = folder.join("postfix-data");
    fs::create_dir_all(&data)?;
    run("chown", &["postfix:postfix", &data.to_string_lossy()])?;
    fs::create_dir_all(folder.join("postfix-queue"))?;
    fs::write(
        configuration.join("main.cf"),
        format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/postfix-queue\ndata_directory = {here}/postfix-data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\nmyhostname = localhost\nmydestination =\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nvirtual_mailbox_domains = {DOMAIN}\nvirtual_transport = lmtp:unix:{here}/dovecot-run/lmtp\n\
             smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\nmynetworks = 127.0.0.0/8\n\
             default_process_limit = 150\nsmtpd_client_connection_count_limit = 0\nsmtpd_client_connection_rate_limit = 0\n\
             message_size_limit = 100000000\nmailbox_size_limit = 0\nvirtual_mailbox_limit = 0\nalias_maps =\n\
             alias_database =\nmaillog_file = {here}/postfix.log\nmaillog_file_prefixes = {here}\nsmtpd_peername_lookup = no\n\
             disable_dns_lookups = yes\nsmtputf8_enable = no\n"
        ),
    )?;
    let services = [
        format!("127.0.0.1:{SMTP_PORT} inet n - n - - smtpd"),
        "cleanup unix n - n - 0 cleanup".into(),
        "qmgr unix n - n 300 1 qmgr".into(),
        "rewrite unix - - n - - trivial-rewrite".into(),
        "bounce unix - - n - 0 bounce".into(),
        "defer unix - - n - 0 bounce".into(),
        "trace unix - - n - 0 bounce".into(),
        "verify unix - - n - 1 verify".into(),
        "flush unix n - n 1000? 0 flush".into(),
        "proxymap unix - - n - - proxymap".into(),
        "error unix - - n - - error".into(),
        "retry unix - - n - - error".into(),
        "discard unix - - n - - discard".into(),
        "lmtp unix - - n - - lmtp".into(),
        "anvil unix - - n - 1 anvil".into(),
        "scache unix - - n - 1 scache".into(),
        "postlog unix-dgram n - n - 1 postlogd".into(),
    ];
    fs::write(configuration.join("master.cf"), services.join("\n") + "\n")?;
    for file in ["postfix-files", "post-install", "postfix-script"] {
        let installed = Path::new("/etc/postfix").join(file);
        if installed.exists() {
            fs::copy(installed, configuration.join(file))?;
        }
    }
    daemon("postfix", &["-c", &configuration.to_string_lossy(), "start"])
}
