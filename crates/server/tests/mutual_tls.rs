//! Every certificate of the development trust space makes a handshake, on either side, and arrives whole: what is wrong
//! with it, TLS leaves to those who judge.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests make files and connections"
)]

use net::Connection;
use net::tls::{CertificateFiles, ClientCertificates, TlsClient, TlsServer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan};

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
