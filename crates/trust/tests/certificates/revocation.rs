//! Revocation lists: whose they are, until when they count, what they cover.

use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, RevocationReason};
use trust::revocation::{RevocationError, Standing};
use trust::{Cause, CertificatePolicy, Purpose, Revocations, Space, judge};

use super::pki::{Authority, DAY, Leaf, NOW, Pki};

/// The space with the root's list and this one.
fn with(pki: &Pki, crl: &[u8]) -> Space {
    let mut revocations = Revocations::default();
    revocations.add_crl(&pki.root.crl(&[], NOW - DAY, NOW + 30 * DAY), &pki.authorities()).unwrap();
    revocations.add_crl(crl, &pki.authorities()).unwrap();
    Space { revocations: revocations.into(), ..pki.space() }
}

fn cause(space: &Space, pki: &Pki) -> Option<Cause> {
    space.client(&pki.chain(&Leaf::operator()), NOW).err().map(|rejected| rejected.cause)
}

#[test]
fn a_revoked_certificate_is_revoked_also_by_a_list_past_its_time() {
    let pki = Pki::new();
    let fresh = pki.organisations.crl(&[1, Leaf::SERIAL], NOW - DAY, NOW + DAY);
    let rejected = with(&pki, &fresh).client(&pki.chain(&Leaf::operator()), NOW).unwrap_err();
    assert_eq!(rejected.cause, Cause::Revoked);
    assert!(rejected.explanation.contains("2027-01-14T08:00:00Z, says the revocation list"), "{rejected}");
    assert!(!rejected.cause.is_transient());
    let stale = pki.organisations.crl(&[Leaf::SERIAL], NOW - 2 * DAY, NOW - DAY);
    assert_eq!(cause(&with(&pki, &stale), &pki), Some(Cause::Revoked));
    // A hold may have been lifted since.
    let hold = |next| {
        pki.organisations.crl_with(&[Leaf::SERIAL], NOW - 2 * DAY, next, |parameters| {
            parameters.revoked_certs[0].reason_code = Some(RevocationReason::CertificateHold);
        })
    };
    assert_eq!(cause(&with(&pki, &hold(NOW + DAY)), &pki), Some(Cause::Revoked));
    assert_eq!(cause(&with(&pki, &hold(NOW - DAY)), &pki), Some(Cause::RevocationUnknown));
}

#[test]
fn lists_count_from_this_update_to_next_update() {
    let pki = Pki::new();
    for (this_update, next_update, expected) in [
        (NOW - DAY, NOW + 1, None),
        (NOW - DAY, NOW, Some(Cause::RevocationUnknown)),
        (NOW, NOW + DAY, None),
        // Clocks differ a little, not an hour.
        (NOW + 60, NOW + DAY, None),
        (NOW + 3_600, NOW + DAY, Some(Cause::RevocationUnknown)),
    ] {
        let crl = pki.organisations.crl(&[], this_update, next_update);
        assert_eq!(cause(&with(&pki, &crl), &pki), expected, "{this_update} {next_update}");
    }
}

#[test]
fn a_revoked_authority_revokes_what_it_issued() {
    let pki = Pki::new();
    let serial = {
        let (_, parsed) = x509_parser::parse_x509_certificate(&pki.organisations.der).unwrap();
        parsed.raw_serial().to_vec()
    };
    let mut revocations = Revocations::default();
    let crl = pki.root.crl_with(&[0], NOW - DAY, NOW + DAY, |parameters| {
        parameters.revoked_certs[0].serial_number = rcgen::SerialNumber::from_slice(&serial);
    });
    revocations.add_crl(&crl, &pki.authorities()).unwrap();
    revocations.add_crl(&pki.organisations.crl(&[], NOW - DAY, NOW + DAY), &pki.authorities()).unwrap();
    let space = Space { revocations: revocations.into(), ..pki.space() };
    let rejected = space.client(&pki.chain(&Leaf::operator()), NOW).unwrap_err();
    assert_eq!(rejected.cause, Cause::Revoked);
    assert!(rejected.explanation.contains("ORGANISATIONS"), "{rejected}");
}

#[test]
fn lists_of_others_and_forged_lists_say_nothing() {
    let pki = Pki::new();
    let mut revocations = pki.revocations();
    let mut refused = |crl: &[u8]| {
        let refused = revocations.add_crl(crl, &pki.authorities()).map(|_| ());
        assert_eq!(refused, Err(RevocationError::NotSigned));
    };
    // The same name, another key: it may neither accuse nor push out the list in use.
    let impostor = Pki::new();
    refused(&impostor.organisations.crl(&[], NOW, NOW + DAY));
    refused(&impostor.organisations.crl(&[Leaf::SERIAL], NOW, NOW + DAY));
    // One bit of the signature.
    let mut crl = pki.organisations.crl(&[], NOW, NOW + DAY);
    *crl.last_mut().unwrap() ^= 1;
    refused(&crl);
    // An authority that is not known yet.
    let persons = pki.root.below("AC IGC-SANTE ELEMENTAIRE PERSONNES", |_| {});
    let accusing = persons.crl(&[Leaf::SERIAL], NOW, NOW + DAY);
    refused(&accusing);
    // Known or not, it has the same serial numbers and says nothing about another authority's certificates.
    let mut authorities = pki.authorities();
    authorities.add_intermediates(&persons.der).unwrap();
    revocations.add_crl(&accusing, &authorities).unwrap();
    // Nor does a list that an impostor known under the same name signed.
    authorities.add_intermediates(&impostor.organisations.der).unwrap();
    assert_eq!(cause(&Space { revocations: revocations.clone().into(), ..pki.space() }, &pki), None);
    revocations.add_crl(&impostor.organisations.crl(&[Leaf::SERIAL], NOW, NOW + DAY), &authorities).unwrap();
    let space = Space { revocations: revocations.into(), ..pki.space() };
    assert_eq!(cause(&space, &pki), Some(Cause::RevocationUnknown));

    // An authority whose key may not sign lists.
    let mut mute = Pki::new();
    mute.organisations = mute.root.below("AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", |parameters| {
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    });
    let key = rcgen::KeyPair::try_from(mute.organisations.issuer.key().serialize_der()).unwrap();
    let parameters = Authority::parameters("AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", 0);
    let issuer = rcgen::Issuer::new(parameters, key);
    let forged = Authority { issuer, der: Vec::new() }.crl(&[], NOW - DAY, NOW + DAY);
    let mut revocations = Revocations::default();
    revocations.add_crl(&mute.root.crl(&[], NOW - DAY, NOW + 30 * DAY), &mute.authorities()).unwrap();
    revocations.add_crl(&forged, &mute.authorities()).unwrap();
    let rejected = judge(
        &mute.chain(&Leaf::operator()),
        Purpose::Client,
        &mute.anchors(),
        &revocations,
        &CertificatePolicy::default(),
        NOW,
    );
    assert_eq!(rejected.unwrap_err().cause, Cause::RevocationUnknown);
}

#[test]
fn scopes_are_respected() {
    let pki = Pki::new();
    let scoped = |url: &str, scope| {
        pki.organisations.crl_with(&[], NOW - DAY, NOW + DAY, |parameters| {
            parameters.issuing_distribution_point = Some(CrlIssuingDistributionPoint {
                distribution_point: CrlDistributionPoint { uris: vec![url.to_owned()] },
                scope,
            });
        })
    };
    for (url, scope, expected) in [
        ("http://igc.example/ACI.crl", None, None),
        ("http://igc.example/ACI.crl", Some(CrlScope::UserCertsOnly), None),
        ("http://igc.example/ACI.crl", Some(CrlScope::CaCertsOnly), Some(Cause::RevocationUnknown)),
        ("http://igc.example/other.crl", None, Some(Cause::RevocationUnknown)),
    ] {
        assert_eq!(cause(&with(&pki, &scoped(url, scope)), &pki), expected, "{url}");
    }
    // Lists of two scopes stand beside each other; one of the same scope takes the place of the older.
    let mut revocations = Revocations::default();
    revocations.add_crl(&scoped("http://igc.example/1.crl", None), &pki.authorities()).unwrap();
    revocations.add_crl(&scoped("http://igc.example/2.crl", None), &pki.authorities()).unwrap();
    revocations.add_crl(&scoped("http://igc.example/2.crl", None), &pki.authorities()).unwrap();
    assert_eq!(revocations.lists().len(), 2);
}

#[test]
fn a_list_takes_the_place_of_an_older_one_only() {
    let pki = Pki::new();
    let mut revocations = Revocations::default();
    let added = revocations.add_crl(&pki.organisations.crl(&[7, 8], NOW - DAY, NOW + DAY), &pki.authorities()).unwrap();
    assert_eq!((added.revoked(), added.this_update(), added.next_update()), (2, NOW - DAY, NOW + DAY));
    let older = revocations.add_crl(&pki.organisations.crl(&[], NOW - 2 * DAY, NOW + DAY), &pki.authorities());
    assert_eq!(older.map(|_| ()), Err(RevocationError::Older));
    revocations.add_crl(&pki.organisations.crl(&[9], NOW, NOW + DAY), &pki.authorities()).unwrap();
    assert_eq!(revocations.lists().len(), 1);
    let space = Space { revocations: revocations.into(), ..with(&pki, &pki.root.crl(&[], NOW, NOW + DAY)) };
    assert_eq!(cause(&space, &pki), Some(Cause::RevocationUnknown), "the root's list is missing");
}

#[test]
fn what_is_no_list_is_refused() {
    let pki = Pki::new();
    let good = pki.organisations.crl(&[1], NOW, NOW + DAY);
    let mut revocations = Revocations::default();
    for octets in [&b""[..], b"<html>", &pki.root.der, good.get(..good.len() - 1).unwrap(), &[0x30, 0x80, 0, 0]] {
        assert!(revocations.add_crl(octets, &pki.authorities()).is_err());
        assert!(revocations.add_ocsp(octets).is_err());
    }
    for index in 0..good.len() {
        let mut broken = good.clone();
        broken[index] ^= 0x55;
        let _ = Revocations::default().add_crl(&broken, &pki.authorities());
    }
    assert!(revocations.lists().is_empty());
    assert_eq!(Standing::Unknown.to_string(), "unknown");
}
