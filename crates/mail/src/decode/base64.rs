//! base64 (RFC 2045 §6.8).

/// Decodes base64 in chunks. What is no base64 character is skipped (RFC 2045 §6.8), the URL alphabet included; the data
/// ends at the first `=` that completes a group, and begins anew after it, for bodies glued together.
#[derive(Clone, Debug, Default)]
pub struct Base64 {
    bits: u32,
    /// Characters in the open group: 0 to 3.
    characters: u8,
}

impl Base64 {
    /// Takes encoded octets, appends decoded ones.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        out.reserve(chunk.len() / 4 * 3 + 3);
        for octet in chunk {
            match VALUES.get(usize::from(*octet)).copied().unwrap_or(SKIPPED) {
                value @ 0..64 => {
                    self.bits = self.bits << 6 | u32::from(value);
                    self.characters += 1;
                    if self.characters == 4 {
                        let [_, first, second, third] = self.bits.to_be_bytes();
                        out.extend_from_slice(&[first, second, third]);
                        self.characters = 0;
                    }
                }
                PADDING => self.flush(out),
                _ => {}
            }
        }
    }

    /// The input is over; a group cut short gives the octets it holds.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.characters) {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&[(self.bits >> 10) as u8, (self.bits >> 2) as u8]),
            _ => {}
        }
    }
}

const SKIPPED: u8 = 255;
const PADDING: u8 = 254;

#[expect(clippy::indexing_slicing, reason = "evaluated when compiling")]
const VALUES: [u8; 256] = {
    let mut values = [SKIPPED; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < alphabet.len() {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values[b'=' as usize] = PADDING;
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(chunks: &[&[u8]]) -> Vec<u8> {
        let mut decoder = Base64::default();
        let mut out = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn base64_decodes_whatever_comes() {
        for (encoded, octets) in [
            (&b"SGVsbG8="[..], &b"Hello"[..]),
            (b"SGVs\r\nbG8=\r\n", b"Hello"),
            (b"SGVsbG8", b"Hello"),
            (b"SG*Vs bG8=", b"Hello"),
            (b"SGVsbA==SGVsbA==", b"HellHell"),
            (b"=", b""),
            (b"S", b""),
            (b"====", b""),
            (b"", b""),
        ] {
            assert_eq!(decoded(&[encoded]), octets, "{encoded:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn cutting_changes_nothing(octets: Vec<u8>, cut: usize) {
            let (left, right) = octets.split_at(cut % (octets.len() + 1));
            proptest::prop_assert_eq!(decoded(&[left, right]), decoded(&[&octets]));
        }
    }
}
