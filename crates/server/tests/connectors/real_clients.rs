//! curl, gsasl and openssl: with a token, and with a client certificate.

use std::path::Path;
use std::process::Stdio;

use server::admin::Request;
use server::development_trust_space::Holder;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::provider::{Provider, Signer};
use crate::world::{ANNE, DPI, PASSWORD, World};

struct Ran {
    success: bool,
    text: String,
}

async fn run(program: &str, arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let time = std::time::Duration::from_secs(30);
    let output = tokio::time::timeout(time, child.wait_with_output()).await.expect("it ends").unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ran { success: output.status.success(), text }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const LETTER: &str = "From: anne@a.example\r\nTo: dpi@a.example\r\nSubject: par jeton\r\n\r\nBonjour\r\n";

#[tokio::test]
async fn curl_signs_in_with_a_token() {
    let provider = Provider::start().await;
    let key = Signer::rsa("r1");
    provider.publish(&[&key]);
    let section = format!("[identity_provider]\nissuer = {:?}\naudiences = [\"messagerie\"]\n", provider.issuer);
    let world = World::new(&section).await;
    world.link(ANNE, "10000000001", true).await;
    let authority = world.authority();
    let letter = world.folder.path().join("letter.eml");
    std::fs::write(&letter, LETTER).unwrap();
    let smtps = format!("smtps://localhost:{}/dpi.a.example", world.address("submissions").port());
    let imaps = format!("imaps://localhost:{}/", world.address("imaps").port());
    let good = key.token(&provider.claims("810000000001"));
    let bad = key.token(&provider.claims("810000000002"));
    for (token, enters) in [(&good, true), (&bad, false)] {
        // It takes OAUTHBEARER before XOAUTH2 unless told otherwise; with an initial response or without.
        for mechanism in ["AUTH=OAUTHBEARER", "AUTH=XOAUTH2"] {
            for sasl_ir in ["--sasl-ir", "--no-sasl-ir"] {
                let common = ["-sS", "--cacert", text(&authority), "--user", ANNE, "--oauth2-bearer", token];
                let options = ["--login-options", mechanism, sasl_ir];
                let envelope = ["--mail-from", ANNE, "--mail-rcpt", DPI, "--upload-file", text(&letter), &smtps];
                let sent = run("curl", &[&common[..], &options, &envelope].concat(), "").await;
                assert_eq!(sent.success, enters, "{mechanism} {sasl_ir}: {}", sent.text);
                let listed = run("curl", &[&common[..], &options, &[imaps.as_str()]].concat(), "").await;
                assert_eq!(listed.success, enters, "{mechanism} {sasl_ir}: {}", listed.text);
                assert_eq!(listed.text.contains("INBOX"), enters, "{}", listed.text);
            }
        }
    }
    let shown = world.ask(Request::AccountShow { account: DPI.into() }).await;
    assert_eq!(shown["messages"], 4);
}

#[tokio::test]
async fn curl_signs_in_with_a_certificate() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    world.bind(ANNE, Holder::Connector).await;
    let authority = world.authority();
    let letter = world.folder.path().join("letter.eml");
    std::fs::write(&letter, LETTER.replace("From: anne", "From: dpi")).unwrap();
    for (holder, enters) in [(Holder::Connector, true), (Holder::Expired, false)] {
        let files = world.space.certificate(holder);
        let common = [
            "-sS",
            "--cacert",
            text(&authority),
            "--cert",
            text(&files.chain),
            "--key",
            text(&files.key),
            "--ssl-reqd",
        ];
        for (submission, imap) in
            [("connector-submissions", "connector-imaps"), ("connector-submission", "connector-imap")]
        {
            let scheme = if submission.ends_with('s') { "s" } else { "" };
            let smtp = format!("smtp{scheme}://localhost:{}/dpi.a.example", world.address(submission).port());
            let imap = format!("imap{scheme}://localhost:{}/", world.address(imap).port());
            for sasl_ir in ["--sasl-ir", "--no-sasl-ir"] {
                let options = ["--user", &format!("{DPI}:"), "--login-options", "AUTH=EXTERNAL", sasl_ir];
                let envelope = ["--mail-from", DPI, "--mail-rcpt", ANNE, "--upload-file", text(&letter), &smtp];
                let sent = run("curl", &[&common[..], &options, &envelope].concat(), "").await;
                assert_eq!(sent.success, enters, "{holder:?} {sasl_ir} {smtp}: {}", sent.text);
                let listed = run("curl", &[&common[..], &options, &[imap.as_str()]].concat(), "").await;
                assert_eq!(listed.success, enters, "{holder:?} {sasl_ir} {imap}: {}", listed.text);
            }
        }
        // Without AUTH: MAIL chooses.
        let smtps = format!("smtps://localhost:{}/dpi.a.example", world.address("without-auth").port());
        let envelope = ["--mail-from", DPI, "--mail-rcpt", ANNE, "--upload-file", text(&letter), &smtps];
        let sent = run("curl", &[&common[..], &envelope].concat(), "").await;
        assert_eq!(sent.success, enters, "{holder:?}: {}", sent.text);
    }
    let shown = world.ask(Request::AccountShow { account: ANNE.into() }).await;
    assert_eq!(shown["messages"], 5);
}

#[tokio::test]
async fn gsasl_signs_in_with_a_certificate() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    let authority = format!("--x509-ca-file={}", text(&world.authority()));
    for (holder, named, enters) in [
        (Holder::Connector, DPI, true),
        (Holder::Connector, "", true),
        (Holder::Connector, ANNE, false),
        (Holder::Foreign, DPI, false),
    ] {
        let files = world.space.certificate(holder);
        for (service, listener) in [("--smtp", "connector-submission"), ("--imap", "connector-imap")] {
            let connect = format!("--connect=localhost:{}", world.address(listener).port());
            let certificate = format!("--x509-cert-file={}", text(&files.chain));
            let key = format!("--x509-key-file={}", text(&files.key));
            let named = format!("--authorization-id={named}");
            let arguments = [service, &connect, &authority, &certificate, &key, "--mechanism=EXTERNAL", &named];
            let ran = run("gsasl", &arguments, "").await;
            assert_eq!(ran.success, enters, "{holder:?} {named} {service}: {}", ran.text);
        }
    }
}

/// What OpenSSL sees of the handshake: a request for a certificate where software connects, and none where people do.
#[tokio::test]
async fn openssl_is_asked_for_a_certificate_on_connector_listeners_only() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    let authority = world.authority();
    for (listener, starttls, name, asked) in [
        ("submissions", None, "localhost", false),
        ("imaps", None, "localhost", false),
        ("connector-submissions", None, "localhost", true),
        ("connector-imap", Some("imap"), "localhost", true),
        ("connector-submission", Some("smtp"), "localhost", true),
        ("without-auth", None, "localhost", true),
        ("by-name", None, "LocalHost", true),
        ("by-name", None, "mail.a.example", false),
        ("by-name", None, "", false),
    ] {
        let address = format!("localhost:{}", world.address(listener).port());
        let mut arguments = vec!["s_client", "-connect", &address, "-CAfile", text(&authority), "-ign_eof"];
        match name {
            "" => arguments.push("-noservername"),
            name => arguments.extend(["-servername", name]),
        }
        arguments.extend(starttls.iter().flat_map(|protocol| ["-starttls", protocol]));
        let quit = if listener.contains("imap") { "a LOGOUT\r\n" } else { "QUIT\r\n" };
        let ran = run("openssl", &arguments, quit).await;
        // It prints the authorities that the server hints at.
        let hints = ran.text.contains("Acceptable client certificate CA names");
        assert_eq!(hints, asked, "{listener} {name}: {}", ran.text);
        assert_eq!(ran.text.contains("ELEMENTAIRE ORGANISATIONS"), asked, "{listener}: {}", ran.text);
    }
    let (mut line, said) = world.smtp("by-name", Some(Holder::Connector)).await;
    assert!(said.contains("EXTERNAL"), "{said}");
    assert!(line.smtp("AUTH EXTERNAL =").await.starts_with("235 "));
    let plain = crate::world::base64(&format!("\0{ANNE}\0{PASSWORD}"));
    let (mut line, _) = world.smtp("connector-submissions", None).await;
    assert!(line.smtp(&format!("AUTH PLAIN {plain}")).await.starts_with("235 "), "passwords are still good there");
}
