//! Configurations: every file of `conf/` loads, and faults are told all at once with file, line, key and remedy.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read the files of conf/"
)]

use std::path::{Path, PathBuf};

use expect_test::expect;
use policy::RetryPolicy;
use queue::schedule::Limits;
use server::config::{Config, Role, Tls};

fn conf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf")
}

fn configurations() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(conf()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn every_configuration_of_conf_loads() {
    let files = configurations();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let config = Config::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!config.listeners.is_empty(), "{}", file.display());
        assert!(config.postmaster.is_some(), "{} names a postmaster (RFC 5321 section 4.5.1)", file.display());
    }
}

#[test]
fn every_key_shown_as_a_default_is_one() {
    for file in configurations() {
        let text = std::fs::read_to_string(&file).unwrap();
        let shown: String = text
            .lines()
            .map(|line| {
                match line.strip_prefix('#').filter(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase())) {
                    Some(key) if key.contains(" = ") => format!("{key}\n"),
                    _ => format!("{line}\n"),
                }
            })
            .collect();
        Config::parse(&file, &shown).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn the_relay_of_the_single_host_has_the_defaults_shown() {
    let relay = Config::load(&conf().join("single-host.toml")).unwrap().relay.unwrap();
    assert_eq!((relay.port, relay.retry, relay.limits), (25, RetryPolicy::default(), Limits::default()));
    assert_eq!((relay.routes.len(), relay.idle.as_secs()), (1, 10));
    let smart_host = relay.smart_host.unwrap();
    assert!(smart_host.sign_in.is_some() && smart_host.signing.is_some() && smart_host.sender.is_none());
}

#[test]
fn the_single_host_serves_every_role() {
    let config = Config::load(&conf().join("single-host.toml")).unwrap();
    let roles: Vec<(Role, Tls)> = config.listeners.iter().map(|listener| (listener.role, listener.tls)).collect();
    assert_eq!(
        roles,
        [
            (Role::Relay, Tls::StartTls),
            (Role::Submission, Tls::Implicit),
            (Role::Submission, Tls::StartTls),
            (Role::Imap, Tls::Implicit),
            (Role::Imap, Tls::StartTls),
        ]
    );
    assert_eq!(config.limits.message_octets, 52_428_800);
    assert_eq!(config.limits.wire_octets(), 72_793_252);
    let submissions = config.listeners.get(1).unwrap();
    assert_eq!(config.certificates_of(submissions).len(), 2);
}

#[test]
fn all_faults_are_told_at_once() {
    let text = r#"
[server]
data = 7
stop_secnds = 3

[log]
format = "xml"
level = "info,=x=debug"

[limits]
sessions = 0
sessions_per_address = "many"
[[limits.network]]
network = "10.0.0.0/40"

[passwords]
pepper = "secret"

[[certificate]]
name = "public"
chain = "public.pem"

[[listener]]
name = "relay"
role = "relais"
listen = ["0.0.0.0", 25]
tls = "startls"

[[listener]]
name = "imap"
role = "imap"
listen = ["127.0.0.1:143"]
tls = "none"
certificates = ["public", "heath"]
mechanisms = ["PLAIN", "CRAM-MD5"]

[[listener]]
name = "imap"
listen = ["127.0.0.1:143"]
recipients_max = 10
"#;
    expect![[r#"
        sceau.toml:2: server.name: missing: write the host's full name, as name = "mail.example.org"
        sceau.toml:3: server.data: an integer where a text in quotes belongs: write a text in quotes
        sceau.toml:4: server.stop_secnds: unknown key: did you mean "stop_seconds"?
        sceau.toml:7: log.format: "xml" is not known: write one of "text", "json"
        sceau.toml:8: log.level: "info,=x=debug": invalid filter directive: write a level (error, warn, info, debug, trace), or levels by module: "info,smtp=debug"
        sceau.toml:11: limits.sessions: 0 is out of range: write a whole number from 1 to 1000000
        sceau.toml:12: limits.sessions_per_address: a string where a whole number belongs: write a whole number
        sceau.toml:14: limits.network.network: "10.0.0.0/40": invalid IP address syntax: write a network, as network = "192.0.2.0/24"
        sceau.toml:17: passwords.pepper: unknown key: remove it; known here: hashes_at_once, never_slowed
        sceau.toml:19: certificate.public.key: missing: write the path of a PEM file with the private key
        sceau.toml:23: listener: "relay" believes operators of the trust space only, and there is no [trust]: add [trust], or for development trust = "off" to the listener
        sceau.toml:25: listener.relay.role: "relais" is not known: write one of "relay", "gateway", "submission", "imap"
        sceau.toml:26: listener.relay.listen: "0.0.0.0": invalid socket address syntax: write address and port, as "0.0.0.0:25" or "[::]:25"
        sceau.toml:26: listener.relay.listen: an integer where a text in quotes belongs: write a text in quotes
        sceau.toml:27: listener.relay.tls: "startls" is not known: write one of "starttls", "implicit", "none"
        sceau.toml:33: listener.imap.tls: passwords would travel in clear: users sign in under TLS only: write "implicit" or "starttls"
        sceau.toml:34: listener.imap.certificates: there is no certificate "heath": add a [[certificate]] of that name, or use one of: public
        sceau.toml:35: listener.imap.mechanisms: "CRAM-MD5": there is no such mechanism: write names, as "PLAIN" or "SCRAM-SHA-256"
        sceau.toml:37: listener.imap.role: missing: write role = "relay", "gateway", "submission" or "imap"
        sceau.toml:40: listener.imap.recipients_max: 10 is out of range: write a whole number from 100 to 100000"#]].assert_eq(&Config::parse(Path::new("sceau.toml"), text).unwrap_err().to_string());
}

#[test]
fn a_fault_of_syntax_hides_what_follows_from_it() {
    let text = "[server]\nname = \"mail.example.org\ndata = \"/var\"\n";
    expect![[r#"sceau.toml:2: invalid basic string, expected `"`: write valid TOML (https://toml.io)"#]]
        .assert_eq(&Config::parse(Path::new("sceau.toml"), text).unwrap_err().to_string());
}

#[test]
fn a_missing_file_is_a_fault() {
    expect!["nowhere/sceau.toml: No such file or directory (os error 2): give the path of a readable TOML file, as those in conf/"]
        .assert_eq(&Config::load(Path::new("nowhere/sceau.toml")).unwrap_err().to_string());
}

#[test]
fn a_level_is_a_word_we_know() {
    let read = |level: &str| {
        let text = format!("[server]\nname = \"mail.example.org\"\n[log]\nlevel = \"{level}\"\n");
        Config::parse(Path::new("sceau.toml"), &text)
    };
    for level in ["off", "Error", "warn", "info,smtp=debug", "server::access[fetch]=trace, info"] {
        assert!(read(level).is_ok(), "{level}");
    }
    for level in ["chatty", "info,verbose", "warning", ""] {
        let faults = read(level).unwrap_err().to_string();
        assert!(faults.contains("sceau.toml:4: log.level: ") && faults.contains("is no level"), "{level}: {faults}");
    }
}

#[test]
fn a_trust_space_is_told_its_faults() {
    let read = |trust: &str| {
        let text = format!("[server]\nname = \"mail.example.org\"\n{trust}\n");
        Config::parse(Path::new("sceau.toml"), &text).map(|config| config.trust)
    };
    assert_eq!(read("").unwrap(), None);
    let list = "[trust]\nroots = [\"a.pem\"]\n[trust.white_list]\nfile = \"a.xml\"";
    for (text, fault) in [
        (
            "[trust]\n[trust.white_list]\nfile = \"a.xml\"\nsigner = \"CN=a\"".to_owned(),
            "trust.roots: nobody would be believed",
        ),
        (list.to_owned(), "trust.white_list.signer: anybody under the roots could sign"),
        (format!("{list}\nsigner = \"a\""), "trust.white_list.signer: \"a\": an attribute has no value"),
        (
            format!("{list}\nurl = \"https://a/\"\nsigner = \"CN=a\""),
            "trust.white_list.file: the list has an address already",
        ),
        (
            list.replace("file = \"a.xml\"", "url = \"http://a/\"\nsigner = \"CN=a\""),
            "trust.white_list.url: the list would travel in clear",
        ),
        (list.replace("file = \"a.xml\"", "signer = \"CN=a\""), "trust.white_list.url: missing"),
        (format!("{list}\nverification = \"none\""), "trust.white_list.verification: \"none\" is not known"),
        (
            format!("{list}\nverification = \"pinned-sha256\"\nsha256 = \"12\""),
            "trust.white_list.sha256: not a SHA-256",
        ),
        (format!("{list}\nsigner = \"CN=a\"\nrefresh = 1"), "trust.white_list.refresh: unknown key"),
        (
            format!("{list}\nsigner = \"CN=a\"\n[trust.revocation]\nurls = [\"ldap://a\"]"),
            "trust.revocation.urls: \"ldap://a\" is no address",
        ),
        (
            format!("{list}\nsigner = \"CN=a\"\n[trust.revocation]\nocsp = \"yes\""),
            "trust.revocation.ocsp: a string where true or false belongs",
        ),
    ] {
        let faults = read(&text).unwrap_err().to_string();
        assert!(faults.contains(fault), "{text}: {faults}");
    }
    let trust = read(&format!("{list}\nsigner = \"CN=a\"")).unwrap().unwrap();
    assert_eq!(trust.roots, [PathBuf::from("a.pem")]);
    assert_eq!(trust.white_list.alert_age, std::time::Duration::from_secs(72 * 3_600));
    let single = Config::load(&conf().join("single-host.toml")).unwrap().trust.unwrap();
    assert_eq!(single.roots, [conf().join("igc-sante/ACR-EL.cer")]);
}
