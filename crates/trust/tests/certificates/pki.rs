//! A small public key infrastructure with the layout of the real one: root, authority for organisations, operators.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use trust::{Anchors, CertificatePolicy, Dn, Revocations, Space, WhiteList};

/// 15 January 2027, 08:00 UTC.
pub const NOW: i64 = 1_800_000_000;
pub const DAY: i64 = 86_400;

pub fn at(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

pub struct Authority {
    pub issuer: Issuer<'static, KeyPair>,
    pub der: Vec<u8>,
}

pub struct Pki {
    pub root: Authority,
    pub organisations: Authority,
}

/// What is asked of a leaf.
pub struct Leaf {
    pub parameters: CertificateParams,
}

pub const OPERATOR: &str = "CN=relay.a.example,OU=318310021300028,O=OPERATEUR A,ST=Haute-Garonne (31),C=FR";

fn name(cn: &str, ou: &str, o: &str, st: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, rcgen::DnValue::PrintableString("FR".try_into().unwrap()));
    name.push(DnType::StateOrProvinceName, st);
    name.push(DnType::OrganizationName, o);
    name.push(DnType::OrganizationalUnitName, ou);
    name.push(DnType::CommonName, cn);
    name
}

impl Authority {
    pub fn parameters(cn: &str, below: u8) -> CertificateParams {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = name(cn, "0002 187512751", "ASIP-SANTE", "Paris (75)");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.not_before = at(NOW - 1_000 * DAY);
        parameters.not_after = at(NOW + 1_000 * DAY);
        parameters
    }

    pub fn root(cn: &str) -> Authority {
        let (parameters, key) = (Authority::parameters(cn, 1), KeyPair::generate().unwrap());
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        Authority { issuer: Issuer::new(parameters, key), der }
    }

    pub fn below(&self, cn: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        let (mut parameters, key) = (Authority::parameters(cn, 0), KeyPair::generate().unwrap());
        parameters.crl_distribution_points =
            vec![CrlDistributionPoint { uris: vec!["http://igc.example/ACR.crl".into()] }];
        change(&mut parameters);
        let der = parameters.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Authority { issuer: Issuer::new(parameters, key), der }
    }

    pub fn issue(&self, leaf: &Leaf) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        leaf.parameters.signed_by(&key, &self.issuer).unwrap().der().to_vec()
    }

    /// A list that revokes these serial numbers.
    pub fn crl(&self, serials: &[u64], this_update: i64, next_update: i64) -> Vec<u8> {
        self.crl_with(serials, this_update, next_update, |_| {})
    }

    pub fn crl_with(
        &self,
        serials: &[u64],
        this_update: i64,
        next_update: i64,
        change: impl FnOnce(&mut CertificateRevocationListParams),
    ) -> Vec<u8> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at(this_update),
            reason_code: None,
            invalidity_date: None,
        };
        let mut parameters = CertificateRevocationListParams {
            this_update: at(this_update),
            next_update: at(next_update),
            crl_number: SerialNumber::from(this_update as u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        change(&mut parameters);
        parameters.signed_by(&self.issuer).unwrap().der().to_vec()
    }
}

impl Leaf {
    pub const SERIAL: u64 = 0x00ab_cdef;

    pub fn operator() -> Leaf {
        let mut parameters = CertificateParams::new(vec!["relay.a.example".to_owned()]).unwrap();
        parameters.distinguished_name = name("relay.a.example", "318310021300028", "OPERATEUR A", "Haute-Garonne (31)");
        parameters.serial_number = Some(SerialNumber::from(Leaf::SERIAL));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.not_before = at(NOW - 100 * DAY);
        parameters.not_after = at(NOW + 100 * DAY);
        parameters.crl_distribution_points =
            vec![CrlDistributionPoint { uris: vec!["http://igc.example/ACI.crl".into()] }];
        Leaf { parameters }
    }

    pub fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        change(&mut self.parameters);
        self
    }

    pub fn named(self, cn: &str, ou: &str, o: &str) -> Leaf {
        self.with(|parameters| parameters.distinguished_name = name(cn, ou, o, "Haute-Garonne (31)"))
    }
}

impl Pki {
    pub fn new() -> Pki {
        let root = Authority::root("AC RACINE IGC-SANTE ELEMENTAIRE");
        let organisations = root.below("AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", |_| {});
        Pki { root, organisations }
    }

    /// The chain of an operator's certificate as a peer presents it.
    pub fn chain(&self, leaf: &Leaf) -> Vec<Vec<u8>> {
        vec![self.organisations.issue(leaf), self.organisations.der.clone()]
    }

    pub fn anchors(&self) -> Anchors {
        let mut anchors = Anchors::default();
        anchors.add_roots(&self.root.der).unwrap();
        anchors
    }

    /// Both authorities, as those that sign lists.
    pub fn authorities(&self) -> Anchors {
        let mut authorities = self.anchors();
        authorities.add_intermediates(&self.organisations.der).unwrap();
        authorities
    }

    /// Fresh lists of both authorities that revoke nothing.
    pub fn revocations(&self) -> Revocations {
        let mut revocations = Revocations::default();
        revocations.add_crl(&self.root.crl(&[], NOW - DAY, NOW + 30 * DAY), &self.authorities()).unwrap();
        revocations.add_crl(&self.organisations.crl(&[], NOW - DAY / 2, NOW + DAY), &self.authorities()).unwrap();
        revocations
    }

    pub fn space(&self) -> Space {
        let entry = |domain: &str, dn: &str| (domain.parse().unwrap(), dn.parse::<Dn>().unwrap());
        let list = WhiteList::of(
            NOW - DAY,
            [
                entry("a.mssante.fr", OPERATOR),
                entry("b.mssante.fr", "CN=relay.b.example,OU=340350374100031,O=OPERATEUR B,ST=Nord (59),C=FR"),
            ],
        );
        Space {
            list: list.into(),
            anchors: self.anchors().into(),
            revocations: self.revocations().into(),
            policy: CertificatePolicy::default(),
        }
    }
}
