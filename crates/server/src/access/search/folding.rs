//! The comparison of SEARCH: substrings, blind to case and to accents (RFC 9051 §6.4.4 leaves the collation to us).
//!
//! `Reunion` finds `réunion`, `RÉUNION` and the decomposed `re\u{301}union`. Case follows Unicode's lower-case mapping; accents fall
//! from Latin letters only, where French and its neighbours use them.

/// Folds one character and hands what is left of it to `take`: nothing for a combining accent, two for a ligature.
fn fold_character(character: char, mut take: impl FnMut(char)) {
    if character.is_ascii() {
        take(character.to_ascii_lowercase());
        return;
    }
    for lower in character.to_lowercase() {
        match lower {
            '\u{300}'..='\u{36f}' => {}
            'æ' => "ae".chars().for_each(&mut take),
            'œ' => "oe".chars().for_each(&mut take),
            'ß' => "ss".chars().for_each(&mut take),
            // A no-break space before « : ; ! ? » is typography, not meaning; so is the curly apostrophe.
            '\u{a0}' | '\u{202f}' => take(' '),
            '\u{2019}' => take('\''),
            'à'..='å' | 'ā' | 'ă' | 'ą' => take('a'),
            'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => take('c'),
            'ď' => take('d'),
            'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => take('e'),
            'ĝ' | 'ğ' | 'ġ' | 'ģ' => take('g'),
            'ĥ' => take('h'),
            'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' => take('i'),
            'ĵ' => take('j'),
            'ķ' => take('k'),
            'ĺ' | 'ļ' | 'ľ' => take('l'),
            'ñ' | 'ń' | 'ņ' | 'ň' => take('n'),
            'ò'..='ö' | 'ō' | 'ŏ' | 'ő' => take('o'),
            'ŕ' | 'ŗ' | 'ř' => take('r'),
            'ś' | 'ŝ' | 'ş' | 'š' => take('s'),
            'ţ' | 'ť' => take('t'),
            'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => take('u'),
            'ŵ' => take('w'),
            'ý' | 'ÿ' | 'ŷ' => take('y'),
            'ź' | 'ż' | 'ž' => take('z'),
            other => take(other),
        }
    }
}

/// Appends the folded form of `text` to `folded`.
pub fn fold_into(text: &str, folded: &mut Vec<u8>) {
    for character in text.chars() {
        fold_character(character, |kept| {
            let mut buffer = [0; 4];
            folded.extend_from_slice(kept.encode_utf8(&mut buffer).as_bytes());
        });
    }
}

/// A wanted text, folded once, and the automaton that finds it in a stream (Knuth, Morris and Pratt): one step per octet,
/// whatever the text, and no memory of the stream.
#[derive(Clone, Debug)]
pub struct Needle {
    octets: Vec<u8>,
    /// For each length of a matched prefix, the longest proper prefix of it that is also its suffix.
    fallback: Vec<usize>,
}

/// How far a stream has come in one [`Needle`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    matched: usize,
    found: bool,
}

impl Needle {
    /// Folds the wanted text.
    pub fn new(text: &str) -> Needle {
        let mut octets = Vec::with_capacity(text.len());
        fold_into(text, &mut octets);
        if octets.is_empty() {
            // Accents alone: they count when nothing else does.
            octets.extend_from_slice(text.as_bytes());
        }
        let mut fallback = vec![0; octets.len() + 1];
        let mut border = 0;
        for at in 1..octets.len() {
            while border > 0 && octets.get(at) != octets.get(border) {
                border = fallback.get(border).copied().unwrap_or_default();
            }
            if octets.get(at) == octets.get(border) {
                border += 1;
            }
            if let Some(slot) = fallback.get_mut(at + 1) {
                *slot = border;
            }
        }
        Needle { octets, fallback }
    }

    /// The progress at the beginning of a stream. The empty text is found at once (RFC 9051 §6.4.4: `HEADER name ""`).
    pub fn begin(&self) -> Progress {
        Progress { matched: 0, found: self.octets.is_empty() }
    }

    /// Takes the next folded octets of the stream.
    pub fn feed(&self, progress: &mut Progress, folded: &[u8]) {
        if progress.found {
            return;
        }
        let mut matched = progress.matched;
        for &octet in folded {
            while matched > 0 && self.octets.get(matched) != Some(&octet) {
                matched = self.fallback.get(matched).copied().unwrap_or_default();
            }
            if self.octets.get(matched) == Some(&octet) {
                matched += 1;
            }
            if matched == self.octets.len() {
                *progress = Progress { matched: 0, found: true };
                return;
            }
        }
        progress.matched = matched;
    }

    /// True when the text, whole, holds the needle.
    pub fn is_in(&self, text: &str) -> bool {
        let mut folded = Vec::with_capacity(text.len());
        fold_into(text, &mut folded);
        let mut progress = self.begin();
        self.feed(&mut progress, &folded);
        progress.found()
    }
}

impl Progress {
    /// True once the needle was seen.
    pub fn found(&self) -> bool {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        for (needle, text, expected) in [
            ("reunion", "La RÉUNION de lundi", true),
            ("RÉUNION", "la reunion de lundi", true),
            ("réunion", "la re\u{301}union", true),
            ("cœur", "le COEUR", true),
            ("coeur", "Cœur", true),
            ("l'hôpital", "l\u{2019}hopital", true),
            ("où ?", "ou\u{a0}?", true),
            ("Straße", "STRASSE", true),
            ("привет", "ПРИВЕТ", true),
            ("reunion", "re union", false),
            ("abcabd", "abcabcabd", true),
            ("aab", "aaaab", true),
            ("", "anything", true),
            ("x", "", false),
        ] {
            assert_eq!(Needle::new(needle).is_in(text), expected, "{needle:?} in {text:?}");
        }
    }

    #[test]
    fn a_cut_anywhere_changes_nothing() {
        let (needle, text) = (Needle::new("abcabd"), "xxabcabcabdyy");
        for cut in 0..=text.len() {
            let (left, right) = text.split_at(cut);
            let mut progress = needle.begin();
            needle.feed(&mut progress, left.as_bytes());
            needle.feed(&mut progress, right.as_bytes());
            assert!(progress.found(), "cut at {cut}");
        }
    }
}
