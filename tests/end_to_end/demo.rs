//! `sceau demo`: what it promises on the terminal and in `demo.env`, and `sceau` commands beside it.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::{
    letter,
    server::{Options, PortRange, Server, binary},
};

const KEYS: &[&str] = &[
    "HOST",
    "SMTP_PORT",
    "RELAY_PORT",
    "SUBMISSION_PORT",
    "SUBMISSIONS_PORT",
    "IMAP_PORT",
    "IMAPS_PORT",
    "ADMIN_PORT",
    "CA_FILE",
    "USER1",
    "USER2",
    "USER3",
    "PASSWORD1",
    "PASSWORD2",
    "PASSWORD3",
    "MSS1",
    "MSS2",
    "LOAD_DOMAIN",
    "LOAD_PASSWORD",
    "PID",
    "DATA_DIR",
    "CONFIG",
    "B_HOST",
    "B_SMTP_PORT",
    "B_SUBMISSION_PORT",
    "B_IMAPS_PORT",
    "B_USER1",
    "B_MSS1",
    "B_PASSWORD1",
    "DNS_ADDR",
    "GATEWAY_PORT",
    "OTHER_DOMAIN",
];

/// The certificates of the audit.
const CASES: &[&str] = &["VALID", "EXPIRED", "REVOKED", "FOREIGN", "UNLISTED", "SAME_CN", "OTHER_DOMAIN"];

#[test]
fn demo_env_has_every_key_and_its_accounts_work() -> Result<()> {
    let server = Server::start_with(Options { accounts: Some(3), ..Options::default() })?;
    for key in KEYS {
        ensure!(!server.settings.get(key).is_empty(), "{key} is empty");
    }
    ensure!(server.settings.get("HOST") == "127.0.0.1");
    ensure!(server.settings.get("PID") == server.pid().to_string());
    for key in ["CA_FILE", "DATA_DIR", "CONFIG"] {
        let path = std::path::Path::new(server.settings.get(key));
        ensure!(path.is_absolute() && path.exists(), "{key}={}", path.display());
    }
    let files = ["CERT", "KEY"].into_iter().flat_map(|kind| CASES.iter().map(move |case| format!("{kind}_{case}")));
    for key in files {
        let path = std::path::Path::new(server.settings.get(&key));
        let pem = fs::read_to_string(path)?;
        ensure!(path.is_absolute() && pem.starts_with("-----BEGIN "), "{key}={}", path.display());
    }
    let (b_user, b_password) = (server.settings.get("B_USER1"), server.settings.get("B_PASSWORD1"));
    let b_imaps = server.settings.address("B_IMAPS_PORT");
    tests::imap::Imap::signed_in(b_imaps, &server.trust, b_user, b_password)?.ok("SELECT INBOX")?;
    let base = server.settings.address("GATEWAY_PORT").port() / 100;
    for port in KEYS.iter().filter(|key| key.ends_with("_PORT")) {
        ensure!(server.settings.address(port).port() / 100 == base, "{port} lies elsewhere");
    }
    for user in 1..=3 {
        let password = server.user(user).1;
        ensure!(password.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-'), "{password}");
        server.imap(user)?.ok("SELECT INBOX")?;
    }
    let (domain, password) = (server.settings.get("LOAD_DOMAIN"), server.settings.get("LOAD_PASSWORD"));
    let first_domain = server.user(1).0.split('@').nth(1);
    ensure!(first_domain == Some(domain) && server.user(3).0.split('@').nth(1) != Some(domain));
    let loaded = (1..=3).map(|number| format!("user{number:04}@{domain}"));
    for user in loaded.chain([server.user(1).0.to_owned(), server.user(2).0.to_owned()]) {
        let address = server.settings.address("IMAPS_PORT");
        tests::imap::Imap::signed_in(address, &server.trust, &user, password)?.ok("SELECT INBOX")?;
    }
    Ok(())
}

#[test]
fn demo_proves_itself_and_exits_with_0() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let ports = PortRange::take()?;
    let exit = |expected: &[&str]| -> Result<()> {
        let output = Command::new("timeout")
            .arg("120")
            .arg(binary())
            .arg("demo")
            .arg("--dir")
            .arg(&data)
            .args(["--port-base", &ports.base.to_string(), "--exit"])
            .stdin(Stdio::null())
            .output()?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{}:\n{said}", output.status);
        for expected in expected {
            ensure!(said.contains(expected), "it does not say {expected:?}:\n{said}");
        }
        Ok(())
    };
    let told = [
        "IDLE",
        "identical octet for octet",
        "[expired]",
        "[revoked]",
        "[untrusted]",
        "[unlisted]",
        "[dn-mismatch]",
        "[tls-required]",
        "[recipient.unlisted]",
        "queued as",
        "Action: delayed",
        "Action: failed",
        "THE PROOF HOLDS",
    ];
    exit(&told)?;
    // On data that exist the proof runs as well when --exit asks for it.
    exit(&told)
}

#[test]
fn a_taken_port_is_named() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let base = (0..100).find_map(|offset| {
        let port: u16 = server.settings.get("SMTP_PORT").parse().ok()?;
        (port - offset).is_multiple_of(100).then_some(port - offset)
    });
    let output = Command::new("timeout")
        .arg("60")
        .arg(binary())
        .args(["demo", "--exit", "--port-base", &base.unwrap_or_default().to_string(), "--dir"])
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ports =
        ["RELAY_PORT", "SMTP_PORT", "SUBMISSION_PORT", "SUBMISSIONS_PORT", "IMAP_PORT", "IMAPS_PORT", "ADMIN_PORT"];
    ensure!(!output.status.success());
    ensure!(ports.iter().any(|key| said.contains(server.settings.get(key))), "no port is named: {said}");
    Ok(())
}

#[test]
fn data_outlive_the_server_and_stale_locks_stop_nobody() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let options = || Options { folder: Some(data.clone()), ..Options::default() };
    let mut server = Server::start_with(options())?;
    let (sender, recipient) = (server.user(1).0.to_owned(), server.user(2).0.to_owned());
    let sent = letter::with_attachment(&sender, &recipient, 200_000);
    ensure!(server.submission(1)?.send(&sender, &[&recipient], &sent)?.is_ok());
    let password = server.user(2).1.to_owned();
    server.kill()?;
    drop(server);

    let server = Server::start_with(options())?;
    ensure!(server.user(2).1 == password, "the passwords changed");
    let mut imap = server.imap(2)?;
    imap.ok("SELECT INBOX")?;
    let stored = imap.ok("FETCH * BODY.PEEK[]")?;
    let stored = stored.find("FETCH").and_then(|response| response.literals.first().cloned()).unwrap_or_default();
    ensure!(letter::trace_before(&stored, &sent).is_some(), "other octets after the restart");
    Ok(())
}

#[test]
fn a_graceful_stop_says_good_bye() -> Result<()> {
    let mut server = Server::start()?;
    let mut imap = server.imap(1)?;
    imap.ok("SELECT INBOX")?;
    imap.idle()?;
    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    server.terminate()?;
    let mut bye = false;
    while let Ok(response) = imap.response() {
        bye |= response.text.starts_with("* BYE");
    }
    ensure!(bye, "no BYE");
    ensure!(smtp.reply()?.code == 421, "no 421");
    let status = server.ended_within(Duration::from_secs(20))?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn the_commands_answer_in_words_and_in_json() -> Result<()> {
    let server = Server::start()?;
    let listed = server.run(&["account", "list", "--json"])?;
    ensure!(listed.status.success(), "account list: {}", listed.err);
    let accounts: serde_json::Value = serde_json::from_str(&listed.out)?;
    ensure!(accounts.to_string().contains(server.user(3).0), "USER3 is not listed: {accounts}");
    let mut imap = server.imap(1)?;
    imap.ok("SELECT INBOX")?;
    let sessions = server.run(&["session", "list", "--json"])?;
    ensure!(sessions.status.success(), "session list: {}", sessions.err);
    let sessions: serde_json::Value = serde_json::from_str(&sessions.out)?;
    ensure!(sessions.to_string().contains("imap"), "no session: {sessions}");

    let disabled = server.run(&["account", "disable", server.user(1).0])?;
    ensure!(disabled.status.success(), "account disable: {}", disabled.err);
    let mut ended = false;
    for _ in 0..20 {
        ended |= imap.command("NOOP").map_or(true, |completed| !completed.is_ok());
        std::thread::sleep(Duration::from_millis(50));
    }
    ensure!(ended, "the session of a disabled account goes on");
    ensure!(server.imap(1).is_err(), "a disabled account signs in");

    let verified = server.run(&["verify"])?;
    ensure!(verified.status.success(), "verify: {}{}", verified.out, verified.err);
    let check = server.run(&["check"])?;
    ensure!(check.status.success(), "check: {}{}", check.out, check.err);
    Ok(())
}

#[test]
fn every_fault_of_a_configuration_is_told_at_once() -> Result<()> {
    let folder = TempDir::new()?;
    let server = Server::start()?;
    let good = fs::read_to_string(server.settings.get("CONFIG"))?;
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, format!("{good}\n[unheard_of]\nnothing = 1\n"))?;
    let checked = tests::server::run(&bad, &["check"])?;
    ensure!(checked.status.code() == Some(1), "{}", checked.status);
    let said = format!("{}{}", checked.out, checked.err);
    ensure!(said.contains("unheard_of") && said.contains("bad.toml"), "{said}");
    Ok(())
}
