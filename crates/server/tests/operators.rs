//! Port 25 of a running server, and operators with every certificate of the audit: who is believed for whom, and what the
//! others hear. Lists that change while sessions are open count at the next MAIL.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use net::Connection;
use net::tls::TlsClient;
use server::config::Config;
use server::development_certificates::DevelopmentCertificates;
use server::development_trust_space::{DevelopmentTrustSpace, Entry, Holder, Plan, REVOCATION_VALID};
use server::lifecycle::Server;
use store::{StoreError, UnixMillis};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const ANNE: &str = "anne@hopital.example";
const BOB: &str = "bob@clinique.example";

struct World {
    folder: tempfile::TempDir,
    space: DevelopmentTrustSpace,
    server: Server,
}

impl World {
    async fn new(more: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let space = DevelopmentTrustSpace::ensure(&folder.path().join("space"), &Plan::default()).unwrap();
        let config = config(folder.path(), more);
        let server = Server::start(config).await.unwrap();
        let world = World { folder, space, server };
        let made = world.server.assembly().store.transaction(|tx| {
            let now = UnixMillis(1);
            let structure = store::structure::create(tx, "Hopital", now)?;
            store::domain::create(tx, structure, &"hopital.example".parse().unwrap(), now)?;
            let language = mail::Language::French;
            let new = store::account::NewAccount { structure, name: "Anne", language, quota_octets: 0 };
            let account = store::account::create(tx, &new, now)?;
            store::address::add(tx, account, &ANNE.parse().unwrap(), now)?;
            Ok::<_, StoreError>(())
        });
        made.await.unwrap();
        let trust = world.server.assembly().trust.clone().unwrap();
        while trust.current().get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world
    }

    fn address(&self, name: &str) -> SocketAddr {
        self.server.addresses().iter().find(|(known, _)| known == name).unwrap().1
    }

    /// The lists are read again.
    async fn refresh(&self) {
        self.server.assembly().trust.as_ref().unwrap().refresh().await;
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// In clear, after EHLO.
    async fn plain(&self, listener: &str) -> Peer {
        let stream = tokio::net::TcpStream::connect(self.address(listener)).await.unwrap();
        let mut peer = Peer(BufReader::new(Connection::Plain(stream)));
        peer.reply().await;
        peer.say("EHLO mx.operateur-b.example").await;
        peer
    }

    /// Under TLS with that certificate or none, after EHLO.
    async fn with(&self, holder: Option<Holder>) -> Peer {
        let mut peer = self.plain("relay").await;
        assert!(peer.say("STARTTLS").await.starts_with("220 "));
        let files = holder.map(|holder| self.space.certificate(holder));
        let client = TlsClient::new(files).unwrap();
        let (connection, _) = peer.0.into_inner().connect_tls(&client, "localhost").await.unwrap();
        let mut peer = Peer(BufReader::new(connection));
        let ehlo = peer.say("EHLO mx.operateur-b.example").await;
        assert!(ehlo.contains("250-DSN\r\n") && ehlo.contains("250-REQUIRETLS\r\n"), "{ehlo}");
        peer
    }

    async fn texts(&self) -> Vec<String> {
        let store = &self.server.assembly().store;
        let read = store.read(|view| {
            let holder = store::address::find(view, &ANNE.parse().unwrap())?.unwrap();
            let inbox = store::mailbox::by_name(view, holder.account, &store::mailbox::MailboxName::inbox())?.unwrap();
            let mut found = Vec::new();
            let wanted = store::message::Wanted { trace_prefix: true, ..Default::default() };
            store::message::fetch(view, inbox.id, 1..=u32::MAX, 100, wanted, &mut |message| {
                found.push(String::from_utf8_lossy(message.trace_prefix).into_owned());
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            Ok::<_, StoreError>(found)
        });
        read.await.unwrap()
    }
}

fn config(folder: &Path, more: &str) -> Config {
    let files = DevelopmentCertificates::ensure(&folder.join("certificates")).unwrap();
    let text = format!(
        "[server]\nname = \"mx.operateur-a.example\"\ndata = \"data\"\nstop_seconds = 1\n\
         [admin]\nlisten = [\"127.0.0.1:0\"]\n\
         [trust]\nroots = [\"space/root.pem\"]\nintermediates = [\"space/organisations.pem\"]\n\
         [trust.white_list]\nfile = \"space/white-list.xml\"\nverification = \"unsigned\"\nlost_percent_max = 100\n\
         [trust.revocation]\nfiles = [\"space/organisations.crl\", \"space/root.crl\"]\nocsp = false\n\
         distribution_points = false\n\
         [[certificate]]\nname = \"c\"\nchain = \"{}\"\nkey = \"{}\"\n\
         [[listener]]\nname = \"relay\"\nrole = \"relay\"\nlisten = [\"127.0.0.1:0\"]\n\
         [[listener]]\nname = \"gateway\"\nrole = \"gateway\"\nlisten = [\"127.0.0.1:0\"]\nnetworks = [\"127.0.0.0/8\"]\n\
         [[listener]]\nname = \"closed\"\nrole = \"gateway\"\nlisten = [\"127.0.0.1:0\"]\nnetworks = [\"192.0.2.0/24\"]\n\
         {more}",
        files.server.chain.display(),
        files.server.key.display(),
    );
    Config::parse(&folder.join("sceau.toml"), &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Without DNS, which tests of this file do not ask.
const NO_DNS: &str = "[receiving]\nsender_authentication = \"off\"\n";

struct Peer(BufReader<Connection>);

impl Peer {
    /// One command; all lines of its reply.
    async fn say(&mut self, command: &str) -> String {
        self.0.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        self.reply().await
    }

    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let reading = self.0.read_line(&mut line);
            tokio::time::timeout(Duration::from_secs(20), reading).await.expect("a reply in time").unwrap();
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    /// A whole transaction; the last reply.
    async fn bring(&mut self, sender: &str, recipient: &str, header: &str) -> String {
        for command in [&format!("MAIL FROM:<{sender}>"), &format!("RCPT TO:<{recipient}>"), "DATA"] {
            let reply = self.say(command).await;
            if !reply.starts_with(['2', '3']) {
                self.say("RSET").await;
                return reply;
            }
        }
        self.say(&format!("{header}\r\n\r\nhello\r\n.")).await
    }
}

#[tokio::test]
async fn s7_every_case_of_the_audit_gets_its_answer() {
    let world = World::new(NO_DNS).await;
    let name = |holder: Holder| holder.name().to_string();
    for (case, holder) in Holder::CASES {
        let mut peer = world.with(Some(holder)).await;
        let answer = peer.say(&format!("MAIL FROM:<{BOB}>")).await;
        peer.say("RSET").await;
        let of_nobody = peer.say("MAIL FROM:<>").await;
        let (expected, null) = match case {
            "VALID" => ("250 2.1.0 ", "250 2.1.0 "),
            "EXPIRED" => ("550 5.7.1 ~ [expired]", "550 5.7.1 ~ [expired]"),
            "REVOKED" => ("550 5.7.1 ~ [revoked]", "550 5.7.1 ~ [revoked]"),
            "FOREIGN" => ("550 5.7.1 ~ [untrusted]", "550 5.7.1 ~ [untrusted]"),
            "OTHER_DOMAIN" => ("550 5.7.1 ~ [dn-mismatch]", "250 2.1.0 "),
            _ => ("550 5.7.1 ~ [dn-mismatch]", "550 5.7.1 ~ [unlisted]"),
        };
        for (answer, expected) in [(&answer, expected), (&of_nobody, null)] {
            let (start, end) = expected.split_once('~').unwrap_or((expected, ""));
            assert!(answer.starts_with(start) && answer.trim_end().ends_with(end), "{case}: {answer}");
        }
        if holder == Holder::Revoked {
            assert!(answer.contains(&name(holder)), "{answer}");
        }
    }
    let mut bare = world.with(None).await;
    let answer = bare.say(&format!("MAIL FROM:<{BOB}>")).await;
    assert!(answer.starts_with("550 5.7.1 ") && answer.ends_with("[no-certificate]\r\n"), "{answer}");
    let mut clear = world.plain("relay").await;
    for sender in [BOB, ""] {
        let answer = clear.say(&format!("MAIL FROM:<{sender}>")).await;
        assert!(answer.starts_with("530 5.7.0 ") && answer.ends_with("[tls-required]\r\n"), "{answer}");
    }
    let figures = world.server.assembly().metrics.encode(world.server.assembly().store.metrics(), &[]);
    for outcome in ["expired", "revoked", "untrusted", "dn-mismatch", "unlisted", "no-certificate", "tls-required"] {
        assert!(figures.contains(&format!("sceau_peer_verdicts_total{{outcome=\"{outcome}\"}}")), "{figures}");
    }
}

#[tokio::test]
async fn s7_a_session_speaks_for_the_domains_of_its_certificate_and_no_others() {
    let world = World::new(NO_DNS).await;
    let mut peer = world.with(Some(Holder::Valid)).await;
    for (sender, word) in [
        (BOB, None),
        ("x@cert-valide-audit.espacedeconfiance.example", None),
        ("x@sub.clinique.example", Some("unlisted")),
        ("x@ailleurs.example", Some("dn-mismatch")),
        ("x@cert-valide-audit.espacedeconfiance.example.", Some("")),
        (ANNE, Some("dn-mismatch")),
        ("", None),
    ] {
        let answer = peer.bring(sender, ANNE, &format!("From: {BOB}")).await;
        match word {
            None => assert!(answer.starts_with("250 2.0.0 accepted as "), "{sender}: {answer}"),
            Some(word) => assert!(answer.starts_with('5') && answer.contains(word), "{sender}: {answer}"),
        }
    }
    let texts = world.texts().await;
    assert_eq!(texts.len(), 3);
    let first = &texts[0].replace("\r\n ", " ");
    let dn = Holder::Valid.name().to_string();
    assert!(first.contains(&format!("x-mssante=pass policy.dn=\"{dn}\" smtp.mailfrom=clinique.example;")), "{first}");
    assert!(first.contains("x-mssante-author=pass header.from=clinique.example"), "{first}");
    let comment = dn.replace('(', "\\(").replace(')', "\\)");
    assert!(first.contains("(TLSv1.3 TLS_") && first.contains(&format!(" {comment}) with ESMTPS id ")), "{first}");
}

#[tokio::test]
async fn s13_operators_reach_boxes_here_and_nobody_else() {
    let world = World::new(NO_DNS).await;
    let mut peer = world.with(Some(Holder::Valid)).await;
    for (recipient, expected) in [
        (ANNE, "250 "),
        ("ANNE@HOPITAL.example", "250 "),
        ("nobody@hopital.example", "550 5.1.1 "),
        ("x@clinique.example", "550 5.1.1 "),
        ("x@ailleurs.example", "550 5.1.1 "),
        ("x@internet.example", "550 5.1.1 "),
        ("x%internet.example@hopital.example", "550 5.1.1 "),
        ("internet.example!x@hopital.example", "550 5.1.1 "),
        ("\"x@internet.example\"@hopital.example", "550 5.1.1 "),
        ("@internet.example:nobody@hopital.example", "550 5.1.1 "),
        ("@internet.example:anne@hopital.example", "250 "),
    ] {
        let answer = peer.bring(BOB, recipient, &format!("From: {BOB}")).await;
        assert!(answer.starts_with(expected), "{recipient}: {answer}");
    }
}

#[tokio::test]
async fn the_gateway_takes_from_its_networks_for_boxes_here_only() {
    let world = World::new(NO_DNS).await;
    let mut filter = world.plain("gateway").await;
    let answer = filter.bring("x@internet.example", ANNE, "From: y@other.example").await;
    assert!(answer.starts_with("250 2.0.0 "), "{answer}");
    for recipient in ["x@clinique.example", "x@internet.example", "nobody@hopital.example"] {
        let answer = filter.bring("x@internet.example", recipient, "From: y@other.example").await;
        assert!(answer.starts_with("550 5.1.1 "), "{recipient}: {answer}");
    }
    let trace = world.texts().await.remove(0).replace("\r\n ", " ");
    assert!(trace.contains("x-mssante=none reason=\"gateway: ") && !trace.contains("spf="), "{trace}");

    let stream = tokio::net::TcpStream::connect(world.address("closed")).await.unwrap();
    let answer = Peer(BufReader::new(Connection::Plain(stream))).reply().await;
    assert!(answer.starts_with("554 5.7.1 "), "{answer}");
}

#[tokio::test]
async fn a_fresh_white_list_counts_at_the_next_mail() {
    let world = World::new(NO_DNS).await;
    let mut peer = world.with(Some(Holder::Unlisted)).await;
    let answer = peer.bring(BOB, ANNE, "Subject: x").await;
    assert!(answer.ends_with("[dn-mismatch]\r\n"), "{answer}");

    let mut entries = Plan::default().entries();
    entries.push(Entry { domain: "clinique.example".into(), name: Holder::Unlisted.name().to_string() });
    world.space.write_white_list(&entries, SystemTime::now() + Duration::from_secs(2)).unwrap();
    world.refresh().await;
    let answer = peer.bring(BOB, ANNE, "Subject: x").await;
    assert!(answer.starts_with("250 "), "{answer}");

    world.space.write_white_list(&Plan::default().entries(), SystemTime::now() + Duration::from_secs(4)).unwrap();
    world.refresh().await;
    let answer = peer.bring(BOB, ANNE, "Subject: x").await;
    assert!(answer.ends_with("[dn-mismatch]\r\n"), "{answer}");
}

#[tokio::test]
async fn a_fresh_revocation_list_counts_at_the_next_mail() {
    let world = World::new(NO_DNS).await;
    let mut peer = world.with(Some(Holder::Valid)).await;
    let answer = peer.bring(BOB, ANNE, "Subject: x").await;
    assert!(answer.starts_with("250 "), "{answer}");
    let later = SystemTime::now() + Duration::from_secs(2);
    world.space.write_revocation_lists(&[Holder::Valid], later, REVOCATION_VALID).unwrap();
    world.refresh().await;
    let answer = peer.bring(BOB, ANNE, "Subject: x").await;
    assert!(answer.ends_with("[revoked]\r\n"), "{answer}");
}

#[tokio::test]
async fn without_revocation_lists_mail_waits_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let space = DevelopmentTrustSpace::ensure(&folder.path().join("space"), &Plan::default()).unwrap();
    let long_ago = SystemTime::now() - 2 * REVOCATION_VALID;
    space.write_revocation_lists(&[], long_ago, REVOCATION_VALID).unwrap();
    let server = Server::start(config(folder.path(), NO_DNS)).await.unwrap();
    let trust = server.assembly().trust.clone().unwrap();
    while trust.current().get().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let world = World { folder, space, server };
    let mut peer = world.with(Some(Holder::Valid)).await;
    let answer = peer.say(&format!("MAIL FROM:<{BOB}>")).await;
    assert!(answer.starts_with("451 4.7.1 ") && answer.ends_with("[revocation-unknown]\r\n"), "{answer}");
    assert!(world.path().join("space/organisations.crl").exists());
}

#[tokio::test]
async fn authors_of_others_are_marked_and_by_setting_refused() {
    let foreign = "From: eve@ailleurs.example";
    let world = World::new(NO_DNS).await;
    let mut peer = world.with(Some(Holder::Valid)).await;
    let answer = peer.bring(BOB, ANNE, foreign).await;
    assert!(answer.starts_with("250 "), "{answer}");
    let trace = world.texts().await.remove(0).replace("\r\n ", " ");
    assert!(trace.contains("x-mssante-author=fail header.from=ailleurs.example"), "{trace}");

    let strict = World::new("[receiving]\nsender_authentication = \"off\"\nfrom_header = \"refuse\"\n").await;
    let mut peer = strict.with(Some(Holder::Valid)).await;
    let answer = peer.bring(BOB, ANNE, foreign).await;
    assert!(answer.starts_with("550 5.7.1 ") && answer.ends_with("[sender.foreign]\r\n"), "{answer}");
    for (sender, header) in [
        (BOB, "From: eve@ailleurs.example\r\nAuto-Submitted: auto-replied"),
        (BOB, "From: eve@ailleurs.example\r\nContent-Type: multipart/report; boundary=b"),
        ("", foreign),
    ] {
        let answer = peer.bring(sender, ANNE, header).await;
        assert!(answer.starts_with("250 "), "{header}: {answer}");
    }
}

#[test]
fn a_relay_without_trust_space_must_say_so() {
    let text = |trust: &str| {
        let listener = "[[listener]]\nname = \"relay\"\nrole = \"relay\"\nlisten = [\"127.0.0.1:0\"]\n";
        let certificate = "[[certificate]]\nname = \"c\"\nchain = \"c.pem\"\nkey = \"c.key\"\n";
        let text = format!("[server]\nname = \"mx.a.example\"\n{certificate}{listener}{trust}");
        Config::parse(Path::new("sceau.toml"), &text).map(drop).map_err(|problems| problems.to_string())
    };
    assert_eq!(text("trust = \"off\"\n"), Ok(()));
    let fault = text("").unwrap_err();
    assert!(fault.contains("there is no [trust]: add [trust], or for development trust = \"off\""), "{fault}");
    let fault = text("tls = \"none\"\n").unwrap_err();
    assert!(fault.contains("operators are known by their certificates only"), "{fault}");
}
