//! What a message may be made of.

use mail::Refusal;
use mail::mime::Facts;

/// More Received fields than this is a loop. RFC 5321 §6.3 asks for a limit of at least 100 where loops cannot be told
/// apart; we take the 50 of Postfix's `hopcount_limit`: no mail that arrives has crossed fifty hosts.
pub const RECEIVED_MAX: usize = 50;

/// Bounds set by configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLimits {
    /// Octets of a message on the wire: the SIZE of the listener, the APPENDLIMIT of IMAP.
    pub octets_max: u64,
}

/// Whether a message that came by SMTP may be taken.
///
/// MIME that reaches the bounds of the scanner is taken: what lies beyond them is opaque, and harms nobody.
///
/// # Errors
/// [`Refusal::MessageTooLarge`], [`Refusal::Loop`], [`Refusal::BareLineEnd`], [`Refusal::ContentMalformed`].
pub fn received(facts: &Facts, limits: ContentLimits) -> Result<(), Refusal> {
    appended(facts, limits)?;
    // What a next host might read as the end of the message (CVE-2023-51764): never taken, so never passed on.
    if facts.bare_cr || facts.bare_lf {
        return Err(Refusal::BareLineEnd);
    }
    match usize::try_from(facts.received) {
        Ok(received) if received <= RECEIVED_MAX => Ok(()),
        _ => Err(Refusal::Loop { received_max: RECEIVED_MAX }),
    }
}

/// Whether a message that its owner puts into a mailbox (APPEND, import) may be kept.
///
/// Bare line ends stay: the message leaves for no other host from here, and old archives hold them.
///
/// # Errors
/// [`Refusal::MessageTooLarge`]; [`Refusal::ContentMalformed`] for a NUL, which no IMAP literal can carry back
/// (RFC 9051 §4.3).
pub fn appended(facts: &Facts, limits: ContentLimits) -> Result<(), Refusal> {
    if facts.octets > limits.octets_max {
        return Err(Refusal::MessageTooLarge { octets_max: limits.octets_max });
    }
    match facts.nul {
        true => Err(Refusal::ContentMalformed),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mail::mime::Exceeded;

    use super::*;

    const LIMITS: ContentLimits = ContentLimits { octets_max: 1_000 };

    #[test]
    fn what_is_taken_and_what_is_kept() {
        let fine = Facts { octets: 1_000, received: 50, eight_bit: true, ..Facts::default() };
        let bomb = Facts {
            exceeded: Exceeded { parts: true, depth: true, header: true, addresses: true },
            ..Facts::default()
        };
        let too_large = Err(Refusal::MessageTooLarge { octets_max: 1_000 });
        for (facts, when_received, when_appended) in [
            (fine.clone(), Ok(()), Ok(())),
            (bomb, Ok(()), Ok(())),
            (Facts { octets: 1_001, ..fine.clone() }, too_large.clone(), too_large),
            (Facts { received: 51, ..fine.clone() }, Err(Refusal::Loop { received_max: 50 }), Ok(())),
            (Facts { bare_cr: true, ..fine.clone() }, Err(Refusal::BareLineEnd), Ok(())),
            (Facts { bare_lf: true, ..fine.clone() }, Err(Refusal::BareLineEnd), Ok(())),
            (Facts { nul: true, ..fine }, Err(Refusal::ContentMalformed), Err(Refusal::ContentMalformed)),
        ] {
            assert_eq!(received(&facts, LIMITS), when_received, "{facts:?}");
            assert_eq!(appended(&facts, LIMITS), when_appended, "{facts:?}");
        }
    }
}
