//! The languages in which users are spoken to.

/// French is the default of accounts, English that of peers (RFC 5321 has no negotiation of language).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// French, `fr`.
    #[default]
    French,
    /// English, `en`.
    English,
}

impl Language {
    /// The BCP 47 tag: `fr` or `en`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::French => "fr",
            Language::English => "en",
        }
    }

    /// Reads a BCP 47 tag; regions are ignored (`fr-CA` is French). `None` for any other language.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let primary = tag.split('-').next()?;
        [Language::French, Language::English].into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_without_their_region() {
        for (tag, language) in [
            ("fr", Some(Language::French)),
            ("FR-ca", Some(Language::French)),
            ("en-GB", Some(Language::English)),
            ("de", None),
            ("french", None),
            ("", None),
        ] {
            assert_eq!(Language::from_tag(tag), language, "{tag}");
        }
        assert_eq!(Language::default().tag(), "fr");
    }
}
