//! `OAUTHBEARER` (RFC 7628) and Google's `XOAUTH2`, which it grew out of: a token of a provider, and the box it is for.

use std::fmt::Write as _;

use super::scram::sasl_name;
use super::{FIELD_OCTETS_MAX, Failure, Mechanism, Question, Secret, TOKEN_OCTETS_MAX, TokenRefusal};

/// Divides and ends the pairs of both messages (RFC 7628 §3.1).
const SEPARATOR: char = '\u{1}';

/// Octets of a message: the token, the box, and the pairs that clients add.
const MESSAGE_OCTETS_MAX: usize = TOKEN_OCTETS_MAX + 2 * FIELD_OCTETS_MAX;

/// Reads the client's message.
pub(super) fn question(mechanism: Mechanism, message: &[u8]) -> Result<Question, Failure> {
    if message.len() > MESSAGE_OCTETS_MAX {
        return Err(Failure::Malformed);
    }
    let text = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    // Both end with two separators: that of the last pair, and the message's own.
    let text = text.strip_suffix(SEPARATOR).ok_or(Failure::Malformed)?;
    let (head, pairs) = text.split_once(SEPARATOR).ok_or(Failure::Malformed)?;
    let acting_for = match mechanism {
        Mechanism::XOauth2 => head.strip_prefix("user=").ok_or(Failure::Malformed)?.to_owned(),
        _ => gs2_name(head)?,
    };
    if acting_for.len() > FIELD_OCTETS_MAX || acting_for.contains('\0') {
        return Err(Failure::Malformed);
    }
    Ok(Question::Token {
        acting_for: (!acting_for.is_empty()).then_some(acting_for),
        token: Secret::new(token(pairs)?.to_owned()),
    })
}

/// The authorisation identity of a GS2 header, `n,a=…,` (RFC 5801 §4). There is no channel to bind to.
fn gs2_name(header: &str) -> Result<String, Failure> {
    let rest = header.strip_prefix(['n', 'y']).and_then(|rest| rest.strip_prefix(','));
    let name = rest.and_then(|rest| rest.strip_suffix(',')).ok_or(Failure::Malformed)?;
    match name {
        // `a=` without a name means nobody else: see `scram`.
        "" | "a=" => Ok(String::new()),
        name => sasl_name(name.strip_prefix("a=").ok_or(Failure::Malformed)?),
    }
}

/// The token of the one `auth` pair; empty where a client asks what it needs (RFC 7628 §4.3). Other pairs say nothing that
/// we would believe: host, port, and what was asked of an HTTP server.
fn token(pairs: &str) -> Result<&str, Failure> {
    let mut found = None;
    // Each pair ends with a separator, the last one too.
    for pair in pairs.strip_suffix(SEPARATOR).ok_or(Failure::Malformed)?.split(SEPARATOR) {
        let (key, value) = pair.split_once('=').ok_or(Failure::Malformed)?;
        let is_value = |octet: u8| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) || !value.bytes().all(is_value) {
            return Err(Failure::Malformed);
        }
        if key == "auth" && found.replace(value).is_some() {
            return Err(Failure::Malformed);
        }
    }
    let value = found.ok_or(Failure::Malformed)?;
    if value.is_empty() {
        return Ok("");
    }
    let (scheme, token) = value.split_once(' ').ok_or(Failure::Malformed)?;
    let token = token.trim_matches(' ');
    match scheme.eq_ignore_ascii_case("Bearer") && token.len() <= TOKEN_OCTETS_MAX && is_token(token) {
        true => Ok(token),
        false => Err(Failure::Malformed),
    }
}

/// `b64token` (RFC 6750 §2.1).
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let is_body = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    !body.is_empty() && body.bytes().all(is_body)
}

/// What the client is told before the failure: OAUTHBEARER's document (RFC 7628 §3.2.2), or Google's.
pub(super) fn refusal(mechanism: Mechanism, refusal: &TokenRefusal) -> Vec<u8> {
    let mut document = String::from("{");
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let separator = if document.len() > 1 { "," } else { "" };
            let _ = write!(document, "{separator}\"{name}\":\"{}\"", escaped(value));
        }
    };
    match mechanism {
        Mechanism::XOauth2 => {
            field("status", "401");
            field("schemes", "bearer");
            field("scope", &refusal.scope);
        }
        _ => {
            field("status", refusal.status.word());
            field("scope", &refusal.scope);
            field("openid-configuration", &refusal.discovery);
        }
    }
    document.push('}');
    document.into_bytes()
}

/// The inside of a JSON string (RFC 8259 §7).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::TokenStatus;
    use super::*;

    fn asked(acting_for: Option<&str>, token: &str) -> Result<Question, Failure> {
        Ok(Question::Token { acting_for: acting_for.map(str::to_owned), token: Secret::new(token.into()) })
    }

    #[test]
    fn both_messages_as_their_documents_print_them() {
        // RFC 7628 §4.1.
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
                        auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let expected = asked(Some("user@example.com"), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(question(Mechanism::OauthBearer, message), expected);
        // Google's description of XOAUTH2.
        let message = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
        let expected = asked(Some("someuser@example.com"), "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert_eq!(question(Mechanism::XOauth2, message), expected);
    }

    #[test]
    fn the_box_may_be_missing_and_names_are_unescaped() {
        for (head, acting_for) in
            [("n,,", None), ("y,,", None), ("n,a=,", None), ("n,a=a=2Cb=3D@x.example,", Some("a,b=@x.example"))]
        {
            let message = format!("{head}\x01auth=bearer  t\x01\x01");
            assert_eq!(question(Mechanism::OauthBearer, message.as_bytes()), asked(acting_for, "t"), "{head}");
        }
        assert_eq!(question(Mechanism::XOauth2, b"user=\x01auth=Bearer t\x01\x01"), asked(None, "t"));
        assert_eq!(question(Mechanism::OauthBearer, b"n,,\x01auth=\x01\x01"), asked(None, ""), "it asks what it needs");
    }

    #[test]
    fn other_shapes_are_malformed() {
        for message in [
            "",
            "\x01",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer t\x01",
            "n,,\x01auth=Bearer t",
            "n,,auth=Bearer t\x01\x01",
            "p=tls-exporter,,\x01auth=Bearer t\x01\x01",
            "n,b=x,\x01auth=Bearer t\x01\x01",
            "n,a==,\x01auth=Bearer t\x01\x01",
            "n,,\x01auth=Basic t\x01\x01",
            "n,,\x01auth=Bearer\x01\x01",
            "n,,\x01auth=Bearer a b\x01\x01",
            "n,,\x01auth=Bearer a\"b\x01\x01",
            "n,,\x01auth=Bearer ==\x01\x01",
            "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
            "n,,\x01host\x01auth=Bearer t\x01\x01",
            "n,,\x01host=é\x01auth=Bearer t\x01\x01",
            "n,,\x01auth=Bearer t\x01\x01\x01",
            "user=a@x.example\x01auth=Bearer t\x01\x01",
        ] {
            assert_eq!(question(Mechanism::OauthBearer, message.as_bytes()), Err(Failure::Malformed), "{message:?}");
        }
        for message in ["n,a=a@x.example,\x01auth=Bearer t\x01\x01", "user=a\0b\x01auth=Bearer t\x01\x01"] {
            assert_eq!(question(Mechanism::XOauth2, message.as_bytes()), Err(Failure::Malformed), "{message:?}");
        }
    }

    #[test]
    fn a_token_has_so_many_octets_and_no_more() {
        let message = |octets: usize| format!("user=a@x.example\x01auth=Bearer {}\x01\x01", "t".repeat(octets));
        assert!(question(Mechanism::XOauth2, message(TOKEN_OCTETS_MAX).as_bytes()).is_ok());
        let longer = question(Mechanism::XOauth2, message(TOKEN_OCTETS_MAX + 1).as_bytes());
        assert_eq!(longer, Err(Failure::Malformed));
    }

    #[test]
    fn refusals_are_documents() {
        let refused = TokenRefusal {
            status: TokenStatus::InvalidToken,
            scope: "openid \"x\"\n".into(),
            discovery: "https://idp.example/.well-known/openid-configuration".into(),
        };
        let document = |mechanism| String::from_utf8(refusal(mechanism, &refused)).unwrap();
        assert_eq!(
            document(Mechanism::OauthBearer),
            "{\"status\":\"invalid_token\",\"scope\":\"openid \\\"x\\\"\\u000a\",\
             \"openid-configuration\":\"https://idp.example/.well-known/openid-configuration\"}"
        );
        let google = "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"openid \\\"x\\\"\\u000a\"}";
        assert_eq!(document(Mechanism::XOauth2), google);
    }
}
