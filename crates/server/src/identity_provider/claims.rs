//! What a token says, and whether it is enough (RFC 7519 §4.1, RFC 8725 §3.8–3.9).

use serde_json::{Map, Value};

use super::TokenFault;
use crate::config::identity_provider::{IdentityProviderConfig, Prefix};

/// Octets of a national identifier.
const IDENTIFIER_OCTETS_MAX: usize = 64;

/// Who vouches for claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A signature of the provider's.
    Signed,
    /// The provider, asked about the token: it verified time and may leave out what it verified (RFC 7662 §2.2).
    Introspected,
}

/// The claims of a token that is the provider's.
pub struct Claims {
    source: Source,
    claims: Map<String, Value>,
}

impl Claims {
    /// Reads an object.
    ///
    /// # Errors
    /// Anything else.
    pub fn read(document: &[u8], source: Source) -> Result<Claims, TokenFault> {
        match serde_json::from_slice(document) {
            Ok(Value::Object(claims)) => Ok(Claims { source, claims }),
            Ok(_) => Err(TokenFault::invalid("its claims are no object")),
            Err(error) => Err(TokenFault::invalid(format!("its claims: {error}"))),
        }
    }

    /// Whether a claim is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.claims.get(name) == Some(&Value::Bool(true))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Seconds since 1970; a fraction counts for nothing.
    fn time(&self, name: &str) -> Result<Option<i64>, TokenFault> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let whole = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
        whole.map(Some).ok_or_else(|| TokenFault::invalid(format!("{name} is no time")))
    }

    /// Whether `aud` (one, or a list) names one of these.
    fn is_for(&self, audiences: &[String]) -> bool {
        let is_ours = |value: &Value| value.as_str().is_some_and(|text| audiences.iter().any(|ours| ours == text));
        match self.claims.get("aud") {
            Some(Value::Array(list)) => list.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        }
    }
}

/// The national identifier of whom the claims name, when they are all we ask.
pub fn person(claims: &Claims, config: &IdentityProviderConfig, now: i64) -> Result<String, TokenFault> {
    let asked = claims.source == Source::Introspected;
    match claims.text("iss") {
        Some(issuer) if issuer == config.issuer => {}
        None if asked && !claims.claims.contains_key("iss") => {}
        _ => return Err(TokenFault::invalid("another provider issued it")),
    }
    if !config.audiences.is_empty() && !claims.is_for(&config.audiences) {
        return Err(TokenFault::invalid("it is for another service"));
    }
    let leeway = i64::try_from(config.leeway.as_secs()).unwrap_or(0);
    match claims.time("exp")? {
        Some(end) if now < end.saturating_add(leeway) => {}
        None if asked => {}
        Some(_) => return Err(TokenFault::invalid("it has expired")),
        None => return Err(TokenFault::invalid("it would never expire")),
    }
    for begin in ["nbf", "iat"] {
        if claims.time(begin)?.is_some_and(|begin| begin > now.saturating_add(leeway)) {
            return Err(TokenFault::invalid(format!("{begin} is still to come")));
        }
    }
    let party = claims.text("azp").or_else(|| claims.text("client_id")).unwrap_or_default();
    if !config.authorized_parties.is_empty() && !config.authorized_parties.iter().any(|one| one == party) {
        return Err(TokenFault::invalid("it was given to other software"));
    }
    let acr = claims.text("acr").unwrap_or_default();
    if !config.acr.is_empty() && !config.acr.iter().any(|one| one == acr) {
        return Err(TokenFault::Insufficient(acr.chars().filter(|one| !one.is_control()).take(40).collect()));
    }
    let named = claims.text(&config.claim).unwrap_or_default();
    let fits =
        (1..=IDENTIFIER_OCTETS_MAX).contains(&named.len()) && named.bytes().all(|octet| octet.is_ascii_graphic());
    match fits {
        true => Ok(national_identifier(named, config.prefix).to_owned()),
        false => Err(TokenFault::invalid(format!("{} names nobody", config.claim))),
    }
}

/// `8` and the eleven digits of RPPS, `0` and the nine of ADELI; whatever else is an identifier as it is.
fn national_identifier(named: &str, prefix: Prefix) -> &str {
    let digits = named.bytes().all(|octet| octet.is_ascii_digit());
    let stripped = match (prefix, named.len()) {
        (Prefix::Strip, 12) if digits => named.strip_prefix('8'),
        (Prefix::Strip, 10) if digits => named.strip_prefix('0'),
        _ => None,
    };
    stripped.unwrap_or(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digit_before_a_national_identifier_is_taken_off() {
        for (named, expected) in [
            ("810000000001", "10000000001"),
            ("0123456789", "123456789"),
            ("10000000001", "10000000001"),
            ("123456789", "123456789"),
            ("8ANS20240001", "8ANS20240001"),
            ("910000000001", "910000000001"),
            ("ANS20240001/EDIT", "ANS20240001/EDIT"),
        ] {
            assert_eq!(national_identifier(named, Prefix::Strip), expected);
            assert_eq!(national_identifier(named, Prefix::Keep), named);
        }
    }
}
