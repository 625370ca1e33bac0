//! Signed tokens (RFC 7515 compact serialisation, RFC 7519): taken apart, not yet believed.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::TokenFault;

/// What a token looks like.
pub enum Shape<'t> {
    /// Three parts: signed.
    Signed(Jws<'t>),
    /// Five parts (JWE), or no parts at all: only the provider can read it.
    Sealed,
}

/// A signed token.
pub struct Jws<'t> {
    /// By what it claims to be signed.
    pub algorithm: Algorithm,
    /// The name of the key.
    pub key: Option<String>,
    /// What is signed.
    pub signed: &'t str,
    /// The signature.
    pub signature: Vec<u8>,
    /// The claims, JSON.
    pub payload: Vec<u8>,
}

/// The signatures we verify. `none` is not there, nor any with a shared secret: a public key can never be taken for one
/// (RFC 8725 §2.1, §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// Takes a token apart.
///
/// # Errors
/// A signed one that cannot be read, or is signed by what we do not verify.
pub fn shape(token: &str) -> Result<Shape<'_>, TokenFault> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return Ok(Shape::Sealed) };
    let decoded = |part: &str| {
        BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::invalid("a part of it is not base64url"))
    };
    let read: Header = serde_json::from_slice(&decoded(header)?)
        .map_err(|error| TokenFault::invalid(format!("its header: {error}")))?;
    // RFC 7515 §4.1.11: extensions that must be understood; we know none.
    if read.crit.is_some() {
        return Err(TokenFault::invalid("its header names extensions that must be understood"));
    }
    let algorithm = match read.alg.as_str() {
        "RS256" => Algorithm::Rs256,
        "ES256" => Algorithm::Es256,
        other => {
            let name: String = other.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
            return Err(TokenFault::invalid(format!("it is signed by {name:?}")));
        }
    };
    Ok(Shape::Signed(Jws {
        algorithm,
        key: read.kid,
        signed: token.get(..header.len() + 1 + payload.len()).unwrap_or_default(),
        signature: decoded(signature)?,
        payload: decoded(payload)?,
    }))
}
