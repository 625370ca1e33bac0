//! What SCRAM needs instead of a password (RFC 5802 §3).

use aws_lc_rs::{digest, hmac, pbkdf2};

use base64::{Engine, prelude::BASE64_STANDARD};

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

/// What a disabled account's login is shown: its salt, so that nobody hears it was disabled, with keys no secret fits.
pub fn disarmed(real: ScramCredentials, server_secret: &[u8; 32], login: &str) -> ScramCredentials {
    ScramCredentials { salt: real.salt, iterations: real.iterations, ..false_credentials(server_secret, login) }
}

/// The text a store keeps: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, each in base64, as PostgreSQL writes it.
pub fn to_stored(credentials: &ScramCredentials) -> String {
    let [salt, stored, server] = [&credentials.salt[..], &credentials.stored_key, &credentials.server_key]
        .map(|octets| BASE64_STANDARD.encode(octets));
    format!("{PREFIX}{}:{salt}${stored}:{server}", credentials.iterations)
}

/// Reads what [`to_stored`] wrote; `None` for anything else.
pub fn from_stored(stored: &str) -> Option<ScramCredentials> {
    let (cost, keys) = stored.strip_prefix(PREFIX)?.split_once('$')?;
    let (iterations, salt) = cost.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    let key = |text: &str| <[u8; 32]>::try_from(BASE64_STANDARD.decode(text).ok()?).ok();
    Some(ScramCredentials {
        salt: BASE64_STANDARD.decode(salt).ok()?,
        iterations: iterations.parse().ok()?,
        stored_key: key(stored_key)?,
        server_key: key(server_key)?,
    })
}

const PREFIX: &str = "SCRAM-SHA-256$";

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
    fn stored_credentials_read_back() {
        let credentials = derive(&GeneratedSecret::new(&[5; 20]), [9; SALT_OCTETS]);
        let stored = to_stored(&credentials);
        assert!(stored.starts_with("SCRAM-SHA-256$4096:CQkJ"), "{stored}");
        assert_eq!(from_stored(&stored), Some(credentials));
        for bad in ["", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:x$y:z", &stored[1..], &stored[..stored.len() - 4]] {
            assert_eq!(from_stored(bad), None, "{bad}");
        }
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
