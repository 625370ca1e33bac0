//! `LOGIN` (draft-murchison-sasl-login): two prompts, which Outlook compares letter by letter.

use super::{FIELD_OCTETS_MAX, Failure};

/// The first prompt. Outlook and old clients know this text only.
pub(super) const USER_NAME_PROMPT: &[u8] = b"Username:";

/// The second prompt.
pub(super) const PASSWORD_PROMPT: &[u8] = b"Password:";

/// Reads the answer to a prompt.
pub(super) fn field(response: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(response).map_err(|_| Failure::Malformed)?;
    // Some clients end what they send with a NUL.
    let text = text.strip_suffix('\0').unwrap_or(text);
    match text.len() {
        1..=FIELD_OCTETS_MAX if !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_text_without_nul() {
        assert_eq!(field(b"ann@a.example"), Ok("ann@a.example".to_owned()));
        assert_eq!(field("mot de passe é".as_bytes()), Ok("mot de passe é".to_owned()));
        assert_eq!(field(b"ann\0"), Ok("ann".to_owned()));
        for response in [&b""[..], b"\0", b"a\0b", b"a\xff", &[b'x'; FIELD_OCTETS_MAX + 1]] {
            assert_eq!(field(response), Err(Failure::Malformed), "{response:?}");
        }
    }
}
