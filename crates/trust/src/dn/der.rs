//! Names in DER (RFC 5280 §4.1.2.4).

use super::{AttributeType, Dn, DnError, Rdn, Value};
use crate::der::{Element, Malformed, OID, Reader, SET, dotted};

impl From<Malformed> for DnError {
    fn from(_: Malformed) -> DnError {
        DnError::Der
    }
}

/// Reads a `Name`, and turns it round: in DER the most significant comes first.
pub(super) fn read(der: &[u8]) -> Result<Vec<Rdn>, DnError> {
    if der.len() > Dn::OCTETS_MAX {
        return Err(DnError::TooLong);
    }
    let mut outer = Reader::new(der);
    let mut sequence = outer.sequence()?;
    outer.end()?;
    let mut names = Vec::new();
    while !sequence.is_empty() {
        let mut set = sequence.expect(SET)?.reader();
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let mut attribute = set.sequence()?;
            let kind = AttributeType::from_oid(dotted(attribute.expect(OID)?.content)?)?;
            let value = any(attribute.any()?)?;
            attribute.end()?;
            attributes.push((kind, value));
        }
        if attributes.is_empty() {
            return Err(DnError::Der);
        }
        names.push(attributes);
    }
    names.reverse();
    Ok(names)
}

/// Reads one value with its tag and length.
pub(super) fn value(der: &[u8]) -> Result<Value, DnError> {
    let mut reader = Reader::new(der);
    let element = reader.any()?;
    reader.end()?;
    any(element)
}

/// The string types of X.520 `DirectoryString`, and IA5String as `emailAddress` and `DC` use it.
fn any(value: Element<'_>) -> Result<Value, DnError> {
    let content = value.content;
    let text = match value.tag {
        0x0c => std::str::from_utf8(content).map(str::to_owned).map_err(|_| DnError::Der)?,
        // NumericString, PrintableString, IA5String, VisibleString
        0x12 | 0x13 | 0x16 | 0x1a if content.is_ascii() => latin(content),
        0x12 | 0x13 | 0x16 | 0x1a => return Err(DnError::Der),
        // T.61 proper is dead: what carries its tag is Latin-1, in all certificates anybody still meets.
        0x14 => latin(content),
        0x1c => universal(content).ok_or(DnError::Der)?,
        0x1e => basic_plane(content).ok_or(DnError::Der)?,
        _ => return Ok(Value::Der(value.whole.into())),
    };
    Ok(Value::Text(text.into_boxed_str()))
}

fn latin(octets: &[u8]) -> String {
    octets.iter().map(|octet| char::from(*octet)).collect()
}

/// BMPString: two octets a character. Surrogates have no place in it, but writers put them there.
fn basic_plane(octets: &[u8]) -> Option<String> {
    let (units, rest) = octets.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect::<Result<_, _>>().ok()
}

/// UniversalString: four octets a character.
fn universal(octets: &[u8]) -> Option<String> {
    let (units, rest) = octets.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
}
