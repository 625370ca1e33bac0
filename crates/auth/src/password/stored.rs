//! Credentials as a store keeps them: the word of their kind, and a text.

use super::{GeneratedSecret, PasswordHash, PasswordHashError, SALT_OCTETS, scram};
use crate::PreparedPassword;
use crate::sasl::ScramCredentials;

/// One credential of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredCredential {
    /// Verifies PLAIN and LOGIN.
    Password(PasswordHash),
    /// Verifies SCRAM-SHA-256 and its -PLUS.
    Scram(ScramCredentials),
}

impl StoredCredential {
    /// What is kept of a secret we generated: both kinds.
    ///
    /// # Errors
    /// [`PasswordHashError`] when there is no memory for hashing.
    pub fn of_generated(
        secret: &GeneratedSecret,
        salts: [[u8; SALT_OCTETS]; 2],
    ) -> Result<[StoredCredential; 2], PasswordHashError> {
        let [password_salt, scram_salt] = salts;
        Ok([
            StoredCredential::Password(PasswordHash::new(secret.expose(), password_salt)?),
            StoredCredential::Scram(scram::derive(secret, scram_salt)),
        ])
    }

    /// What is kept of a password a person chose: its hash only.
    ///
    /// # Errors
    /// [`PasswordHashError`] when there is no memory for hashing.
    pub fn of_chosen(
        password: &PreparedPassword,
        salt: [u8; SALT_OCTETS],
    ) -> Result<StoredCredential, PasswordHashError> {
        Ok(StoredCredential::Password(PasswordHash::new(password.expose(), salt)?))
    }

    /// The word of its kind: `password` or `scram-sha-256`.
    pub fn kind(&self) -> &'static str {
        match self {
            StoredCredential::Password(_) => PASSWORD,
            StoredCredential::Scram(_) => SCRAM_SHA_256,
        }
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        match self {
            StoredCredential::Password(hash) => hash.as_str().to_owned(),
            StoredCredential::Scram(credentials) => scram::to_stored(credentials),
        }
    }

    /// Reads what [`StoredCredential::kind`] and [`StoredCredential::to_text`] gave; `None` for anything else.
    pub fn parse(kind: &str, text: &str) -> Option<StoredCredential> {
        match kind {
            PASSWORD => PasswordHash::parse(text).ok().map(StoredCredential::Password),
            SCRAM_SHA_256 => scram::from_stored(text).map(StoredCredential::Scram),
            _ => None,
        }
    }
}

/// Whether the password is one of these credentials'. With none, for an unknown or disabled account, the same work is
/// done for nothing (S14).
pub fn verify_any(stored: &[StoredCredential], password: &PreparedPassword) -> bool {
    let password = password.expose();
    let hashes: Vec<&PasswordHash> = stored
        .iter()
        .filter_map(|credential| match credential {
            StoredCredential::Password(hash) => Some(hash),
            StoredCredential::Scram(_) => None,
        })
        .collect();
    match hashes.is_empty() {
        true => super::verify(None, password),
        false => hashes.into_iter().any(|hash| super::verify(Some(hash), password)),
    }
}

const PASSWORD: &str = "password";
const SCRAM_SHA_256: &str = "scram-sha-256";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_kept_as_text_and_verify() {
        let secret = GeneratedSecret::new(&[7; 20]);
        let stored = StoredCredential::of_generated(&secret, [[1; 16], [2; 16]]).unwrap();
        for credential in &stored {
            assert_eq!(StoredCredential::parse(credential.kind(), &credential.to_text()).as_ref(), Some(credential));
        }
        let typed = |text: &str| PreparedPassword::new(text).unwrap();
        assert!(verify_any(&stored, &typed(secret.expose())));
        assert!(!verify_any(&stored, &typed("another")));
        assert!(!verify_any(&stored[1..], &typed(secret.expose())), "SCRAM credentials verify no PLAIN");
        assert!(!verify_any(&[], &typed("x")));
        let chosen = StoredCredential::of_chosen(&typed("l'été à la mer"), [3; 16]).unwrap();
        assert!(verify_any(&[stored[0].clone(), chosen], &typed("l'e\u{301}te\u{301}\u{a0}a\u{300} la mer")));
        assert_eq!(StoredCredential::parse("plain", "secret"), None);
    }
}
