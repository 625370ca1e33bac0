use std::process::{Command, Output};

use super::*;

fn space() -> (tempfile::TempDir, DevelopmentTrustSpace) {
    let folder = tempfile::tempdir().unwrap();
    let space = DevelopmentTrustSpace::ensure(folder.path(), &Plan::default()).unwrap();
    (folder, space)
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// What OpenSSL says of a holder's chain, revocation of every certificate in it included.
fn openssl_verifies(space: &DevelopmentTrustSpace, holder: Holder) -> String {
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let [organisations, root] = space.revocation_lists().map(text);
    let chain = text(space.certificate(holder).chain);
    let roots = text(space.roots());
    let output = run(
        "openssl",
        &[
            "verify",
            "-CAfile",
            &roots,
            "-untrusted",
            &chain,
            "-CRLfile",
            &organisations,
            "-CRLfile",
            &root,
            "-crl_check_all",
            "-x509_strict",
            &chain,
        ],
    );
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn openssl_agrees_on_every_case() {
    let (_folder, space) = space();
    for holder in Holder::ALL {
        let verdict = openssl_verifies(&space, holder);
        let expected = match holder {
            Holder::Expired => "certificate has expired",
            Holder::Revoked => "certificate revoked",
            Holder::Foreign => "unable to get local issuer certificate",
            _ => ": OK",
        };
        assert!(verdict.contains(expected), "{holder:?}: {verdict}");
    }
}

#[test]
fn subjects_have_the_layout_of_igc_sante() {
    let (_folder, space) = space();
    let chain = space.certificate(Holder::Valid).chain;
    let show = |what: &str| {
        let output = run("openssl", &["x509", "-in", chain.to_str().unwrap(), "-noout", what, "-nameopt", "RFC2253"]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(show("-subject"), format!("subject={}", Holder::Valid.name()));
    assert_eq!(
        show("-issuer"),
        "issuer=CN=DEV AC IGC-SANTE ELEMENTAIRE ORGANISATIONS,OU=IGC-SANTE DEVELOPPEMENT,OU=0002 187512751,O=SCEAU,C=FR"
    );
}

#[test]
fn the_white_list_is_signed_by_its_signer() {
    let (_folder, space) = space();
    assert_eq!(space.signing, Signing::Done, "scripts/setup test installs xmlsec1");
    let list = space.white_list();
    let verify = |list: &Path| {
        let roots = space.roots();
        let arguments = ["--verify", "--enabled-key-data", "x509", "--trusted-pem"];
        let output = Command::new("xmlsec1").args(arguments).args([roots.as_path(), list]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (holds, words) = verify(&list);
    assert!(holds, "{words}");
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(text.contains("O=GROUPE DE CLINIQUES &amp; CIE"), "{text}");
    std::fs::write(&list, text.replace("<Nom>ailleurs.example<", "<Nom>clinique.example<")).unwrap();
    assert!(!verify(&list).0);
}

#[test]
fn what_exists_is_kept_and_what_is_broken_is_made_anew() {
    let (folder, space) = space();
    let read = |path: &Path| std::fs::read(path).unwrap();
    let all = || Holder::ALL.map(|holder| read(&space.certificate(holder).chain));
    let before = all();
    let again = || DevelopmentTrustSpace::ensure(folder.path(), &Plan::default()).unwrap();
    again();
    assert!(before == all());
    std::fs::write(&space.certificate(Holder::Unlisted).key, "").unwrap();
    again();
    let changed = before.iter().zip(all()).filter(|(before, after)| *before != after).count();
    assert_eq!(changed, 1);
    assert!(openssl_verifies(&space, Holder::Unlisted).contains(": OK"));
}

#[test]
fn revocation_lists_are_written_as_a_test_wants_them() {
    let (_folder, space) = space();
    space.write_revocation_lists(&[], SystemTime::now(), REVOCATION_VALID).unwrap();
    assert!(openssl_verifies(&space, Holder::Revoked).contains(": OK"));
    let long_ago = SystemTime::now() - 2 * REVOCATION_VALID;
    space.write_revocation_lists(&[Holder::Valid], long_ago, REVOCATION_VALID).unwrap();
    assert!(openssl_verifies(&space, Holder::OperatorA).contains("CRL has expired"));
}
