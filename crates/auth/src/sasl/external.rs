//! `EXTERNAL` (RFC 4422 appendix A): the certificate shown to TLS says who it is, the response at most which box is meant.

use super::{FIELD_OCTETS_MAX, Failure, Question};

/// Reads the one message of the mechanism: an authorisation identity, or nothing where the certificate's box is meant.
pub(super) fn question(message: &[u8]) -> Result<Question, Failure> {
    let text = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    match text.len() {
        0 => Ok(Question::Certificate { acting_for: None }),
        1..=FIELD_OCTETS_MAX if !text.contains('\0') => Ok(Question::Certificate { acting_for: Some(text.to_owned()) }),
        _ => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_names_a_box_or_nothing() {
        assert_eq!(question(b""), Ok(Question::Certificate { acting_for: None }));
        let acting_for = Some("dpi@a.example".to_owned());
        assert_eq!(question(b"dpi@a.example"), Ok(Question::Certificate { acting_for }));
        let long = vec![b'x'; FIELD_OCTETS_MAX + 1];
        for message in [&b"a\0b"[..], b"\0", b"a\xff", &long] {
            assert_eq!(question(message), Err(Failure::Malformed), "{message:?}");
        }
        assert!(question(&long[1..]).is_ok());
    }
}
