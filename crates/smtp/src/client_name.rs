//! What a client calls itself (RFC 5321 §4.1.1.1).

use std::fmt;

/// The argument of EHLO or HELO: a domain, a host name alone, or an address literal (RFC 5321 §4.1.3).
///
/// Underscores are taken, since Windows machines bear them; §4.1.4 forbids to refuse mail for a name that proves
/// nothing. Only letters, digits, `-`, `.`, `_` and, inside brackets, `:` remain, so it can enter a trace field or a log
/// as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientName(Box<str>);

/// The text is neither a domain nor an address literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client is named by a domain or an address literal")]
pub struct ClientNameError;

impl ClientName {
    /// Octets in a name (RFC 5321 §4.5.3.1.2).
    pub const OCTETS_MAX: usize = 255;

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ClientName {
    type Err = ClientNameError;

    fn from_str(text: &str) -> Result<ClientName, ClientNameError> {
        let valid = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(literal) => !literal.is_empty() && literal.bytes().all(|octet| is_name_octet(octet) || octet == b':'),
            // One dot at the end is what some resolvers hand out.
            None => text.strip_suffix('.').unwrap_or(text).split('.').all(is_label),
        };
        match valid && text.len() <= ClientName::OCTETS_MAX {
            true => Ok(ClientName(text.into())),
            false => Err(ClientNameError),
        }
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|octet| is_name_octet(octet) && octet != b'.')
}

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_domains_hosts_or_literals() {
        for good in ["mx.example.org", "DESKTOP-7", "my_pc", "[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost.", "a"] {
            assert_eq!(good.parse::<ClientName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "bad_host!", "a b", "a..b", "[]", "é.fr", "a\u{1b}[0m", "<x>", ".", "a:b"] {
            assert_eq!(bad.parse::<ClientName>(), Err(ClientNameError), "{bad:?}");
        }
        assert!("a".repeat(255).parse::<ClientName>().is_ok());
        assert!("a".repeat(256).parse::<ClientName>().is_err());
    }
}
