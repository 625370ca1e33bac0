//! Values of attributes, and their preparation for comparison.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::DnError;

/// The value of an attribute: a text, or the DER of what is no text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Of any of the string types of ASN.1.
    Text(Box<str>),
    /// The whole encoding of a value of another type, tag and length included.
    Der(Box<[u8]>),
}

impl Value {
    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Der(_) => None,
        }
    }

    /// The value as it is compared.
    pub(super) fn prepared(&self) -> Result<Value, DnError> {
        match self {
            Value::Text(text) => Ok(Value::Text(prepare(text)?.into_boxed_str())),
            Value::Der(_) => Ok(self.clone()),
        }
    }
}

/// Blanks to one space and none at the ends, NFKC, lower case (RFC 4518 §2; X.520 `caseIgnoreMatch`). Stricter than the
/// RFC in one thing: control characters, which it would drop, make the name invalid.
fn prepare(text: &str) -> Result<String, DnError> {
    if text.chars().any(char::is_control) {
        return Err(DnError::Control);
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    // Character by character: the lower case of a letter must not depend on its place in the word (final sigma).
    let lower: String = normalizer.normalize(text).chars().flat_map(char::to_lowercase).collect();
    let folded = normalizer.normalize(&lower);
    let mut prepared = String::with_capacity(folded.len());
    for word in folded.split(char::is_whitespace).filter(|word| !word.is_empty()) {
        if !prepared.is_empty() {
            prepared.push(' ');
        }
        prepared.push_str(word);
    }
    Ok(prepared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preparation_forgives_case_blanks_and_compatibility_only() {
        for (text, expected) in [
            ("  C.H. DE  CADILLAC ", "c.h. de cadillac"),
            ("HOPITAL LA\u{a0} MUSSE", "hopital la musse"),
            ("Co\u{302}te-d'Or", "côte-d'or"),
            ("CÔTE-D'OR", "côte-d'or"),
            ("\u{ff21}BC", "abc"),
            ("Paris(75)", "paris(75)"),
            ("Paris (75)", "paris (75)"),
            (" ", ""),
        ] {
            assert_eq!(prepare(text).as_deref(), Ok(expected), "{text:?}");
        }
        for text in ["a\0b", "a\r\nb", "\u{7f}", "\u{85}"] {
            assert_eq!(prepare(text), Err(DnError::Control), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_prepared_stays(text in "\\PC*") {
            if let Ok(once) = prepare(&text) {
                proptest::prop_assert_eq!(prepare(&once), Ok(once.clone()));
            }
        }
    }
}
