//! Every certificate of the development trust space makes a handshake, on either side, and arrives whole: what is wrong
//! with it, TLS leaves to those who judge, and they find it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests make files and connections"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use net::Connection;
use net::tls::{CertificateFiles, ClientCertificates, TlsClient, TlsServer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan, REVOCATION_VALID};
use trust::{Anchors, Cause, Purpose, Revocations, Space, WhiteList};

fn chain(files: &CertificateFiles) -> Vec<Vec<u8>> {
    let read = |certificate: Result<CertificateDer<'_>, _>| certificate.unwrap().to_vec();
    CertificateDer::pem_file_iter(&files.chain).unwrap().map(read).collect()
}

#[tokio::test]
async fn certificates_arrive_whatever_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let space = DevelopmentTrustSpace::ensure(folder.path(), &Plan::default()).unwrap();
    for at_server in Holder::ALL {
        let shown_by_server = space.certificate(at_server);
        let asked = ClientCertificates::Requested { hints: Vec::new() };
        let server = TlsServer::open(vec![shown_by_server.clone()], asked).unwrap();
        for at_client in Holder::ALL {
            let shown_by_client = space.certificate(at_client);
            let client = TlsClient::new(Some(shown_by_client.clone())).unwrap();
            let (near, far) = tokio::io::duplex(256 * 1024);
            let connecting = Connection::Plain(near).connect_tls(&client, at_server.name().common);
            let (accepted, connected) = tokio::join!(Connection::Plain(far).start_tls(&server), connecting);
            assert_eq!(accepted.unwrap().1.chain, chain(&shown_by_client), "{at_client:?} to {at_server:?}");
            assert_eq!(connected.unwrap().1.chain, chain(&shown_by_server), "{at_client:?} to {at_server:?}");
        }
    }
}

/// What the files say, as an operator would load them.
fn loaded(space: &DevelopmentTrustSpace) -> Space {
    let read = |path: &std::path::Path| std::fs::read(path).unwrap();
    let parsed = WhiteList::parse(&read(&space.white_list())).unwrap();
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    let mut anchors = Anchors::default();
    anchors.add_roots(&read(&space.roots())).unwrap();
    anchors.add_intermediates(&read(&space.organisations())).unwrap();
    let mut revocations = Revocations::default();
    for list in space.revocation_lists() {
        revocations.add_crl(&read(&list), &anchors).unwrap();
    }
    Space { list: parsed.list.into(), anchors: anchors.into(), revocations: revocations.into(), ..Space::default() }
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// What comes out for a holder who speaks for operator B's domain, as client or server.
fn verdict(space: &Space, files: &CertificateFiles, purpose: Purpose, at: SystemTime) -> Result<(), Cause> {
    let certificate = space.judge(&chain(files), purpose, seconds(at)).map_err(|rejected| rejected.cause)?;
    space.speaks_for(&certificate, &Plan::default().domains_b[0].parse().unwrap())
}

#[test]
fn every_case_of_the_audit_has_its_cause_in_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    let made = DevelopmentTrustSpace::ensure(folder.path(), &Plan::default()).unwrap();
    let space = loaded(&made);
    for purpose in [Purpose::Client, Purpose::Server] {
        for (word, holder) in Holder::CASES {
            let expected = match holder {
                Holder::Valid => Ok(()),
                Holder::Expired => Err(Cause::Expired),
                Holder::Revoked => Err(Cause::Revoked),
                Holder::Foreign => Err(Cause::Untrusted),
                _ => Err(Cause::DnMismatch),
            };
            let found = verdict(&space, &made.certificate(holder), purpose, SystemTime::now());
            assert_eq!(found, expected, "{word} as {purpose:?}");
        }
    }
    // Only one of the three that mismatch is listed at all.
    let listed = |holder: Holder| {
        let certificate = space.client(&chain(&made.certificate(holder)), seconds(SystemTime::now())).unwrap();
        space.is_listed(&certificate).is_ok()
    };
    assert_eq!([Holder::Unlisted, Holder::SameCn, Holder::OtherDomain].map(listed), [false, false, true]);

    let later = SystemTime::now() + REVOCATION_VALID + Duration::from_secs(60);
    let found = verdict(&space, &made.certificate(Holder::Valid), Purpose::Client, later);
    assert_eq!(found, Err(Cause::RevocationUnknown));
    let signer = made.certificate(Holder::ListSigner);
    space.judge(&chain(&signer), Purpose::Signer, seconds(SystemTime::now())).unwrap();
}
