//! The program itself as operator A: configured in a folder, started, killed, started again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use net::Connection;
use net::tls::TlsClient;
use server::development_certificates::DevelopmentCertificates;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan};
use testkit::dns_server::DnsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{PATIENCE, SENDER};

const PASSWORD: &str = "quatre mots au hasard";

/// Operator A's folder, with Ann's box in it.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub made: DevelopmentTrustSpace,
    pub dns: DnsServer,
    relay: u16,
    submissions: u16,
}

/// The program; killed when dropped.
pub struct Program {
    child: Child,
}

/// Ann's mail program, signed in.
pub struct Client {
    connection: Connection,
    input: Vec<u8>,
}

/// A port nobody has at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Place {
    /// Mail leaves to hosts at this port.
    pub async fn new(peer: u16) -> Place {
        net::tls::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let made = DevelopmentTrustSpace::ensure(&folder.path().join("trust"), &Plan::default()).unwrap();
        let ours = DevelopmentCertificates::ensure(&folder.path().join("certificates")).unwrap();
        let dns = DnsServer::start().await;
        dns.zone("clinique.example", "@ MX 10 mx\nmx A 127.0.0.1\n");
        let (relay, submissions) = (free_port(), free_port());
        let place = Place { folder, made, dns, relay, submissions };
        let operator = place.made.certificate(Holder::OperatorA);
        let [organisations, root] = place.made.revocation_lists();
        let text = format!(
            "[server]\nname = \"mx.operateur-a.example\"\ndata = \"data\"\npostmaster = \"{SENDER}\"\nstop_seconds = 10\n\
             [[certificate]]\nname = \"people\"\nchain = \"{}\"\nkey = \"{}\"\n\
             [[certificate]]\nname = \"operators\"\nchain = \"{}\"\nkey = \"{}\"\n\
             [[listener]]\nname = \"submissions\"\nrole = \"submission\"\ntls = \"implicit\"\n\
             listen = [\"127.0.0.1:{submissions}\"]\ncertificates = [\"people\"]\n\
             [[listener]]\nname = \"relay\"\nrole = \"relay\"\ntls = \"starttls\"\n\
             listen = [\"127.0.0.1:{relay}\"]\ncertificates = [\"operators\"]\n\
             [trust]\nroots = [\"{}\"]\nintermediates = [\"{}\"]\n\
             [trust.white_list]\nfile = \"{}\"\nverification = \"unsigned\"\n\
             [trust.revocation]\nfiles = [\"{}\", \"{}\"]\ndistribution_points = false\nocsp = false\n\
             [receiving]\nsender_authentication = \"off\"\n\
             [relay]\ncertificate = \"operators\"\nport = {peer}\ndns_servers = [\"{}\"]\n\
             allowed_networks = [\"127.0.0.0/8\"]\npause_first_seconds = 1\npause_max_seconds = 1\n\
             [relay.retry]\nfirst_pauses_seconds = [\"1\"]\npause_max_seconds = 1\n",
            ours.server.chain.display(),
            ours.server.key.display(),
            operator.chain.display(),
            operator.key.display(),
            place.made.roots().display(),
            place.made.organisations().display(),
            place.made.white_list().display(),
            organisations.display(),
            root.display(),
            place.dns.address(),
        );
        std::fs::write(place.path("sceau.toml"), text).unwrap();
        std::fs::write(place.path("password"), format!("{PASSWORD}\n")).unwrap();
        place.done(&["structure", "add", "Hôpital"]);
        place.done(&["domain", "add", "hopital.example", "--structure", "Hôpital"]);
        place.done(&["account", "add", SENDER, "--name", "Ann", "--password-file", "password"]);
        place
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command; it must end with status 0.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sceau"));
        command.current_dir(self.folder.path()).args(arguments).args(["--config", "sceau.toml"]);
        command
    }

    /// Starts it, and waits until it takes mail.
    pub async fn start(&self) -> Program {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let program = Program { child };
        let began = Instant::now();
        for port in [self.submissions, self.relay] {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                assert!(began.elapsed() < PATIENCE, "{}", self.log());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        program
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Ann's mail program; none while the server is not there.
    pub async fn client(&self) -> Option<Client> {
        Client::sign_in(self.submissions).await.ok()
    }

    /// What waits in the queue, as JSON.
    pub fn queue(&self) -> String {
        self.done(&["queue", "list", "--json"])
    }
}

impl Program {
    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    async fn sign_in(port: u16) -> std::io::Result<Client> {
        let plain = Connection::open(([127, 0, 0, 1], port).into(), PATIENCE).await?;
        let us = TlsClient::new(None).unwrap();
        let (connection, _) = plain.connect_tls(&us, "localhost").await.map_err(std::io::Error::other)?;
        let mut client = Client { connection, input: Vec::new() };
        client.reply().await?;
        client.say("EHLO client.example").await?;
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{SENDER}\0{PASSWORD}"));
        let reply = client.say(&format!("AUTH PLAIN {plain}")).await?;
        assert!(reply.starts_with("235"), "{reply}");
        Ok(client)
    }

    /// One command, and the last line of its reply.
    pub async fn say(&mut self, line: &str) -> std::io::Result<String> {
        self.connection.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.connection.flush().await?;
        self.reply().await
    }

    /// One message; gives the answer to the end of data, or to what was refused.
    pub async fn send(&mut self, parameters: &str, to: &[&str], content: &[u8]) -> std::io::Result<String> {
        let mut lines = vec![format!("MAIL FROM:<{SENDER}>{parameters}")];
        lines.extend(to.iter().map(|to| format!("RCPT TO:{to}")));
        lines.push("DATA".to_owned());
        for line in &lines {
            let reply = self.say(line).await?;
            if !reply.starts_with(['2', '3']) {
                return Ok(reply);
            }
        }
        let text = String::from_utf8(content.to_vec()).unwrap().replace("\r\n.", "\r\n..");
        self.connection.write_all(text.as_bytes()).await?;
        self.say(".").await
    }

    async fn reply(&mut self) -> std::io::Result<String> {
        loop {
            while let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                if line.get(3) != Some(&b'-') {
                    return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
                }
            }
            let mut octets = [0; 4096];
            match self.connection.read(&mut octets).await? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => self.input.extend_from_slice(&octets[..count]),
            }
        }
    }
}
