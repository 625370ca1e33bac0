//! SPF, DKIM, DMARC and ARC against a real DNS server; the signatures are made by OpenSSL, canonicalised by hand.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests make sockets, files and processes"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mail::ReversePath;
use mail::authentication_results::{MethodResult, to_field};
use net::dns::Servers;
use net::sender_authentication::{Extent, Facts, SenderAuthentication};
use testkit::dns_server::{DnsServer, Fault};

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut process =
        Command::new("openssl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

fn base64(octets: &[u8]) -> String {
    String::from_utf8(openssl(&["base64", "-A"], octets)).unwrap()
}

struct World {
    folder: tempfile::TempDir,
    dns: DnsServer,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        std::fs::write(&key, openssl(&["genrsa", "2048"], b"")).unwrap();
        let public = openssl(&["pkey", "-in", key.to_str().unwrap(), "-pubout", "-outform", "DER"], b"");
        let public = base64(&public);
        let (first, second) = public.split_at(200);
        let dns = DnsServer::start().await;
        // DMARC asks for the parents of the name too.
        dns.zone("example", "");
        dns.zone(
            "b.example",
            &format!(
                "@ TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc TXT \"v=DMARC1; p=reject\"\n\
                 mx TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
                 s1._domainkey TXT \"v=DKIM1; k=rsa; p={first}\" \"{second}\"\n"
            ),
        );
        World { folder, dns }
    }

    fn key(&self) -> String {
        let key: &Path = self.folder.path();
        key.join("key.pem").to_str().unwrap().to_owned()
    }

    /// A message of b.example: its body as sent, and as RFC 6376 §3.4.4 canonicalises it.
    fn signed(&self, body: &str, canonical: &str) -> String {
        let hash = base64(&openssl(&["dgst", "-sha256", "-binary"], canonical.as_bytes()));
        let field = format!("v=1; a=rsa-sha256; c=relaxed/relaxed; d=b.example; s=s1; h=from:subject; bh={hash}; b=");
        let canonical = format!("from:bob@b.example\r\nsubject:Result\r\ndkim-signature:{field}");
        let signature = base64(&openssl(&["dgst", "-sha256", "-sign", &self.key()], canonical.as_bytes()));
        format!("DKIM-Signature: {field}{signature}\r\nFrom: bob@b.example\r\nSubject: Result\r\n\r\n{body}")
    }

    fn looking(&self, time: Duration) -> SenderAuthentication {
        let servers = Servers::These(vec![self.dns.address()]);
        SenderAuthentication::patient(&servers, "mx.a.example".parse().unwrap(), time).unwrap()
    }
}

async fn look(
    by: &SenderAuthentication,
    client: &str,
    sender: &str,
    message: &str,
    extent: Extent,
) -> Vec<MethodResult> {
    let path = match sender {
        "" => ReversePath::Null,
        address => ReversePath::Address(address.parse().unwrap()),
    };
    let author = "b.example".parse().unwrap();
    let facts = Facts {
        client: client.parse().unwrap(),
        helo: "mx.b.example",
        reverse_path: &path,
        author: Some(&author),
        octets: message.as_bytes(),
        extent,
    };
    by.look(facts).await
}

fn words(results: &[MethodResult]) -> Vec<(&str, &str)> {
    results.iter().map(|found| (found.method, found.result)).collect()
}

const PATIENT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_is_right_passes_and_what_is_not_is_named() {
    let world = World::new().await;
    let by = world.looking(PATIENT);
    let message = world.signed("Bonjour\r\n", "Bonjour\r\n");
    let all = [("spf", "pass"), ("dkim", "pass"), ("dmarc", "pass"), ("arc", "none")];
    let found = look(&by, "192.0.2.1", "bob@b.example", &message, Extent::Whole).await;
    assert_eq!(words(&found), all, "{found:?}");
    let field = to_field(&"mx.a.example".parse().unwrap(), &found).replace("\r\n ", " ");
    assert!(field.contains("spf=pass smtp.mailfrom=b.example; dkim=pass header.d=b.example header.s=s1 "), "{field}");

    for (client, sender, message, expected) in [
        (
            "192.0.2.9",
            "bob@b.example",
            message.clone(),
            [("spf", "fail"), ("dkim", "pass"), ("dmarc", "pass"), ("arc", "none")],
        ),
        (
            "192.0.2.1",
            "bob@b.example",
            message.replace("Bonjour", "Bonsoir"),
            [("spf", "pass"), ("dkim", "fail"), ("dmarc", "pass"), ("arc", "none")],
        ),
        (
            "192.0.2.9",
            "bob@b.example",
            message.replace("Bonjour", "Bonsoir"),
            [("spf", "fail"), ("dkim", "fail"), ("dmarc", "fail"), ("arc", "none")],
        ),
        (
            "192.0.2.9",
            "bob@b.example",
            message.replace("Subject: Result", "Subject: x"),
            [("spf", "fail"), ("dkim", "fail"), ("dmarc", "fail"), ("arc", "none")],
        ),
        (
            "192.0.2.9",
            "bob@b.example",
            message.replace("s=s1", "s=s2"),
            [("spf", "fail"), ("dkim", "permerror"), ("dmarc", "fail"), ("arc", "none")],
        ),
        ("192.0.2.1", "", message.clone(), all),
        (
            "192.0.2.1",
            "x@none.b.example",
            "From: bob@b.example\r\n\r\nhello\r\n".to_owned(),
            [("spf", "none"), ("dkim", "none"), ("dmarc", "fail"), ("arc", "none")],
        ),
    ] {
        let found = look(&by, client, sender, &message, Extent::Whole).await;
        assert_eq!(words(&found), expected, "{client} {sender} {found:?}");
    }
}

#[tokio::test]
async fn blank_lines_at_the_end_of_a_relaxed_body_do_not_count() {
    let world = World::new().await;
    let by = world.looking(PATIENT);
    for (body, canonical) in [
        ("Bonjour\r\n \r\n", "Bonjour\r\n"),
        ("Bonjour \t\r\n\t \r\n\r\n  \r\n", "Bonjour\r\n"),
        ("a  b\r\n\r\nc\r\n\r\n", "a b\r\n\r\nc\r\n"),
        (" \r\n", ""),
        ("", ""),
    ] {
        let message = world.signed(body, canonical);
        let found = look(&by, "192.0.2.1", "bob@b.example", &message, Extent::Whole).await;
        assert_eq!(words(&found)[1], ("dkim", "pass"), "{body:?} {found:?}");
        // What was changed stays changed.
        let message = message.replace("\r\n\r\n", "\r\n\r\nx");
        let found = look(&by, "192.0.2.1", "bob@b.example", &message, Extent::Whole).await;
        assert_eq!(words(&found)[1], ("dkim", "fail"), "{body:?} {found:?}");
    }
}

#[tokio::test]
async fn of_a_large_message_the_signatures_are_left_aside() {
    let world = World::new().await;
    let by = world.looking(PATIENT);
    let header = world.signed("", "Bonjour\r\n");
    let found = look(&by, "192.0.2.1", "bob@b.example", &header, Extent::Header).await;
    assert_eq!(words(&found), [("spf", "pass"), ("dkim", "policy"), ("dmarc", "pass"), ("arc", "policy")]);
    let found = look(&by, "192.0.2.9", "bob@b.example", &header, Extent::Header).await;
    assert_eq!(words(&found), [("spf", "fail"), ("dkim", "policy"), ("dmarc", "none"), ("arc", "policy")]);
}

#[tokio::test]
async fn silence_of_dns_costs_a_bounded_time_and_soon_none() {
    let world = World::new().await;
    for name in ["b.example", "_dmarc.b.example", "s1._domainkey.b.example"] {
        world.dns.fault(name, Fault::Silence);
    }
    let by = world.looking(Duration::from_millis(300));
    let message = world.signed("Bonjour\r\n", "Bonjour\r\n");
    let unknown = [("spf", "temperror"), ("dkim", "temperror"), ("dmarc", "temperror"), ("arc", "temperror")];
    let began = Instant::now();
    for _ in 0..3 {
        let found = look(&by, "192.0.2.1", "bob@b.example", &message, Extent::Whole).await;
        assert_eq!(words(&found), unknown);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let asked = world.dns.questions("b.example");
    for _ in 0..100 {
        let found = look(&by, "192.0.2.1", "bob@b.example", &message, Extent::Whole).await;
        assert_eq!(words(&found), unknown);
    }
    assert_eq!(world.dns.questions("b.example"), asked, "DNS is left alone");
}

#[tokio::test]
async fn what_cannot_be_read_is_no_reason_to_fail() {
    let world = World::new().await;
    let by = world.looking(PATIENT);
    for message in
        ["", "\r\n", "no header at all", "From: \r\n\r\n", "DKIM-Signature: v=1\r\nFrom: bob@b.example\r\n\r\n"]
    {
        let found = look(&by, "192.0.2.1", "bob@b.example", message, Extent::Whole).await;
        assert!(found.len() >= 4, "{message:?} {found:?}");
        assert!(!found.iter().any(|one| one.method == "dkim" && one.result == "pass"), "{message:?} {found:?}");
    }
}
