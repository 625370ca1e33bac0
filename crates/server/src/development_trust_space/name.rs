//! Distinguished names as IGC-Santé lays them out.

use std::fmt;

use rcgen::{DistinguishedName, DnType, DnValue};

/// The object identifier of OU: rcgen takes each type once, and authorities have two organisational units.
const ORGANIZATIONAL_UNIT: [u64; 4] = [2, 5, 4, 11];

/// A subject. In the certificate: C, ST, O, OU, CN; in text the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The host's or service's name.
    pub common: &'static str,
    /// `idNat_Struct`: `1` and a FINESS, or `3` and a SIRET.
    pub unit: &'static str,
    /// The structure's name.
    pub organisation: &'static str,
    /// The department, `Paris (75)`.
    pub state: &'static str,
}

impl Name {
    pub(super) fn to_rcgen(self) -> anyhow::Result<DistinguishedName> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, DnValue::PrintableString("FR".try_into()?));
        name.push(DnType::StateOrProvinceName, self.state);
        name.push(DnType::OrganizationName, self.organisation);
        name.push(DnType::OrganizationalUnitName, self.unit);
        name.push(DnType::CommonName, self.common);
        Ok(name)
    }
}

/// An authority's name: C, O, the number of the organisation, the infrastructure, CN.
pub(super) fn of_authority(common: &str, infrastructure: &str) -> anyhow::Result<DistinguishedName> {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, DnValue::PrintableString("FR".try_into()?));
    name.push(DnType::OrganizationName, "SCEAU");
    name.push(DnType::OrganizationalUnitName, "0002 187512751");
    name.push(DnType::CustomDnType(ORGANIZATIONAL_UNIT.to_vec()), infrastructure);
    name.push(DnType::CommonName, common);
    Ok(name)
}

impl fmt::Display for Name {
    /// As the white list writes it (RFC 4514).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { common, unit, organisation, state } = self;
        for (kind, value) in [("CN", common), ("OU", unit), ("O", organisation), ("ST", state)] {
            write!(f, "{kind}=")?;
            for letter in value.chars() {
                if ",+\"\\<>;".contains(letter) {
                    f.write_str("\\")?;
                }
                write!(f, "{letter}")?;
            }
            f.write_str(",")?;
        }
        f.write_str("C=FR")
    }
}
