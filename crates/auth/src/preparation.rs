//! How passwords and user names are compared: as OpaqueString (RFC 8265 §4.2), which took the place of SASLprep (RFC 4013).
//!
//! macOS types `é` as two characters and Windows as one; a space may be a no-break space. Both sides of a comparison come
//! through here, so that one password stays one. NFC and not SASLprep's NFKC: `ª` and `a`, `²` and `2` stay different.
//!
//! Two departures, both so that a password somebody can type is not refused: characters are checked after composition (the
//! decomposed Hangul of macOS is taken), and characters that RFC 5892 allows in some contexts only are taken in all.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, HangulSyllableType};
use icu_properties::{CodePointMapData, CodePointSetData};
use zeroize::Zeroizing;

/// A password ready to be hashed or compared. Debug output never shows it, and memory forgets it.
#[derive(Clone, PartialEq, Eq)]
pub struct PreparedPassword(Zeroizing<String>);

/// Why a text is no password or user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreparationError {
    /// Nothing is left of it.
    #[error("it is empty")]
    Empty,
    /// A control character, an invisible one, or none of Unicode (RFC 8264 §4.3.3).
    #[error("it holds a control character or an invisible one")]
    Disallowed,
}

impl PreparedPassword {
    /// Prepares a password as typed.
    ///
    /// # Errors
    /// [`PreparationError`]: nobody's password.
    pub fn new(typed: &str) -> Result<PreparedPassword, PreparationError> {
        opaque_string(typed).map(PreparedPassword)
    }

    /// Shows the password to the code that hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Prepares a user name as typed; what it names, and in which case, is the directory's to say.
///
/// # Errors
/// [`PreparationError`]: nobody's name.
pub fn user_name(typed: &str) -> Result<String, PreparationError> {
    opaque_string(typed).map(|prepared| prepared.to_string())
}

/// RFC 8265 §4.2.2: spaces become SPACE, then NFC; case and width stay.
fn opaque_string(typed: &str) -> Result<Zeroizing<String>, PreparationError> {
    let prepared = match typed.is_ascii() {
        true => Zeroizing::new(typed.to_owned()),
        false => {
            let spaced: Zeroizing<String> = Zeroizing::new(typed.chars().map(space_as_ascii).collect());
            Zeroizing::new(ComposingNormalizerBorrowed::new_nfc().normalize(&spaced).into_owned())
        }
    };
    match prepared.chars().all(is_allowed) {
        _ if prepared.is_empty() => Err(PreparationError::Empty),
        true => Ok(prepared),
        false => Err(PreparationError::Disallowed),
    }
}

fn space_as_ascii(character: char) -> char {
    match category(character) {
        GeneralCategory::SpaceSeparator => ' ',
        _ => character,
    }
}

/// The FreeformClass of RFC 8264 §4.3, its classes in the order of §8.
fn is_allowed(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // Exceptions (RFC 5892 §2.6).
        '\u{640}' | '\u{7FA}' | '\u{302E}' | '\u{302F}' | '\u{3031}'..='\u{3035}' | '\u{303B}' => false,
        // Join controls: they are ignorable elsewhere, and letters in Persian.
        '\u{200C}' | '\u{200D}' => true,
        _ if is_conjoining_jamo(character) => false,
        _ if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character) => false,
        _ => !matches!(
            category(character),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
        ),
    }
}

fn is_conjoining_jamo(character: char) -> bool {
    matches!(
        CodePointMapData::<HangulSyllableType>::new().get(character),
        HangulSyllableType::LeadingJamo | HangulSyllableType::VowelJamo | HangulSyllableType::TrailingJamo
    )
}

fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

impl std::fmt::Debug for PreparedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PreparedPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn becomes(typed: &str, expected: &str) {
        assert_eq!(PreparedPassword::new(typed).unwrap().expose(), expected, "{typed:?}");
        assert_eq!(user_name(typed).unwrap(), expected, "{typed:?}");
    }

    #[track_caller]
    fn refused(typed: &str, error: PreparationError) {
        assert_eq!(PreparedPassword::new(typed), Err(error), "{typed:?}");
        assert_eq!(user_name(typed), Err(error), "{typed:?}");
    }

    /// RFC 8265 §4.3, tables 4 and 5.
    #[test]
    fn the_examples_of_rfc_8265() {
        becomes("correct horse battery staple", "correct horse battery staple");
        becomes("Correct Horse Battery Staple", "Correct Horse Battery Staple");
        becomes("πß\u{e5}", "πß\u{e5}");
        becomes("Jack of ♦s", "Jack of ♦s");
        becomes("foo\u{1680}bar", "foo bar");
        refused("", PreparationError::Empty);
        refused("my cat is a \tby", PreparationError::Disallowed);
    }

    #[test]
    fn what_macos_types_is_what_windows_types() {
        becomes("caf\u{65}\u{301}", "caf\u{e9}");
        becomes("\u{43}\u{327}a va o\u{302} \u{1100}\u{1161}\u{11a8}", "\u{c7}a va \u{f4} \u{ac01}");
        // The no-break space of a French keyboard, the narrow one of a word processor, the wide one of an input method.
        becomes("deux\u{a0}mots\u{202f}!\u{3000}", "deux mots ! ");
        // The ohm sign is the Greek letter (a singleton); two marks come into one order.
        becomes("\u{2126} a\u{301}\u{323}", "\u{3a9} \u{1ea1}\u{301}");
    }

    /// The examples of RFC 4013 §3, where OpaqueString has another answer: nothing is taken out, nothing made similar.
    #[test]
    fn the_examples_of_sasl_prep_and_what_became_of_them() {
        refused("I\u{ad}X", PreparationError::Disallowed);
        becomes("user", "user");
        becomes("USER", "USER");
        becomes("\u{aa}", "\u{aa}");
        becomes("\u{2168}", "\u{2168}");
        refused("\u{7}", PreparationError::Disallowed);
        becomes("\u{627}1", "\u{627}1");
    }

    #[test]
    fn no_control_no_invisible_and_no_unknown_character() {
        for disallowed in [
            '\0',
            '\r',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{200b}',
            '\u{200e}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{3164}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{feff}',
            '\u{fffe}',
            '\u{1160}',
            '\u{640}',
            '\u{378}',
            '\u{e0041}',
            '\u{10ffff}',
        ] {
            refused(&format!("pass{disallowed}word"), PreparationError::Disallowed);
        }
        for allowed in ['\u{ff21}', '\u{b7}', '\u{200c}', '😀', 'ﬀ', '€', '中', '\u{660}'] {
            becomes(&format!("pass{allowed}word"), &format!("pass{allowed}word"));
        }
    }

    proptest! {
        #[test]
        fn preparing_twice_changes_nothing(typed in any::<String>()) {
            if let Ok(once) = PreparedPassword::new(&typed) {
                prop_assert_eq!(PreparedPassword::new(once.expose()), Ok(once.clone()));
                prop_assert!(!once.expose().chars().any(char::is_control));
            }
        }

        #[test]
        fn ascii_stays_as_it_is(typed in "[ -~]{1,64}") {
            let prepared = PreparedPassword::new(&typed).unwrap();
            prop_assert_eq!(prepared.expose(), typed);
        }
    }
}
