//! Counts the octets of a body once its transfer encoding is undone, without keeping them.

use super::TransferEncoding;
use crate::decode::QuotedPrintable;

/// The counter of one leaf.
#[derive(Debug, Default)]
pub(super) enum Meter {
    /// The octets are their own count: the scanner knows it from the offsets.
    #[default]
    Identity,
    /// As [`crate::decode::Base64`] decodes, counted many octets at a time.
    Base64 { decoded: u64, characters: u64 },
    /// Decoded and thrown away.
    QuotedPrintable { decoder: QuotedPrintable, scratch: Vec<u8>, decoded: u64 },
}

impl Meter {
    pub(super) fn new(encoding: &TransferEncoding) -> Meter {
        match encoding {
            TransferEncoding::Base64 => Meter::Base64 { decoded: 0, characters: 0 },
            TransferEncoding::QuotedPrintable => {
                Meter::QuotedPrintable { decoder: QuotedPrintable::default(), scratch: Vec::new(), decoded: 0 }
            }
            _ => Meter::Identity,
        }
    }

    pub(super) fn feed(&mut self, octets: &[u8]) {
        match self {
            Meter::Identity => {}
            Meter::Base64 { decoded, characters } => {
                let mut runs = split_at_padding(octets);
                if let Some(run) = runs.next() {
                    *characters += count_base64(run);
                }
                for run in runs {
                    *decoded += decoded_octets(*characters);
                    *characters = count_base64(run);
                }
            }
            Meter::QuotedPrintable { decoder, scratch, decoded } => {
                for piece in octets.chunks(SCRATCH_OCTETS) {
                    scratch.clear();
                    decoder.feed(piece, scratch);
                    *decoded += scratch.len() as u64;
                }
            }
        }
    }

    /// The count; `octets` is what the body has as it travels.
    pub(super) fn finish(self, octets: u64) -> u64 {
        match self {
            Meter::Identity => octets,
            Meter::Base64 { decoded, characters } => decoded + decoded_octets(characters),
            Meter::QuotedPrintable { mut decoder, mut scratch, decoded } => {
                scratch.clear();
                decoder.finish(&mut scratch);
                decoded + scratch.len() as u64
            }
        }
    }
}

/// The runs between `=` signs; a group ends at each.
fn split_at_padding(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(octets);
    std::iter::from_fn(move || {
        let octets = rest.take()?;
        let run = match memchr::memchr(b'=', octets).and_then(|padding| octets.split_at_checked(padding)) {
            Some((run, after)) => {
                rest = after.get(1..);
                run
            }
            None => octets,
        };
        Some(run)
    })
}

/// Without branches, so that the compiler makes vectors of it.
fn count_base64(octets: &[u8]) -> u64 {
    let count = |octets: &[u8]| -> u8 {
        octets.iter().fold(0_u8, |count, octet| {
            let letter = (octet | 0x20).wrapping_sub(b'a') < 26;
            let digit = octet.wrapping_sub(b'0') < 10;
            count.wrapping_add(u8::from(letter | digit | (*octet == b'+') | (*octet == b'/')))
        })
    };
    // At most 255 to a sum of one octet.
    octets.chunks(192).map(|block| u64::from(count(block))).sum()
}

/// What `characters` of the alphabet decode to before a `=` or the end.
fn decoded_octets(characters: u64) -> u64 {
    characters / 4 * 3 + (characters % 4).saturating_sub(1)
}

const SCRATCH_OCTETS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::TransferDecoder;

    proptest::proptest! {
        #[test]
        fn it_counts_what_the_decoder_gives(text in "[A-Za-z0-9+/= \\t\\r\\n=_*é]{0,300}", base64: bool, cut: usize) {
            let encoding = if base64 { TransferEncoding::Base64 } else { TransferEncoding::QuotedPrintable };
            let octets = text.as_bytes();
            let (left, right) = octets.split_at(cut % (octets.len() + 1));
            let (mut meter, mut out) = (Meter::new(&encoding), Vec::new());
            meter.feed(left);
            meter.feed(right);
            let mut decoder = TransferDecoder::new(&encoding).unwrap();
            decoder.feed(octets, &mut out);
            decoder.finish(&mut out);
            proptest::prop_assert_eq!(meter.finish(octets.len() as u64), out.len() as u64);
        }
    }
}
