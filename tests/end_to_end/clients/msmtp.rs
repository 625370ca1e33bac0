//! msmtp, as cron jobs and mutt use it.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;
use tests::{letter, program::succeed, server::Server};

use super::{arrived_intact, with_unix_lines};

#[test]
fn msmtp_sends() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let (sender, password) = server.user(2);
    let recipient = server.user(1).0;
    for (port, starttls, mechanism) in [
        ("SUBMISSION_PORT", "on", "plain"),
        ("SUBMISSIONS_PORT", "off", "login"),
        ("SUBMISSIONS_PORT", "off", "scram-sha-256"),
    ] {
        let configuration = format!(
            "account default\nhost localhost\nport {}\ntls on\ntls_starttls {starttls}\ntls_trust_file {}\n\
             auth {mechanism}\nuser {sender}\npassword {password}\nfrom {sender}\n",
            server.settings.get(port),
            server.settings.get("CA_FILE"),
        );
        fs::write(folder.path().join("msmtprc"), configuration)?;
        let sent = letter::with_attachment(sender, recipient, 50_000);
        succeed("msmtp", &["--file=msmtprc", recipient], folder.path(), &with_unix_lines(&sent))?;
        arrived_intact(&server, 1, &sent)?;
    }
    Ok(())
}
