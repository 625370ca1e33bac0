//! Modified UTF-7 for mailbox names (RFC 3501 §5.1.3).

use crate::mailbox::MailboxNameError;

/// Encodes a name: printable ASCII stands for itself, `&` is `&-`, the rest is base64 of UTF-16 between `&` and `-`.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let mut shifted: Vec<u16> = Vec::new();
    for character in text.chars() {
        match character {
            ' '..='~' => {
                flush(&mut encoded, &mut shifted);
                encoded.push(character);
                if character == '&' {
                    encoded.push('-');
                }
            }
            _ => shifted.extend_from_slice(character.encode_utf16(&mut [0; 2])),
        }
    }
    flush(&mut encoded, &mut shifted);
    encoded
}

fn flush(encoded: &mut String, shifted: &mut Vec<u16>) {
    if shifted.is_empty() {
        return;
    }
    encoded.push('&');
    let (mut bits, mut held) = (0u32, 0u32);
    for unit in shifted.drain(..) {
        held = (held << 16) | u32::from(unit);
        bits += 16;
        while bits >= 6 {
            bits -= 6;
            encoded.push(digit(held >> bits & 63));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        encoded.push(digit(held << (6 - bits) & 63));
    }
    encoded.push('-');
}

fn digit(value: u32) -> char {
    let digit = DIGITS.get(value as usize).copied().unwrap_or(b'A');
    char::from(digit)
}

/// Decodes a name, strictly: no 8-bit octet, no control character, no base64 of what could stand for itself, no two shifts
/// side by side, no bits left over. So each name has one encoding, and nothing hides in it (bar S12).
///
/// # Errors
/// [`MailboxNameError::Encoding`].
pub fn decode(encoded: &str) -> Result<String, MailboxNameError> {
    let mut text = String::with_capacity(encoded.len());
    let mut rest = encoded;
    let mut shift_ended = false;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '&' => {
                let (shifted, after) = rest.split_once('-').ok_or(MailboxNameError::Encoding)?;
                rest = after;
                match shifted.is_empty() {
                    true => text.push('&'),
                    false if shift_ended => return Err(MailboxNameError::Encoding),
                    false => unshift(shifted, &mut text)?,
                }
                shift_ended = !shifted.is_empty();
            }
            ' '..='~' => {
                text.push(character);
                shift_ended = false;
            }
            _ => return Err(MailboxNameError::Encoding),
        }
    }
    Ok(text)
}

fn unshift(shifted: &str, text: &mut String) -> Result<(), MailboxNameError> {
    let (mut bits, mut held) = (0u32, 0u32);
    let mut units = Vec::with_capacity(shifted.len());
    for octet in shifted.bytes() {
        let value = DIGITS.iter().position(|digit| *digit == octet).ok_or(MailboxNameError::Encoding)?;
        held = (held << 6) | u32::try_from(value).unwrap_or(0);
        bits += 6;
        if bits >= 16 {
            bits -= 16;
            units.push((held >> bits) as u16);
            held &= (1 << bits) - 1;
        }
    }
    // What is left is padding: less than one digit, all zero.
    if bits >= 6 || held != 0 || units.is_empty() {
        return Err(MailboxNameError::Encoding);
    }
    for character in char::decode_utf16(units) {
        match character {
            Ok(' '..='~') | Err(_) => return Err(MailboxNameError::Encoding),
            Ok(character) => text.push(character),
        }
    }
    Ok(())
}

/// Base64 with `,` for `/` (RFC 3501 §5.1.3).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_travel_both_ways() {
        let names = [
            ("", ""),
            ("R&D", "R&-D"),
            ("Messages envoyés", "Messages envoy&AOk-s"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("é&è", "&AOk-&-&AOg-"),
        ];
        for (text, encoded) in names {
            assert_eq!(encode(text), encoded);
            assert_eq!(decode(encoded).as_deref(), Ok(text), "{encoded}");
        }
    }

    #[test]
    fn only_the_one_encoding_of_a_name_is_taken() {
        // `/` and `a` in base64, an open shift, an unpaired surrogate, bits left over, `/` as digit, two shifts, 8-bit.
        for encoded in
            ["&AC8-", "&AGE-", "&AOk", "&2D0-", "&AOl-", "&AOkA-", "&U/BT-", "&AOk-&AOk-", "é", "&A-", "a\tb", "& -"]
        {
            assert_eq!(decode(encoded), Err(MailboxNameError::Encoding), "{encoded}");
        }
    }
}
