//! `sceau account certificate`, `sceau account identifier`, and what a configuration of connectors is told.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests run the program on files"
)]

use std::path::Path;
use std::process::{Command, Output};

use expect_test::expect;
use serde_json::Value;
use server::config::Config;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let text = "[server]\nname = \"mail.a.example\"\ndata = \"data\"\n";
        std::fs::write(place.0.path().join("sceau.toml"), text).unwrap();
        place.done(&["structure", "add", "A"]);
        place.done(&["domain", "add", "a.example", "--structure", "1"]);
        place.done(&["account", "add", "labo@a.example"]);
        place.done(&["account", "add", "anne@a.example"]);
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sceau"));
        command.current_dir(self.0.path()).args(arguments).args(["--config", "sceau.toml"]).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn failed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }
}

fn certificate<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["account", "certificate"], rest].concat()
}

fn identifier<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["account", "identifier"], rest].concat()
}

#[test]
fn certificates_are_bound_by_name_by_number_and_from_a_file() {
    let place = Place::new();
    let space = DevelopmentTrustSpace::ensure(&place.0.path().join("space"), &Plan::default()).unwrap();
    let files = space.certificate(Holder::Connector);
    let file = files.chain.to_str().unwrap();
    place.done(&certificate(&["add", "labo@a.example", "--file", file]));
    place.done(&certificate(&["add", "labo@a.example", "--file", file, "--this-one-only"]));
    place.done(&certificate(&["add", "anne@a.example", "--subject", "CN=dpi, O=H\u{d4}PITAL, C=FR"]));
    let name = "CN=ac,C=FR";
    place.done(&certificate(&["add", "anne@a.example", "--issuer", name, "--serial", "00:AB:cd"]));

    let listed = place.json(&certificate(&["list", "labo@a.example"]));
    assert_eq!(listed[0]["matching"], "subject");
    assert_eq!(listed[0]["certificate"], Holder::Connector.name().to_string());
    assert_eq!(listed[1]["matching"], "issuer-and-serial");
    let listed = place.done(&certificate(&["list", "anne@a.example"]));
    assert!(listed.contains("CN=ac,C=FR, serial number abcd"), "{listed}");
    // Spelled otherwise it is the same name.
    let again = place.failed(&certificate(&["add", "anne@a.example", "--subject", "c=fr,o=h\u{f4}pital,cn=DPI"]));
    assert_eq!(again, "sceau: that certificate is taken\n");

    place.done(&certificate(&["remove", "labo@a.example", "1"]));
    assert_eq!(place.json(&certificate(&["list", "labo@a.example"])).as_array().unwrap().len(), 1);
    assert_eq!(place.failed(&certificate(&["remove", "labo@a.example", "1"])), "sceau: there is no such certificate\n");
    for wrong in [
        &["add", "labo@a.example"][..],
        &["add", "labo@a.example", "--subject", "CN"],
        &["add", "labo@a.example", "--subject", "CN=x", "--file", file],
        &["add", "labo@a.example", "--issuer", name],
        &["add", "labo@a.example", "--issuer", name, "--serial", "none"],
        &["add", "labo@a.example", "--file", files.key.to_str().unwrap()],
        &["add", "nobody@a.example", "--subject", "CN=x"],
    ] {
        place.failed(&certificate(wrong));
    }
}

#[test]
fn people_are_linked_to_their_box_and_to_others() {
    let place = Place::new();
    place.done(&identifier(&["add", "anne@a.example", "10000000001"]));
    place.done(&identifier(&["add", "labo@a.example", "10000000001", "--linked"]));
    let other = place.failed(&identifier(&["add", "labo@a.example", "10000000001"]));
    assert_eq!(other, "sceau: that identifier is taken\n");
    assert_eq!(place.json(&identifier(&["list", "anne@a.example"]))[0]["standing"], "holder");
    assert_eq!(place.json(&identifier(&["list", "labo@a.example"]))[0]["standing"], "linked");
    for wrong in ["", " ", "1000 0000", "x;y", &"1".repeat(65)] {
        let said = place.failed(&identifier(&["add", "anne@a.example", wrong]));
        assert!(said.ends_with(" is no national identifier\n"), "{said}");
    }
    place.done(&identifier(&["remove", "anne@a.example", "10000000001"]));
    let gone = place.failed(&identifier(&["remove", "anne@a.example", "10000000001"]));
    assert_eq!(gone, "sceau: there is no such identifier\n");
}

#[test]
fn faults_of_a_configuration_of_connectors() {
    let listener = "[[listener]]\nname = \"l\"\nrole = \"submission\"\ntls = \"implicit\"\n";
    let provider = "[identity_provider]\nissuer = \"https://idp.example\"\n";
    let faults = |text: &str| {
        let head = "[server]\nname = \"mail.example.org\"\n[[certificate]]\nname = \"c\"\nchain = \"c\"\nkey = \"k\"\n";
        let text = format!("{head}{text}");
        match Config::parse(Path::new("sceau.toml"), &text) {
            Ok(_) => "taken\n".to_owned(),
            Err(problems) => format!("{problems}\n"),
        }
    };
    let said = [
        faults(&format!("{listener}client_certificates = \"requested\"\n")),
        faults(&format!("{listener}mechanisms = [\"EXTERNAL\", \"OAUTHBEARER\"]\n")),
        faults(&format!("{listener}client_certificates_for = [\"x.example\"]\n")),
        faults("[[listener]]\nname = \"l\"\nrole = \"imap\"\nclient_certificates = \"sign-in\"\n"),
        faults(provider),
        faults("[identity_provider]\nissuer = \"http://idp.example\"\naudiences = [\"a\"]\n"),
        faults("[identity_provider]\nissuer = \"http://127.0.0.1@idp.example\"\naudiences = [\"a\"]\n"),
        faults("[identity_provider]\nissuer = \"http://127.0.0.1.idp.example\"\naudiences = [\"a\"]\n"),
        faults("[identity_provider]\nissuer = \"http://127.0.0.1:1\"\nverification = \"introspection\"\n"),
        faults(
            "[identity_provider]\nissuer = \"http://127.0.0.1:1\"\naudiences = [\"a\"]\nclient_id = \"x\"\ncertificate = \"d\"\n",
        ),
        faults("[identity_provider]\nissuer = \"http://localhost:1\"\naudiences = [\"a\"]\n"),
    ];
    expect![[r#"
        sceau.toml:11: listener.l.client_certificates: there is nobody to judge them by: add [trust] with its roots
        sceau.toml:11: listener.l.mechanisms: EXTERNAL has nothing to go by: add client_certificates = "requested", or take it off
        sceau.toml:11: listener.l.mechanisms: OAUTHBEARER has nothing to go by: add [identity_provider], or take it off
        sceau.toml:11: listener.l.client_certificates_for: nobody is asked for a certificate: add client_certificates = "requested", or take it off
        sceau.toml:10: listener.l.client_certificates: IMAP has no MAIL that could choose the box: write "requested": IMAP clients use AUTHENTICATE EXTERNAL
        sceau.toml:10: listener.l.client_certificates: there is nobody to judge them by: add [trust] with its roots
        sceau.toml:7: identity_provider.authorities: the provider's server could not be believed: name the files of the roots that its server's certificate leads to
        sceau.toml:7: identity_provider.audiences: a token given to any other service would let its holder in: write what aud holds in tokens that are for this server: audiences = ["…"]
        sceau.toml:7: identity_provider.discovery: http://idp.example/.well-known/openid-configuration: keys would travel in clear: write an address that begins with https://
        sceau.toml:7: identity_provider.discovery: http://127.0.0.1@idp.example/.well-known/openid-configuration: keys would travel in clear: write an address that begins with https://
        sceau.toml:7: identity_provider.discovery: http://127.0.0.1.idp.example/.well-known/openid-configuration: keys would travel in clear: write an address that begins with https://
        sceau.toml:9: identity_provider.verification: the provider answers known clients only: add client_id and client_secret_file
        sceau.toml:10: identity_provider.client_id: there is no secret to it: add client_secret_file
        sceau.toml:11: identity_provider.certificate: there is no certificate "d": write the name of a [[certificate]]
        taken
    "#]].assert_eq(&said.concat());
}
