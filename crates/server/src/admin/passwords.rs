//! Setting passwords: Argon2id for each, SCRAM credentials only for those we generate.

use auth::password::generated::{GeneratedSecret, RANDOM_OCTETS};
use auth::password::{SALT_OCTETS, StoredCredential};
use mail::Address;
use net::{Randomness, SystemRandomness};
use store::{AccountId, StoreError, Transaction, UnixMillis};

use super::Failed;

/// The credentials of a password, ready to be stored.
#[derive(Clone)]
pub struct NewPassword {
    credentials: Vec<StoredCredential>,
    /// What the person has to be told, when it was generated.
    generated: Option<String>,
}

/// Takes a chosen password after the rules of [`directory::password_rules`], or generates one. Slow: off the network threads.
pub(super) fn make(chosen: Option<&str>, login: &Address) -> Result<NewPassword, Failed> {
    match chosen {
        None => hash_generated(&generate()),
        Some(password) => {
            let password = directory::password_rules::check(password, login).map_err(Failed::because)?;
            let credential = StoredCredential::of_chosen(&password, random()).map_err(Failed::because)?;
            Ok(NewPassword { credentials: vec![credential], generated: None })
        }
    }
}

/// A fresh secret of 100 random bits.
fn generate() -> GeneratedSecret {
    GeneratedSecret::new(&random::<RANDOM_OCTETS>())
}

/// The credentials of a generated secret.
///
/// # Errors
/// When there is no memory for hashing.
pub fn hash_generated(secret: &GeneratedSecret) -> Result<NewPassword, Failed> {
    let salts: [[u8; SALT_OCTETS]; 2] = [random(), random()];
    let credentials = StoredCredential::of_generated(secret, salts).map_err(Failed::because)?;
    Ok(NewPassword { credentials: credentials.into(), generated: Some(secret.expose().to_owned()) })
}

fn random<const OCTETS: usize>() -> [u8; OCTETS] {
    let mut octets = [0; OCTETS];
    SystemRandomness.fill(&mut octets);
    octets
}

impl NewPassword {
    /// What the person has to be told.
    pub fn generated(&self) -> Option<&str> {
        self.generated.as_deref()
    }

    /// Replaces the account's credentials by these: an older generated secret would still let it in.
    ///
    /// # Errors
    /// The store's.
    pub fn set(&self, tx: &mut dyn Transaction, account: AccountId, at: UnixMillis) -> Result<(), StoreError> {
        for old in store::credential::list(tx, account)? {
            store::credential::remove(tx, account, old.id, at)?;
        }
        for credential in &self.credentials {
            store::credential::set(tx, account, credential.kind(), "", &credential.to_text(), at)?;
        }
        Ok(())
    }
}
