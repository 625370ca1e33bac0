//! The trust space of a server: lists that are believed and lists that are not, what is kept, what is learned.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests run on files and sockets"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use server::config::Config;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan};
use server::telemetry::Metrics;
use server::trust_space::TrustSpace;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use trust::Cause;

struct World {
    folder: TempDir,
    space: DevelopmentTrustSpace,
    plan: Plan,
}

impl World {
    fn new(plan: Plan) -> World {
        let folder = tempfile::tempdir().unwrap();
        let space = DevelopmentTrustSpace::ensure(&folder.path().join("space"), &plan).unwrap();
        World { folder, space, plan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens what is configured so: the lines of `[trust.white_list]` and of `[trust.revocation]`.
    async fn open(&self, white_list: &str, revocation: &str) -> Arc<TrustSpace> {
        let text = format!(
            "[server]\nname = \"mail.a.example\"\ndata = \"data\"\n\
             [trust]\nroots = [\"space/root.pem\"]\n\
             [trust.white_list]\n{white_list}\n[trust.revocation]\n{revocation}\n"
        );
        let config = Config::parse(&self.path("sceau.toml"), &text).unwrap_or_else(|problems| panic!("{problems}"));
        TrustSpace::open(&config.trust.unwrap(), &config.data, Metrics::default()).await.unwrap()
    }

    /// The signed list of the folder, and both revocation lists.
    async fn signed(&self) -> Arc<TrustSpace> {
        let white_list = format!("file = \"space/white-list.xml\"\nsigner = \"{}\"", Holder::ListSigner.name());
        self.open(&white_list, "files = [\"space/organisations.crl\", \"space/root.crl\"]").await
    }

    fn chain(&self, holder: Holder) -> Vec<Vec<u8>> {
        let pem = fs::read(self.space.certificate(holder).chain).unwrap();
        CertificateDer::pem_slice_iter(&pem).map(|der| der.unwrap().to_vec()).collect()
    }

    fn list(&self) -> String {
        fs::read_to_string(self.space.white_list()).unwrap()
    }

    fn put(&self, list: &str) {
        fs::write(self.space.white_list(), list).unwrap();
    }

    /// Signs a list, template in it, with a holder's key; `with` is what KeyInfo is made of.
    fn sign(&self, template: &str, key: &Path, certificates: &[PathBuf]) -> String {
        let (unsigned, signed) = (self.path("template.xml"), self.path("signed.xml"));
        fs::write(&unsigned, template).unwrap();
        let certificates = certificates.iter().map(|file| format!(",{}", file.display())).collect::<String>();
        let key = format!("{}{certificates}", key.display());
        let output = Command::new("xmlsec1")
            .args(["--sign", "--privkey-pem", &key, "--output"])
            .args([&signed, &unsigned])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(signed).unwrap()
    }

    /// The list of the folder with the signature still to be made.
    fn template(&self, key_info: &str) -> String {
        let list = self.list();
        let (before, _) = list.split_once("<Signature").unwrap();
        format!("{before}{}</ListeBlancheMSSante>", TEMPLATE.replace("KEYINFO", key_info))
    }
}

const TEMPLATE: &str = "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo>\
    <CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>\
    <SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>\
    <Reference URI=\"\"><Transforms>\
    <Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/></Transforms>\
    <DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><DigestValue/></Reference></SignedInfo>\
    <SignatureValue/><KeyInfo>KEYINFO</KeyInfo></Signature>";

fn domain(text: &str) -> mail::Domain {
    text.parse().unwrap()
}

fn name_of(holder: Holder) -> rcgen::DistinguishedName {
    use rcgen::DnType::{CommonName, CountryName, OrganizationName, OrganizationalUnitName, StateOrProvinceName};
    let name = holder.name();
    let mut distinguished = rcgen::DistinguishedName::new();
    distinguished.push(CountryName, "FR");
    distinguished.push(StateOrProvinceName, name.state);
    distinguished.push(OrganizationName, name.organisation);
    distinguished.push(OrganizationalUnitName, name.unit);
    distinguished.push(CommonName, name.common);
    distinguished
}

#[tokio::test]
async fn forged_lists_change_nothing() {
    let world = World::new(Plan::default());
    let space = world.signed().await;
    assert!(space.current().get().is_none(), "nothing is known before the first list");
    assert_eq!(space.refresh().await.list, Ok(()));
    let in_use = space.list().unwrap();
    assert!(in_use.lists_domain(&domain("clinique.example")));

    let good = world.list();
    let signer = world.space.certificate(Holder::ListSigner);
    let own = world.space.certificate(Holder::OperatorA);
    let organisations = world.space.organisations();
    let (before, signature) = good.split_once("<Signature").unwrap();
    let (signature, _) = signature.split_once("</ListeBlancheMSSante>").unwrap();
    let signature = format!("<Signature{signature}");

    // A certificate that somebody made for himself under the signer's name.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = name_of(Holder::ListSigner);
    let (made_key, made) = (world.path("made.key"), world.path("made.pem"));
    fs::write(&made_key, key.serialize_pem()).unwrap();
    fs::write(&made, parameters.self_signed(&key).unwrap().pem()).unwrap();

    let x509 = "<X509Data/>";
    let evil = |template: String| template.replace("clinique.example", "mechant.example");
    let by_own = world.sign(&evil(world.template(x509)), &own.key, &[own.chain.clone(), organisations.clone()]);
    let by_made = world.sign(&evil(world.template(x509)), &made_key, std::slice::from_ref(&made));
    // The signer's own certificates beside the key of somebody else, in the place where verifiers look for keys.
    let shown = good.split_once("<X509Data>").unwrap().1.split_once("</X509Data>").unwrap().0;
    let key_value = evil(world.template("<KeyValue/>"));
    let key_value = world.sign(&key_value, &own.key, &[]);
    let key_value = key_value.replace("</KeyInfo>", &format!("<X509Data>{shown}</X509Data></KeyInfo>"));
    let sha1 = world.template(x509).replace("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1");
    let sha1 = world.sign(&sha1, &signer.key, &[signer.chain.clone(), organisations.clone()]);
    let sha1_digest = world.template(x509).replace("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1");
    let sha1_digest = world.sign(&sha1_digest, &signer.key, &[signer.chain.clone(), organisations.clone()]);
    let with_object = good.replace("</Signature>", "<Object>x</Object></Signature>");
    let referring = good.replace("URI=\"\"", "URI=\"#x\"");
    let xpath = "<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><XPath>0</XPath></Transform>";
    let filtered = good.replace("</Transforms>", &format!("{xpath}</Transforms>"));

    for (what, list, expected) in [
        ("altered", good.replace("clinique.example", "mechant.example"), "the signature is wrong"),
        ("an entry more", good.replace("</ListeDomaines>", "<Domaine/></ListeDomaines>"), "the signature is wrong"),
        ("without signature", format!("{before}</ListeBlancheMSSante>"), "the list is not signed"),
        (
            "moved",
            before.replace("</ListeDomaines>", &format!("{signature}</ListeDomaines>")) + "</ListeBlancheMSSante>",
            "not a child of the root",
        ),
        (
            "twice",
            good.replace("</ListeBlancheMSSante>", &format!("{signature}</ListeBlancheMSSante>")),
            "not the only one",
        ),
        ("with an object", with_object, "an element that does not belong there"),
        ("another reference", referring, "not to the whole document"),
        ("filtered", filtered, "canonicalization"),
        ("by another of the authority", by_own, "not by CN=espacedeconfiance.example"),
        ("by a made-up signer", by_made, "untrusted"),
        ("by a key of its own", key_value, "the signature is wrong"),
        ("with SHA-1", sha1, "rsa-sha1, which is not accepted"),
        ("with SHA-1 digests", sha1_digest, "sha1, which is not accepted"),
        ("with a document type", good.replacen("<Liste", "<!DOCTYPE x><Liste", 1), "document type"),
        ("cut", good.chars().take(good.len() / 2).collect(), "not well-formed"),
        ("empty", String::new(), "no MSSanté white list"),
    ] {
        world.put(&list);
        let error = space.refresh().await.list.unwrap_err();
        assert!(error.contains(expected), "{what}: {error}");
        assert!(Arc::ptr_eq(&space.list().unwrap(), &in_use), "{what}");
    }

    // Rightly signed, and still worse than the one in use.
    let entries = world.plan.entries();
    world.space.write_white_list(&entries, SystemTime::now() - Duration::from_secs(3_600)).unwrap();
    assert!(space.refresh().await.list.unwrap_err().contains("before the list in use"));
    world.space.write_white_list(&entries[..entries.len() - 2], SystemTime::now()).unwrap();
    assert!(space.refresh().await.list.unwrap_err().contains("2 of 11 domains would disappear"));
    world.space.write_white_list(&entries, SystemTime::now() + Duration::from_secs(3 * 86_400)).unwrap();
    assert!(space.refresh().await.list.unwrap_err().contains("in the future"));
    // Another form of good: other canonicalization, the intermediate first.
    let list = world.sign(&world.template(x509), &signer.key, &[organisations, signer.chain.clone()]);
    let list = list.replace("<X509Data>", "<X509Data>\n");
    world.put(&list);
    assert!(space.refresh().await.list.unwrap_err().contains("in the future"), "it is believed, and from the future");
    world.put(&good);
    assert_eq!(space.refresh().await.list, Ok(()));
}

#[tokio::test]
async fn the_last_good_list_is_kept() {
    let world = World::new(Plan::default());
    let space = world.signed().await;
    assert_eq!(space.health(now()), Err("no white list"));
    let refreshed = space.refresh().await;
    assert_eq!((refreshed.list, refreshed.revocation), (Ok(()), Ok(())));
    assert_eq!(space.health(now()), Ok(()));
    assert_eq!(space.health(now() + 73 * 3_600), Err("white list old"));
    drop(space);

    fs::remove_file(world.space.white_list()).unwrap();
    let space = world.signed().await;
    assert!(space.current().get().is_some());
    let error = space.refresh().await.list.unwrap_err();
    assert!(error.contains("No such file"), "{error}");
    let status = space.status(now());
    assert!(!status.list.stale && status.list.domains == 11 && status.list.error == Some(error), "{status:?}");
    // Years later it is still the last good list: old, and told so.
    assert!(space.status(now() + 400 * 86_400).list.stale);
    drop(space);

    // Nobody who writes into the data folder becomes the signer by it.
    let kept = world.path("data/trust/white-list.xml");
    let altered = fs::read_to_string(&kept).unwrap().replace("clinique.example", "mechant.example");
    fs::write(&kept, altered).unwrap();
    assert!(world.signed().await.current().get().is_none());
}

#[tokio::test]
async fn pinned_and_unsigned_lists() {
    let world = World::new(Plan::default());
    let list = world.list();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, list.as_bytes());
    let hash: String = hash.as_ref().iter().map(|octet| format!("{octet:02X}")).collect();
    let pinned = format!("file = \"space/white-list.xml\"\nverification = \"pinned-sha256\"\nsha256 = \"{hash}\"");
    let space = world.open(&pinned, "").await;
    assert_eq!(space.refresh().await.list, Ok(()));
    world.put(&format!("{list}\n"));
    assert!(space.refresh().await.list.unwrap_err().contains("not the pinned one"));
    world.put(&list.replace("clinique.example", "autre.example"));
    let unsigned = world.open("file = \"space/white-list.xml\"\nverification = \"unsigned\"", "").await;
    assert_eq!(unsigned.refresh().await.list, Ok(()));
    assert!(unsigned.list().unwrap().lists_domain(&domain("autre.example")));
    // What was kept unsigned is not believed by who demands a signature.
    assert!(world.signed().await.current().get().is_none());
}

#[tokio::test]
async fn every_audit_case_has_its_cause() {
    let world = World::new(Plan::default());
    let space = world.signed().await;
    space.refresh().await;
    let judged = |holder: Holder, speaking_for: &'static str| {
        let (space, chain) = (space.clone(), world.chain(holder));
        async move {
            let certificate = space.client(&chain).await.unwrap().map_err(|rejected| rejected.cause)?;
            space.current().get().unwrap().speaks_for(&certificate, &domain(speaking_for))
        }
    };
    for (holder, speaking_for, expected) in [
        (Holder::Valid, "clinique.example", Ok(())),
        (Holder::OperatorA, "hopital.example", Ok(())),
        (Holder::OtherDomain, "ailleurs.example", Ok(())),
        (Holder::Expired, "clinique.example", Err(Cause::Expired)),
        (Holder::Revoked, "clinique.example", Err(Cause::Revoked)),
        (Holder::Foreign, "clinique.example", Err(Cause::Untrusted)),
        (Holder::Unlisted, "clinique.example", Err(Cause::DnMismatch)),
        (Holder::SameCn, "clinique.example", Err(Cause::DnMismatch)),
        (Holder::OtherDomain, "clinique.example", Err(Cause::DnMismatch)),
        (Holder::Valid, "gmail.com", Err(Cause::Unlisted)),
    ] {
        assert_eq!(judged(holder, speaking_for).await, expected, "{holder:?} for {speaking_for}");
    }
}

/// Serves files of a folder, counts what it was asked.
async fn serve<S, F>(
    listener: TcpListener,
    folder: PathBuf,
    asked: Arc<AtomicUsize>,
    secure: impl Fn(tokio::net::TcpStream) -> F,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Option<S>>,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Some(mut stream) = secure(stream).await else { continue };
        let mut octets = vec![0; 4_096];
        let count = stream.read(&mut octets).await.unwrap_or(0);
        asked.fetch_add(1, Ordering::Relaxed);
        let request = String::from_utf8_lossy(&octets[..count]).into_owned();
        let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let answer = match fs::read(folder.join(name)) {
            Ok(body) => {
                [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes(), body].concat()
            }
            Err(_) => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn the_list_is_fetched_under_the_pinned_authority_only() {
    let world = World::new(Plan::default());
    let server = world.space.certificate(Holder::OtherDomain);
    let files = world.chain(Holder::OtherDomain).into_iter().map(CertificateDer::from).collect();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(&server.key).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(net::tls::crypto_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(files, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let secure = move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() }
    };
    tokio::spawn(serve(listener, world.path("space"), asked.clone(), secure));
    // Its certificate names mx.ailleurs.example: under the name of the machine it is somebody else.
    let list = format!("url = \"https://localhost:{port}/white-list.xml\"\nverification = \"unsigned\"");
    let space = world.open(&list, "").await;
    let error = space.refresh().await.list.unwrap_err();
    assert!(error.contains("fetching: "), "{error}");
    let stranger = format!("{list}\nauthorities = [\"space/foreign-root.pem\"]");
    let error = world.open(&stranger, "").await.refresh().await.list.unwrap_err();
    assert!(error.contains("fetching: "), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn revocation_lists_are_learned_from_certificates_and_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let plan = Plan { revocation_urls: vec![format!("http://{address}/organisations.crl")], ..Plan::default() };
    let world = World::new(plan);
    let list = "file = \"space/white-list.xml\"\nverification = \"unsigned\"";
    let root_only = "files = [\"space/root.crl\"]";
    let cause = |space: Arc<TrustSpace>, holder: Holder| {
        let chain = world.chain(holder);
        async move { space.client(&chain).await.unwrap().err().map(|rejected| rejected.cause) }
    };

    // Nobody answers: it waits.
    let space = world.open(list, root_only).await;
    space.refresh().await;
    assert_eq!(cause(space.clone(), Holder::Valid).await, Some(Cause::RevocationUnknown));

    let listener = TcpListener::bind(address).await.unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let serving =
        tokio::spawn(serve(listener, world.path("space"), asked.clone(), |stream| async move { Some(stream) }));
    // Not asked again at once, though somebody would answer now.
    assert_eq!(cause(space, Holder::Valid).await, Some(Cause::RevocationUnknown));
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    let space = world.open(list, root_only).await;
    space.refresh().await;
    assert_eq!(cause(space.clone(), Holder::Valid).await, None);
    assert_eq!(cause(space.clone(), Holder::Revoked).await, Some(Cause::Revoked));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // From then on it is renewed with the others.
    assert_eq!(space.refresh().await.revocation, Ok(()));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    drop(space);

    // Kept over a restart, its issuer too, while nobody answers any more.
    serving.abort();
    let _ = serving.await;
    let space = world.open(list, root_only).await;
    assert_eq!(cause(space.clone(), Holder::Valid).await, None);
    assert!(space.refresh().await.revocation.unwrap_err().contains("organisations.crl: connecting"));
    assert_eq!(cause(space.clone(), Holder::Revoked).await, Some(Cause::Revoked));
    let status = space.status(now());
    assert!(status.revocation.len() == 2 && status.revocation.iter().all(|list| list.valid), "{status:?}");
}

#[tokio::test]
async fn expired_and_absent_revocation_lists_make_mail_wait() {
    let world = World::new(Plan::default());
    let long_ago = SystemTime::now() - Duration::from_secs(10 * 86_400);
    world.space.write_revocation_lists(&[Holder::Revoked], long_ago, Duration::from_secs(86_400)).unwrap();
    let list = "file = \"space/white-list.xml\"\nverification = \"unsigned\"";
    let both = "files = [\"space/organisations.crl\", \"space/root.crl\"]";
    for revocation in [both, "files = [\"space/none.crl\"]", ""] {
        let space = world.open(list, revocation).await;
        space.refresh().await;
        let rejected = space.client(&world.chain(Holder::Valid)).await.unwrap().unwrap_err();
        assert_eq!(rejected.cause, Cause::RevocationUnknown, "{revocation}");
    }
    // What an expired list revokes stays revoked.
    let space = world.open(list, both).await;
    space.refresh().await;
    let rejected = space.client(&world.chain(Holder::Revoked)).await.unwrap().unwrap_err();
    assert_eq!(rejected.cause, Cause::Revoked);
    // New lists appear in the same files.
    world.space.write_revocation_lists(&[Holder::Revoked], SystemTime::now(), Duration::from_secs(86_400)).unwrap();
    assert_eq!(space.refresh().await.revocation, Ok(()));
    assert!(space.client(&world.chain(Holder::Valid)).await.unwrap().is_ok());
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Everything is here.
struct Here;

impl net::dns::Resolver for Here {
    fn mx<'a>(&'a self, domain: &'a mail::Domain) -> net::dns::Answering<'a, mail::MxAnswer> {
        let host = domain.as_str().parse().unwrap();
        Box::pin(async move { Ok(mail::MxAnswer::Exchanges(vec![mail::Exchange { preference: 10, host }])) })
    }

    fn addresses<'a>(&'a self, _: &'a mail::Domain) -> net::dns::Answering<'a, Vec<std::net::IpAddr>> {
        Box::pin(async { Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()]) })
    }

    fn texts<'a>(&'a self, _: &'a str) -> net::dns::Answering<'a, Vec<Vec<u8>>> {
        Box::pin(async { Err(net::dns::DnsError::NoRecords) })
    }

    fn names<'a>(&'a self, _: std::net::IpAddr) -> net::dns::Answering<'a, Vec<mail::Domain>> {
        Box::pin(async { Err(net::dns::DnsError::NoRecords) })
    }
}

/// An operator's door: greets, offers STARTTLS when it has a certificate, and answers 250 to everything under TLS.
async fn door(certificate: Option<net::tls::CertificateFiles>) -> u16 {
    let tls = certificate.map(|files| {
        let hints = net::tls::ClientCertificates::Requested { hints: Vec::new() };
        net::tls::TlsServer::open(vec![files], hints).unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = [0; 1_000];
            let _ = stream.write_all(b"220 mx ESMTP\r\n").await;
            let _ = stream.read(&mut octets).await;
            let Some(tls) = &tls else {
                let _ = stream.write_all(b"250-mx\r\n250 SIZE 1000\r\n").await;
                continue;
            };
            let _ = stream.write_all(b"250-mx\r\n250 STARTTLS\r\n").await;
            let _ = stream.read(&mut octets).await;
            let _ = stream.write_all(b"220 go\r\n").await;
            let Ok((mut secured, _)) = net::Connection::Plain(stream).start_tls(tls).await else { continue };
            while secured.read(&mut octets).await.is_ok_and(|count| count > 0) {
                let _ = secured.write_all(b"250 ok\r\n").await;
            }
        }
    });
    port
}

#[tokio::test]
async fn a_check_explains_its_verdict() {
    let world = World::new(Plan::default());
    let space = world.signed().await;
    space.refresh().await;
    let us = net::tls::TlsClient::new(Some(world.space.certificate(Holder::OperatorA))).unwrap();
    let check = |name: &'static str, port: u16, speaks_for: Option<&'static str>| {
        let subject = server::trust_space::check::Subject {
            name: domain(name),
            port,
            speaks_for: speaks_for.map(domain),
            our_name: domain("mail.a.example"),
        };
        let (space, us) = (&space, &us);
        async move { space.check(&subject, &Here, us).await.remove(0) }
    };
    for (holder, verdict, last_step) in [
        (Some(Holder::Valid), "trusted", "our-certificate"),
        (Some(Holder::Expired), "expired", "certificate"),
        (Some(Holder::Revoked), "revoked", "certificate"),
        (Some(Holder::Foreign), "untrusted", "certificate"),
        (Some(Holder::SameCn), "dn-mismatch", "speaks-for"),
        (Some(Holder::OtherDomain), "dn-mismatch", "speaks-for"),
        (None, "tls-required", "starttls"),
    ] {
        let port = door(holder.map(|holder| world.space.certificate(holder))).await;
        let checked = check("clinique.example", port, None).await;
        assert_eq!(checked.verdict, verdict, "{holder:?}: {checked:#?}");
        let bad = checked.steps.iter().rfind(|step| !step.good).map(|step| step.step);
        assert_eq!(bad.unwrap_or("our-certificate"), last_step, "{holder:?}: {checked:#?}");
        assert_eq!(checked.host, "clinique.example [127.0.0.1]");
    }
    let port = door(Some(world.space.certificate(Holder::Valid))).await;
    // A host, with and without the domain it should speak for.
    assert_eq!(check("mx.operateur-b.example", port, None).await.verdict, "trusted");
    assert_eq!(check("mx.operateur-b.example", port, Some("hopital.example")).await.verdict, "dn-mismatch");
    assert_eq!(check("mx.operateur-b.example", port, Some("gmail.com")).await.verdict, "unlisted");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(check("clinique.example", closed, None).await.verdict, "unreachable");
}

const OPENSSL: &str = "[ca]\ndefault_ca = a\n[a]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\n\
    certificate = ca.pem\nprivate_key = ca.key\ndefault_md = sha256\ndefault_days = 30\npolicy = p\n\
    [p]\ncommonName = supplied\n[root]\nbasicConstraints = critical,CA:true\nkeyUsage = keyCertSign,cRLSign\n\
    [leaf]\nbasicConstraints = CA:false\nauthorityInfoAccess = OCSP;URI:http://127.0.0.1:PORT/\n";

/// A responder of OpenSSL; it ends with the test.
struct Responder(std::process::Child);

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_ocsp_responder_is_asked_where_no_list_is() {
    let world = World::new(Plan::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let folder = world.path("ocsp");
    fs::create_dir(&folder).unwrap();
    for (file, content) in
        [("openssl.cnf", OPENSSL.replace("PORT", &port).as_str()), ("index.txt", ""), ("serial", "01\n")]
    {
        fs::write(folder.join(file), content).unwrap();
    }
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=AC -config openssl.cnf -extensions root",
    );
    for name in ["good", "bad"] {
        openssl(&format!(
            "req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name} -config openssl.cnf"
        ));
        openssl(&format!("ca -batch -config openssl.cnf -in {name}.csr -out {name}.pem -notext -extensions leaf"));
    }
    openssl("ca -config openssl.cnf -revoke bad.pem");
    let chain = |name: &str| {
        let der = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap();
        vec![der.to_vec()]
    };
    // OpenSSL answers what it does not know with "unknown": it is asked with the configuration of this authority.
    let text = "[server]\nname = \"mail.a.example\"\ndata = \"data\"\n[trust]\nroots = [\"ocsp/ca.pem\"]\n\
        [trust.white_list]\nfile = \"space/white-list.xml\"\nverification = \"unsigned\"\n[trust.revocation]\nocsp = OCSP\n";
    let open = async |ocsp: &str| {
        let config = Config::parse(&world.path("sceau.toml"), &text.replace("OCSP", ocsp)).unwrap();
        let space = TrustSpace::open(&config.trust.unwrap(), &config.data, Metrics::default()).await.unwrap();
        space.refresh().await;
        space
    };
    let judged = async |space: &TrustSpace, name: &str| space.client(&chain(name)).await.unwrap();

    let deaf = open("true").await;
    assert_eq!(judged(&deaf, "good").await.unwrap_err().cause, Cause::RevocationUnknown);
    let arguments = "ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -ndays 1 -port";
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).arg(&port).current_dir(&folder);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut responder = Responder(command.spawn().unwrap());
    // It says when it listens. (Asked by a connection that says nothing, it would wait for ever.)
    let mut said = std::io::BufReader::new(responder.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
    let silent = open("false").await;
    assert_eq!(judged(&silent, "good").await.unwrap_err().cause, Cause::RevocationUnknown);
    let space = open("true").await;
    let certificate = judged(&space, "good").await.unwrap();
    assert_eq!(certificate.standing, trust::revocation::Standing::AnsweredGood);
    assert_eq!(judged(&space, "bad").await.unwrap_err().cause, Cause::Revoked);
}
