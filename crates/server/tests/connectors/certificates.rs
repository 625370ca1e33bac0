//! S7: EXTERNAL and MAIL without AUTH, for every certificate of the development trust space.

use server::admin::{CertificateNamed, Request};
use server::development_trust_space::Holder;

use crate::world::{ANNE, DPI, World, base64};

#[tokio::test]
async fn s7_external_lets_in_whom_it_is_bound_to_and_says_why_not() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    // The same subject, four times: what differs is whether the certificate is believed.
    world.bind(DPI, Holder::Valid).await;
    for (shown, announced, answer) in [
        (Some(Holder::Connector), true, "235 2.7.0 signed in"),
        (Some(Holder::Valid), true, "235 2.7.0 signed in"),
        (Some(Holder::Expired), false, "[expired]"),
        (Some(Holder::Revoked), false, "[revoked]"),
        (Some(Holder::Foreign), false, "[untrusted]"),
        (Some(Holder::OtherDomain), false, "535 5.7.8 wrong user name or password"),
        (None, false, "[no-certificate]"),
    ] {
        let (mut line, said) = world.smtp("connector-submissions", shown).await;
        assert_eq!(said.contains("EXTERNAL"), announced, "{shown:?}: {said}");
        assert!(said.contains("250-AUTH") && said.contains("PLAIN"), "{said}");
        let refused = line.smtp("AUTH EXTERNAL =").await;
        assert!(refused.contains(answer), "{shown:?}: {refused}");
        let expected = if announced { "235 " } else { "535 5.7.8 " };
        assert!(refused.starts_with(expected), "{shown:?}: {refused}");

        let mut line = world.connect("connector-imaps", shown).await;
        line.send("a CAPABILITY").await;
        let said = line.read().await;
        assert_eq!(said.contains("AUTH=EXTERNAL"), announced, "{shown:?}: {said}");
        line.read().await;
        let completed = line.imap("a AUTHENTICATE EXTERNAL =").await;
        match announced {
            true => assert!(completed.starts_with("a OK ["), "{completed}"),
            false => {
                assert!(completed.starts_with("a NO [AUTHENTICATIONFAILED] "), "{completed}");
                let word = if answer.starts_with('[') { answer } else { "wrong user name" };
                assert!(completed.contains(word), "{completed}");
            }
        }
    }
}

#[tokio::test]
async fn s7_what_is_bound_by_serial_number_is_that_one_certificate() {
    let world = World::new("").await;
    let chain = crate::world::chain(&world.space.certificate(Holder::Connector).chain);
    let leaf = trust::certificate::read_leaf(&chain).unwrap();
    let bind = |serial: String| {
        let certificate = CertificateNamed::IssuerAndSerial { issuer: leaf.issuer.to_string(), serial };
        Request::AccountCertificateAdd { account: DPI.into(), certificate }
    };
    world.ask(bind("0f".into())).await;
    let (mut line, said) = world.smtp("connector-submissions", Some(Holder::Connector)).await;
    assert!(!said.contains("EXTERNAL"));
    assert!(line.smtp("AUTH EXTERNAL =").await.starts_with("535 5.7.8 wrong"));
    // As OpenSSL prints it.
    let colons: Vec<String> = format!("{:0>40}", leaf.serial.to_uppercase())
        .as_bytes()
        .chunks(2)
        .map(|two| String::from_utf8_lossy(two).into())
        .collect();
    world.ask(bind(colons.join(":"))).await;
    let (mut line, _) = world.smtp("connector-submissions", Some(Holder::Connector)).await;
    assert!(line.smtp("AUTH EXTERNAL =").await.starts_with("235 "));
    for wrong in ["", "xyz", &"1".repeat(41)] {
        assert!(world.try_ask(bind(wrong.into())).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_certificate_of_several_boxes_must_name_one_of_them() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    let auth = async |named: &str| {
        let (mut line, _) = world.smtp("connector-submissions", Some(Holder::Connector)).await;
        let named = if named.is_empty() { "=".to_owned() } else { base64(named) };
        let answer = line.smtp(&format!("AUTH EXTERNAL {named}")).await;
        (answer.starts_with("235 "), line)
    };
    assert!(auth("").await.0);
    assert!(auth(DPI).await.0);
    assert!(auth("LABO@a.example").await.0, "either of its addresses");
    assert!(!auth(ANNE).await.0, "not bound to it");
    assert!(!auth("nobody@a.example").await.0);
    assert!(!auth("' OR 1=1 --").await.0, "S15");
    world.bind(ANNE, Holder::Connector).await;
    assert!(!auth("").await.0, "which of both?");
    let (entered, mut line) = auth(ANNE).await;
    assert!(entered);
    assert!(line.smtp("MAIL FROM:<anne@a.example>").await.starts_with("250 "));
    assert!(line.smtp("RSET").await.starts_with("250 "));
    assert!(line.smtp("MAIL FROM:<dpi@a.example>").await.starts_with("550 5.7.1 "), "signed in as Anne's");
}

#[tokio::test]
async fn where_people_connect_no_certificate_is_asked_for() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    let (mut line, said) = world.smtp("submissions", Some(Holder::Connector)).await;
    assert!(!said.contains("EXTERNAL"), "{said}");
    assert!(line.smtp("AUTH EXTERNAL =").await.starts_with("504 "));
    let mut line = world.connect("imaps", Some(Holder::Connector)).await;
    assert!(line.imap("a AUTHENTICATE EXTERNAL =").await.starts_with("a NO [CANNOT] "));
}

#[tokio::test]
async fn s7_mail_without_auth_chooses_among_the_boxes_of_the_certificate() {
    let world = World::new("").await;
    world.bind(DPI, Holder::Connector).await;
    let (mut line, _) = world.smtp("without-auth", Some(Holder::Connector)).await;
    assert!(line.smtp("MAIL FROM:<anne@a.example>").await.contains("[sender.not_yours]"));
    assert!(line.smtp("MAIL FROM:<labo@a.example>").await.starts_with("250 "));
    assert!(line.smtp("RCPT TO:<anne@a.example>").await.starts_with("250 "));
    assert!(line.smtp("DATA").await.starts_with("354 "));
    line.send("From: labo@a.example\r\nSubject: sans AUTH\r\n\r\nBonjour\r\n.").await;
    let accepted = line.read().await;
    assert!(accepted.starts_with("250 2.0.0 "), "{accepted}");
    world.bind(ANNE, Holder::Connector).await;
    assert!(line.smtp("MAIL FROM:<anne@a.example>").await.starts_with("250 "), "each MAIL chooses anew");
    assert!(line.smtp("RSET").await.starts_with("250 "));
    assert!(line.smtp("MAIL FROM:<>").await.contains("[sender.not_yours]"), "which of both?");

    let mut imap = world.connect("imaps", None).await;
    assert!(imap.imap(&format!("a LOGIN {ANNE} \"{}\"", crate::world::PASSWORD)).await.starts_with("a OK "));
    imap.imap("a SELECT INBOX").await;
    imap.send("b FETCH 1 BODY.PEEK[HEADER]").await;
    let mut header = String::new();
    while !header.contains("b OK") {
        header.push_str(&imap.read().await);
    }
    assert!(header.contains(" with ESMTPS\r\n"), "nobody gave proof by AUTH: {header}");
    assert!(header.contains("Return-Path: <labo@a.example>"), "{header}");

    for (shown, word) in [
        (Some(Holder::Expired), "[expired]"),
        (Some(Holder::Revoked), "[revoked]"),
        (Some(Holder::Foreign), "[untrusted]"),
        (None, "[no-certificate]"),
    ] {
        let (mut line, _) = world.smtp("without-auth", shown).await;
        let refused = line.smtp("MAIL FROM:<dpi@a.example>").await;
        assert!(refused.starts_with("550 5.7.1 ") && refused.contains(word), "{shown:?}: {refused}");
        // A person is still let in by the other way.
        let plain = base64(&format!("\0{ANNE}\0{}", crate::world::PASSWORD));
        assert!(line.smtp(&format!("AUTH PLAIN {plain}")).await.starts_with("235 "));
        assert!(line.smtp("MAIL FROM:<anne@a.example>").await.starts_with("250 "));
    }
}
