//! Names as text: RFC 4514, with what the white list holds besides.
//!
//! Beyond RFC 4514 (from RFC 2253, RFC 1779 and Java): blanks around separators, `=` and values, values in quotes, `;` as
//! separator, quotes and other special characters unescaped where they cannot be misread (`O=CRLCC "PAUL STRAUSS"`).

use std::fmt;

use super::{AttributeType, Dn, DnError, Rdn, Value, der};

/// Reads `CN=…,OU=…,C=FR`; the most significant comes last.
pub(super) fn read(text: &str) -> Result<Vec<Rdn>, DnError> {
    if text.len() > Dn::OCTETS_MAX {
        return Err(DnError::TooLong);
    }
    if text.trim().is_empty() {
        return Err(DnError::Empty);
    }
    let mut rest = text;
    let mut names: Vec<Rdn> = Vec::new();
    let mut joins = false;
    loop {
        let (attribute, after) = attribute(rest)?;
        match names.last_mut() {
            Some(name) if joins => name.push(attribute),
            _ => names.push(vec![attribute]),
        }
        if names.iter().map(Vec::len).sum::<usize>() > Dn::ATTRIBUTES_MAX {
            return Err(DnError::TooManyAttributes);
        }
        let mut characters = after.chars();
        match characters.next() {
            None => return Ok(names),
            Some(separator) => joins = separator == '+',
        }
        rest = characters.as_str();
    }
}

/// One `type=value`, and what follows it: nothing, or a separator first.
fn attribute(text: &str) -> Result<((AttributeType, Value), &str), DnError> {
    let (kind, rest) = text.split_once('=').ok_or(DnError::NoValue)?;
    let kind = AttributeType::read(kind.trim())?;
    let rest = rest.trim_start();
    let (value, after) = match rest.as_bytes().first() {
        Some(b'#') => encoded(rest)?,
        Some(b'"') => quoted(rest)?,
        _ => plain(rest)?,
    };
    Ok(((kind, value), after))
}

const SEPARATORS: [char; 3] = [',', ';', '+'];

/// `#` and the hexadecimal digits of a BER encoding (RFC 4514 §2.4).
fn encoded(text: &str) -> Result<(Value, &str), DnError> {
    let end = text.find(SEPARATORS).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    let digits = digits.trim_start_matches('#').trim_end();
    let octets = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => hexadecimal(*high, *low),
        _ => None,
    });
    let octets: Option<Vec<u8>> = octets.collect();
    Ok((der::value(&octets.ok_or(DnError::Value)?).map_err(|_| DnError::Value)?, after))
}

/// A value in quotes (RFC 1779 §2.3): separators may stand inside, escapes are read.
fn quoted(text: &str) -> Result<(Value, &str), DnError> {
    let mut octets = Vec::new();
    let mut rest = text.get(1..).unwrap_or_default();
    loop {
        let mut characters = rest.chars();
        match characters.next().ok_or(DnError::Value)? {
            '"' => {
                let after = characters.as_str().trim_start();
                // A word after the closing quotes: whoever wrote it did not mean quotes, and we cannot know what.
                if !after.is_empty() && !after.starts_with(SEPARATORS) {
                    return Err(DnError::Value);
                }
                return Ok((text_of(octets)?, after));
            }
            '\\' => rest = escaped(characters.as_str(), &mut octets)?,
            character => {
                push(character, &mut octets);
                rest = characters.as_str();
            }
        }
    }
}

/// A value without quotes: up to the next separator, blanks at its ends dropped unless escaped.
fn plain(text: &str) -> Result<(Value, &str), DnError> {
    let mut octets = Vec::new();
    // Octets up to which nothing is a trailing blank.
    let mut kept = 0;
    let mut rest = text;
    loop {
        let mut characters = rest.chars();
        match characters.next() {
            None => break,
            Some(character) if SEPARATORS.contains(&character) => break,
            Some('\\') => {
                rest = escaped(characters.as_str(), &mut octets)?;
                kept = octets.len();
            }
            Some(character) => {
                push(character, &mut octets);
                if !character.is_whitespace() {
                    kept = octets.len();
                }
                rest = characters.as_str();
            }
        }
    }
    octets.truncate(kept);
    Ok((text_of(octets)?, rest))
}

/// What follows a backslash: a special character, or two hexadecimal digits (RFC 4514 §3 `pair`).
fn escaped<'t>(text: &'t str, octets: &mut Vec<u8>) -> Result<&'t str, DnError> {
    if let [high, low, ..] = text.as_bytes()
        && let Some(octet) = hexadecimal(*high, *low)
    {
        octets.push(octet);
        return Ok(text.get(2..).unwrap_or_default());
    }
    let mut characters = text.chars();
    match characters.next() {
        Some(character @ ('"' | '+' | ',' | ';' | '<' | '>' | '#' | '=' | ' ' | '\\' | '/')) => {
            push(character, octets);
            Ok(characters.as_str())
        }
        _ => Err(DnError::Value),
    }
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn push(character: char, octets: &mut Vec<u8>) {
    octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn text_of(octets: Vec<u8>) -> Result<Value, DnError> {
    let text = String::from_utf8(octets).map_err(|_| DnError::Value)?;
    Ok(Value::Text(text.into_boxed_str()))
}

/// Writes a name as RFC 4514 §2 has it.
pub(super) fn write(names: &[Rdn], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        for (index, (kind, value)) in name.iter().enumerate() {
            if index > 0 {
                f.write_char('+')?;
            }
            write!(f, "{kind}=")?;
            match value {
                Value::Text(text) => write_text(text, f)?,
                Value::Der(octets) => {
                    f.write_char('#')?;
                    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                }
            }
        }
    }
    Ok(())
}

/// Escapes what RFC 4514 §2.4 demands; blanks at the ends are dropped instead, they never count.
fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;
    for (index, character) in text.trim().chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{character}")?,
            '#' if index == 0 => f.write_str("\\#")?,
            character => f.write_char(character)?,
        }
    }
    Ok(())
}
