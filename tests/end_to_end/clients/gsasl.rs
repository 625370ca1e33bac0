//! gsasl: SCRAM-SHA-256, and SCRAM-SHA-256-PLUS bound to the TLS session (RFC 5802, RFC 9266).

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{program::run, server::Server};

#[test]
fn gsasl_proves_itself_by_every_mechanism() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let (user, password) = server.user(1);
    for (service, port) in [("--smtp", "SUBMISSION_PORT"), ("--imap", "IMAP_PORT")] {
        for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
            for (secret, right) in [(password, true), ("not-the-password", false)] {
                let connect = format!("--connect=localhost:{}", server.settings.get(port));
                let authority = format!("--x509-ca-file={}", server.settings.get("CA_FILE"));
                let mechanism_option = format!("--mechanism={mechanism}");
                let user_option = format!("--authentication-id={user}");
                let secret_option = format!("--password={secret}");
                // Where it could bind, gsasl refuses to go without unless told to.
                let binding = if mechanism == "SCRAM-SHA-256" { "--no-cb" } else { "--verbose" };
                let arguments = [
                    service,
                    &connect,
                    &authority,
                    &mechanism_option,
                    &user_option,
                    &secret_option,
                    "--authorization-id=",
                    binding,
                ];
                let ran = run("gsasl", &arguments, folder.path(), b"")?;
                let entered = ran.status.success();
                ensure!(
                    entered == right,
                    "{service} {mechanism}, right secret {right}, let in {entered}:\n{}\n{}",
                    ran.text(),
                    ran.err
                );
            }
        }
    }
    Ok(())
}
