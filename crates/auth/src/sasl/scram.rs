//! `SCRAM-SHA-256` and `-PLUS` (RFC 5802, RFC 7677): messages and proofs; the order of steps is [`super::Exchange`]'s.
//!
//! A failure leaves by the protocol's own reply (535, NO): SASL carries data with success only (RFC 4422 §3.6), so no
//! `server-error` is sent. User names are prepared by the directory (RFC 8265 in SASLprep's place). Secrets are not ours to
//! prepare: the client derives its keys from what it prepared, and as only generated secrets have SCRAM credentials, which
//! are ASCII, SASLprep and its successor give it the same.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{ChannelBindings, FIELD_OCTETS_MAX, Failure, ScramCredentials};

/// What the client's first message said (RFC 5802 §7 `client-first-message`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst {
    /// The gs2 header with its closing comma: the final message repeats it inside `c=`.
    gs2_header: String,
    binding: Binding,
    pub(super) acting_for: Option<String>,
    pub(super) login: String,
    nonce: String,
    bare: String,
}

/// What the client says of channel binding (RFC 5802 §6).
#[derive(Debug, PartialEq, Eq)]
enum Binding {
    /// `n`: cannot.
    Unsupported,
    /// `y`: could, but saw no `-PLUS` from us.
    NotSeen,
    /// `p=name`: bound to this type.
    Type(String),
}

/// Everything both sides agreed on so far; consumed by the final message.
pub(super) struct Challenge {
    /// `server-first-message`.
    pub(super) message: String,
    nonce: String,
    /// What `c=` must decode to.
    channel_binding: Vec<u8>,
    client_first_bare: String,
    credentials: ScramCredentials,
}

impl ClientFirst {
    /// Reads `client-first-message`.
    pub(super) fn parse(message: &[u8]) -> Result<ClientFirst, Failure> {
        let text = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
        let mut parts = text.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Failure::Malformed);
        };
        let binding = match flag {
            "n" => Binding::Unsupported,
            "y" => Binding::NotSeen,
            _ => Binding::Type(flag.strip_prefix("p=").ok_or(Failure::Malformed)?.to_owned()),
        };
        let acting_for = match authzid {
            // gsasl writes `a=` where there is none; the grammar wants a name after it, and it means nobody else.
            "" | "a=" => None,
            _ => Some(sasl_name(authzid.strip_prefix("a=").ok_or(Failure::Malformed)?)?),
        };
        // `m=` would be a mandatory extension: we know none (RFC 5802 §5.1), and it fails here as not being `n=`.
        let mut attributes = bare.split(',');
        let login = attribute(attributes.next(), "n=").and_then(sasl_name)?;
        let nonce = attribute(attributes.next(), "r=")?;
        if !(1..=FIELD_OCTETS_MAX).contains(&nonce.len()) || !nonce.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(Failure::Malformed);
        }
        Ok(ClientFirst {
            gs2_header: format!("{flag},{authzid},"),
            binding,
            acting_for: acting_for.filter(|name| *name != login),
            login,
            nonce: nonce.to_owned(),
            bare: bare.to_owned(),
        })
    }

    /// What `c=` must hold, or why the bindings of both sides do not fit (RFC 5802 §6).
    pub(super) fn channel_binding(&self, plus: bool, bindings: &ChannelBindings) -> Result<Vec<u8>, Failure> {
        let data: &[u8] = match (&self.binding, plus) {
            (Binding::Unsupported, false) => &[],
            // We announced -PLUS, the client did not see it: somebody between us took it out.
            (Binding::NotSeen, false) if !bindings.is_empty() => return Err(Failure::Credentials),
            (Binding::NotSeen, false) => &[],
            (Binding::Type(name), true) => match name.as_str() {
                "tls-exporter" => bindings.tls_exporter.as_ref().ok_or(Failure::Credentials)?,
                "tls-server-end-point" => bindings.tls_server_end_point.as_ref().ok_or(Failure::Credentials)?,
                _ => return Err(Failure::Credentials),
            },
            // -PLUS without binding, or binding without -PLUS.
            (Binding::Unsupported | Binding::NotSeen, true) | (Binding::Type(_), false) => {
                return Err(Failure::Malformed);
            }
        };
        Ok([self.gs2_header.as_bytes(), data].concat())
    }

    /// Makes `server-first-message`.
    pub(super) fn challenge(
        &self,
        server_nonce: &[u8],
        channel_binding: Vec<u8>,
        credentials: ScramCredentials,
    ) -> Challenge {
        let nonce = format!("{}{}", self.nonce, BASE64_STANDARD.encode(server_nonce));
        let salt = BASE64_STANDARD.encode(&credentials.salt);
        Challenge {
            message: format!("r={nonce},s={salt},i={}", credentials.iterations),
            nonce,
            channel_binding,
            client_first_bare: self.bare.clone(),
            credentials,
        }
    }
}

impl Challenge {
    /// Puts the nonce of a printed example in the place of ours.
    #[cfg(test)]
    pub(super) fn set_nonce(&mut self, nonce: &str) {
        self.message = self.message.replace(&self.nonce, nonce);
        self.nonce = nonce.to_owned();
    }

    /// Checks `client-final-message` and makes `server-final-message`.
    pub(super) fn verify(&self, message: &[u8]) -> Result<String, Failure> {
        let text = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::Malformed)?;
        let proof = BASE64_STANDARD.decode(proof).map_err(|_| Failure::Malformed)?;
        let proof = <[u8; 32]>::try_from(proof).map_err(|_| Failure::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(attributes.next(), "c=")?;
        let binding = BASE64_STANDARD.decode(binding).map_err(|_| Failure::Malformed)?;
        let nonce = attribute(attributes.next(), "r=")?;
        if attributes.any(|extension| extension.starts_with("m=")) {
            return Err(Failure::Malformed);
        }

        let signed = format!("{},{},{without_proof}", self.client_first_bare, self.message);
        let signature = sign(&self.credentials.stored_key, signed.as_bytes());
        let mut client_key = [0; 32];
        for ((out, proof), signature) in client_key.iter_mut().zip(proof).zip(signature.as_ref()) {
            *out = proof ^ signature;
        }
        let hashed = digest::digest(&digest::SHA256, &client_key);
        let proved = constant_time::verify_slices_are_equal(hashed.as_ref(), &self.credentials.stored_key).is_ok();
        let bound = constant_time::verify_slices_are_equal(&binding, &self.channel_binding).is_ok();
        let fresh = constant_time::verify_slices_are_equal(nonce.as_bytes(), self.nonce.as_bytes()).is_ok();
        if !(proved && bound && fresh) {
            return Err(Failure::Credentials);
        }
        let server_signature = sign(&self.credentials.server_key, signed.as_bytes());
        Ok(format!("v={}", BASE64_STANDARD.encode(server_signature)))
    }
}

fn sign(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

fn attribute<'a>(part: Option<&'a str>, name: &str) -> Result<&'a str, Failure> {
    part.and_then(|part| part.strip_prefix(name)).ok_or(Failure::Malformed)
}

/// Decodes `saslname`: `=2C` is a comma, `=3D` an equals sign, any other `=` is an error (RFC 5802 §5.1 `n`).
pub(super) fn sasl_name(encoded: &str) -> Result<String, Failure> {
    if encoded.is_empty() || encoded.len() > FIELD_OCTETS_MAX || encoded.contains('\0') {
        return Err(Failure::Malformed);
    }
    let mut pieces = encoded.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return Err(Failure::Malformed),
        };
        name.push(character);
        name.push_str(rest);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        assert_eq!(sasl_name("a=2Cb=3Dc"), Ok("a,b=c".to_owned()));
        for bad in ["", "a=", "a=2c", "=4A", "a\0"] {
            assert_eq!(sasl_name(bad), Err(Failure::Malformed), "{bad}");
        }
    }

    #[test]
    fn first_messages_that_break_the_grammar() {
        for bad in [
            "",
            "n,,",
            "x,,n=a,r=b",
            "n,b=c,n=a,r=b",
            "n,,m=x,n=a,r=b",
            "n,,n=a",
            "n,,n=a,r=",
            "n,,r=b,n=a",
            "n,,n=a,r=é",
            "p,,n=a,r=b",
        ] {
            assert_eq!(ClientFirst::parse(bad.as_bytes()), Err(Failure::Malformed), "{bad}");
        }
    }

    #[test]
    fn an_empty_authorisation_identity_is_none() {
        let first = ClientFirst::parse(b"n,a=,n=ann,r=abc").unwrap();
        assert_eq!(first.acting_for, None);
        assert_eq!(first.channel_binding(false, &ChannelBindings::default()), Ok(b"n,a=,".to_vec()));
        assert_eq!(ClientFirst::parse(b"n,a=ann,n=ann,r=abc").unwrap().acting_for, None);
        let ward = ClientFirst::parse(b"n,a=ward,n=ann,r=abc").unwrap();
        assert_eq!(ward.acting_for.as_deref(), Some("ward"));
    }

    #[test]
    fn bindings_must_fit() {
        let none = ChannelBindings::default();
        let both = ChannelBindings {
            tls_exporter: Some([7; 32]),
            tls_server_end_point: Some(vec![8; 32]),
            ..ChannelBindings::default()
        };
        let verdict = |flag: &str, plus, bindings: &ChannelBindings| {
            let first = ClientFirst::parse(format!("{flag},,n=a,r=b").as_bytes()).unwrap();
            first.channel_binding(plus, bindings)
        };
        assert_eq!(verdict("n", false, &none), Ok(b"n,,".to_vec()));
        assert_eq!(verdict("n", false, &both), Ok(b"n,,".to_vec()));
        assert_eq!(verdict("y", false, &none), Ok(b"y,,".to_vec()));
        assert_eq!(verdict("y", false, &both), Err(Failure::Credentials), "downgrade");
        assert_eq!(verdict("y", true, &both), Err(Failure::Malformed));
        assert_eq!(verdict("n", true, &both), Err(Failure::Malformed));
        assert_eq!(verdict("p=tls-exporter", false, &both), Err(Failure::Malformed));
        assert_eq!(verdict("p=tls-exporter", true, &both), Ok([&b"p=tls-exporter,,"[..], &[7; 32]].concat()));
        assert_eq!(verdict("p=tls-server-end-point", true, &both).map(|data| data.len()), Ok(24 + 32));
        assert_eq!(verdict("p=tls-exporter", true, &none), Err(Failure::Credentials));
        assert_eq!(verdict("p=tls-unique", true, &both), Err(Failure::Credentials));
    }
}
