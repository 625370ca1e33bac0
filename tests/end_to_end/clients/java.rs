//! Jakarta Mail, which hospital software uses.

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
fn jakarta_mail_sends_and_reads() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let sent = letter::with_attachment(server.user(1).0, server.user(2).0, 400_000);
    fs::write(folder.path().join("letter.eml"), &sent)?;
    let script = root().join("tests/clients/java/RoundTrip.java");
    let settings = server.folder().join("demo.env");
    let class_path = "/usr/share/java/jakarta-mail.jar:/usr/share/java/jakarta-activation.jar";
    let arguments = [
        "-XX:TieredStopAtLevel=1".as_ref(),
        "-cp".as_ref(),
        class_path.as_ref(),
        script.as_os_str(),
        settings.as_os_str(),
        "letter.eml".as_ref(),
    ];
    let said = succeed("java", &arguments, folder.path(), b"")?.text();
    ensure!(said.ends_with("round trip complete\n"), "{said}");
    arrived_intact(&server, 2, &sent)
}
