//! S14 to S16: a stranger learns nothing from a refusal, and shuts nobody out. What its time tells: see `timing`.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tests::{imap::Imap, server::Server, smtp::Smtp};

use super::long;

fn refused_smtp(server: &Server, user: &str, password: &str) -> Result<String> {
    let mut smtp = Smtp::tls(server.settings.address("SUBMISSIONS_PORT"), &server.trust)?;
    smtp.expect("EHLO client.example", 250)?;
    let reply = smtp.command(&tests::smtp::auth_plain(user, password))?;
    Ok(format!("{} {}", reply.code, reply.lines.join("\n")))
}

fn refused_imap(server: &Server, user: &str, password: &str) -> Result<String> {
    let mut imap = Imap::tls(server.settings.address("IMAPS_PORT"), &server.trust)?;
    Ok(imap.command(&format!("LOGIN \"{user}\" \"{password}\""))?.status)
}

#[test]
fn s14_every_failed_login_sounds_the_same() -> Result<()> {
    let server = Server::start()?;
    let (known, password) = server.user(1);
    let other_structure = server.user(3).0;
    let disabled = server.user(2);
    let done = server.run(&["account", "disable", disabled.0])?;
    ensure!(done.status.success(), "account disable: {}{}", done.out, done.err);

    let unknown = format!("nobody@{}", known.split('@').nth(1).unwrap_or_default());
    let cases = [
        (known, "not-the-password"),
        (&unknown, "not-the-password"),
        (other_structure, "not-the-password"),
        (disabled.0, disabled.1),
        (disabled.0, "not-the-password"),
        ("nobody@elsewhere.example", "x"),
        ("no-address", password),
    ];
    let mut heard = BTreeSet::new();
    for (user, password) in cases {
        heard.insert(refused_smtp(&server, user, password)?);
    }
    ensure!(heard.len() == 1, "SMTP tells them apart: {heard:?}");
    ensure!(heard.iter().all(|reply| reply.starts_with("535 5.7.8")), "{heard:?}");
    let mut heard = BTreeSet::new();
    for (user, password) in cases {
        heard.insert(refused_imap(&server, user, password)?);
    }
    ensure!(heard.len() == 1, "IMAP tells them apart: {heard:?}");
    ensure!(heard.iter().all(|status| status.contains("[AUTHENTICATIONFAILED]")), "{heard:?}");
    Ok(())
}

#[test]
fn s14_scram_answers_an_unknown_user_like_a_known_one() -> Result<()> {
    let server = Server::start()?;
    let known = server.user(1).0.to_owned();
    let unknown = format!("nobody@{}", known.split('@').nth(1).unwrap_or_default());
    let first = |user: &str| -> Result<(String, String)> {
        let mut smtp = Smtp::tls(server.settings.address("SUBMISSIONS_PORT"), &server.trust)?;
        smtp.expect("EHLO client.example", 250)?;
        let message = STANDARD.encode(format!("n,,n={},r=fyko", user.replace('=', "=3D")));
        let challenge = smtp.expect(&format!("AUTH SCRAM-SHA-256 {message}"), 334)?;
        let challenge = String::from_utf8(STANDARD.decode(&challenge.lines[0])?)?;
        let attribute = |name: &str| {
            let found = challenge.split(',').find_map(|attribute| attribute.strip_prefix(name));
            found.unwrap_or_default().to_owned()
        };
        Ok((attribute("s="), attribute("i=")))
    };
    let of_known = first(&known)?;
    let of_unknown = first(&unknown)?;
    ensure!(first(&unknown)? == of_unknown, "the false salt changes, the true one does not");
    ensure!(of_known.1 == of_unknown.1, "iterations differ: {of_known:?} {of_unknown:?}");
    ensure!(of_known.0.len() == of_unknown.0.len(), "salts differ in length: {of_known:?} {of_unknown:?}");
    ensure!(first(&unknown.replace("nobody", "somebody"))?.0 != of_unknown.0, "all unknown users have one salt");
    Ok(())
}

#[test]
fn s14_a_stranger_learns_no_address_by_asking() -> Result<()> {
    let server = Server::start()?;
    let known = server.user(1).0;
    let mut smtp = server.relay()?;
    smtp.expect("EHLO elsewhere.example", 250)?;
    let of_known = smtp.command(&format!("VRFY {known}"))?;
    let of_unknown = smtp.command("VRFY nobody@elsewhere.example")?;
    ensure!(of_known.code == 252 && of_known == of_unknown, "{of_known:?} {of_unknown:?}");
    ensure!(smtp.command("EXPN list")?.code >= 500);
    Ok(())
}

#[test]
fn s15_odd_user_names_query_nothing() -> Result<()> {
    let server = Server::start()?;
    let password = server.user(1).1.to_owned();
    let known = server.user(1).0.to_owned();
    let names = [
        "' OR '1'='1".to_owned(),
        format!("{known}' --"),
        format!("{known}'; DROP TABLE account; --"),
        format!("{known}\" OR \"\"=\""),
        "*)(uid=*))(|(uid=*".to_owned(),
        "*".to_owned(),
        "%".to_owned(),
        format!("{}%", &known[..1]),
        format!("{}_{}", &known[..1], &known[2..]),
        "\\".to_owned(),
        format!("{known}\\00"),
        "\u{ff41}\u{0301}@x".to_owned(),
        "x".repeat(5_000),
    ];
    let mut heard = BTreeSet::new();
    for name in &names {
        let reply = refused_smtp(&server, name, &password)?;
        ensure!(reply.starts_with("535") || reply.starts_with("50"), "{name}: {reply}");
        let mut imap = Imap::tls(server.settings.address("IMAPS_PORT"), &server.trust)?;
        let tag = imap.tag();
        imap.wire.send(format!("{tag} LOGIN {{{}+}}\r\n{name} {password}\r\n", name.len()))?;
        if let Ok(completed) = imap.completion(&tag) {
            ensure!(!completed.is_ok(), "{name} was let in");
            heard.insert(completed.status);
        }
    }
    ensure!(server.imap(1)?.ok("NOOP")?.is_ok(), "the account is gone");
    // An unquoted `*` in a user name is no syntax error to us.
    let mut imap = Imap::tls(server.settings.address("IMAPS_PORT"), &server.trust)?;
    let status = imap.command(&format!("LOGIN {known}*somebody {password}"))?.status;
    ensure!(status.starts_with("NO"), "{status}");
    Ok(())
}

#[test]
fn s16_a_thousand_bad_logins_lock_nobody_else_out() -> Result<()> {
    let server = Server::start()?;
    let attempts = if long() { 1_000 } else { 60 };
    let known = server.user(2).0.to_owned();
    let threads = 10;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (server, known) = (&server, &known);
            scope.spawn(move || {
                for attempt in 0..attempts / threads {
                    // Slowed down or cut off: both are right, for them.
                    let user =
                        if attempt % 2 == 0 { known.clone() } else { format!("guess{thread}-{attempt}@x.example") };
                    let _ = refused_smtp(server, &user, "guess");
                }
            });
        }
        // Meanwhile, from the same address, those who know their passwords go in.
        for _ in 0..5 {
            let begun = Instant::now();
            let entered = server.imap(1).and_then(|mut imap| imap.ok("NOOP"));
            assert!(entered.is_ok(), "a good user was shut out: {entered:?}");
            assert!(begun.elapsed() < Duration::from_secs(15), "a good user waited {:?}", begun.elapsed());
        }
    });
    let begun = Instant::now();
    server.imap(1)?.ok("NOOP")?;
    ensure!(begun.elapsed() < Duration::from_secs(5), "afterwards a good user waited {:?}", begun.elapsed());
    server.imap(3)?.ok("NOOP")?;
    Ok(())
}
