//! White lists: the real one and its quirks, the broken ones, the hostile ones.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests read files of the corpus")]

use std::path::{Path, PathBuf};

use mail::Domain;
use trust::white_list::{DEPTH_MAX, ENTRIES_MAX, FaultReason, Parsed};
use trust::{Dn, WhiteList, WhiteListError};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn reduced() -> Parsed {
    let file = root().join("tests/corpus/white_lists/reduced-2025-03-13.xml");
    WhiteList::parse(&std::fs::read(file).unwrap()).unwrap()
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

/// A list of one `Domaine` for each pair.
fn xml(entries: &[(&str, &str)]) -> String {
    let entry = |(name, dn): &(&str, &str)| {
        format!("<Domaine><Nom>{name}</Nom><DNCertificatOperateur>{dn}</DNCertificatOperateur></Domaine>\n")
    };
    document(&entries.iter().map(entry).collect::<String>())
}

fn document(domains: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListeBlancheMSSante xmlns=\"https://listeblanche.mssante.fr/schema\">\n\
         <DateDeGeneration>2025-03-13T14:54:10Z</DateDeGeneration>\n<ListeDomaines>\n{domains}</ListeDomaines></ListeBlancheMSSante>"
    )
}

const GOOD: (&str, &str) = ("a.mssante.fr", "CN=a,OU=1,O=A,C=FR");

#[test]
fn the_real_list_is_read_with_its_quirks() {
    let parsed = reduced();
    let list = &parsed.list;
    assert_eq!(list.generated(), 1_741_877_650);
    let faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
    assert_eq!((parsed.faulty, &parsed.faults[1].reason), (2, &FaultReason::RootOpen));
    assert!(faults[0].contains("sessad@ase.ditepbeziers.mssante.fr: Nom: "), "{faults:?}");
    // 21 pairs repeat an earlier one to the letter; more do so once blanks, quotes and case are out of the way.
    assert!(parsed.repeated >= 21, "{}", parsed.repeated);

    // Upper case in a domain, and outside mssante.fr.
    assert!(list.lists_domain(&domain("uc-cmp.mssante.fr")));
    assert!(list.lists_domain(&domain("mssante.apicrypt.org")));
    // Itself, not what is below or above it.
    assert!(!list.lists_domain(&domain("x.mssante.apicrypt.org")));
    assert!(!list.lists_domain(&domain("apicrypt.org")) && !list.lists_domain(&domain("mssante.fr")));

    // The same name in two spellings is one operator.
    for (one, other) in [
        (
            "CN=mailin.interop-mssante.apicrypt.org, OU=343975235300037, O=APICEM, ST=Nord (59), C=FR",
            "C=FR,ST=Nord (59),O=APICEM,OU=343975235300037,CN=mailin.interop-mssante.apicrypt.org",
        ),
        (
            "CN=mss.ch-cadillac.fr,OU=1330781295,O=\"C.H. DE  CADILLAC\",ST=Gironde (33),C=FR",
            "CN=mss.ch-cadillac.fr,OU=1330781295,O=C.H. DE CADILLAC,ST=Gironde (33),C=FR",
        ),
        (
            "CN=scytale.curie.fr,OU=1750160012,O=CLCC\u{a0} INSTITUT CURIE,ST=Paris (75),C=FR",
            "CN=scytale.curie.fr,OU=1750160012,O=\"CLCC  INSTITUT CURIE\",ST=Paris (75),C=FR",
        ),
        (
            "CN=mssante.clinique-sainthilaire.fr,OU=1760780619,O=CLINIQUE SAINT-HILAIRE ,ST=Seine-Maritime (76),C=FR",
            "CN=mssante.clinique-sainthilaire.fr,OU=1760780619,O=CLINIQUE SAINT-HILAIRE,ST=Seine-Maritime (76),C=FR",
        ),
        (
            "CN=MSSANTE.PROGINOV.FR,OU=340350374100031,O=PROGINOV,ST=LOIRE-ATLANTIQUE(44),C=FR",
            "CN=mssante.proginov.fr,OU=340350374100031,O=Proginov,ST=Loire-Atlantique(44),C=FR",
        ),
    ] {
        assert!(list.lists_dn(&dn(one)) && list.lists_dn(&dn(other)), "{one}");
        assert_eq!(dn(one), dn(other));
    }
    // Inner quotes belong to the value.
    assert!(list.lists_dn(&dn(
        "CN=mss.strasbourg.unicancer.fr,OU=1670000033,O=CRLCC \\\"PAUL STRAUSS\\\",ST=Bas-Rhin (67),C=FR"
    )));
    // Blanks that are missing are not blanks that are repeated.
    let (with, without) = ("CN=smtp-2.sesan.santnet.com,OU=1750048886,O=GIP SESAN,ST=Paris (75),C=FR", "ST=Paris(75)");
    assert_ne!(dn(with), dn(&with.replace("ST=Paris (75)", without)));
    // CN alone is nobody.
    assert!(!list.lists_dn(&dn("CN=smtp-2.sesan.santnet.com")));
    assert!(!list.lists_dn(&dn("CN=smtp-2.sesan.santnet.com,OU=1750048886,O=GIP SESAN,ST=Nord (59),C=FR")));
    let patient = list.operators(&domain("patient.mssante.fr")).unwrap();
    assert!(patient.contains(&dn("CN=smtps1.ens.atos-infogerance.fr,OU=318003502400041,O=CNAM,ST=Paris (75),C=FR")));
}

#[test]
fn the_whole_real_list_is_read_where_it_is_at_hand() {
    let file = root().join("../shared/data/listeblanche-2025-03-13.xml");
    let Ok(xml) = std::fs::read(&file) else {
        assert!(!file.exists());
        return;
    };
    let parsed = WhiteList::parse(&xml).unwrap();
    // The one address, and the root that nobody closed.
    assert_eq!((parsed.faulty, parsed.list.domains().len()), (2, 5_001), "{:?}", parsed.faults);
    assert_eq!(parsed.faults[1].reason, FaultReason::RootOpen);
    let most = parsed.list.domains().map(|(_, subjects)| subjects.len()).max();
    assert!(most <= Some(5));
    for (reduced, subjects) in reduced().list.domains() {
        assert!(subjects.is_subset(parsed.list.operators(reduced).unwrap()), "{reduced}");
    }
}

#[test]
fn bad_entries_are_told_and_passed_over() {
    let good = xml(&[GOOD]);
    let entry = |inner: &str| good.replace("</ListeDomaines>", &format!("<Domaine>{inner}</Domaine></ListeDomaines>"));
    let (nom, dn) = ("<Nom>b.fr</Nom>", "<DNCertificatOperateur>CN=b</DNCertificatOperateur>");
    let long = format!("<Nom>{}</Nom>{dn}", "b".repeat(5_000));
    let is_missing = |reason: &FaultReason| matches!(reason, FaultReason::Missing(_));
    for (inner, expected) in [
        (nom, is_missing as fn(&FaultReason) -> bool),
        (dn, is_missing),
        ("", is_missing),
        (&format!("{nom}{nom}{dn}"), |reason| *reason == FaultReason::Twice("Nom")),
        (&format!("{nom}{dn}{dn}"), |reason| *reason == FaultReason::Twice("DNCertificatOperateur")),
        (&format!("<Nom>a@b.fr</Nom>{dn}"), |reason| matches!(reason, FaultReason::Domain(_))),
        (&format!("<Nom></Nom>{dn}"), |reason| matches!(reason, FaultReason::Domain(_))),
        (&format!("<Nom>*.fr</Nom>{dn}"), |reason| matches!(reason, FaultReason::Domain(_))),
        (&format!("{nom}<DNCertificatOperateur>CN</DNCertificatOperateur>"), |reason| {
            matches!(reason, FaultReason::Dn(_))
        }),
        (&format!("{nom}<DNCertificatOperateur/>"), |reason| matches!(reason, FaultReason::Dn(_))),
        (&long, |reason| *reason == FaultReason::TooLong),
        (&format!("<Nom><b>b.fr</b></Nom>{dn}"), |reason| *reason == FaultReason::TooLong),
        (&format!("<x:Nom xmlns:x=\"urn:other\">b.fr</x:Nom>{dn}"), is_missing),
    ] {
        let parsed = WhiteList::parse(entry(inner).as_bytes()).unwrap();
        assert_eq!((parsed.list.domains().len(), parsed.faulty), (1, 1), "{inner}");
        assert!(expected(&parsed.faults[0].reason), "{inner}: {}", parsed.faults[0]);
        assert_eq!(parsed.faults[0].line, 6, "{inner}");
    }
}

#[test]
fn text_is_that_of_canonical_xml() {
    for name in [
        "a<!-- x -->.mssante.fr",
        "<![CDATA[a.mssante]]>.fr",
        "&#97;.mssante&#x2e;fr",
        " a.mssante.fr\n",
        "A.MSSANTE.fr",
    ] {
        let parsed = WhiteList::parse(xml(&[(name, GOOD.1)]).as_bytes()).unwrap();
        assert!(parsed.list.lists_domain(&domain("a.mssante.fr")), "{name}");
    }
    let parsed = WhiteList::parse(xml(&[("h\u{f4}pital.mssante.fr", "CN=a,O=A &amp; B")]).as_bytes()).unwrap();
    let subjects = parsed.list.operators(&domain("xn--hpital-ixa.mssante.fr")).unwrap();
    assert!(subjects.contains(&dn("O=A & B,CN=A")));
}

#[test]
fn what_a_signature_does_not_cover_is_no_entry() {
    let inner = "<Domaine><Nom>evil.fr</Nom><DNCertificatOperateur>CN=evil</DNCertificatOperateur></Domaine>";
    let signature = format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:Object>\
         <ListeDomaines>{inner}</ListeDomaines></ds:Object></ds:Signature></ListeBlancheMSSante>"
    );
    let parsed = WhiteList::parse(xml(&[GOOD]).replace("</ListeBlancheMSSante>", &signature).as_bytes()).unwrap();
    assert_eq!(parsed.list.domains().len(), 1);
    // Nor is one that stands outside the list of domains.
    let beside = xml(&[GOOD]).replace("</ListeBlancheMSSante>", &format!("{inner}</ListeBlancheMSSante>"));
    assert_eq!(WhiteList::parse(beside.as_bytes()).unwrap().list.domains().len(), 1);
}

type Expected = fn(&WhiteListError) -> bool;

#[test]
fn hostile_and_foreign_documents_are_refused() {
    let good = xml(&[GOOD]);
    let deep = "<x>".repeat(DEPTH_MAX) + &"</x>".repeat(DEPTH_MAX);
    let with = |from: &str, to: &str| good.replace(from, to);
    let cases: Vec<(String, Expected)> = vec![
        (with("<Liste", "<!DOCTYPE x [<!ENTITY a \"b\">]><Liste"), |e| {
            matches!(e, WhiteListError::DocumentType { .. })
        }),
        (with("a.mssante", "&a;.mssante"), |e| matches!(e, WhiteListError::Entity { line: 5 })),
        (with("a.mssante", "&#0;"), |e| matches!(e, WhiteListError::Entity { .. })),
        (with("<ListeDomaines>", &format!("<ListeDomaines>{deep}")), |e| matches!(e, WhiteListError::TooDeep { .. })),
        (with("</ListeDomaines>", ""), |e| matches!(e, WhiteListError::Malformed { .. })),
        (with("</ListeDomaines></ListeBlancheMSSante>", ""), |e| matches!(e, WhiteListError::Malformed { .. })),
        (with("<ListeDomaines>", "<Other/><!--").replace("</ListeDomaines></ListeBlancheMSSante>", "-->"), |e| {
            matches!(e, WhiteListError::Malformed { .. })
        }),
        (with("</Nom>", "</Mon>"), |e| matches!(e, WhiteListError::Malformed { .. })),
        (format!("{good}<x/>"), |e| matches!(e, WhiteListError::Malformed { .. })),
        (with("UTF-8", "ISO-8859-1"), |e| matches!(e, WhiteListError::Malformed { .. })),
        (with("1.0", "1.1"), |e| matches!(e, WhiteListError::Malformed { .. })),
        (with("schema", "schema/"), |e| matches!(e, WhiteListError::NotAWhiteList(_))),
        (with("<ListeDomaines>", "<ListeDomaines/><ListeDomaines>"), |e| matches!(e, WhiteListError::NotAWhiteList(_))),
        (String::new(), |e| matches!(e, WhiteListError::NotAWhiteList(_))),
        ("{}".into(), |e| matches!(e, WhiteListError::Malformed { .. })),
        ("<html></html>".into(), |e| matches!(e, WhiteListError::NotAWhiteList(_))),
        (with("2025-03-13T", "2025-03-33T"), |e| *e == WhiteListError::Generated),
        (
            with("<DateDeGeneration>", "<DateDeGeneration>2025-03-13T14:54:10Z</DateDeGeneration><DateDeGeneration>"),
            |e| *e == WhiteListError::Generated,
        ),
        (document(""), |e| *e == WhiteListError::Empty),
        (document(&"<Domaine/>".repeat(ENTRIES_MAX + 1)), |e| *e == WhiteListError::TooManyEntries),
    ];
    for (text, expected) in cases {
        let error = WhiteList::parse(text.as_bytes()).unwrap_err();
        let start: String = text.chars().take(300).collect();
        assert!(expected(&error), "{error:?} for {start}");
    }
    let latin = [good.as_bytes(), b"\xe9"].concat();
    assert!(matches!(WhiteList::parse(&latin), Err(WhiteListError::Malformed { .. })));
    let large = vec![b' '; trust::white_list::OCTETS_MAX + 1];
    assert_eq!(WhiteList::parse(&large), Err(WhiteListError::TooLarge));
}

proptest::proptest! {
    #[test]
    fn nothing_panics(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200), at in 0_usize..400) {
        let _ = WhiteList::parse(&octets);
        let mut broken = xml(&[GOOD]).into_bytes();
        let at = at.min(broken.len());
        broken.splice(at..at, octets);
        let _ = WhiteList::parse(&broken);
    }
}
