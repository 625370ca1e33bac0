//! Enhanced mail system status codes (RFC 3463).

use std::fmt;

/// `class.subject.detail`, for example `5.7.1` (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedStatus {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What the status is about: 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl EnhancedStatus {
    /// `class.subject.detail`.
    pub const fn new(class: u8, subject: u16, detail: u16) -> EnhancedStatus {
        EnhancedStatus { class, subject, detail }
    }
}

impl std::str::FromStr for EnhancedStatus {
    type Err = NoStatus;

    /// Class 2, 4 or 5, then two numbers of one to three digits, without leading zeros (RFC 3463 §2).
    fn from_str(text: &str) -> Result<EnhancedStatus, NoStatus> {
        let mut parts = text.split('.');
        let mut number = || {
            let part = parts.next().filter(|part| (1..=3).contains(&part.len())).ok_or(NoStatus)?;
            let is_plain = part.bytes().all(|octet| octet.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            part.parse::<u16>().ok().filter(|_| is_plain).ok_or(NoStatus)
        };
        let (class, subject, detail) = (number()?, number()?, number()?);
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5)).ok_or(NoStatus)?;
        match parts.next() {
            None => Ok(EnhancedStatus::new(class, subject, detail)),
            Some(_) => Err(NoStatus),
        }
    }
}

/// The text is no enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no enhanced status code")]
pub struct NoStatus;

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_prints_with_dots() {
        assert_eq!(EnhancedStatus::new(5, 7, 1).to_string(), "5.7.1");
        assert_eq!(EnhancedStatus::new(4, 3, 0).to_string(), "4.3.0");
    }

    #[test]
    fn a_status_reads() {
        for (text, status) in [
            ("5.7.1", Some(EnhancedStatus::new(5, 7, 1))),
            ("4.999.0", Some(EnhancedStatus::new(4, 999, 0))),
            ("3.1.1", None),
            ("5.1", None),
            ("5.1.1.1", None),
            ("5.01.1", None),
            ("5.1000.1", None),
            ("5.+1.1", None),
            ("5..1", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), status, "{text}");
        }
    }
}
