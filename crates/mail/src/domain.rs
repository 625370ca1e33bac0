//! Domain names as mail uses them.

use std::fmt;

/// A fully qualified domain name in its ASCII, lower-case form (A-labels, RFC 5890), so that equality is the equality
/// of mail domains. Holds no CR, LF, space or control character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Box<str>);

/// Why a text is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Nothing between the `@` and the end.
    #[error("the domain is empty")]
    Empty,
    /// More than [`Domain::OCTETS_MAX`] octets in ASCII form.
    #[error("the domain has {octets} octets, at most {max} are allowed", max = Domain::OCTETS_MAX)]
    TooLong {
        /// Octets found.
        octets: usize,
    },
    /// A label is empty, too long, or holds a character that is neither letter, digit nor inner hyphen.
    #[error("the domain holds a label that is not made of letters, digits and inner hyphens")]
    Label,
}

impl Domain {
    /// Octets in a domain (RFC 5321 §4.5.3.1.2).
    pub const OCTETS_MAX: usize = 255;
    /// Octets in a label (RFC 1035 §2.3.4).
    pub const LABEL_OCTETS_MAX: usize = 63;

    /// The ASCII, lower-case form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form a person reads: U-labels where the name is internationalised (RFC 5890).
    pub fn to_unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }
}

impl std::str::FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Domain, DomainError> {
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        if text.len() > 4 * Domain::OCTETS_MAX {
            return Err(DomainError::TooLong { octets: text.len() });
        }
        let ascii = match text.is_ascii() {
            true => text.to_ascii_lowercase(),
            false => idna::domain_to_ascii(text).map_err(|_| DomainError::Label)?,
        };
        if ascii.len() > Domain::OCTETS_MAX {
            return Err(DomainError::TooLong { octets: ascii.len() });
        }
        match ascii.split('.').all(is_label) {
            true => Ok(Domain(ascii.into_boxed_str())),
            false => Err(DomainError::Label),
        }
    }
}

/// Letters, digits and inner hyphens (RFC 5321 §4.1.2 `sub-domain`).
fn is_label(label: &str) -> bool {
    (1..=Domain::LABEL_OCTETS_MAX).contains(&label.len())
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_read_as_lower_case_a_labels() {
        for (text, ascii, unicode) in [
            ("a.example", "a.example", "a.example"),
            ("MX-1.A.Example", "mx-1.a.example", "mx-1.a.example"),
            ("hôpital.example", "xn--hpital-ixa.example", "hôpital.example"),
            ("HÔPITAL.example", "xn--hpital-ixa.example", "hôpital.example"),
            ("xn--hpital-ixa.example", "xn--hpital-ixa.example", "hôpital.example"),
            // Full-width letters are the same name (UTS 46): no second spelling of a domain.
            ("\u{ff41}.example", "a.example", "a.example"),
            ("a\u{3002}example", "a.example", "a.example"),
            ("localhost", "localhost", "localhost"),
            ("3com.example", "3com.example", "3com.example"),
        ] {
            let domain: Domain = text.parse().expect(text);
            assert_eq!((domain.as_str(), domain.to_unicode().as_str()), (ascii, unicode), "{text}");
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long = vec!["a".repeat(63); 4].join(".") + ".a";
        let endless = "é".repeat(10_000);
        for (text, error) in [
            ("", DomainError::Empty),
            (".", DomainError::Label),
            ("a..example", DomainError::Label),
            ("a.example.", DomainError::Label),
            ("-a.example", DomainError::Label),
            ("a-.example", DomainError::Label),
            ("a_b.example", DomainError::Label),
            ("a b.example", DomainError::Label),
            ("a.example\r\nBcc: x", DomainError::Label),
            ("a\0.example", DomainError::Label),
            ("[127.0.0.1]", DomainError::Label),
            ("a@b.example", DomainError::Label),
            ("é\r\n.example", DomainError::Label),
            ("é/..example", DomainError::Label),
            (long_label.as_str(), DomainError::Label),
            (long.as_str(), DomainError::TooLong { octets: 257 }),
            (endless.as_str(), DomainError::TooLong { octets: 20_000 }),
        ] {
            assert_eq!(text.parse::<Domain>(), Err(error), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_clean_domain_or_none(text in ".*") {
            if let Ok(domain) = text.parse::<Domain>() {
                let clean = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b".-".contains(&octet);
                proptest::prop_assert!(domain.as_str().bytes().all(clean));
                proptest::prop_assert_eq!(domain.as_str().parse(), Ok(domain.clone()));
            }
        }
    }
}
