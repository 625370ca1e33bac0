//! Debian's Postfix as the other operator, content sent by BDAT. What else is tried with it is in
//! `tests/end_to_end/relay`, by DATA and in both directions.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use server::development_trust_space::Holder;

use crate::program::{Client, Place, free_port};
use crate::world::PATIENCE;

/// Operator B: Postfix with a Maildir for everybody at `clinique.example`.
struct Postfix {
    folder: PathBuf,
    /// Where other operators deliver, with a certificate.
    relay: u16,
}

/// Its processes run under users of their own, who come in by name.
fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(program: &str, arguments: &[&str]) {
    // No pipe of ours: what goes on in the background would keep it open.
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.unwrap().success(), "{program} {arguments:?}");
}

impl Postfix {
    /// Configured for a place, not started.
    fn new(place: &Place, relay: u16) -> Postfix {
        open_to_all(place.folder.path());
        let folder = place.path("postfix");
        for name in ["", "configuration", "queue", "data", "mail"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            open_to_all(&folder.join(name));
        }
        for name in ["data", "mail"] {
            run("chown", &["postfix:postfix", folder.join(name).to_str().unwrap()]);
        }
        let postfix = Postfix { folder, relay };
        let authorities = postfix.folder.join("authorities.pem");
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        std::fs::write(&authorities, read(place.made.roots()) + &read(place.made.organisations())).unwrap();
        let files = place.made.certificate(Holder::Valid);
        let uid = String::from_utf8(Command::new("id").args(["-u", "postfix"]).output().unwrap().stdout).unwrap();
        let (here, uid) = (postfix.folder.display(), uid.trim());
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/queue\ndata_directory = {here}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\nmyhostname = mx.operateur-b.example\nmydestination =\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n\
             virtual_mailbox_domains = clinique.example\nvirtual_mailbox_base = {here}/mail\n\
             virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{uid}\n\
             virtual_minimum_uid = 1\nvirtual_mailbox_limit = 0\nmailbox_size_limit = 0\n\
             message_size_limit = 60000000\nalias_maps =\nalias_database =\nmaillog_file = {here}/log\n\
             maillog_file_prefixes = {here}\nsmtputf8_enable = yes\nsmtpd_peername_lookup = no\n\
             disable_dns_lookups = yes\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             smtpd_tls_chain_files = {here}/chain.pem\nsmtpd_tls_CAfile = {here}/authorities.pem\n\
             smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\nsmtpd_tls_ask_ccert = yes\n\
             smtpd_tls_received_header = yes\n"
        );
        std::fs::write(postfix.folder.join("chain.pem"), read(files.key) + &read(files.chain)).unwrap();
        let configuration = postfix.folder.join("configuration");
        std::fs::write(configuration.join("main.cf"), main).unwrap();
        let services = [
            format!("127.0.0.1:{} inet n - n - - smtpd", postfix.relay),
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
            "relay unix - - n - - smtp".into(),
            "error unix - - n - - error".into(),
            "retry unix - - n - - error".into(),
            "virtual unix - n n - - virtual".into(),
            "anvil unix - - n - 1 anvil".into(),
            "scache unix - - n - 1 scache".into(),
            "postlog unix-dgram n - n - 1 postlogd".into(),
        ];
        std::fs::write(configuration.join("master.cf"), services.join("\n") + "\n").unwrap();
        for name in ["postfix-files", "post-install", "postfix-script"] {
            let installed = Path::new("/etc/postfix").join(name);
            if installed.exists() {
                std::fs::copy(installed, configuration.join(name)).unwrap();
            }
        }
        postfix
    }

    async fn start(&self) {
        run("postfix", &["-c", self.folder.join("configuration").to_str().unwrap(), "start"]);
        let began = Instant::now();
        while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.relay)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The message of this subject, once it is in the Maildir.
    async fn received(&self, subject: &str) -> String {
        let began = Instant::now();
        loop {
            let found = self.find(subject);
            if let Some(text) = found.into_iter().next() {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "{subject}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn find(&self, subject: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join("mail/box/new")).into_iter().flatten().flatten();
        let texts = entries.filter_map(|entry| std::fs::read(entry.path()).ok());
        let texts = texts.map(|octets| String::from_utf8_lossy(&octets).into_owned());
        texts.filter(|text| text.contains(&format!("Subject: {subject}\n"))).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let configuration = self.folder.join("configuration");
        let _ = Command::new("postfix").arg("-c").arg(configuration).arg("stop").stdin(Stdio::null()).status();
    }
}

fn letter(subject: &str, body: &str) -> Vec<u8> {
    format!("From: ann@hopital.example\r\nSubject: {subject}\r\n\r\n{body}\r\n").into_bytes()
}

async fn accepted(client: &mut Client, parameters: &str, to: &[&str], content: &[u8]) {
    let reply = client.send(parameters, to, content).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
}

#[tokio::test]
async fn postfix_takes_chunks() {
    let relay = free_port();
    let place = Place::new(relay, "chunks").await;
    let postfix = Postfix::new(&place, relay);
    postfix.start().await;
    let _program = place.start().await;
    let mut client = place.client().await.unwrap();
    let paul = "<paul@clinique.example>";

    accepted(&mut client, "", &[paul], &letter("plain", "..\r\n.\r\nWell.")).await;
    let text = postfix.received("plain").await;
    assert!(text.contains("\n..\n.\nWell.\n"), "{text}");
    assert!(text.contains("Client CN \"mx.operateur-a.example\"") && text.contains("verified OK"), "{text}");

    accepted(&mut client, " BODY=8BITMIME", &[paul], &letter("eight", "Été, déjà.")).await;
    assert!(postfix.received("eight").await.contains("Été, déjà."));

    let line = "0123456789 line of a large message\r\n";
    accepted(&mut client, "", &[paul], &letter("large", &line.repeat((20 << 20) / line.len()))).await;
    assert!(postfix.received("large").await.len() > 19 << 20);
    drop(client);
}
