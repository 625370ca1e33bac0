//! What must hold of any input, whoever sent it: each function takes any octets and panics when a promise is broken.
//! `tests/fuzz` makes targets of them; `corpus.rs` replays the seeds.
#![allow(dead_code, clippy::unwrap_used, reason = "each target uses its part, and fails loudly")]

use trust::white_list::signature::claim;
use trust::{Anchors, Dn, Revocations, WhiteList};

/// A name, as text or as DER: what is printed is the same name, and holds nothing that could end a line.
pub fn name(octets: &[u8]) {
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(name) = text.parse::<Dn>()
    {
        same(&name);
    }
    if let Ok(name) = Dn::from_der(octets) {
        same(&name);
    }
}

fn same(name: &Dn) {
    let printed = name.to_string();
    assert!(!printed.chars().any(char::is_control), "{printed:?}");
    let again: Dn = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(&again, name);
    assert_eq!(again.normal_form(), name.normal_form());
}

/// A white list: what is listed is found from both sides, and a difference with itself is none.
pub fn white_list(octets: &[u8]) {
    let _ = claim(octets);
    let Ok(parsed) = WhiteList::parse(octets) else { return };
    let list = parsed.list;
    assert!(list.domains().len() > 0 && parsed.faults.len() <= parsed.faulty);
    for (domain, subjects) in list.domains() {
        assert!(!subjects.is_empty());
        for subject in subjects {
            same(subject);
            assert!(list.domains_of(subject).unwrap().contains(domain));
        }
    }
    assert!(list.diff(&list).is_empty());
}

/// Certificates, revocation lists and OCSP answers: nothing panics, and nothing that nobody signed is taken in.
pub fn octets(octets: &[u8]) {
    let _ = trust::certificate::read_leaf(&[octets.to_vec()]);
    let mut anchors = Anchors::default();
    let _ = anchors.add_roots(octets);
    let mut revocations = Revocations::default();
    assert!(revocations.add_crl(octets, &Anchors::default()).is_err());
    let _ = revocations.add_crl(octets, &anchors);
    let _ = revocations.add_ocsp(octets);
    let _ = trust::revocation::lists_of(octets);
}
