//! What SCRAM needs instead of a password (RFC 5802 §3).

use aws_lc_rs::{digest, hmac, pbkdf2};

use super::{GeneratedSecret, SALT_OCTETS};
use crate::sasl::ScramCredentials;

/// Iterations: the least RFC 7677 §4 allows. More would not help a secret of 100 random bits.
pub const ITERATIONS: u32 = 4_096;

/// Derives the credentials of a secret we generated. A chosen password has none: it could be guessed from them.
pub fn derive(secret: &GeneratedSecret, salt: [u8; SALT_OCTETS]) -> ScramCredentials {
    let mut salted = [0; 32];
    let iterations = std::num::NonZeroU32::new(ITERATIONS).unwrap_or(std::num::NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, secret.expose().as_bytes(), &mut salted);
    let client_key = hash(&salted, &[b"Client Key"]);
    let mut stored_key = [0; 32];
    stored_key.copy_from_slice(digest::digest(&digest::SHA256, &client_key).as_ref());
    let server_key = hash(&salted, &[b"Server Key"]);
    ScramCredentials { salt: salt.to_vec(), iterations: ITERATIONS, stored_key, server_key }
}

/// Credentials for a login that has none: the same ones each time it is asked for, and no secret fits them (S14).
///
/// `server_secret` stays the same across restarts; a salt that changed would tell the unknown from the known.
pub fn false_credentials(server_secret: &[u8; 32], login: &str) -> ScramCredentials {
    let login = login.to_lowercase();
    let derived = |purpose: &[u8]| hash(server_secret, &[purpose, b"\0", login.as_bytes()]);
    let salt = derived(b"scram false salt").into_iter().take(SALT_OCTETS).collect();
    let (stored_key, server_key) = (derived(b"scram false stored key"), derived(b"scram false server key"));
    ScramCredentials { salt, iterations: ITERATIONS, stored_key, server_key }
}

fn hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn false_credentials_are_stable_and_look_real() {
        let real = derive(&GeneratedSecret::new(&[5; 20]), [9; SALT_OCTETS]);
        let one = false_credentials(&[1; 32], "ann@a.example");
        assert_eq!(one, false_credentials(&[1; 32], "Ann@A.example"));
        assert_ne!(one, false_credentials(&[1; 32], "bob@a.example"));
        assert_ne!(one.salt, false_credentials(&[2; 32], "ann@a.example").salt);
        assert_eq!((one.salt.len(), one.iterations), (real.salt.len(), real.iterations));
    }

    #[test]
    fn the_salt_and_the_secret_both_count() {
        let secret = GeneratedSecret::new(&[5; 20]);
        let credentials = derive(&secret, [9; SALT_OCTETS]);
        assert_eq!(credentials, derive(&secret, [9; SALT_OCTETS]));
        assert_ne!(credentials.stored_key, derive(&secret, [8; SALT_OCTETS]).stored_key);
        let other = GeneratedSecret::new(&[6; 20]);
        assert_ne!(credentials.stored_key, derive(&other, [9; SALT_OCTETS]).stored_key);
    }
}
