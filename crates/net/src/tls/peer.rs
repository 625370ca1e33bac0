//! What a handshake established.

use rustls::ConnectionCommon;

/// Label of the `tls-exporter` channel binding (RFC 9266 §2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The facts of a TLS session, as protocols and logs want them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The suite under its IANA name, `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// `tls-exporter` (RFC 9266), TLS 1.3 only: TLS 1.2 would need the extended master secret in every session.
    pub tls_exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 §4.1): the hash of the server's certificate.
    pub tls_server_end_point: Option<Vec<u8>>,
    /// The certificates the other side showed, DER, its own first: empty when it showed none. It holds the key of the
    /// first; nothing else about them is verified, but that there are at most [`super::CHAIN_CERTIFICATES_MAX`] of at
    /// most [`super::CERTIFICATE_OCTETS_MAX`] octets.
    pub chain: Vec<Vec<u8>>,
}

impl Peer {
    /// Reads the facts of a finished handshake in which the server's certificate had this end-point hash.
    pub(super) fn of<Side>(connection: &ConnectionCommon<Side>, end_point: Option<&[u8]>) -> Peer {
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let cipher = match connection.negotiated_cipher_suite() {
            // rustls writes TLS13_AES_… where IANA writes TLS_AES_….
            Some(suite) => format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1),
            None => String::new(),
        };
        let tls_exporter = match version {
            "TLSv1.3" => connection.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).ok(),
            _ => None,
        };
        let chain = connection.peer_certificates().unwrap_or_default();
        Peer {
            version,
            cipher,
            tls_exporter,
            tls_server_end_point: end_point.map(<[u8]>::to_vec),
            chain: chain.iter().map(|certificate| certificate.as_ref().to_vec()).collect(),
        }
    }
}
