//! Base subjects (RFC 5256 §2.1).

/// What is left of a subject once reply and forward marks are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseSubject {
    /// The base subject.
    pub text: String,
    /// A mark of reply or forward was removed.
    pub is_reply_or_forward: bool,
}

/// Extracts the base subject from a decoded, unfolded subject. Each octet is looked at a bounded number of times.
pub fn base_subject(subject: &str) -> BaseSubject {
    let spaced = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = spaced.as_str();
    let mut is_reply_or_forward = false;
    loop {
        while let Some(before) = strip_suffix_ignoring_case(text, "(fwd)") {
            is_reply_or_forward = true;
            text = before.trim_end();
        }
        while let Some(after) = strip_leader(text) {
            is_reply_or_forward = true;
            text = after;
        }
        text = strip_blobs(text);
        // `[fwd: … ]` around the whole (step 6).
        let unwrapped = strip_prefix_ignoring_case(text, "[fwd:").and_then(|inside| inside.strip_suffix(']'));
        match unwrapped {
            Some(inside) => {
                is_reply_or_forward = true;
                text = inside.trim();
            }
            None => return BaseSubject { text: text.to_owned(), is_reply_or_forward },
        }
    }
}

/// `subj-leader`: blobs, then `re`, `fw` or `fwd`, an optional blob, and a colon.
fn strip_leader(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    while let Some(after) = strip_blob(rest) {
        rest = after;
    }
    let after_word = ["re", "fwd", "fw"].iter().find_map(|word| strip_prefix_ignoring_case(rest, word))?.trim_start();
    let after_blob = strip_blob(after_word).unwrap_or(after_word);
    Some(after_blob.strip_prefix(':')?.trim_start())
}

/// Blobs before something else (step 4); called only when no leader follows them, so that all go at once.
fn strip_blobs(text: &str) -> &str {
    let mut kept = text;
    let mut rest = text;
    while let Some(after) = strip_blob(rest) {
        if after.is_empty() {
            return rest;
        }
        kept = after;
        rest = after;
    }
    kept
}

/// `subj-blob`: `[…]` without brackets inside, and the space after it.
fn strip_blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let (bracket, _) = inside.match_indices(['[', ']']).next()?;
    Some(inside.get(bracket..)?.strip_prefix(']')?.trim_start())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_and_forward_marks_go() {
        for (subject, base, is_reply_or_forward) in [
            ("Résultats", "Résultats", false),
            ("  a \t b ", "a b", false),
            ("Re: a", "a", true),
            ("RE : a", "a", true),
            ("re[2]: a", "a", true),
            ("[list] Re: [list] a", "a", true),
            ("[list] a", "a", false),
            ("[list]", "[list]", false),
            ("[a][b]", "[b]", false),
            ("Fwd: Re: a (fwd) (FWD)", "a", true),
            ("[Fwd: Re: a]", "a", true),
            ("[Fwd: [Fwd: a]]", "a", true),
            ("[a[b] c", "[a[b] c", false),
            ("Reply: a", "Reply: a", false),
            ("", "", false),
        ] {
            let found = base_subject(subject);
            assert_eq!((found.text.as_str(), found.is_reply_or_forward), (base, is_reply_or_forward), "{subject}");
        }
    }

    #[test]
    fn a_million_replies_take_linear_time() {
        for unit in ["Re: ", "[a]", "[Fwd: ", "(fwd)", "[", "re[a]", "[a]re:"] {
            let _ = base_subject(&unit.repeat(1_000_000 / unit.len()));
        }
        let nested = format!("{}a{}", "[Fwd: ".repeat(50_000), "]".repeat(50_000));
        assert_eq!(base_subject(&nested).text, "a");
    }
}
