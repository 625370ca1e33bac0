//! Passwords at rest: Argon2id for every one, SCRAM credentials only for secrets we generated.
//!
//! Hashing takes tens of milliseconds and 19 MiB: callers run it off the network threads, bounded in parallel.

pub mod cache;
pub mod generated;
pub mod scram;
pub mod stored;

pub use cache::VerifiedPasswords;
pub use generated::GeneratedSecret;
pub use stored::{StoredCredential, verify_any};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// Memory of one hash in KiB: 19 MiB (OWASP Password Storage Cheat Sheet, second Argon2id choice).
pub const MEMORY_KIB: u32 = 19 * 1024;

/// Passes over that memory (same source).
pub const PASSES: u32 = 2;

/// Lanes, not parallel threads (same source).
pub const LANES: u32 = 1;

/// Octets of random salt (RFC 9106 §3.1).
pub const SALT_OCTETS: usize = 16;

/// A hash with its parameters and salt, in PHC form: `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// Why a stored text is no hash of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Argon2id hash in PHC form")]
pub struct PasswordHashError;

impl PasswordHash {
    /// Hashes a password under a fresh random salt.
    ///
    /// # Errors
    /// [`PasswordHashError`] when there is no memory for it.
    pub fn new(password: &str, salt: [u8; SALT_OCTETS]) -> Result<PasswordHash, PasswordHashError> {
        let hash = argon2id()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(|_| PasswordHashError)?;
        Ok(PasswordHash(hash.to_string()))
    }

    /// Reads a stored hash.
    ///
    /// # Errors
    /// [`PasswordHashError`] for anything but Argon2id within the parameters' bounds.
    pub fn parse(stored: &str) -> Result<PasswordHash, PasswordHashError> {
        let hash = phc::PasswordHash::new(stored).map_err(|_| PasswordHashError)?;
        let params = Params::try_from(&hash).map_err(|_| PasswordHashError)?;
        let bounded = params.m_cost() <= 16 * MEMORY_KIB && params.t_cost() <= 16 * PASSES;
        if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() || !bounded {
            return Err(PasswordHashError);
        }
        Ok(PasswordHash(stored.to_owned()))
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn verify(&self, password: &str) -> bool {
        argon2id()
            .is_ok_and(|hasher| PasswordVerifier::<str>::verify_password(&hasher, password.as_bytes(), &self.0).is_ok())
    }
}

/// Whether this is the password. Takes the same time for an unknown or disabled account, given as `None` (S14).
pub fn verify(stored: Option<&PasswordHash>, password: &str) -> bool {
    match stored {
        Some(hash) => hash.verify(password),
        None => {
            let spent = PasswordHash(FALSE_HASH.to_owned()).verify(password);
            std::hint::black_box(spent);
            false
        }
    }
}

fn argon2id() -> Result<Argon2<'static>, PasswordHashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordHashError)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A hash under today's parameters of a secret nobody kept.
const FALSE_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$c29tZXRoaW5nIG5vYm9keSBldmVyIHdpbGwga25vdyE";

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_only() {
        let hash = PasswordHash::new("correct horse", [1; SALT_OCTETS]).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let stored = PasswordHash::parse(hash.as_str()).unwrap();
        assert!(verify(Some(&stored), "correct horse"));
        assert!(!verify(Some(&stored), "correct horsf"));
        assert!(!verify(Some(&stored), ""));
    }

    #[test]
    fn the_false_hash_costs_what_a_real_one_costs_and_nobody_knows_it() {
        let parsed = phc::PasswordHash::new(FALSE_HASH).unwrap();
        let params = Params::try_from(&parsed).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(parsed.hash.unwrap().len(), 32);
        assert!(PasswordHash::parse(FALSE_HASH).is_ok());
        assert!(!verify(None, ""));
    }

    #[test]
    fn other_texts_are_no_hashes() {
        for stored in [
            "",
            "x",
            "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$c29tZXRoaW5nIG5vYm9keSBldmVyIHdpbGwga25vdyE",
            "$argon2id$v=19$m=4000000,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$c29tZXRoaW5nIG5vYm9keSBldmVyIHdpbGwga25vdyE",
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(PasswordHash::parse(stored), Err(PasswordHashError), "{stored}");
        }
    }
}
