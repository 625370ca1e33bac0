//! Passwords that were verified a moment ago, so that clients which sign in for every message do not wait for Argon2id.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use aws_lc_rs::{constant_time, hmac};

use crate::AccountId;

/// How long a verified password is remembered.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(5 * 60);

/// Accounts remembered: some 20 MB when full.
pub const ACCOUNTS_MAX: usize = 65_536;

/// Passwords remembered of one account: its own and those of its devices.
pub const PASSWORDS_MAX: usize = 4;

/// A bounded cache of verified passwords. Holds keyed hashes under a key of this process, never a password.
pub struct VerifiedPasswords {
    key: hmac::Key,
    accounts: HashMap<AccountId, Vec<Entry>>,
    /// In the order of insertion, which is that of expiry.
    expiries: VecDeque<(Instant, AccountId)>,
    accounts_max: usize,
    /// Counts the calls of `forget`: a verification that began before one must not be remembered after it.
    forgotten: u64,
}

struct Entry {
    hash: [u8; 32],
    expires: Instant,
}

/// Taken before a verification begins, given back when it succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    forgotten: u64,
}

impl VerifiedPasswords {
    /// Makes an empty cache. `key` is random and of this process alone.
    pub fn new(key: &[u8; 32]) -> VerifiedPasswords {
        VerifiedPasswords {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            accounts: HashMap::new(),
            expiries: VecDeque::new(),
            accounts_max: ACCOUNTS_MAX,
            forgotten: 0,
        }
    }

    /// Whether this password, prepared, of this account was verified within [`TIME_TO_LIVE`].
    pub fn contains(&self, account: AccountId, password: &str, now: Instant) -> bool {
        // Hashed also for an account that is not here: being remembered must not show (S14).
        let hash = self.hash(account, password);
        let Some(entries) = self.accounts.get(&account) else { return false };
        entries
            .iter()
            .any(|entry| entry.expires > now && constant_time::verify_slices_are_equal(&entry.hash, &hash).is_ok())
    }

    /// To be called before a password is verified the long way.
    pub fn ticket(&self) -> Ticket {
        Ticket { forgotten: self.forgotten }
    }

    /// Remembers a password just verified, unless some account's password changed meanwhile.
    pub fn insert(&mut self, ticket: Ticket, account: AccountId, password: &str, now: Instant) {
        self.expire(now);
        if ticket != self.ticket() {
            return;
        }
        let entry = Entry { hash: self.hash(account, password), expires: now + TIME_TO_LIVE };
        let entries = self.accounts.entry(account).or_default();
        entries.retain(|known| known.expires > now && known.hash != entry.hash);
        if entries.len() == PASSWORDS_MAX {
            entries.remove(0);
        }
        self.expiries.push_back((entry.expires, account));
        entries.push(entry);
    }

    /// Forgets everything about an account: its password changed, or it was disabled.
    pub fn forget(&mut self, account: AccountId) {
        self.forgotten += 1;
        self.accounts.remove(&account);
    }

    fn expire(&mut self, now: Instant) {
        // Twice the accounts: one account may be inserted again and again, its older expiries stay in the queue.
        let full =
            |cache: &Self| cache.accounts.len() >= cache.accounts_max || cache.expiries.len() >= 2 * cache.accounts_max;
        while let Some(&(expires, account)) = self.expiries.front() {
            if expires > now && !full(self) {
                break;
            }
            self.expiries.pop_front();
            if let Some(entries) = self.accounts.get_mut(&account) {
                entries.retain(|entry| entry.expires > expires);
                if entries.is_empty() {
                    self.accounts.remove(&account);
                }
            }
        }
    }

    fn hash(&self, account: AccountId, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&account.0.to_be_bytes());
        context.update(password.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }
}

impl std::fmt::Debug for VerifiedPasswords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifiedPasswords({} accounts)", self.accounts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    // The one clock reading of these tests; everything else is arithmetic on it.
    #[expect(clippy::disallowed_methods, reason = "an Instant can be had in no other way")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn remembers_this_password_of_this_account_for_a_while() {
        let (mut cache, now) = (VerifiedPasswords::new(&[1; 32]), start());
        cache.insert(cache.ticket(), ANN, "pencil", now);
        assert!(cache.contains(ANN, "pencil", now));
        assert!(!cache.contains(ANN, "pencils", now));
        assert!(!cache.contains(BOB, "pencil", now));
        let last = now + TIME_TO_LIVE - Duration::from_millis(1);
        assert!(cache.contains(ANN, "pencil", last));
        assert!(!cache.contains(ANN, "pencil", now + TIME_TO_LIVE));
    }

    #[test]
    fn forgets_at_once_and_takes_no_verification_begun_before() {
        let (mut cache, now) = (VerifiedPasswords::new(&[1; 32]), start());
        cache.insert(cache.ticket(), ANN, "old", now);
        let ticket = cache.ticket();
        cache.forget(ANN);
        assert!(!cache.contains(ANN, "old", now));
        cache.insert(ticket, ANN, "old", now);
        assert!(!cache.contains(ANN, "old", now), "the old password was verified before the change");
        cache.insert(cache.ticket(), ANN, "new", now);
        assert!(cache.contains(ANN, "new", now));
    }

    #[test]
    fn is_bounded_in_accounts_and_in_passwords_of_one() {
        let (mut cache, now) = (VerifiedPasswords::new(&[1; 32]), start());
        cache.accounts_max = 3;
        for account in 1..=20_i64 {
            let at = now + Duration::from_secs(account.unsigned_abs());
            cache.insert(cache.ticket(), AccountId(account), "pencil", at);
        }
        let later = now + Duration::from_secs(20);
        assert!(cache.accounts.len() <= 3 && cache.contains(AccountId(20), "pencil", later));
        for number in 0..100_u64 {
            let at = later + Duration::from_millis(number);
            cache.insert(cache.ticket(), ANN, &format!("device {number}"), at);
            assert!(cache.contains(ANN, &format!("device {number}"), at));
        }
        assert!(cache.accounts[&ANN].len() <= PASSWORDS_MAX && cache.expiries.len() <= 6);
    }
}
