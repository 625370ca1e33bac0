//! Secrets we make: device passwords, first passwords, passwords of connectors.

use zeroize::Zeroizing;

/// Random octets a secret is made from, five bits of each used: 100 bits, over the 80 that SCRAM credentials ask for.
pub const RANDOM_OCTETS: usize = 20;

/// A secret of 100 random bits, easy to copy by hand: `k7xm-2pqd-…`, of `[a-z2-9-]` without `l` and `o`.
///
/// Only a secret that is this random may have SCRAM credentials: a stolen table then helps nobody to guess it.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedSecret(Zeroizing<String>);

impl GeneratedSecret {
    /// Makes a secret of fresh randomness.
    pub fn new(random: &[u8; RANDOM_OCTETS]) -> GeneratedSecret {
        let mut text = String::with_capacity(RANDOM_OCTETS + RANDOM_OCTETS / GROUP);
        for (position, octet) in random.iter().enumerate() {
            if position > 0 && position % GROUP == 0 {
                text.push('-');
            }
            // 32 characters divide 256: no bias.
            text.extend(ALPHABET.get(usize::from(octet % 32)).copied().map(char::from));
        }
        GeneratedSecret(Zeroizing::new(text))
    }

    /// Shows the secret, once, to the person it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Characters between hyphens.
const GROUP: usize = 4;

const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl std::fmt::Debug for GeneratedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GeneratedSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_five_groups_of_four() {
        let random: [u8; RANDOM_OCTETS] = std::array::from_fn(|position| (position * 13) as u8);
        let secret = GeneratedSecret::new(&random);
        assert_eq!(secret.expose(), "ap4h-wbq5-ixcr-6jyd-s7kz");
        assert_eq!(format!("{secret:?}"), "GeneratedSecret(…)");
        assert!(secret.expose().bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-'));
    }

    #[test]
    fn every_character_is_there_once() {
        let mut sorted = ALPHABET.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 32);
    }
}
