//! Certificates, lists and OCSP answers made by OpenSSL: what others make is read as what we make.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use trust::revocation::Standing;
use trust::{Anchors, Cause, CertificatePolicy, Purpose, Rejected, Revocations, judge};

const CONFIGURATION: &str = r#"
[ca]
default_ca = authority
[authority]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = authority.pem
private_key = authority.key
default_md = sha256
default_days = 30
default_crl_days = 7
policy = anything
unique_subject = no
[anything]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[root_extensions]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf_extensions]
basicConstraints = CA:false
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
authorityInfoAccess = OCSP;URI:http://ocsp.example/
subjectAltName = DNS:relay.example
[responder_extensions]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
1.3.6.1.5.5.7.48.1.5 = ASN1:NULL
[plain_extensions]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
"#;

struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new(bits: u32) -> Authority {
        let authority = Authority { folder: tempfile::tempdir().unwrap() };
        for (file, content) in
            [("openssl.cnf", CONFIGURATION), ("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "01\n")]
        {
            std::fs::write(authority.path().join(file), content).unwrap();
        }
        let key = format!("rsa:{bits}");
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            &key,
            "-nodes",
            "-keyout",
            "authority.key",
            "-out",
            "authority.pem",
            "-days",
            "30",
            "-utf8",
            "-subj",
            "/C=FR/O=ASIP-SANTE/OU=0002 187512751/CN=AC ÉLÉMENTAIRE",
            "-config",
            "openssl.cnf",
            "-extensions",
            "root_extensions",
        ]);
        authority
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Issues `NAME.pem` and its DER.
    fn issue(&self, name: &str, bits: u32, extensions: &str) -> Vec<u8> {
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/C=FR/ST=Rhône (69)/O=OPÉRATEUR/OU=318310021300028/CN={name}.example");
        let new_key = format!("rsa:{bits}");
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            &new_key,
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-utf8",
            "-subj",
            &subject,
            "-config",
            "openssl.cnf",
        ]);
        self.openssl(&[
            "ca",
            "-batch",
            "-config",
            "openssl.cnf",
            "-in",
            &request,
            "-out",
            &pem,
            "-notext",
            "-utf8",
            "-extensions",
            extensions,
        ]);
        self.openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", "out.der"]);
        std::fs::read(self.path().join("out.der")).unwrap()
    }

    fn pem_list(&self) -> std::path::PathBuf {
        self.openssl(&["ca", "-config", "openssl.cnf", "-gencrl", "-out", "list.pem"]);
        self.path().join("list.pem")
    }

    fn crl(&self) -> Vec<u8> {
        self.pem_list();
        self.openssl(&["crl", "-in", "list.pem", "-outform", "DER", "-out", "list.der"]);
        std::fs::read(self.path().join("list.der")).unwrap()
    }

    /// What a responder with this certificate answers about a certificate.
    fn answer(&self, about: &str, responder: &str, digest: &str, more: &[&str]) -> Vec<u8> {
        let (about, pem, key) = (format!("{about}.pem"), format!("{responder}.pem"), format!("{responder}.key"));
        self.openssl(&["ocsp", digest, "-issuer", "authority.pem", "-cert", &about, "-no_nonce", "-reqout", "req.der"]);
        let answering = [
            "ocsp",
            "-index",
            "index.txt",
            "-CA",
            "authority.pem",
            "-rsigner",
            &pem,
            "-rkey",
            &key,
            "-reqin",
            "req.der",
            "-respout",
            "answer.der",
        ];
        self.openssl(&[&answering[..], more].concat());
        std::fs::read(self.path().join("answer.der")).unwrap()
    }

    fn anchors(&self) -> Anchors {
        let mut anchors = Anchors::default();
        anchors.add_roots(&std::fs::read(self.path().join("authority.pem")).unwrap()).unwrap();
        anchors
    }

    fn listing(&self, crl: &[u8]) -> Revocations {
        let mut revocations = Revocations::default();
        revocations.add_crl(crl, &self.anchors()).unwrap();
        revocations
    }

    fn judge(&self, leaf: &[u8], revocations: &Revocations) -> Result<trust::Certificate, Rejected> {
        judge(&[leaf.to_vec()], Purpose::Client, &self.anchors(), revocations, &CertificatePolicy::default(), now())
    }
}

#[allow(clippy::disallowed_types, reason = "openssl makes certificates for today")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap() + 1
}

fn knowing(answers: &[&[u8]]) -> Revocations {
    let mut revocations = Revocations::default();
    answers.iter().for_each(|answer| drop(revocations.add_ocsp(answer).unwrap()));
    revocations
}

#[test]
fn certificates_and_lists_of_openssl() {
    let authority = Authority::new(2_048);
    let good = authority.issue("relay", 2_048, "leaf_extensions");
    let bad = authority.issue("stolen", 2_048, "leaf_extensions");
    authority.openssl(&["ca", "-config", "openssl.cnf", "-revoke", "stolen.pem", "-crl_reason", "keyCompromise"]);
    let crls = trust::revocation::lists_of(&std::fs::read(authority.pem_list()).unwrap()).unwrap();
    let crl = crls.first().unwrap();
    let known = authority.listing(crl);
    let certificate = authority.judge(&good, &known).unwrap();
    assert_eq!(certificate.dn, "CN=relay.example,OU=318310021300028,O=Opérateur,ST=Rhône (69),C=FR".parse().unwrap());
    assert_eq!((certificate.serial.as_str(), &certificate.standing), ("1000", &Standing::NotInList));
    assert_eq!(authority.judge(&bad, &known).unwrap_err().cause, Cause::Revoked);
    assert_eq!(authority.judge(&good, &Revocations::default()).unwrap_err().cause, Cause::RevocationUnknown);
}

#[test]
fn ocsp_answers_of_openssl() {
    let authority = Authority::new(2_048);
    let good = authority.issue("relay", 2_048, "leaf_extensions");
    let bad = authority.issue("stolen", 2_048, "leaf_extensions");
    authority.issue("responder", 2_048, "responder_extensions");
    authority.issue("nobody", 2_048, "plain_extensions");
    authority.openssl(&["ca", "-config", "openssl.cnf", "-revoke", "stolen.pem"]);
    std::fs::copy(authority.path().join("authority.key"), authority.path().join("self.key")).unwrap();
    std::fs::copy(authority.path().join("authority.pem"), authority.path().join("self.pem")).unwrap();
    let standing = |about: &str, responder: &str, digest: &str, more: &[&str]| {
        let answer = authority.answer(about, responder, digest, more);
        let leaf = if about == "relay" { &good } else { &bad };
        authority.judge(leaf, &knowing(&[&answer])).map(|certificate| certificate.standing)
    };
    let day = ["-ndays", "1"];
    // By the issuer itself and by a responder it appointed, named by name or by key, with both hashes.
    for responder in ["self", "responder"] {
        for digest in ["-sha1", "-sha256"] {
            for naming in [&day[..], &["-ndays", "1", "-resp_key_id"]] {
                let case = format!("{responder} {digest} {naming:?}");
                assert_eq!(standing("relay", responder, digest, naming), Ok(Standing::AnsweredGood), "{case}");
                let revoked = standing("stolen", responder, digest, naming).unwrap_err();
                assert_eq!(revoked.cause, Cause::Revoked, "{case}");
                assert!(revoked.explanation.contains("says the OCSP responder"), "{revoked}");
            }
        }
    }
    let unknown = |outcome: Result<Standing, Rejected>| {
        assert_eq!(outcome.unwrap_err().cause, Cause::RevocationUnknown);
    };
    // By a certificate of the same authority that may not answer.
    unknown(standing("relay", "nobody", "-sha1", &day));
    // Without the responder's certificate, nobody can tell who answered.
    unknown(standing("relay", "responder", "-sha1", &["-ndays", "1", "-resp_no_certs"]));
    // Another algorithm to name the issuer.
    unknown(standing("relay", "self", "-sha512", &day));

    // Signed by somebody else under the same names.
    let impostor = Authority::new(2_048);
    impostor.issue("relay", 2_048, "leaf_extensions");
    std::fs::copy(impostor.path().join("authority.key"), authority.path().join("impostor.key")).unwrap();
    std::fs::copy(impostor.path().join("authority.pem"), authority.path().join("impostor.pem")).unwrap();
    unknown(standing("relay", "impostor", "-sha1", &day));
    // Changed on the way.
    let bare = authority.answer("relay", "self", "-sha1", &["-ndays", "1", "-resp_no_certs"]);
    assert!(authority.judge(&good, &knowing(&[&bare])).is_ok());
    for index in 0..bare.len() {
        let (mut answer, mut revocations) = (bare.clone(), Revocations::default());
        answer[index] ^= 1;
        if revocations.add_ocsp(&answer).is_ok() {
            unknown(authority.judge(&good, &revocations).map(|certificate| certificate.standing));
        }
    }
    // About another certificate.
    let about_bad = authority.answer("stolen", "self", "-sha1", &day);
    unknown(authority.judge(&good, &knowing(&[&about_bad])).map(|certificate| certificate.standing));
}

#[test]
fn answers_count_for_their_time_and_never_against_a_revocation() {
    let authority = Authority::new(2_048);
    let good = authority.issue("relay", 2_048, "leaf_extensions");
    std::fs::copy(authority.path().join("authority.key"), authority.path().join("self.key")).unwrap();
    std::fs::copy(authority.path().join("authority.pem"), authority.path().join("self.pem")).unwrap();
    let answer = authority.answer("relay", "self", "-sha1", &["-nmin", "10"]);
    let unbounded = authority.answer("relay", "self", "-sha1", &[]);
    let at = |answer: &[u8], time: i64| {
        let revocations = knowing(&[answer]);
        let (chain, anchors, policy) = ([good.clone()], authority.anchors(), CertificatePolicy::default());
        judge(&chain, Purpose::Client, &anchors, &revocations, &policy, time).map_err(|rejected| rejected.cause)
    };
    let now = now();
    assert!(at(&answer, now + 9 * 60).is_ok());
    assert_eq!(at(&answer, now + 11 * 60).unwrap_err(), Cause::RevocationUnknown);
    assert!(at(&unbounded, now + 50 * 60).is_ok());
    assert_eq!(at(&unbounded, now + 70 * 60).unwrap_err(), Cause::RevocationUnknown);
    let mut revocations = knowing(&[&answer, &unbounded]);
    revocations.forget_stale_answers(now + 30 * 60);
    assert_eq!(revocations.answers().len(), 1);

    // The list is newer than the answer, or the answer than the list: revoked is revoked.
    let clean = authority.crl();
    authority.openssl(&["ca", "-config", "openssl.cnf", "-revoke", "relay.pem"]);
    let crl = authority.crl();
    let mut revocations = authority.listing(&crl);
    revocations.add_ocsp(&answer).unwrap();
    assert_eq!(authority.judge(&good, &revocations).unwrap_err().cause, Cause::Revoked);
    let accusing = authority.answer("relay", "self", "-sha1", &["-ndays", "1"]);
    let mut revocations = authority.listing(&clean);
    revocations.add_ocsp(&accusing).unwrap();
    assert_eq!(authority.judge(&good, &revocations).unwrap_err().cause, Cause::Revoked);
    // The responder has no answer (tryLater, RFC 6960 §2.3).
    let later = [0x30, 0x03, 0x0a, 0x01, 0x03];
    let error = Revocations::default().add_ocsp(&later).unwrap_err();
    assert_eq!(error.to_string(), "the responder gave no answer (status 3)");
}

#[test]
fn our_question_is_one_openssl_understands() {
    let authority = Authority::new(2_048);
    let good = authority.issue("relay", 2_048, "leaf_extensions");
    let rejected = authority.judge(&good, &Revocations::default()).unwrap_err();
    let missing = rejected.missing.first().unwrap();
    assert_eq!(missing.ocsp_urls, ["http://ocsp.example/"]);
    std::fs::write(authority.path().join("ours.der"), &missing.ocsp_request).unwrap();
    authority.openssl(&[
        "ocsp",
        "-index",
        "index.txt",
        "-CA",
        "authority.pem",
        "-rsigner",
        "authority.pem",
        "-rkey",
        "authority.key",
        "-reqin",
        "ours.der",
        "-respout",
        "answer.der",
        "-ndays",
        "1",
    ]);
    let answer = std::fs::read(authority.path().join("answer.der")).unwrap();
    let certificate = authority.judge(&good, &knowing(&[&answer])).unwrap();
    assert_eq!(certificate.standing, Standing::AnsweredGood);
}

#[test]
fn weak_keys_are_refused() {
    let authority = Authority::new(2_048);
    let weak = authority.issue("relay", 1_024, "leaf_extensions");
    let crl = authority.crl();
    let rejected = authority.judge(&weak, &authority.listing(&crl)).unwrap_err();
    assert_eq!(rejected.cause, Cause::Untrusted);
    assert!(rejected.explanation.contains("1024 bits"), "{rejected}");
    let authority = Authority::new(1_024);
    let of_weak = authority.issue("relay", 2_048, "leaf_extensions");
    assert_eq!(authority.judge(&of_weak, &Revocations::default()).unwrap_err().cause, Cause::Untrusted);
}
