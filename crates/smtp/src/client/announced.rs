//! What a server announces in its answer to EHLO (RFC 5321 §4.1.1.1), and whether that is enough for a message.

use mail::{BodyKind, Envelope, ForwardPath, ReversePath};

/// The extensions we look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 8689.
    pub require_tls: bool,
    /// RFC 1870: whether SIZE is announced.
    pub size: bool,
    /// The limit, when it is announced and not 0.
    pub octets_max: Option<u64>,
    /// RFC 9422: recipients of one transaction.
    pub recipients_max: Option<usize>,
    /// RFC 4954: PLAIN is among the mechanisms.
    pub plain: bool,
}

/// What a message may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// RFC 6152.
    EightBitMime,
    /// RFC 3030.
    BinaryMime,
    /// RFC 6531.
    Smtputf8,
    /// RFC 8689.
    RequireTls,
}

impl std::fmt::Display for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Extension::EightBitMime => "8BITMIME",
            Extension::BinaryMime => "BINARYMIME",
            Extension::Smtputf8 => "SMTPUTF8",
            Extension::RequireTls => "REQUIRETLS",
        })
    }
}

impl Announced {
    /// What a message of this envelope needs and the server does not offer. Nothing is converted to do without.
    pub fn lacks(&self, envelope: &Envelope) -> Option<Extension> {
        if needs_smtputf8(envelope) && !self.smtputf8 {
            return Some(Extension::Smtputf8);
        }
        // To a host that holds itself to it, or not at all (RFC 8689 §4.2.1).
        if envelope.require_tls && !self.require_tls {
            return Some(Extension::RequireTls);
        }
        match envelope.body {
            BodyKind::EightBitMime if !self.eight_bit_mime => Some(Extension::EightBitMime),
            BodyKind::BinaryMime => Some(Extension::BinaryMime),
            BodyKind::SevenBit | BodyKind::EightBitMime => None,
        }
    }

    /// Reads the text of the reply: the first line is the server's name, each other one an extension.
    pub fn parse(text: &str) -> Announced {
        let mut announced = Announced::default();
        for line in text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "PIPELINING" => announced.pipelining = true,
                "STARTTLS" => announced.starttls = true,
                "8BITMIME" => announced.eight_bit_mime = true,
                "SMTPUTF8" => announced.smtputf8 = true,
                "CHUNKING" => announced.chunking = true,
                "DSN" => announced.dsn = true,
                "REQUIRETLS" => announced.require_tls = true,
                "SIZE" => {
                    announced.size = true;
                    announced.octets_max = words.next().and_then(|max| max.parse().ok()).filter(|max| *max > 0);
                }
                "LIMITS" => {
                    announced.recipients_max =
                        words.find_map(|word| word.strip_prefix("RCPTMAX=")).and_then(|max| max.parse().ok());
                }
                "AUTH" => announced.plain = words.any(|word| word.eq_ignore_ascii_case("PLAIN")),
                _ => {}
            }
        }
        announced
    }
}

/// Asked for by the client, or needed by an address.
pub(super) fn needs_smtputf8(envelope: &Envelope) -> bool {
    envelope.smtputf8 || has_international_path(envelope)
}

/// Whether an address of the envelope is not ASCII.
pub(super) fn has_international_path(envelope: &Envelope) -> bool {
    let is_international = |path: &ForwardPath| matches!(path, ForwardPath::Address(address) if !address.is_ascii());
    matches!(&envelope.reverse_path, ReversePath::Address(address) if !address.is_ascii())
        || envelope.recipients.iter().any(|recipient| is_international(&recipient.forward_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_read_in_any_case_and_strangers_passed_over() {
        let text =
            "mx greets\nPIPELINING\nsize 1000\n8BITMIME\nX-WHAT 1 2\nAUTH LOGIN plain\nLIMITS MAILMAX=5 RCPTMAX=7";
        let expected = Announced {
            pipelining: true,
            size: true,
            octets_max: Some(1_000),
            eight_bit_mime: true,
            plain: true,
            recipients_max: Some(7),
            ..Announced::default()
        };
        assert_eq!(Announced::parse(text), expected);
        assert_eq!(Announced::parse("STARTTLS is my name"), Announced::default());
        assert_eq!(Announced::parse("mx\nSIZE 0").octets_max, None);
    }
}
