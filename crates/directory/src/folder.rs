//! The folders an account starts with, named in its language at that time (RFC 6154 says what each is for).

use mail::Language;

/// A folder that exists from the start. All are subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialFolder {
    /// Where mail arrives. Its name is the same in every language (RFC 9051 §5.1).
    Inbox,
    /// What was sent.
    Sent,
    /// What is being written.
    Drafts,
    /// What will be deleted.
    Trash,
    /// What is unwanted.
    Junk,
    /// What is kept.
    Archive,
}

impl SpecialFolder {
    /// In the order of creation.
    pub const ALL: [SpecialFolder; 6] = [
        SpecialFolder::Inbox,
        SpecialFolder::Sent,
        SpecialFolder::Drafts,
        SpecialFolder::Trash,
        SpecialFolder::Junk,
        SpecialFolder::Archive,
    ];

    /// The mailbox name at creation, in UTF-8; users may rename it afterwards.
    pub fn name(self, language: Language) -> &'static str {
        match (self, language) {
            (SpecialFolder::Inbox, _) => "INBOX",
            (SpecialFolder::Sent, Language::French) => "Messages envoyés",
            (SpecialFolder::Sent, Language::English) => "Sent",
            (SpecialFolder::Drafts, Language::French) => "Brouillons",
            (SpecialFolder::Drafts, Language::English) => "Drafts",
            (SpecialFolder::Trash, Language::French) => "Messages supprimés",
            (SpecialFolder::Trash, Language::English) => "Trash",
            (SpecialFolder::Junk, Language::French) => "Courrier indésirable",
            (SpecialFolder::Junk, Language::English) => "Junk",
            (SpecialFolder::Archive, Language::French) => "Archives",
            (SpecialFolder::Archive, Language::English) => "Archive",
        }
    }

    /// The attribute of RFC 6154 §2; INBOX has none.
    pub fn special_use(self) -> Option<&'static str> {
        match self {
            SpecialFolder::Inbox => None,
            SpecialFolder::Sent => Some("\\Sent"),
            SpecialFolder::Drafts => Some("\\Drafts"),
            SpecialFolder::Trash => Some("\\Trash"),
            SpecialFolder::Junk => Some("\\Junk"),
            SpecialFolder::Archive => Some("\\Archive"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_within_a_language() {
        for language in [Language::French, Language::English] {
            let mut names: Vec<_> = SpecialFolder::ALL.iter().map(|folder| folder.name(language)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 6);
        }
        assert_eq!(SpecialFolder::Sent.name(Language::French), "Messages envoyés");
        assert_eq!(SpecialFolder::ALL.iter().filter_map(|folder| folder.special_use()).count(), 5);
    }
}
