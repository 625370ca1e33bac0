//! The provider's keys (JWK Set, RFC 7517).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::jws::{Algorithm, Jws};

/// Keys of a set; providers have two to four.
const KEYS_MAX: usize = 100;

/// A key that verifies signatures.
pub struct Key {
    name: Option<String>,
    material: Material,
}

enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point: 0x04, x, y.
    P256 {
        point: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a set; keys we cannot use are passed over (RFC 7517 §5).
///
/// # Errors
/// No set, or one beyond the limit.
pub fn read(document: &[u8]) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_slice(document).map_err(|error| format!("the provider's keys: {error}"))?;
    if set.keys.len() > KEYS_MAX {
        return Err(format!("the provider has {} keys", set.keys.len()));
    }
    Ok(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).filter_map(Key::of).collect())
}

impl Key {
    fn of(jwk: Jwk) -> Option<Key> {
        let algorithm_is = |name: &str| jwk.alg.as_deref().is_none_or(|algorithm| algorithm == name);
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let octets = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) if algorithm_is("RS256") => {
                Material::Rsa { modulus: octets(&jwk.n)?, exponent: octets(&jwk.e)? }
            }
            ("EC", Some("P-256")) if algorithm_is("ES256") => {
                let (x, y) = (octets(&jwk.x)?, octets(&jwk.y)?);
                // RFC 7518 §6.2.1.2: full length, leading zeros included.
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                Material::P256 { point: [&[4][..], &x, &y].concat() }
            }
            _ => return None,
        };
        Some(Key { name: jwk.kid, material })
    }

    /// Whether the token may be signed with this key: of its kind, and of its name where it gives one.
    pub fn may_be(&self, jws: &Jws<'_>) -> bool {
        let of_kind = match self.material {
            Material::Rsa { .. } => jws.algorithm == Algorithm::Rs256,
            Material::P256 { .. } => jws.algorithm == Algorithm::Es256,
        };
        of_kind && (jws.key.is_none() || self.name == jws.key)
    }

    /// Whether the token names this key.
    pub fn is_named_by(&self, jws: &Jws<'_>) -> bool {
        jws.key.is_some() && self.name == jws.key
    }

    /// Whether the signature is this key's. The algorithm is the key's, whatever the token says.
    pub fn verifies(&self, jws: &Jws<'_>) -> bool {
        let (signed, signature) = (jws.signed.as_bytes(), &jws.signature);
        match &self.material {
            Material::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            Material::P256 { point } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
        }
    }
}
