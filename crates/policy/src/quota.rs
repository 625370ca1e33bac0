//! How much an account may hold.

use mail::Refusal;

/// What an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Octets in its mailboxes.
    pub used_octets: u64,
    /// Octets it may hold; zero means without limit.
    pub quota_octets: u64,
}

/// Whether a message of this size, declared with `SIZE=` or zero, may be sent to the account: asked at RCPT, so that
/// one full mailbox never holds back the other recipients. What is accepted there is delivered, be it a little over.
///
/// # Errors
/// [`Refusal::QuotaExceeded`], transient: 452 4.2.2.
pub fn admits(usage: Usage, declared_octets: u64) -> Result<(), Refusal> {
    let after = usage.used_octets.saturating_add(declared_octets.max(1));
    match usage.quota_octets == 0 || after <= usage.quota_octets {
        true => Ok(()),
        false => Err(Refusal::QuotaExceeded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_full() {
        let usage = |used_octets, quota_octets| Usage { used_octets, quota_octets };
        assert_eq!(admits(usage(u64::MAX, 0), 1_000), Ok(()), "without limit");
        assert_eq!(admits(usage(900, 1_000), 100), Ok(()));
        assert_eq!(admits(usage(900, 1_000), 101), Err(Refusal::QuotaExceeded));
        assert_eq!(admits(usage(999, 1_000), 0), Ok(()));
        assert_eq!(admits(usage(1_000, 1_000), 0), Err(Refusal::QuotaExceeded));
        assert_eq!(admits(usage(5, 1_000), u64::MAX), Err(Refusal::QuotaExceeded));
    }
}
