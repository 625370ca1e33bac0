//! Names of mailboxes (RFC 9051 §5.1).

use std::fmt;

/// Separates the levels of a name.
pub const SEPARATOR: char = '/';

/// A mailbox name as it is stored and compared: UTF-8 in NFC, without control characters, levels between single `/`,
/// and `INBOX` in capitals wherever it is the first level. `..` means nothing here: names are data, never paths.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Box<str>);

/// Why a text is no mailbox name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailboxNameError {
    /// Nothing at all, or an empty level: `a//b`, `/a`.
    #[error("a level of the mailbox name is empty")]
    EmptyLevel,
    /// More than [`MailboxName::OCTETS_MAX`] octets.
    #[error("the mailbox name is too long")]
    TooLong,
    /// More than [`MailboxName::LEVELS_MAX`] levels.
    #[error("the mailbox name has too many levels")]
    TooDeep,
    /// A control character, a line separator, or a character with no meaning in a name (RFC 9051 §5.1, RFC 5198 §2).
    #[error("the mailbox name holds a character that is not allowed")]
    Character,
    /// Modified UTF-7 is malformed, or there are 8-bit octets outside it (RFC 3501 §5.1.3).
    #[error("the mailbox name is not encoded as it should be")]
    Encoding,
}

impl MailboxName {
    /// Octets in a whole name.
    pub const OCTETS_MAX: usize = 1_000;
    /// Levels in a name.
    pub const LEVELS_MAX: usize = 32;

    /// `INBOX`.
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".into())
    }

    /// A name from decoded text. One trailing separator is dropped: CREATE may end with it (RFC 9051 §6.3.4).
    ///
    /// # Errors
    /// See [`MailboxNameError`].
    pub fn new(text: &str) -> Result<MailboxName, MailboxNameError> {
        let text = text.strip_suffix(SEPARATOR).unwrap_or(text);
        if text.len() > MailboxName::OCTETS_MAX {
            return Err(MailboxNameError::TooLong);
        }
        if text.chars().any(is_forbidden) {
            return Err(MailboxNameError::Character);
        }
        let text = normalise(text);
        if text.len() > MailboxName::OCTETS_MAX {
            return Err(MailboxNameError::TooLong);
        }
        if text.split(SEPARATOR).any(|level| level.trim().is_empty()) {
            return Err(MailboxNameError::EmptyLevel);
        }
        if text.split(SEPARATOR).count() > MailboxName::LEVELS_MAX {
            return Err(MailboxNameError::TooDeep);
        }
        Ok(MailboxName(fold_inbox(&text).into_boxed_str()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `INBOX` itself.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name one level up; `None` at the top.
    pub fn parent(&self) -> Option<MailboxName> {
        self.0.rsplit_once(SEPARATOR).map(|(parent, _)| MailboxName(parent.into()))
    }

    /// Every name above, the topmost first.
    pub fn ancestors(&self) -> impl Iterator<Item = MailboxName> {
        self.0.match_indices(SEPARATOR).filter_map(|(at, _)| self.0.get(..at)).map(|name| MailboxName(name.into()))
    }

    /// True when this lies below `other`, at any depth.
    pub fn is_below(&self, other: &MailboxName) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.starts_with(SEPARATOR))
    }
}

/// Control characters (RFC 9051 §5.1), line and paragraph separators (RFC 5198), the byte order mark, and the controls
/// of direction that make a name look like another.
fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(u32::from(character) & 0xFFFF, 0xFFFE | 0xFFFF)
}

/// NFC, as Net-Unicode asks (RFC 5198 §2): two spellings of `é` are one name.
fn normalise(text: &str) -> std::borrow::Cow<'_, str> {
    match text.is_ascii() {
        true => text.into(),
        false => icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize(text),
    }
}

/// `inbox/work` is `INBOX/work`: the first level INBOX is the same in any case (RFC 9051 §5.1).
fn fold_inbox(text: &str) -> String {
    match text.get(..5) {
        Some(level) if level.eq_ignore_ascii_case("INBOX") => match text.get(5..) {
            Some(rest) if rest.is_empty() || rest.starts_with(SEPARATOR) => format!("INBOX{rest}"),
            _ => text.to_owned(),
        },
        _ => text.to_owned(),
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names of mailboxes are personal data and do not appear in debug output.
impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_inbox() {
            true => f.write_str("MailboxName(INBOX)"),
            false => f.write_str("MailboxName(…)"),
        }
    }
}
