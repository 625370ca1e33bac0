//! Which mailboxes a LIST pattern names (RFC 9051 §6.3.9).

use crate::mailbox::SEPARATOR;

/// The pattern a reference and a pattern make together: side by side, unless the pattern begins with the separator.
pub fn combined(reference: &str, pattern: &str) -> String {
    match pattern.starts_with(SEPARATOR) {
        true => pattern.to_owned(),
        false => format!("{reference}{pattern}"),
    }
}

/// True when the name matches the pattern. For many names make a [`Matcher`].
pub fn matches(pattern: &str, name: &str) -> bool {
    Matcher::new(pattern).matches(name)
}

/// A pattern made ready: `*` stands for anything, `%` for anything without the separator.
///
/// All ways to match are followed at once, one bit each, so a name costs its length times the pattern's 64-octet words,
/// whatever the wildcards (bar S10).
#[derive(Debug)]
pub struct Matcher {
    /// For each octet, the places of the pattern that it matches.
    octets: Vec<Vec<u64>>,
    stars: Vec<u64>,
    percents: Vec<u64>,
    /// Places in the pattern, wildcards side by side made one.
    places: usize,
}

impl Matcher {
    /// Reads a pattern. Every text is one.
    pub fn new(pattern: &str) -> Matcher {
        let mut places: Vec<u8> = Vec::with_capacity(pattern.len());
        for octet in pattern.bytes() {
            match (places.last_mut(), octet) {
                (Some(b'*'), b'*' | b'%') | (Some(b'%'), b'%') => {}
                (Some(last @ b'%'), b'*') => *last = b'*',
                _ => places.push(octet),
            }
        }
        let words = places.len() / 64 + 1;
        let mut matcher = Matcher {
            octets: vec![Vec::new(); 256],
            stars: vec![0; words],
            percents: vec![0; words],
            places: places.len(),
        };
        for (place, octet) in places.into_iter().enumerate() {
            match octet {
                b'*' => set(&mut matcher.stars, place),
                b'%' => set(&mut matcher.percents, place),
                octet => {
                    if let Some(mask) = matcher.octets.get_mut(usize::from(octet)) {
                        mask.resize(words, 0);
                        set(mask, place);
                    }
                }
            }
        }
        matcher
    }

    /// True when the name matches. The first level INBOX matches in any case (RFC 9051 §5.1).
    pub fn matches(&self, name: &str) -> bool {
        let inbox = name.starts_with("INBOX") && matches!(name.as_bytes().get(5), None | Some(b'/'));
        let mut reached = vec![0u64; self.stars.len()];
        set(&mut reached, 0);
        self.skip_wildcards(&mut reached);
        for (at, octet) in name.bytes().enumerate() {
            let folded = if inbox && at < 5 { octet.to_ascii_lowercase() } else { octet };
            let mut carry = 0;
            let mut any = 0;
            for (word, reached) in reached.iter_mut().enumerate() {
                let consuming = *reached & (self.places_of(octet, word) | self.places_of(folded, word));
                let percents = if octet == SEPARATOR as u8 { 0 } else { word_of(&self.percents, word) };
                let staying = *reached & (word_of(&self.stars, word) | percents);
                *reached = staying | consuming << 1 | carry;
                carry = consuming >> 63;
                any |= *reached;
            }
            if any == 0 {
                return false;
            }
            self.skip_wildcards(&mut reached);
        }
        word_of(&reached, self.places / 64) >> (self.places % 64) & 1 == 1
    }

    /// A wildcard may stand for nothing. No two are side by side, so one step is enough.
    fn skip_wildcards(&self, reached: &mut [u64]) {
        let mut carry = 0;
        for (word, reached) in reached.iter_mut().enumerate() {
            let skipping = (*reached | carry) & (word_of(&self.stars, word) | word_of(&self.percents, word));
            *reached |= carry | skipping << 1;
            carry = skipping >> 63;
        }
    }

    fn places_of(&self, octet: u8, word: usize) -> u64 {
        self.octets.get(usize::from(octet)).map_or(0, |mask| word_of(mask, word))
    }
}

fn set(mask: &mut [u64], place: usize) {
    if let Some(word) = mask.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn word_of(mask: &[u64], word: usize) -> u64 {
    mask.get(word).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_stand_for_what_they_should() {
        let cases = [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a*", "a/b", true),
            ("a%c", "abbc", true),
            ("a%c", "ab/c", false),
            ("*%", "a/b", true),
            ("%*", "a/b", true),
            ("inbox", "INBOX", true),
            ("iNb%/x", "INBOX/x", true),
            ("inbox", "INBOXES", false),
            ("a/%/*c", "a/b/d/c", true),
            ("", "", true),
            ("", "a", false),
            ("%a%b", "xaybzb", true),
            ("envoyés*", "envoyés", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        let long = "é/".repeat(70);
        assert!(matches(&format!("{long}%"), &format!("{long}x")));
        assert!(!matches(&format!("{long}%"), &format!("{long}x/")));
    }

    /// S10: 200 wildcards against a long name, in time that does not grow with the ways to match.
    #[test]
    fn s10_many_wildcards_cost_nothing() {
        let pattern = "%*a".repeat(300);
        let name = "a".repeat(250) + &"/b".repeat(250);
        let matcher = Matcher::new(&pattern);
        for _ in 0..200 {
            assert!(!matcher.matches(&name));
        }
    }

    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|at| by_definition(rest, &name[at..])),
            Some((b'%', rest)) => {
                let level = name.iter().position(|octet| *octet == b'/').unwrap_or(name.len());
                (0..=level).any(|at| by_definition(rest, &name[at..]))
            }
            Some((first, rest)) => name.first() == Some(first) && by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_the_definition(pattern in "[ab/*%]{0,9}", name in "[ab/]{0,9}") {
            prop_assert_eq!(matches(&pattern, &name), by_definition(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
