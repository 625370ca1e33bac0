//! A server to measure: ours, or the peer.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result};
use tests::{
    imap::Imap,
    server::{Options, Server},
    smtp::Smtp,
    wire::Trust,
};

/// Accounts that mail is sent to, so that no mailbox alone is the limit.
pub const RECIPIENTS: usize = 10;
/// Accounts in all: those after the recipients hold the mailboxes to read.
pub const ACCOUNTS: usize = 20;

/// A way a server keeps mail, and the namespace under which it does.
pub struct Format {
    /// What the figure's name ends with.
    pub words: &'static str,
    /// What the mailbox's name begins with.
    pub prefix: &'static str,
}

/// What a measurement needs to know of a server.
pub struct Target {
    /// "ours" or "peer".
    pub side: &'static str,
    /// The listener that takes mail for local accounts without TLS or AUTH.
    pub smtp: SocketAddr,
    /// IMAP under TLS.
    pub imaps: SocketAddr,
    /// The authority that signed its certificate.
    pub trust: Trust,
    /// Login names, which are the addresses too.
    pub accounts: Vec<String>,
    /// The password of all of them.
    pub password: String,
    /// Where APPEND goes: the mailboxes of each format it keeps mail in.
    pub formats: &'static [Format],
    /// Clients that fill a mailbox together: as many as fill it fastest.
    pub filling: usize,
    /// The process above all of its processes.
    pub pid: u32,
    /// Ends it when dropped.
    pub _guard: Box<dyn std::any::Any + Send + Sync>,
}

impl Target {
    /// Our own server, as `sceau demo` starts it.
    pub fn ours(folder: &Path) -> Result<Target> {
        let accounts = u32::try_from(ACCOUNTS)?;
        let options = Options { accounts: Some(accounts), folder: Some(folder.to_owned()), ..Options::default() };
        let server = Server::start_with(options)?;
        let domain = server.settings.get("LOAD_DOMAIN");
        Ok(Target {
            side: "ours",
            smtp: server.settings.address("GATEWAY_PORT"),
            imaps: server.settings.address("IMAPS_PORT"),
            trust: server.trust.clone(),
            accounts: (1..=ACCOUNTS).map(|number| format!("user{number:04}@{domain}")).collect(),
            password: server.settings.get("LOAD_PASSWORD").to_owned(),
            formats: &[Format { words: "", prefix: "" }],
            filling: 24,
            pid: server.pid(),
            _guard: Box::new(server),
        })
    }

    /// An SMTP session after EHLO.
    pub fn smtp(&self) -> Result<Smtp> {
        let mut smtp = Smtp::plain(self.smtp)?;
        smtp.expect("EHLO bench.example", 250)?;
        Ok(smtp)
    }

    /// An IMAP session of the n-th account.
    pub fn imap(&self, account: usize) -> Result<Imap> {
        Imap::signed_in(self.imaps, &self.trust, &self.accounts[account], &self.password)
    }

    /// Messages in the INBOX of all recipients.
    pub fn visible(&self, sessions: &mut [Imap]) -> Result<u64> {
        let mut sum = 0;
        for session in sessions {
            let status = session.ok("STATUS INBOX (MESSAGES)")?;
            let response = status.find("STATUS").context("no STATUS")?;
            sum += tests::imap::number_after(&response.text, "MESSAGES ").context("no MESSAGES")?;
        }
        Ok(sum)
    }

    /// Memory of all its processes in KiB, shared pages divided among those who share them.
    pub fn memory(&self) -> Result<f64> {
        let mut sum = 0.0;
        for pid in self.processes()? {
            // A process may end between the listing and this.
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let value =
                line.and_then(|line| line.split_whitespace().next()).and_then(|value| value.parse::<f64>().ok());
            sum += value.unwrap_or_default();
        }
        Ok(sum)
    }

    /// The process and all below it.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            // "pid (name) state ppid …", and a name may hold anything.
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            if let Some(parent) = after_name.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut found = vec![self.pid];
        let mut at = 0;
        while at < found.len() {
            found.extend(children.get(&found[at]).into_iter().flatten());
            at += 1;
        }
        Ok(found)
    }
}
