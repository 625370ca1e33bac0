//! swaks: STARTTLS with AUTH LOGIN, implicit TLS with AUTH PLAIN, and refusals.

use std::fs;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{
    letter,
    program::{run, succeed},
    server::Server,
};

use super::arrived_intact;

#[test]
fn swaks_sends() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let (sender, password) = server.user(1);
    let recipient = server.user(2).0;
    for (port, tls, mechanism) in
        [("SUBMISSION_PORT", "--tls", "LOGIN"), ("SUBMISSIONS_PORT", "--tls-on-connect", "PLAIN")]
    {
        let sent = letter::plain(sender, recipient, 5_000);
        // swaks ends the last line itself.
        fs::write(folder.path().join("letter.eml"), sent.strip_suffix(b"\r\n").unwrap_or(&sent))?;
        let server_name = format!("localhost:{}", server.settings.get(port));
        let authority = server.settings.get("CA_FILE");
        let connection = ["--server", &server_name, tls, "--tls-verify", "--tls-ca-path", authority];
        let login = ["--auth", mechanism, "--auth-user", sender, "--auth-password", password];
        let envelope = ["--from", sender, "--to", recipient, "--data", "@letter.eml"];
        succeed("swaks", &[connection.as_slice(), &login, &envelope].concat(), folder.path(), b"")?;
        arrived_intact(&server, 2, &sent)?;

        let wrong = ["--auth", mechanism, "--auth-user", sender, "--auth-password", "not-the-password"];
        let refused = run("swaks", &[connection.as_slice(), &wrong, &envelope].concat(), folder.path(), b"")?;
        ensure!(refused.status.code() == Some(28), "swaks got in with a wrong password: {}", refused.text());
        ensure!(refused.text().contains("535 5.7.8"), "{}", refused.text());
    }
    Ok(())
}
