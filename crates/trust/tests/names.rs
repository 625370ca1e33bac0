//! Distinguished names: spellings that are one, and those that are not.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;
use rcgen::{DistinguishedName, DnType, DnValue};
use trust::{Dn, DnError};

fn dn(text: &str) -> Dn {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn these_are_the_same_name() {
    let name = dn("CN=relay.example.fr,OU=318310021300028,O=GIP MIPIH,ST=Haute-Garonne (31),C=FR");
    for spelling in [
        "cn=relay.example.fr,ou=318310021300028,o=gip mipih,st=haute-garonne (31),c=fr",
        "CN = RELAY.EXAMPLE.FR , OU = 318310021300028 ; O=GIP  MIPIH,S=Haute-Garonne\u{a0}(31),C=FR",
        "C=FR,ST=Haute-Garonne (31),O=GIP MIPIH,OU=318310021300028,CN=relay.example.fr",
        "2.5.4.3=relay.example.fr,oid.2.5.4.11=318310021300028,O=\"GIP MIPIH\",ST=Haute-Garonne (31),C=FR",
        "CN=relay\\2eexample.fr,OU=318310021300028,O=\\47IP MIPIH,ST=Haute-Garonne \\(31),C=FR",
        "CN=#0c1072656c61792e6578616d706c652e6672,OU=318310021300028,O=GIP MIPIH\\20,ST=Haute-Garonne (31),C=FR",
        "CN=relay.example.fr+OU=318310021300028,O=GIP MIPIH,ST=Haute-Garonne (31)+C=FR",
        " CN=relay.example.fr,OU=318310021300028,O=GIP MIPIH,ST=Haute-Garonne (31),C=FR ",
    ] {
        match spelling.parse::<Dn>() {
            // `\(` is no escape of RFC 4514.
            Err(error) => assert!(spelling.contains("\\(") && error == DnError::Value, "{spelling}: {error}"),
            Ok(read) => assert_eq!(read, name, "{spelling}"),
        }
    }
}

#[test]
fn these_are_other_names() {
    let name = dn("CN=relay.example.fr,OU=1,O=A,ST=Paris (75),C=FR");
    for other in [
        "CN=relay.example.fr",
        "CN=relay.example.fr,OU=1,O=A,ST=Paris (75)",
        "CN=relay.example.fr,OU=1,O=A,ST=Paris(75),C=FR",
        "CN=relay.example.fr,OU=1,O=A,L=Paris (75),C=FR",
        "CN=relay.example.fr,OU=1,OU=1,O=A,ST=Paris (75),C=FR",
        "CN=relay.example.fr,OU=1,O=A,ST=Paris (75),C=FR,C=FR",
        "CN=relay.example.fr,OU=A,O=1,ST=Paris (75),C=FR",
        "CN=relay.example.fr.,OU=1,O=A,ST=Paris (75),C=FR",
        "CN=r\u{435}lay.example.fr,OU=1,O=A,ST=Paris (75),C=FR",
        "CN=\"relay.example.fr,OU=1\",O=A,ST=Paris (75),C=FR",
        "CN=relay.example.fr\\,OU=1,O=A,ST=Paris (75),C=FR",
        "CN=relay.example.fr,OU=1,O=\\\"A\\\",ST=Paris (75),C=FR",
    ] {
        assert_ne!(dn(other), name, "{other}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    let long = format!("CN={}", "a".repeat(Dn::OCTETS_MAX));
    let many = vec!["OU=a"; Dn::ATTRIBUTES_MAX + 1].join(",");
    for (text, error) in [
        ("", DnError::Empty),
        ("  ", DnError::Empty),
        ("CN", DnError::NoValue),
        ("CN=a,", DnError::NoValue),
        ("CN=a,,C=FR", DnError::AttributeType(",C".into())),
        ("XY=a", DnError::AttributeType("XY".into())),
        ("2=a", DnError::AttributeType("2".into())),
        ("2.05=a", DnError::AttributeType("2.05".into())),
        ("CN=\"a", DnError::Value),
        ("CN=\"a\" b,C=FR", DnError::Value),
        ("CN=a\\", DnError::Value),
        ("CN=a\\zz", DnError::Value),
        ("CN=\\ff", DnError::Value),
        ("CN=#0", DnError::Value),
        ("CN=#zz", DnError::Value),
        ("CN=#0c05", DnError::Value),
        ("CN=a\r\nb", DnError::Control),
        ("CN=a\\00", DnError::Control),
        ("CN=a\0.evil.fr", DnError::Control),
        (long.as_str(), DnError::TooLong),
        (many.as_str(), DnError::TooManyAttributes),
    ] {
        assert_eq!(text.parse::<Dn>().map_err(|error| error.clone()), Err(error), "{text:?}");
    }
}

/// `C=FR,ST=…,O=…,OU=…,CN=…` as a certificate has it, every text of the ASN.1 type given.
fn der(text: impl Fn(&str) -> DnValue) -> Vec<u8> {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, DnValue::PrintableString("FR".try_into().unwrap()));
    name.push(DnType::StateOrProvinceName, text("Cote-d'Or (21)"));
    name.push(DnType::OrganizationName, text("CH  DE BEAUNE"));
    name.push(DnType::OrganizationalUnitName, text("1210987657"));
    name.push(DnType::CommonName, text("mss.ch-beaune.fr"));
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = name;
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
    parsed.subject().as_raw().to_vec()
}

#[test]
fn string_types_of_asn1_are_one() {
    let written = dn("CN=mss.ch-beaune.fr,OU=1210987657,O=CH DE BEAUNE,ST=Cote-d'Or (21),C=FR");
    for octets in [
        der(|text| DnValue::Utf8String(text.into())),
        der(|text| DnValue::PrintableString(text.try_into().unwrap())),
        der(|text| DnValue::TeletexString(text.try_into().unwrap())),
        der(|text| DnValue::BmpString(text.try_into().unwrap())),
        der(|text| DnValue::UniversalString(text.try_into().unwrap())),
    ] {
        let read = Dn::from_der(&octets).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.to_string(), "CN=mss.ch-beaune.fr,OU=1210987657,O=CH  DE BEAUNE,ST=Cote-d'Or (21),C=FR");
        assert_eq!(read.common_name(), Some("mss.ch-beaune.fr"));
    }
}

#[test]
fn accents_of_every_string_type_are_one() {
    let value = |tag: u8, content: &[u8]| {
        let pair = [&[0x06, 3, 0x55, 4, 8, tag, content.len() as u8][..], content].concat();
        let sequence = [&[0x30, pair.len() as u8][..], &pair].concat();
        let set = [&[0x31, sequence.len() as u8][..], &sequence].concat();
        [&[0x30, set.len() as u8][..], &set].concat()
    };
    let written = dn("ST=Rhône");
    for octets in [
        value(0x0c, "Rhône".as_bytes()),
        value(0x0c, "RHO\u{302}NE".as_bytes()),
        value(0x14, b"Rh\xf4ne"),
        value(0x1e, b"\0R\0h\0\xf4\0n\0e"),
    ] {
        assert_eq!(Dn::from_der(&octets).unwrap(), written, "{octets:x?}");
    }
    for octets in [
        value(0x0c, b"Rh\xf4ne"),
        value(0x13, b"Rh\xf4ne"),
        value(0x1e, b"\0R\0"),
        value(0x1e, b"\xd8\0"),
        value(0x0c, b"a\0b"),
        vec![0x30, 0],
        Vec::new(),
        [value(0x0c, b"a"), vec![0]].concat(),
    ] {
        assert!(Dn::from_der(&octets).is_err(), "{octets:x?}");
    }
    // What is no text compares by its octets, and never equals a text that looks like it.
    let bits = Dn::from_der(&value(0x03, &[0, 0xaa])).unwrap();
    assert_eq!(bits.to_string(), "ST=#030200aa");
    assert_eq!(bits.to_string().parse(), Ok(bits.clone()));
    assert_ne!(bits, dn("ST=\\#030200aa"));
}

proptest! {
    #[test]
    fn what_is_printed_is_the_same_name(
        values in proptest::collection::vec(("CN|OU|O|L|1\\.2\\.3", "\\PC{0,12}"), 1..6), quoted in any::<bool>()
    ) {
        let escape = |value: &str| value.chars().map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            ',' | '+' | ';' | '#' if !quoted => format!("\\{c}"),
            c => c.to_string(),
        }).collect::<String>();
        let attribute = |(kind, value): &(String, String)| match quoted {
            true => format!("{kind}=\"{}\"", escape(value)),
            false => format!("{kind}={}", escape(value)),
        };
        let text = values.iter().map(attribute).collect::<Vec<_>>().join(",");
        let name = dn(&text);
        prop_assert_eq!(name.to_string().parse::<Dn>().unwrap(), name.clone());
        let mut turned = values.clone();
        turned.reverse();
        let turned = turned.iter().map(attribute).collect::<Vec<_>>().join(" ; ");
        prop_assert_eq!(dn(&turned), name.clone());
        prop_assert!(name.to_string().chars().all(|c| !c.is_control()));
    }

    #[test]
    fn nothing_panics(text in ".*", octets in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = text.parse::<Dn>();
        let _ = format!("CN={text},C=FR").parse::<Dn>();
        let _ = Dn::from_der(&octets);
    }
}
