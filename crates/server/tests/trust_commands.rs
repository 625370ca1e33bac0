//! `sceau trust …` on the files of a folder: nobody serves.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests run the program on files"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use server::development_trust_space::{DevelopmentTrustSpace, Plan};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    /// The real list, reduced, unsigned; authorities for development.
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        DevelopmentTrustSpace::ensure(&place.0.path().join("space"), &Plan::default()).unwrap();
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/white_lists/reduced-2025-03-13.xml");
        fs::copy(list, place.0.path().join("list.xml")).unwrap();
        let configuration = "[server]\nname = \"mail.a.example\"\ndata = \"data\"\n\
            postmaster = \"postmaster@a.example\"\n\
            [trust]\nroots = [\"space/root.pem\"]\n\
            [trust.white_list]\nfile = \"list.xml\"\nverification = \"unsigned\"\n";
        fs::write(place.0.path().join("sceau.toml"), configuration).unwrap();
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sceau"));
        command.current_dir(self.0.path()).args(arguments).output().unwrap()
    }

    fn asked(&self, arguments: &[&str], status: i32) -> String {
        let output = self.run(&[arguments, &["--config", "sceau.toml"]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
        text
    }
}

#[test]
fn lists_are_fetched_shown_and_compared() {
    let place = Place::new();
    let none = place.asked(&["trust", "show", "patient.mssante.fr"], 1);
    assert!(none.contains("there is no white list yet"), "{none}");
    // The list is of 2025: it is put into use, and old.
    let status = place.asked(&["trust", "refresh"], 1);
    assert!(status.contains("generated     2025-03-13T14:54:10Z") && status.contains("stale         true"), "{status}");
    let operators = place.asked(&["trust", "show", "Patient.MSSante.fr"], 0);
    assert!(operators.contains("CN=smtps1.ens.atos-infogerance.fr,OU=318003502400041,O=CNAM"), "{operators}");
    let subject = "C=fr, ST=Nord (59), O=APICEM, OU=343975235300037, CN=mailin.interop-mssante.apicrypt.org";
    let domains = place.asked(&["trust", "show", subject], 0);
    assert!(domains.lines().any(|line| line == "mssante.apicrypt.org"), "{domains}");
    let output = place.run(&["trust", "show", "gmail.com", "--json", "--config", "sceau.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((value["listed"].as_bool(), value["operators"].as_array().map(Vec::len)), (Some(false), Some(0)));
    assert!(place.asked(&["trust", "show", "CN=nobody"], 1).contains("CN=nobody is not in the white list"));

    let old = fs::read_to_string(place.0.path().join("list.xml")).unwrap();
    let new = old.replace("<Nom>patient.mssante.fr<", "<Nom>patients.mssante.fr<");
    fs::write(place.0.path().join("new.xml"), new).unwrap();
    let same = place.run(&["trust", "diff", "list.xml", "list.xml"]);
    assert_eq!((same.status.code(), same.stdout.len()), (Some(0), 0));
    let output = place.run(&["trust", "diff", "list.xml", "new.xml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("- patient.mssante.fr\n+ patients.mssante.fr\n    + CN=smtps1.ens"), "{text}");
    let output = place.run(&["trust", "diff", "list.xml", "new.xml", "--json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["added"][0], "patients.mssante.fr");

    // What is kept serves when the source is gone.
    fs::remove_file(place.0.path().join("list.xml")).unwrap();
    let failed = place.asked(&["trust", "refresh"], 1);
    assert!(failed.contains("white list: reading"), "{failed}");
    assert!(place.asked(&["trust", "status"], 1).contains("domains       393"));
    assert!(place.asked(&["check"], 0).contains("trust.white_list.verification: "));
}

#[test]
fn a_check_needs_a_list_and_says_what_it_found() {
    let place = Place::new();
    assert!(place.asked(&["trust", "check", "patient.mssante.fr"], 1).contains("sceau trust refresh"));
    place.asked(&["trust", "refresh"], 1);
    let dns = ["--dns", "127.0.0.1:9"];
    let text = place.asked(&[&["trust", "check", "localhost", "--domain", "gmail.com"], &dns[..]].concat(), 1);
    assert!(
        text.contains("NO  list            gmail.com is not in the white list") && text.contains("=> unlisted"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_fetches_tells_and_refreshes() {
    let place = Place::new();
    let file = place.0.path().join("sceau.toml");
    let text = fs::read_to_string(&file).unwrap() + "[admin]\nlisten = [\"127.0.0.1:0\"]\n";
    fs::write(&file, text).unwrap();
    let server = server::lifecycle::Server::start(server::config::Config::load(&file).unwrap()).await.unwrap();
    let trust = server.assembly().trust.clone().unwrap();
    for _ in 0..200 {
        if trust.current().get().is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(trust.current().get().is_some(), "at the start, without being asked");

    let address = server.addresses().iter().find(|(name, _)| name == "admin").unwrap().1;
    let client = net::http::HttpClient::new(&[]).unwrap();
    let limits = net::http::HttpLimits { octets_max: 1 << 20, time_max: std::time::Duration::from_secs(10) };
    let health = client.get(&format!("http://{address}/health/trust"), limits).await;
    assert!(matches!(health, Err(net::http::HttpError::Status(status)) if status == 503), "the list is of 2025");
    let ready = client.get(&format!("http://{address}/health/ready"), limits).await;
    assert_eq!(ready.unwrap(), b"ready\n", "mail flows with an old list");
    let figures = client.get(&format!("http://{address}/metrics"), limits).await.unwrap();
    let figures = String::from_utf8(figures).unwrap();
    for line in [
        "sceau_trust_list_generated_seconds 1741877650",
        "sceau_trust_list_domains 393",
        "sceau_trust_list_faults 2",
        "sceau_trust_list_stale 1",
        "sceau_trust_refreshes_total{what=\"white list\",outcome=\"done\"} 1",
    ] {
        assert!(figures.lines().any(|found| found == line), "{line} in {figures}");
    }

    // Another list, fetched when somebody asks for it through the socket.
    let list = fs::read_to_string(place.0.path().join("list.xml")).unwrap();
    let list = list.replace("<Nom>patient.mssante.fr<", "<Nom>patients.mssante.fr<");
    fs::write(place.0.path().join("list.xml"), list).unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        place.asked(&["trust", "refresh"], 1);
        (place.asked(&["trust", "show", "patients.mssante.fr"], 0), place)
    });
    let (shown, _place) = asked.await.unwrap();
    assert!(shown.contains("CN=smtps1.ens.atos-infogerance.fr"), "{shown}");
    server.stop_now().await;
}
