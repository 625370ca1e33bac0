//! Python's smtplib and imaplib.

use std::fs;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{
    letter,
    program::succeed,
    server::{Server, root},
};

use super::arrived_intact;

#[test]
fn python_sends_and_reads() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let sent = letter::with_attachment(server.user(1).0, server.user(2).0, 400_000);
    fs::write(folder.path().join("letter.eml"), &sent)?;
    let script = root().join("tests/clients/python/round_trip.py");
    let settings = server.folder().join("demo.env");
    let arguments = [script.as_os_str(), settings.as_os_str(), "letter.eml".as_ref()];
    let said = succeed("python3", &arguments, folder.path(), b"")?.text();
    ensure!(said.ends_with("round trip complete\n"), "{said}");
    arrived_intact(&server, 2, &sent)
}
