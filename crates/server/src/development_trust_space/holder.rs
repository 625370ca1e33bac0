//! Who has a certificate, under which name, and what is wrong with it.

use std::time::{Duration, SystemTime};

use net::tls::{CertificateFiles, ClientCertificates, TlsServer};
use rcgen::ExtendedKeyUsagePurpose::{self, ClientAuth, ServerAuth};

use super::name::Name;

/// Validity of a certificate of IGC-Santé.
const VALID: Duration = Duration::from_secs(3 * 365 * 86_400);

/// Clocks of test machines differ; certificates begin this long ago.
const BEGINS_BEFORE: Duration = Duration::from_secs(86_400);

/// The expired certificate ended this long ago.
const ENDED_BEFORE: Duration = Duration::from_secs(2 * 86_400);

/// Someone with a certificate. All but [`Holder::OperatorA`], [`Holder::Connector`] and [`Holder::ListSigner`] are cases
/// of ANS's audit, seen from operator A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// Operator A (SSL_SERV).
    OperatorA,
    /// Operator B (SSL_SERV): nothing is wrong.
    Valid,
    /// Operator B's name; expired.
    Expired,
    /// Operator B's name; revoked.
    Revoked,
    /// Operator B's name, from an authority outside the space.
    Foreign,
    /// A name that the white list does not have.
    Unlisted,
    /// The CN of operator B, and nothing else of its name; not in the white list.
    SameCn,
    /// Listed, for another domain.
    OtherDomain,
    /// Software of a hospital (ORG AUTH_CLI).
    Connector,
    /// Signs the white list.
    ListSigner,
}

const OPERATOR_A: Name = Name {
    common: "mx.operateur-a.example",
    unit: "1750000001",
    organisation: "CENTRE HOSPITALIER D'EXEMPLE",
    state: "Paris (75)",
};

const OPERATOR_B: Name = Name {
    common: "mx.operateur-b.example",
    unit: "334566778800012",
    organisation: "GROUPE DE CLINIQUES & CIE",
    state: "Haute-Garonne (31)",
};

impl Holder {
    /// All of them.
    pub const ALL: [Holder; 10] = [
        Holder::OperatorA,
        Holder::Valid,
        Holder::Expired,
        Holder::Revoked,
        Holder::Foreign,
        Holder::Unlisted,
        Holder::SameCn,
        Holder::OtherDomain,
        Holder::Connector,
        Holder::ListSigner,
    ];

    /// The cases of the audit, under the words of `demo.env`.
    pub const CASES: [(&str, Holder); 7] = [
        ("VALID", Holder::Valid),
        ("EXPIRED", Holder::Expired),
        ("REVOKED", Holder::Revoked),
        ("FOREIGN", Holder::Foreign),
        ("UNLISTED", Holder::Unlisted),
        ("SAME_CN", Holder::SameCn),
        ("OTHER_DOMAIN", Holder::OtherDomain),
    ];

    /// The subject of its certificate.
    pub fn name(self) -> Name {
        match self {
            Holder::OperatorA => OPERATOR_A,
            Holder::Valid | Holder::Expired | Holder::Revoked | Holder::Foreign => OPERATOR_B,
            Holder::Unlisted => Name {
                common: "mx.inconnu.example",
                unit: "399887766500019",
                organisation: "PERSONNE",
                state: "Nord (59)",
            },
            Holder::SameCn => {
                Name { unit: "399887766500027", organisation: "IMPOSTEUR", state: "Nord (59)", ..OPERATOR_B }
            }
            Holder::OtherDomain => Name {
                common: "mx.ailleurs.example",
                unit: "1310000003",
                organisation: "HÔPITAL D'AILLEURS",
                state: "Paris (75)",
            },
            Holder::Connector => Name {
                common: "dpi.operateur-a.example",
                unit: "1750000001",
                organisation: "CENTRE HOSPITALIER D'EXEMPLE",
                state: "Paris (75)",
            },
            Holder::ListSigner => Name {
                common: "espacedeconfiance.example",
                unit: "318751275100020",
                organisation: "SCEAU ESPACE DE CONFIANCE",
                state: "Paris (75)",
            },
        }
    }

    /// From when to when its certificate is valid.
    pub(super) fn validity(self) -> (SystemTime, SystemTime) {
        let now = SystemTime::now();
        match self {
            Holder::Expired => (now - VALID, now - ENDED_BEFORE),
            _ => (now - BEGINS_BEFORE, now + VALID),
        }
    }

    /// The profile of SSL_SERV is not published: both. AUTH_CLI is for clients. A signer of lists needs neither.
    pub(super) fn purposes(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Holder::Connector => vec![ClientAuth],
            Holder::ListSigner => Vec::new(),
            _ => vec![ServerAuth, ClientAuth],
        }
    }

    /// RSA where the real ones are and it matters (`xmlsec1`, TLS 1.2); the others are made faster.
    pub(super) fn algorithm(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Holder::OperatorA | Holder::Valid | Holder::ListSigner => &rcgen::PKCS_RSA_SHA256,
            _ => &rcgen::PKCS_ECDSA_P256_SHA256,
        }
    }

    pub(super) fn file_name(self) -> &'static str {
        match self {
            Holder::OperatorA => "operator-a",
            Holder::Valid => "operator-b",
            Holder::Expired => "expired",
            Holder::Revoked => "revoked",
            Holder::Foreign => "foreign",
            Holder::Unlisted => "unlisted",
            Holder::SameCn => "same-cn",
            Holder::OtherDomain => "other-domain",
            Holder::Connector => "connector",
            Holder::ListSigner => "list-signer",
        }
    }

    /// Whether these files do what they are for, for at least this long.
    pub(super) fn is_good(self, files: &CertificateFiles, left: Duration) -> bool {
        let is_long_enough = self == Holder::Expired
            || super::revocation::parsed(files, |certificate| {
                let remaining = certificate.validity().time_to_expiration().map(|left| left.unsigned_abs());
                remaining.is_some_and(|remaining| remaining > left)
            })
            .unwrap_or(false);
        is_long_enough && TlsServer::open(vec![files.clone()], ClientCertificates::Ignored).is_ok()
    }
}
