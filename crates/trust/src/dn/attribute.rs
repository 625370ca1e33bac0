//! Attribute types: short names and OIDs.

use std::fmt;

use super::DnError;

/// The type of an attribute, an OID. `CN`, `cn` and `2.5.4.3` are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(Box<str>);

/// Short names (RFC 4514 §3, RFC 4519, and those OpenSSL and Java print). The first name of an OID is the one we write.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("SURNAME", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("S", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("TITLE", "2.5.4.12"),
    ("T", "2.5.4.12"),
    ("DESCRIPTION", "2.5.4.13"),
    ("POSTALCODE", "2.5.4.17"),
    ("GN", "2.5.4.42"),
    ("GIVENNAME", "2.5.4.42"),
    ("INITIALS", "2.5.4.43"),
    ("DNQ", "2.5.4.46"),
    ("DNQUALIFIER", "2.5.4.46"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
];

/// Octets of an OID in text; the longest above has 26.
const OID_OCTETS_MAX: usize = 128;

impl AttributeType {
    /// From `CN`, `cn`, `2.5.4.3` or `OID.2.5.4.3`.
    pub(super) fn read(text: &str) -> Result<AttributeType, DnError> {
        let known = SHORT_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        if let Some((_, oid)) = known {
            return Ok(AttributeType((*oid).into()));
        }
        let prefixed = text.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("OID."));
        let oid = if prefixed { text.get(4..).unwrap_or_default() } else { text };
        match is_oid(oid) {
            true => Ok(AttributeType(oid.into())),
            false => Err(DnError::AttributeType(text.chars().take(64).collect())),
        }
    }

    /// From an OID in dotted form, as a DER reader gives it.
    pub(super) fn from_oid(oid: String) -> Result<AttributeType, DnError> {
        if is_oid(&oid) { Ok(AttributeType(oid.into_boxed_str())) } else { Err(DnError::Der) }
    }

    /// Whether it is `CN`.
    pub fn is_common_name(&self) -> bool {
        &*self.0 == "2.5.4.3"
    }

    /// The OID in dotted form.
    pub fn oid(&self) -> &str {
        &self.0
    }
}

/// Two arcs or more, decimal, without leading zeros (RFC 4512 §1.4).
fn is_oid(text: &str) -> bool {
    let is_arc = |arc: &str| {
        !arc.is_empty() && arc.bytes().all(|octet| octet.is_ascii_digit()) && (arc.len() == 1 || !arc.starts_with('0'))
    };
    text.len() <= OID_OCTETS_MAX && text.contains('.') && text.split('.').all(is_arc)
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = SHORT_NAMES.iter().find(|(_, oid)| *oid == &*self.0);
        f.write_str(known.map_or(&self.0, |(name, _)| name))
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
