//! Asking the provider about a token (RFC 7662).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::TokenFault;
use super::claims::{Claims, Source};

/// The media type of the question.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The question and the header that says who asks (RFC 6749 §2.3.1).
pub fn request(token: &str, client: &str, secret: &str) -> (Vec<u8>, String) {
    let body = format!("token={}&token_type_hint=access_token", form_encoded(token));
    let credentials = format!("{}:{}", form_encoded(client), form_encoded(secret));
    (body.into_bytes(), format!("Basic {}", BASE64_STANDARD.encode(credentials)))
}

/// The claims of a token that the provider calls active.
///
/// # Errors
/// It is not active; or the answer cannot be read, which says nothing about the token.
pub fn claims(answer: &[u8]) -> Result<Claims, TokenFault> {
    let claims = Claims::read(answer, Source::Introspected)
        .map_err(|error| TokenFault::unavailable(format!("the provider's answer: {error}")))?;
    match claims.is_true("active") {
        true => Ok(claims),
        false => Err(TokenFault::invalid("the provider calls it inactive")),
    }
}

/// A value of a form (WHATWG URL §5.2).
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(char::from(octet)),
            b' ' => encoded.push('+'),
            other => {
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_is_encoded() {
        let (body, authorization) = request("a+b/c=", "sceau", "p:ä &");
        assert_eq!(body, b"token=a%2Bb%2Fc%3D&token_type_hint=access_token");
        assert_eq!(authorization, format!("Basic {}", BASE64_STANDARD.encode("sceau:p%3A%C3%A4+%26")));
    }
}
