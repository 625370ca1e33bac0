//! From a page of HTML to the text a reader sees.

/// Strips tags, comments, and what no reader shows; resolves the entities of everyday text. Takes characters one by one and
/// holds a few octets, whatever comes.
#[derive(Debug, Default)]
pub struct HtmlText {
    state: State,
    /// The tag or entity being read, cut at [`WORD_OCTETS_MAX`].
    word: String,
    /// Inside an element whose content is not text: its name.
    hidden: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Tag,
    Comment,
    Entity,
}

impl HtmlText {
    /// Takes the next character of the page; text goes to `out`. A tag that parts words is a space.
    pub fn push<F: FnMut(char)>(&mut self, character: char, out: &mut F) {
        match (self.state, character) {
            (State::Text, '<') => self.begin(State::Tag),
            (State::Text, '&') if self.hidden.is_none() => self.begin(State::Entity),
            (State::Text, other) if self.hidden.is_none() => out(other),
            (State::Text, _) => {}
            (State::Tag, '>') => self.end_tag(out),
            (State::Tag, '<') if self.hidden.is_some() => self.begin(State::Tag),
            (State::Tag, other) if self.word.is_empty() && !(other.is_ascii_alphabetic() || "/!?".contains(other)) => {
                self.state = State::Text;
                if self.hidden.is_none() {
                    out('<');
                }
                self.push(other, out);
            }
            (State::Tag, other) => {
                if self.word.len() < WORD_OCTETS_MAX {
                    self.word.push(other);
                }
                if self.word == "!--" {
                    self.begin(State::Comment);
                }
            }
            (State::Comment, '>') if self.word == "--" => self.state = State::Text,
            (State::Comment, '-') if self.word.len() < 2 => self.word.push('-'),
            (State::Comment, '-') => {}
            (State::Comment, _) => self.word.clear(),
            (State::Entity, ';') => {
                self.state = State::Text;
                match entity(&self.word) {
                    Some(character) => out(character),
                    None => self.give_back(Some(';'), out),
                }
            }
            (State::Entity, other)
                if self.word.len() < WORD_OCTETS_MAX && (other.is_ascii_alphanumeric() || other == '#') =>
            {
                self.word.push(other);
            }
            (State::Entity, other) => {
                self.state = State::Text;
                self.give_back(None, out);
                self.push(other, out);
            }
        }
    }

    /// The page is over.
    pub fn finish<F: FnMut(char)>(&mut self, out: &mut F) {
        if self.state == State::Entity {
            self.give_back(None, out);
        }
        *self = HtmlText::default();
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.word.clear();
    }

    /// An `&` that began no entity is text.
    fn give_back<F: FnMut(char)>(&self, end: Option<char>, out: &mut F) {
        std::iter::once('&').chain(self.word.chars()).chain(end).for_each(out);
    }

    fn end_tag<F: FnMut(char)>(&mut self, out: &mut F) {
        self.state = State::Text;
        let name = self.word.trim_start_matches('/');
        let name = name.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        match &self.hidden {
            Some(hidden) if self.word.starts_with('/') && *hidden == name => self.hidden = None,
            Some(_) => {}
            None if !self.word.starts_with('/') && HIDDEN.contains(&name.as_str()) => self.hidden = Some(name),
            None if INLINE.contains(&name.as_str()) => {}
            None => out(' '),
        }
    }
}

/// The character of `eacute`, `#233` or `#xe9`.
fn entity(word: &str) -> Option<char> {
    if let Some(number) = word.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
            None => number.parse(),
        };
        return match code.ok()? {
            // Written by those who think in windows-1252; browsers read them so.
            octet @ 0x80..=0x9f => {
                let octet = [u8::try_from(octet).ok()?];
                let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&octet);
                text.chars().next()
            }
            code => char::from_u32(code),
        };
    }
    let named = ENTITIES.iter().find(|(name, _)| *name == word).map(|(_, character)| *character);
    let latin_1 = || LATIN_1.iter().zip('\u{a0}'..).find(|(name, _)| **name == word).map(|(_, character)| character);
    named.or_else(latin_1)
}

/// Elements whose content is not shown.
const HIDDEN: [&str; 4] = ["style", "script", "title", "template"];

/// Elements that do not separate words.
const INLINE: [&str; 14] =
    ["a", "abbr", "b", "bdi", "code", "em", "font", "i", "s", "small", "span", "strong", "sub", "u"];

/// The entities of HTML beyond Latin-1 that mail in French and its neighbours uses.
const ENTITIES: [(&str, char); 24] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Yuml", 'Ÿ'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
    ("rarr", '→'),
];

/// The entities of the characters from U+00A0 to U+00FF, in their order.
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy",
    "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm",
    "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig",
    "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
    "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN",
    "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc",
    "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
    "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// Longer than any name of a tag or an entity known here.
const WORD_OCTETS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str) -> String {
        let (mut html, mut text) = (HtmlText::default(), String::new());
        page.chars().for_each(|character| html.push(character, &mut |character| text.push(character)));
        html.finish(&mut |character| text.push(character));
        text
    }

    #[test]
    fn entities_become_characters() {
        for (page, expected) in [
            ("&nbsp;&iexcl;&yuml;&Eacute;&ETH;&szlig;", "\u{a0}¡ÿÉÐß"),
            ("l&rsquo;&oelig;uvre &#8217;&#x2019;&#146;", "l’œuvre ’’’"),
            ("&#xD800;&#1114112;&#;&#x;&;&", "&#xD800;&#1114112;&#;&#x;&;&"),
            ("&EACUTE; &eacute", "&EACUTE; &eacute"),
        ] {
            assert_eq!(text(page), expected, "{page}");
        }
    }

    #[test]
    fn what_is_no_entity_is_kept_whole() {
        let long = format!("&{} end", "x".repeat(1_000));
        assert_eq!(text(&long), long);
    }
}
