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
