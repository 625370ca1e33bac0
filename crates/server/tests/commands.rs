//! The commands, on a store that no server has open: each says what it did, and the next one finds it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests run the program on files"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect;
use serde_json::Value;

/// A folder with a configuration of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        place.write("sceau.toml", "[server]\nname = \"mail.a.example\"\ndata = \"data\"\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sceau"));
        command.current_dir(self.folder.path()).args(arguments).args(["--config", "sceau.toml"]).output().unwrap()
    }

    /// What it printed; it must have ended with status 0.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What it complained of; it must have ended with status 1.
    fn failed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// One structure, one domain, two accounts.
    fn peopled() -> Place {
        let place = Place::new();
        place.done(&["structure", "add", "Hôpital A"]);
        place.done(&["domain", "add", "a.example", "--structure", "Hôpital A"]);
        let password = place.write("password", "quatre mots au hasard\n");
        let password = password.to_str().unwrap();
        place.done(&["account", "add", "anne@a.example", "--name", "Anne", "--password-file", password]);
        place.done(&["account", "add", "paul@a.example", "--language", "en"]);
        place
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn accounts_are_added_listed_and_disabled() {
    let place = Place::peopled();
    let accounts = place.json(&["account", "list"]);
    let states: Vec<(&str, &str, &str)> = accounts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let field = |name: &str| one[name].as_str().unwrap();
            (one["addresses"][0].as_str().unwrap(), field("language"), field("state"))
        })
        .collect();
    assert_eq!(states, [("anne@a.example", "fr", "active"), ("paul@a.example", "en", "active")]);
    assert_eq!(place.done(&["account", "disable", "PAUL@a.example"]), "account 2 is disabled\n");
    assert_eq!(place.json(&["account", "show", "paul@a.example"])["state"], "disabled");
    assert_eq!(place.done(&["account", "enable", "paul@a.example"]), "account 2 is active\n");
    place.done(&["account", "address", "paul@a.example", "p.durand@a.example"]);
    assert_eq!(place.json(&["account", "show", "p.durand@a.example"])["id"], 2);
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::peopled();
    let weak = place.write("weak", "anne@a.example");
    let said = [
        place.failed(&["account", "add", "anne@b.example"]),
        place.failed(&["account", "add", "anne@a.example"]),
        place.failed(&["account", "add", "no address"]),
        place.failed(&["account", "show", "nobody@a.example"]),
        place.failed(&["account", "password", "anne@a.example", "--password-file", weak.to_str().unwrap()]),
        place.failed(&["domain", "add", "b.example", "--structure", "Hôpital B"]),
        place.failed(&["domain", "add", "a.example", "--structure", "1"]),
        place.failed(&["session", "list"]),
        place.failed(&["import", "anne@a.example", "nowhere"]),
    ]
    .concat();
    expect![[r#"
        sceau: there is no such domain
        sceau: that address is taken
        sceau: no address: the address has no @
        sceau: no account has the address nobody@a.example
        sceau: the password is too easy to guess
        sceau: there is no structure "Hôpital B"
        sceau: that domain is taken
        sceau: no server runs, so there are no sessions
        sceau: reading nowhere: No such file or directory (os error 2)
    "#]]
    .assert_eq(&said);
}

#[test]
fn generated_passwords_are_printed_once_and_chosen_ones_never() {
    let place = Place::peopled();
    let printed = place.done(&["account", "password", "paul@a.example"]);
    let password = printed.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    assert_eq!(password.len(), 24, "{printed}");
    assert!(password.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-'));
    let chosen = place.path("password");
    let printed = place.done(&["account", "password", "paul@a.example", "--password-file", chosen.to_str().unwrap()]);
    assert!(!printed.contains("password:"), "{printed}");
}

#[test]
fn mail_goes_in_is_verified_backed_up_restored_and_comes_out() {
    let place = Place::peopled();
    let message = "From: anne@a.example\nSubject: un\n\nBonjour\n";
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let first = place.write("maildir/cur/1.a:2,FS", message);
    fs::File::options().append(true).open(first).unwrap().set_modified(long_ago).unwrap();
    place.write("maildir/new/2.b", "Subject: deux\r\n\r\n");
    place.write("maildir/.Notes/cur/3.c:2,", message);
    assert_eq!(place.done(&["import", "anne@a.example", "maildir"]), "3 imported, 0 failed\n");
    let mbox = "From x@y.example Thu Jan  1 00:00:00 2026\nSubject: trois\n\n>From here\n\n";
    place.write("archive.mbox", mbox);
    assert_eq!(
        place.done(&["import", "anne@a.example", "archive.mbox", "--mailbox", "Vieux/Courrier"]),
        "1 imported, 0 failed\n"
    );
    assert_eq!(place.json(&["account", "show", "anne@a.example"])["messages"], 4);
    assert_eq!(place.json(&["verify"])["faults"], 0);

    let backed_up = place.run(&["backup", "backup"]);
    let warning = "warning: this backup lies on the same file system as the data";
    assert!(text(&backed_up.stderr).starts_with(warning), "{}", text(&backed_up.stderr));
    assert_eq!(place.done(&["backup", "backup"]), "backed up: 0 files, 0 of them new\n");
    let backed_up = place.json(&["backup", "backup"]);
    assert_eq!((&backed_up["files"], &backed_up["same_file_system"]), (&Value::from(0), &Value::from(true)));
    assert!(backed_up["warning"].as_str().unwrap().ends_with("copy the folder to another machine"), "{backed_up}");
    let part = ["restore", "backup", "--account", "anne@a.example", "--mailbox", "Notes"];
    assert_eq!(place.done(&part), "1 messages restored, 0 lost\n");
    place.done(&[&part[..], &["--uid", "1", "--into", "INBOX"]].concat());
    assert!(place.failed(&[&part[..], &["--uid", "99"]].concat()).contains("no message of UID 99"));
    assert_eq!(place.json(&["account", "show", "anne@a.example"])["messages"], 6);

    let whole = place.failed(&["restore", "backup"]);
    assert!(whole.contains("taken"), "{whole}");
    fs::rename(place.path("data"), place.path("data.old")).unwrap();
    // A live configuration, changed since the backup, is not written over: its file of then is shown.
    let live = "# newer\n[server]\nname = \"mail.a.example\"\ndata = \"data\"\n";
    place.write("sceau.toml", live);
    let restored = place.done(&["restore", "backup"]);
    let there = place.path("backup/files/sceau.toml").canonicalize().unwrap();
    let was = place.path("sceau.toml").canonicalize().unwrap();
    assert!(restored.contains(&format!("\n  {}  was {}\n", there.display(), was.display())), "{restored}");
    assert!(restored.ends_with("run `sceau check`, then start the server\n"), "{restored}");
    assert_eq!(fs::read_to_string(place.path("sceau.toml")).unwrap(), live);
    assert_eq!(place.json(&["account", "show", "anne@a.example"])["messages"], 4);
    fs::remove_dir_all(place.path("data")).unwrap();
    let restored = place.json(&["restore", "backup"]);
    assert_eq!(restored["files"][0]["at"], there.to_str().unwrap());
    assert_eq!(restored["files"][0]["was"], was.to_str().unwrap());
    assert_eq!(restored["files"].as_array().unwrap().len(), 1);
    assert!(restored["next"].as_str().unwrap().contains("keys with mode 0600"));
    assert_eq!(fs::read_to_string(place.path("sceau.toml")).unwrap(), live);
    assert_eq!(place.json(&["verify"])["faults"], 0);

    assert_eq!(place.done(&["export", "anne@a.example", "out"]), "4 exported, 0 failed\n");
    let inbox = files(&place.path("out/cur"));
    assert_eq!(inbox.len(), 2);
    let flagged = inbox.iter().find(|path| path.to_str().unwrap().ends_with(":2,FS")).unwrap();
    assert_eq!(fs::read_to_string(flagged).unwrap(), message.replace('\n', "\r\n"));
    assert_eq!(fs::metadata(flagged).unwrap().modified().unwrap(), long_ago, "INTERNALDATE goes out as it came in");
    assert_eq!(fs::metadata(place.path("out")).unwrap().permissions().mode() & 0o077, 0, "nobody else's to read");
    assert_eq!(fs::metadata(place.path("backup")).unwrap().permissions().mode() & 0o077, 0);
    let old = files(&place.path("out/.Vieux.Courrier/cur"));
    assert!(fs::read_to_string(&old[0]).unwrap().ends_with("\r\nFrom here\r\n"));
    assert!(place.failed(&["export", "anne@a.example", "out"]).contains("is not empty"));
}

#[test]
fn a_configuration_is_checked_with_what_it_names() {
    let place = Place::new();
    assert_eq!(place.done(&["check"]), "sceau.toml: no fault found\n");
    let listener = "[[certificate]]\nname = \"c\"\nchain = \"certs/server.pem\"\nkey = \"certs/server.key\"\n\
                    [[listener]]\nname = \"imaps\"\nrole = \"imap\"\ntls = \"implicit\"\nlisten = [\"127.0.0.1:0\"]\n";
    place.write("sceau.toml", &format!("[server]\nname = \"mail.a.example\"\ndata = \"data\"\n{listener}"));
    let missing = place.failed(&["check"]);
    assert!(missing.starts_with("sceau.toml:6: certificate.c.chain: ") && missing.ends_with("1 fault\n"), "{missing}");
    place.write("sceau.toml", &format!("[server]\nnam = \"x\"\ndata = \"sceau.toml/x\"\n{listener}"));
    let all = place.failed(&["check"]);
    for fault in [":1: server.name: missing", ":2: server.nam: ", ":3: server.data: ", ":6: certificate.c.chain: "] {
        assert!(all.contains(fault), "{fault} not among\n{all}");
    }
    place.write("sceau.toml", &format!("[server]\nname = \"mail.a.example\"\ndata = \"data\"\n{listener}"));
    let made = Command::new(env!("CARGO_BIN_EXE_sceau")).args(["certs", "dev"]).arg(place.path("certs")).output();
    assert!(made.unwrap().status.success());
    place.done(&["check"]);
    place.write("sceau.toml", "[server]\nnam = \"x\"\n[log]\nlevel = 3\n");
    let faults = place.failed(&["check"]);
    assert!(faults.starts_with("sceau.toml:1: server.name: missing") && faults.ends_with("3 faults\n"), "{faults}");
}

#[test]
fn a_host_that_takes_mail_and_names_no_postmaster_is_warned() {
    let place = Place::new();
    let listener =
        "[[listener]]\nname = \"x\"\nrole = \"relay\"\ntrust = \"off\"\ntls = \"none\"\nlisten = [\"127.0.0.1:0\"]\n";
    let server = "[log]\n[server]\nname = \"mail.a.example\"\ndata = \"data\"\n";
    for (text, warned) in [
        (format!("{server}{}", listener), true),
        (format!("{server}postmaster = \"chief@a.example\"\n{}", listener), false),
        (server.to_owned(), false),
    ] {
        place.write("sceau.toml", &text);
        let output = place.run(&["check"]);
        assert!(output.status.success(), "a warning is no fault: {}", text_of(&output));
        let expected = "sceau.toml:2: server.postmaster: warning: missing: mail to <Postmaster>, and to postmaster@ of each \
                        domain that names nobody, is put off with 451: write an address of one of your accounts, as \
                        postmaster = \"postmaster@example.org\"\n";
        assert_eq!(text_of(&output), if warned { expected } else { "" });
    }
    // With a fault, both are told, and only the fault counts.
    place.write("sceau.toml", &format!("{server}nam = 1\n{}", listener));
    let told = place.failed(&["check"]);
    assert!(told.contains("server.postmaster: warning") && told.ends_with("\n1 fault\n"), "{told}");
}

fn text_of(output: &Output) -> String {
    text(&output.stderr)
}

#[test]
fn help_names_every_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_sceau")).arg("--help").output().unwrap();
    expect![[r#"
        An open mail server

        Usage: sceau <COMMAND>

        Commands:
          serve      Serve until SIGTERM or SIGINT; SIGHUP reads certificates and configuration again
          check      Say everything that is wrong with a configuration, at once
          demo       Show a whole server working, in a folder of its own
          certs      Certificates
          structure  Structures: hospitals, practices
          domain     Domains of a structure
          account    Accounts
          session    Sessions of the running server
          queue      What still has to leave
          trust      The trust space: white list, revocation lists, who may speak for whom
          import     Bring in mail from a Maildir or an mbox
          export     Write an account's mail as a Maildir
          verify     Check every octet and every count of the store; one line per fault
          backup     Copy everything into a folder while mail flows
          restore    Bring back a backup: all of it, one mailbox, or one message
          help       Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version
    "#]]
    .assert_eq(&text(&output.stdout));
}

/// Puts a message of Anne's into the queue, with one attempt at its first recipient.
fn queue_a_message(place: &Place) {
    let work = async {
        let store = store::Store::open(&store::Config::in_folder(place.path("data/store"))).unwrap();
        let mut stage = store.stage().unwrap();
        stage.write(b"Subject: Result\r\n\r\nSecret.\r\n").await.unwrap();
        let staged = stage.finish().await.unwrap();
        let now = store::UnixMillis(1_795_182_840_000);
        let queued = store.transaction(move |tx| {
            let sender: mail::Address = "anne@a.example".parse().unwrap();
            let envelope = mail::Envelope::new(mail::ReversePath::Address(sender));
            let recipient = |text: &str| {
                let address = text.parse().unwrap();
                mail::envelope::Recipient::new(mail::ForwardPath::Address(address))
            };
            let new = queue::NewMessage {
                name: "m1",
                staged: &staged,
                trace_prefix: b"",
                structure: store::StructureId(1),
                account: Some(store::AccountId(1)),
                envelope: &envelope,
                message_id: None,
            };
            queue::insert(tx, &new, &[recipient("bob@b.example"), recipient("zoe@c.example")], now)?;
            let message = queue::entry::message(tx, "m1")?.unwrap();
            let entry = queue::entry::entries(tx, "m1")?.remove(0);
            let attempt = queue::Attempt {
                at: now,
                stage: queue::Stage::Recipient,
                host: "mx.b.example".into(),
                address: Some("192.0.2.1".parse().unwrap()),
                certificate: Some("CN=mx.b.example,C=FR".into()),
            };
            let answer = queue::Answer { code: 451, status: "4.3.0".parse().ok(), text: "later".into() };
            let tried = queue::Tried { entry, attempt, outcome: queue::Outcome::of_answer(answer, true) };
            let policy = policy::RetryPolicy::default();
            let plan = queue::Plan::after(message, vec![tried], &policy, policy::retry::Jitter::NONE, now);
            queue::record(tx, &plan)
        });
        queued.await.unwrap();
        store.close().await;
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work);
}

#[test]
fn the_queue_is_shown_and_moved() {
    let place = Place::peopled();
    assert_eq!(place.json(&["queue", "list"]).as_array().unwrap().len(), 0);
    queue_a_message(&place);
    expect![[r#"
        ┌───────┬────────────────┬───────────────┬──────┬─────────────────────────────────┬─────────┬──────────┬─────────────────────────────────┬──────────┐
        │ entry ┆ from           ┆ to            ┆ size ┆ came                            ┆ state   ┆ attempts ┆ next                            ┆ cause    │
        ╞═══════╪════════════════╪═══════════════╪══════╪═════════════════════════════════╪═════════╪══════════╪═════════════════════════════════╪══════════╡
        │ m1/1  ┆ anne@a.example ┆ bob@b.example ┆ 28 B ┆ Fri, 20 Nov 2026 13:54:00 +0000 ┆ waiting ┆ 1        ┆ Fri, 20 Nov 2026 13:55:00 +0000 ┆ deferred │
        │ m1/2  ┆ anne@a.example ┆ zoe@c.example ┆ 28 B ┆ Fri, 20 Nov 2026 13:54:00 +0000 ┆ waiting ┆ 0        ┆ Fri, 20 Nov 2026 13:54:00 +0000 ┆ -        │
        └───────┴────────────────┴───────────────┴──────┴─────────────────────────────────┴─────────┴──────────┴─────────────────────────────────┴──────────┘
    "#]]
    .assert_eq(&place.done(&["queue", "list"]));
    expect![[r#"
        message   m1
        from      anne@a.example
        came      Fri, 20 Nov 2026 13:54:00 +0000, 28 B

        m1/1  to bob@b.example  waiting
            next attempt Fri, 20 Nov 2026 13:55:00 +0000
            1. Fri, 20 Nov 2026 13:54:00 +0000 rcpt · mx.b.example · 192.0.2.1 · CN=mx.b.example,C=FR · deferred · 451 4.3.0 later

        m1/2  to zoe@c.example  waiting
            next attempt Fri, 20 Nov 2026 13:54:00 +0000
    "#]]
    .assert_eq(&place.done(&["queue", "show", "m1"]));
    let shown = place.json(&["queue", "show", "m1/1"]);
    let attempt = &shown["entries"][0]["history"][0];
    assert_eq!((&attempt["code"], &attempt["certificate"]), (&451.into(), &"CN=mx.b.example,C=FR".into()));
    assert_eq!(shown["entries"].as_array().unwrap().len(), 1);

    let states = |expected: [&str; 2]| {
        let listed = place.json(&["queue", "list"]);
        let states = listed.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap().to_owned());
        assert_eq!(states.collect::<Vec<_>>(), expected);
    };
    assert_eq!(place.done(&["queue", "hold", "b.example"]), "1 entry held\n");
    states(["held", "waiting"]);
    assert_eq!(place.done(&["queue", "retry", "all"]), "1 entry due now\n");
    assert_eq!(place.done(&["queue", "release", "all"]), "1 entry released\n");
    states(["waiting", "waiting"]);
    assert_eq!(text(&place.run(&["queue", "release", "m1/2"]).stdout), "0 entries released\n");
    assert_eq!(place.done(&["queue", "fail", "m1"]), "2 entries given up\n");
    assert_eq!(place.json(&["queue", "list"]).as_array().unwrap().len(), 0);
    assert_eq!(place.json(&["account", "show", "anne@a.example"])["messages"], 1, "both told in one report");
    place.done(&["verify"]);

    let said = [
        place.failed(&["queue", "show", "m1"]),
        place.failed(&["queue", "show", "m1/2"]),
        place.failed(&["queue", "retry", "m1/0"]),
        place.failed(&["queue", "fail", "b..example"]),
    ]
    .concat();
    expect![[r#"
        sceau: m1 is not in the queue
        sceau: m1/2 is not in the queue
        sceau: m1/0: entries are named NAME/NUMBER, a message NAME, a destination by its domain, or all
        sceau: b..example: entries are named NAME/NUMBER, a message NAME, a destination by its domain, or all
    "#]]
    .assert_eq(&said);
}
