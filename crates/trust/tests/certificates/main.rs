//! Certificates judged: every way to be refused (`mssante.md` audit cases), and few to be believed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail loudly and use the corpus of openssl"
)]

mod openssl;
mod pki;
mod revocation;

use pki::{Authority, DAY, Leaf, NOW, OPERATOR, Pki};
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use trust::certificate::{CHAIN_CERTIFICATES_MAX, ExtendedKeyUsage, HostName, UnknownRevocation};
use trust::revocation::Standing;
use trust::{Anchors, Cause, Purpose, Rejected, Revocations};

fn domain(text: &str) -> mail::Domain {
    text.parse().unwrap()
}

#[track_caller]
fn refused(outcome: Result<trust::Certificate, Rejected>, cause: Cause, explanation: &str) {
    let rejected = outcome.expect_err("refused");
    assert_eq!(rejected.cause, cause, "{rejected}");
    assert!(rejected.explanation.contains(explanation), "{rejected}");
}

#[test]
fn the_operators_certificate_is_believed() {
    let pki = Pki::new();
    let space = pki.space();
    let chain = pki.chain(&Leaf::operator());
    let certificate = space.client(&chain, NOW).unwrap();
    assert_eq!(certificate.dn.to_string(), OPERATOR);
    assert_eq!(certificate.serial, "abcdef");
    assert_eq!(certificate.names, ["relay.a.example"]);
    assert_eq!(certificate.not_after, NOW + 100 * DAY);
    assert_eq!(certificate.standing, Standing::NotInList);
    assert_eq!(certificate.path.len(), 2);
    assert!(certificate.issuer.to_string().starts_with("CN=AC IGC-SANTE ELEMENTAIRE ORGANISATIONS,"));
    assert!(space.server(&chain, &domain("relay.a.example"), NOW).is_ok());
    // The host name is not the identity.
    assert!(space.server(&chain, &domain("mx.elsewhere.example"), NOW).is_ok());
    // Order in the chain beyond the leaf, the root sent along and strangers between do not matter.
    let stranger = Authority::root("STRANGER");
    let shuffled = vec![chain[0].clone(), stranger.der, pki.root.der.clone(), chain[1].clone()];
    assert!(space.client(&shuffled, NOW).is_ok());
}

#[test]
fn a_certificate_speaks_for_the_domains_listed_with_its_whole_subject() {
    let pki = Pki::new();
    let space = pki.space();
    let judged = |leaf: Leaf| space.client(&pki.chain(&leaf), NOW).unwrap();
    let a = judged(Leaf::operator());
    assert_eq!(space.speaks_for(&a, &domain("a.mssante.fr")), Ok(()));
    // Operator A announcing a domain of operator B, a domain below, a domain nobody has.
    assert_eq!(space.speaks_for(&a, &domain("b.mssante.fr")), Err(Cause::DnMismatch));
    assert_eq!(space.speaks_for(&a, &domain("x.a.mssante.fr")), Err(Cause::Unlisted));
    assert_eq!(space.speaks_for(&a, &domain("gmail.com")), Err(Cause::Unlisted));
    assert_eq!(space.is_listed(&a), Ok(()));
    // Same common name, other organisation.
    let same_cn = judged(Leaf::operator().named("relay.a.example", "318310021300028", "AUTRE"));
    assert_eq!(space.speaks_for(&same_cn, &domain("a.mssante.fr")), Err(Cause::DnMismatch));
    assert_eq!(space.is_listed(&same_cn), Err(Cause::Unlisted));
}

#[test]
fn validity_comes_before_the_chain() {
    let pki = Pki::new();
    let space = pki.space();
    let expired = Leaf::operator().with(|parameters| parameters.not_after = pki::at(NOW - 1));
    refused(space.client(&pki.chain(&expired), NOW), Cause::Expired, "valid until 2027-01-15T07:59:59Z");
    let early = Leaf::operator().with(|parameters| parameters.not_before = pki::at(NOW + 1));
    refused(space.client(&pki.chain(&early), NOW), Cause::NotYetValid, "valid from 2027-01-15T08:00:01Z");
    // Of a foreign authority, too: the more useful word wins.
    let foreign = Pki::new();
    refused(space.client(&foreign.chain(&expired), NOW), Cause::Expired, "");
    // The border itself is valid.
    let last_second = Leaf::operator().with(|parameters| parameters.not_after = pki::at(NOW));
    assert!(space.client(&pki.chain(&last_second), NOW).is_ok());
}

#[test]
fn validity_of_authorities_counts() {
    let mut pki = Pki::new();
    let root_leaf = |pki: &Pki| pki.space().client(&pki.chain(&Leaf::operator()), NOW);
    pki.organisations = pki.root.below("AC ORGANISATIONS", |parameters| parameters.not_after = pki::at(NOW - DAY));
    refused(root_leaf(&pki), Cause::Expired, "of its chain");
    pki.organisations = pki.root.below("AC ORGANISATIONS", |parameters| parameters.not_before = pki::at(NOW + DAY));
    refused(root_leaf(&pki), Cause::NotYetValid, "of its chain");
    let pki = Pki::new();
    let long = Leaf::operator().with(|parameters| parameters.not_after = pki::at(NOW + 3_000 * DAY));
    refused(
        pki.space().client(&pki.chain(&long), NOW + 2_000 * DAY),
        Cause::Untrusted,
        "no configured root is valid now",
    );
}

#[test]
fn no_certificate_is_a_cause_of_its_own() {
    refused(Pki::new().space().client(&[], NOW), Cause::NoCertificate, "");
}

#[test]
fn foreign_self_signed_and_broken_chains_are_untrusted() {
    let pki = Pki::new();
    let space = pki.space();
    // Another authority of the very same names.
    refused(space.client(&Pki::new().chain(&Leaf::operator()), NOW), Cause::Untrusted, "");
    let key = KeyPair::generate().unwrap();
    let self_signed = Leaf::operator().parameters.self_signed(&key).unwrap().der().to_vec();
    refused(space.client(&[self_signed], NOW), Cause::Untrusted, "does not lead to a configured root");
    let self_made_authority = Authority::root("relay.a.example").der;
    refused(space.client(&[self_made_authority], NOW), Cause::Untrusted, "authority's certificate, or self-signed");
    // A leaf that issues: not an authority.
    let (middle_key, leaf) = (KeyPair::generate().unwrap(), Leaf::operator());
    let middle = leaf.parameters.signed_by(&middle_key, &pki.organisations.issuer).unwrap().der().to_vec();
    let middle_issuer = rcgen::Issuer::new(leaf.parameters.clone(), middle_key);
    let below = Leaf::operator().named("x", "1", "X");
    let below = below.parameters.signed_by(&KeyPair::generate().unwrap(), &middle_issuer).unwrap().der().to_vec();
    refused(space.client(&[below, middle, pki.organisations.der.clone()], NOW), Cause::Untrusted, "");
    // Octets of the signature changed; octets that are no certificate.
    let mut chain = pki.chain(&Leaf::operator());
    *chain[0].last_mut().unwrap() ^= 1;
    refused(space.client(&chain, NOW), Cause::Untrusted, "");
    refused(space.client(&[b"-----BEGIN".to_vec()], NOW), Cause::Untrusted, "not valid DER");
    // Nobody is believed when nobody is configured.
    let nobody = trust::Space { anchors: Anchors::default().into(), ..space };
    refused(nobody.client(&pki.chain(&Leaf::operator()), NOW), Cause::Untrusted, "no configured root");
}

#[test]
fn a_missing_intermediate_is_found_among_the_configured_ones() {
    let pki = Pki::new();
    let mut space = pki.space();
    let chain = vec![pki.organisations.issue(&Leaf::operator())];
    refused(space.client(&chain, NOW), Cause::Untrusted, "does not lead to a configured root");
    let mut anchors = pki.anchors();
    anchors.add_intermediates(&pki.organisations.der).unwrap();
    space.anchors = anchors.into();
    assert!(space.client(&chain, NOW).is_ok());
}

#[test]
fn chains_are_bounded() {
    let pki = Pki::new();
    let space = pki.space();
    let mut chain = pki.chain(&Leaf::operator());
    chain.resize(CHAIN_CERTIFICATES_MAX, pki.root.der.clone());
    assert!(space.client(&chain, NOW).is_ok());
    chain.push(pki.root.der.clone());
    refused(space.client(&chain, NOW), Cause::Untrusted, "too long");
    let bulky = Leaf::operator().with(|parameters| {
        let content = vec![0x04, 0x82, 0xff, 0x00].into_iter().chain(vec![0; 0xff00]).collect();
        parameters.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], content)];
    });
    refused(space.client(&pki.chain(&bulky), NOW), Cause::Untrusted, "too long");
}

#[test]
fn extended_key_usage_by_mode() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, EmailProtection, ServerAuth};
    let pki = Pki::new();
    let mut space = pki.space();
    // What the certificate says, then whether it passes as: either client, either server, strict client, strict server.
    for (usages, expected) in [
        (vec![ServerAuth, ClientAuth], [true, true, true, true]),
        (vec![ServerAuth], [true, true, false, true]),
        (vec![ClientAuth], [true, true, true, false]),
        (vec![ClientAuth, EmailProtection], [true, true, true, false]),
        (vec![EmailProtection], [false, false, false, false]),
        (vec![Any], [true, true, false, false]),
        (vec![], [true, true, false, false]),
    ] {
        let chain = pki.chain(&Leaf::operator().with(|parameters| parameters.extended_key_usages = usages.clone()));
        let mut outcomes = Vec::new();
        for mode in [ExtendedKeyUsage::Either, ExtendedKeyUsage::Strict] {
            space.policy.extended_key_usage = mode;
            for purpose in [Purpose::Client, Purpose::Server] {
                match space.judge(&chain, purpose, NOW) {
                    Ok(_) => outcomes.push(true),
                    Err(rejected) => {
                        assert_eq!(rejected.cause, Cause::Untrusted, "{rejected}");
                        assert!(rejected.explanation.contains("extended key usage"), "{rejected}");
                        outcomes.push(false);
                    }
                }
            }
        }
        assert_eq!(outcomes, expected, "{usages:?}");
    }
}

#[test]
fn key_usage_must_let_the_key_do_its_work() {
    let mut pki = Pki::new();
    let encipher = Leaf::operator().with(|parameters| parameters.key_usages = vec![KeyUsagePurpose::KeyEncipherment]);
    refused(pki.space().client(&pki.chain(&encipher), NOW), Cause::Untrusted, "digitalSignature");
    let silent = Leaf::operator().with(|parameters| parameters.key_usages = Vec::new());
    assert!(pki.space().client(&pki.chain(&silent), NOW).is_ok());
    let signs = Leaf::operator().with(|parameters| {
        parameters.key_usages = vec![KeyUsagePurpose::ContentCommitment];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    });
    assert!(pki.space().judge(&pki.chain(&signs), Purpose::Signer, NOW).is_ok());
    pki.organisations = pki.root.below("AC ORGANISATIONS", |parameters| {
        parameters.key_usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    });
    refused(pki.space().client(&pki.chain(&Leaf::operator()), NOW), Cause::Untrusted, "may not sign certificates");
    pki.organisations = pki.root.below("AC ORGANISATIONS", |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    });
    refused(pki.space().client(&pki.chain(&Leaf::operator()), NOW), Cause::Untrusted, "may not issue for this use");
}

#[test]
fn unknown_critical_extensions_are_refused() {
    let pki = Pki::new();
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0x05, 0]);
    extension.set_criticality(true);
    let leaf = Leaf::operator().with(|parameters| parameters.custom_extensions = vec![extension]);
    refused(pki.space().client(&pki.chain(&leaf), NOW), Cause::Untrusted, "UnsupportedCriticalExtension");
}

#[test]
fn host_names_count_where_the_policy_says_so() {
    let pki = Pki::new();
    let mut space = pki.space();
    let leaf = Leaf::operator().with(|parameters| {
        let name = |name: &str| rcgen::SanType::DnsName(name.try_into().unwrap());
        parameters.subject_alt_names = vec![name("MX.a.example"), name("*.b.example")];
    });
    let chain = pki.chain(&leaf);
    let certificate = space.client(&chain, NOW).unwrap();
    for (host, named) in [
        ("mx.a.example", true),
        ("one.b.example", true),
        ("two.one.b.example", false),
        ("b.example", false),
        // The common name: never.
        ("relay.a.example", false),
    ] {
        assert_eq!(certificate.names_host(&domain(host)), named, "{host}");
        for (mode, passes) in [(HostName::Off, true), (HostName::Log, true), (HostName::Require, named)] {
            space.policy.host_name = mode;
            let outcome = space.server(&chain, &domain(host), NOW);
            assert_eq!(outcome.is_ok(), passes, "{host} {mode:?}");
            if !passes {
                refused(outcome, Cause::Untrusted, &format!("not {host}"));
            }
        }
    }
}

#[test]
fn what_cannot_be_known_waits_or_passes_by_policy() {
    let pki = Pki::new();
    let mut space = pki.space();
    space.revocations = Revocations::default().into();
    let chain = pki.chain(&Leaf::operator());
    let rejected = space.client(&chain, NOW).unwrap_err();
    assert_eq!(rejected.cause, Cause::RevocationUnknown);
    assert!(rejected.cause.is_transient());
    // Where more could be learned: of the leaf, and of its authority.
    let urls: Vec<_> = rejected.missing.iter().flat_map(|missing| &missing.crl_urls).collect();
    assert_eq!(urls, ["http://igc.example/ACI.crl", "http://igc.example/ACR.crl"]);
    space.policy.revocation_unknown = UnknownRevocation::Accept;
    assert_eq!(space.client(&chain, NOW).unwrap().standing, Standing::Unknown);
}
