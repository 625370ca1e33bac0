//! Debian's Postfix as the other operator: certificates on both sides, demanded by both.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use net::Connection;
use server::development_trust_space::Holder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::program::{Client, Place, free_port};
use crate::world::PATIENCE;

/// Operator B: Postfix with a Maildir for everybody at `clinique.example`.
struct Postfix {
    folder: PathBuf,
    /// Where other operators deliver, with a certificate.
    relay: u16,
    /// Where B's people submit.
    submission: u16,
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
    fn new(place: &Place, relay: u16, extra: &str) -> Postfix {
        open_to_all(place.folder.path());
        let folder = place.path("postfix");
        for name in ["", "configuration", "queue", "data", "mail"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            open_to_all(&folder.join(name));
        }
        for name in ["data", "mail"] {
            run("chown", &["postfix:postfix", folder.join(name).to_str().unwrap()]);
        }
        let postfix = Postfix { folder, relay, submission: free_port() };
        let authorities = postfix.folder.join("authorities.pem");
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        std::fs::write(&authorities, read(place.made.roots()) + &read(place.made.organisations())).unwrap();
        let files = place.made.certificate(Holder::Valid);
        let uid = String::from_utf8(Command::new("id").args(["-u", "postfix"]).output().unwrap().stdout).unwrap();
        let (here, a, uid) = (postfix.folder.display(), place.relay, uid.trim());
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
             smtpd_tls_received_header = yes\n\
             smtp_tls_chain_files = {here}/chain.pem\nsmtp_tls_CAfile = {here}/authorities.pem\n\
             transport_maps = inline:{{hopital.example=smtp:[127.0.0.1]:{a}}}\n\
             smtp_tls_policy_maps = inline:{{ {{ [127.0.0.1]:{a} = verify match=mx.operateur-a.example }} }}\n\
             smtp_tls_security_level = encrypt\nsmtp_tls_loglevel = 1\n{extra}\n"
        );
        std::fs::write(postfix.folder.join("chain.pem"), read(files.key) + &read(files.chain)).unwrap();
        let configuration = postfix.folder.join("configuration");
        std::fs::write(configuration.join("main.cf"), main).unwrap();
        let services = [
            format!("127.0.0.1:{} inet n - n - - smtpd", postfix.relay),
            format!(
                "127.0.0.1:{} inet n - n - - smtpd\n  -o smtpd_tls_security_level=none -o smtpd_tls_req_ccert=no",
                postfix.submission
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

    fn control(&self, word: &str) {
        run("postfix", &["-c", self.folder.join("configuration").to_str().unwrap(), word]);
    }

    async fn start(&self) {
        self.control("start");
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

    /// B's people send to Ann.
    async fn send(&self, subject: &str) {
        let mut connection = Connection::open(([127, 0, 0, 1], self.submission).into(), PATIENCE).await.unwrap();
        let letter = format!(
            "EHLO client\r\nMAIL FROM:<paul@clinique.example>\r\nRCPT TO:<ann@hopital.example>\r\nDATA\r\n\
             From: paul@clinique.example\r\nSubject: {subject}\r\n\r\nWell.\r\n.\r\nQUIT\r\n"
        );
        // Postfix takes what comes early on a port of its own network.
        let mut said = Vec::new();
        for line in letter.split_inclusive("\r\n") {
            connection.write_all(line.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        connection.read_to_end(&mut said).await.unwrap();
        assert!(String::from_utf8_lossy(&said).contains("250 2.0.0 Ok: queued"), "{}", String::from_utf8_lossy(&said));
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
async fn mail_goes_to_postfix_and_comes_from_it() {
    let relay = free_port();
    let place = Place::new(relay, "chunks").await;
    let postfix = Postfix::new(&place, relay, "");
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

    accepted(&mut client, " SMTPUTF8 BODY=8BITMIME", &["<zoé@clinique.example>"], &letter("utf", "Oui.")).await;
    assert!(postfix.received("utf").await.contains("zoé@clinique.example"));

    let line = "0123456789 line of a large message\r\n";
    accepted(&mut client, "", &[paul], &letter("large", &line.repeat((20 << 20) / line.len()))).await;
    assert!(postfix.received("large").await.len() > 19 << 20);

    let many: Vec<String> = (0..80).map(|number| format!("<r{number}@clinique.example>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    accepted(&mut client, "", &many, &letter("many", "Well.")).await;
    let began = Instant::now();
    while postfix.find("many").len() < 80 {
        assert!(began.elapsed() < PATIENCE, "{}", postfix.find("many").len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    postfix.send("answer").await;
    let began = Instant::now();
    while !postfix.log().contains("to=<ann@hopital.example>") || !postfix.log().contains("status=sent (250 2.0.0") {
        assert!(began.elapsed() < PATIENCE, "{}\n{}", postfix.log(), place.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(postfix.log().contains("Verified TLS connection established to 127.0.0.1"), "{}", postfix.log());

    postfix.control("stop");
    accepted(&mut client, "", &[paul], &letter("later", "Well.")).await;
    let began = Instant::now();
    while !place.queue().contains("unreachable") {
        assert!(began.elapsed() < PATIENCE, "{}", place.queue());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    postfix.start().await;
    postfix.received("later").await;
    assert_eq!(place.queue().trim(), "[]");
}

#[tokio::test]
async fn postfix_without_chunking_that_puts_off_and_refuses() {
    let relay = free_port();
    let place = Place::new(relay, "data").await;
    let extra = "smtpd_discard_ehlo_keywords = chunking\n\
                 smtpd_recipient_restrictions = check_recipient_access inline:{\
                 { later@clinique.example = 451 4.7.1 come back }, { never@clinique.example = 550 5.7.1 go away }}";
    let postfix = Postfix::new(&place, relay, extra);
    postfix.start().await;
    let _program = place.start().await;
    let mut client = place.client().await.unwrap();
    let all = ["<later@clinique.example>", "<never@clinique.example>", "<paul@clinique.example>"];
    accepted(&mut client, "", &all, &letter("mixed", "Well.")).await;
    assert!(postfix.received("mixed").await.contains("Well."));
    let began = Instant::now();
    let waits = |queue: &str| queue.contains("later@clinique.example") && !queue.contains("never@clinique.example");
    while !waits(&place.queue()) {
        assert!(began.elapsed() < PATIENCE, "{}", place.queue());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(place.queue().contains("deferred"), "{}", place.queue());
}
