//! Mail addresses (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;

use crate::{Domain, DomainError};

/// The part before the `@`, unquoted. Printed quoted where the grammar asks for it, so that nothing can leave its place.
///
/// Never holds a control character; holds non-ASCII only as valid UTF-8 (RFC 6531).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(Box<str>);

/// `local-part@domain`. The local part keeps the case it came with; [`Address::canonical`] is what is looked up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    local_part: LocalPart,
    domain: Domain,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@` outside quotes.
    #[error("the address has no @")]
    NoAt,
    /// Empty, or over [`LocalPart::OCTETS_MAX`] octets.
    #[error("the part before the @ must have 1 to {max} octets", max = LocalPart::OCTETS_MAX)]
    LocalPartLength,
    /// A character the grammar does not allow, or a quote left open.
    #[error("the part before the @ holds a character that is not allowed there")]
    LocalPartSyntax,
    /// The domain is malformed.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl LocalPart {
    /// Octets in a local part (RFC 5321 §4.5.3.1.1).
    pub const OCTETS_MAX: usize = 64;

    /// Reads the wire form: a dot-string or a quoted-string (RFC 5321 §4.1.2 `Local-part`).
    ///
    /// # Errors
    /// [`AddressError::LocalPartLength`], [`AddressError::LocalPartSyntax`].
    pub fn parse(wire: &str) -> Result<LocalPart, AddressError> {
        let text = match wire.strip_prefix('"') {
            Some(rest) => unquote(rest)?,
            None => match wire.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character)) {
                true => wire.to_owned(),
                false if wire.is_empty() => return Err(AddressError::LocalPartLength),
                false => return Err(AddressError::LocalPartSyntax),
            },
        };
        match text.len() {
            1..=LocalPart::OCTETS_MAX => Ok(LocalPart(text.into_boxed_str())),
            _ => Err(AddressError::LocalPartLength),
        }
    }

    /// Takes an unquoted text, as an account's name or a parsed header gives it.
    ///
    /// # Errors
    /// [`AddressError::LocalPartLength`], [`AddressError::LocalPartSyntax`].
    pub fn from_text(text: &str) -> Result<LocalPart, AddressError> {
        match text.len() {
            1..=LocalPart::OCTETS_MAX if text.chars().any(char::is_control) => Err(AddressError::LocalPartSyntax),
            1..=LocalPart::OCTETS_MAX => Ok(LocalPart(text.into())),
            _ => Err(AddressError::LocalPartLength),
        }
    }

    /// The unquoted text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The inside of a quoted-string whose opening quote is gone; the closing one must be last.
fn unquote(rest: &str) -> Result<String, AddressError> {
    let inside = rest.strip_suffix('"').ok_or(AddressError::LocalPartSyntax)?;
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '"' => return Err(AddressError::LocalPartSyntax),
            '\\' => characters.next().filter(|escaped| (' '..='~').contains(escaped)),
            other => Some(other).filter(|other| !other.is_control()),
        };
        text.push(literal.ok_or(AddressError::LocalPartSyntax)?);
    }
    Ok(text)
}

/// `atext` (RFC 5322 §3.2.3), or any non-ASCII character that is no control (RFC 6531 §3.3).
fn is_atom_character(character: char) -> bool {
    match character.is_ascii() {
        true => character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character),
        false => !character.is_control(),
    }
}

impl Address {
    /// Joins the two parts.
    pub fn new(local_part: LocalPart, domain: Domain) -> Address {
        Address { local_part, domain }
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The form under which addresses are stored and looked up: local part in lower case. We never make two mailboxes
    /// of one spelling, which RFC 5321 §2.4 leaves to the host that owns the domain.
    pub fn canonical(&self) -> Address {
        Address {
            local_part: LocalPart(self.local_part.0.to_lowercase().into_boxed_str()),
            domain: self.domain.clone(),
        }
    }

    /// True when the address can travel without SMTPUTF8 (RFC 6531 §3.1).
    pub fn is_ascii(&self) -> bool {
        self.local_part.0.is_ascii()
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    /// Splits at the last `@`: an `@` inside quotes belongs to the local part.
    fn from_str(text: &str) -> Result<Address, AddressError> {
        let (local_part, domain) = text.rsplit_once('@').ok_or(AddressError::NoAt)?;
        Ok(Address { local_part: LocalPart::parse(local_part)?, domain: domain.parse()? })
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character)) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

/// Addresses are personal data and do not appear in debug output or logs; account ids do.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// As for [`Address`].
impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalPart(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for (text, printed) in [
            ("anne@a.example", "anne@a.example"),
            ("Anne.Dupont@A.Example", "Anne.Dupont@a.example"),
            ("a+b!#$%&'*/=?^_`{|}~-@a.example", "a+b!#$%&'*/=?^_`{|}~-@a.example"),
            // Quotes nobody needs go.
            ("\"anne\"@a.example", "anne@a.example"),
            ("\"a b\"@a.example", "\"a b\"@a.example"),
            ("\"a\\\"b\\\\c\"@a.example", "\"a\\\"b\\\\c\"@a.example"),
            ("\"a..b\"@a.example", "\"a..b\"@a.example"),
            ("\".\"@a.example", "\".\"@a.example"),
            ("\"x@evil\"@a.example", "\"x@evil\"@a.example"),
            // What smtp-proto lets through unquoted: it stays inside its quotes (crates.md §2.8).
            ("\"a> NOTIFY=NEVER <b\"@a.example", "\"a> NOTIFY=NEVER <b\"@a.example"),
            ("\" \"@a.example", "\" \"@a.example"),
            ("rené@a.example", "rené@a.example"),
            ("postmaster@hôpital.example", "postmaster@xn--hpital-ixa.example"),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), printed, "{text}");
            assert_eq!(printed.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        use AddressError::{LocalPartLength, LocalPartSyntax, NoAt};
        let long = format!("{}@a.example", "a".repeat(65));
        for (text, error) in [
            ("", NoAt),
            ("anne", NoAt),
            ("@a.example", LocalPartLength),
            ("\"\"@a.example", LocalPartLength),
            (long.as_str(), LocalPartLength),
            ("a b@a.example", LocalPartSyntax),
            ("a..b@a.example", LocalPartSyntax),
            (".a@a.example", LocalPartSyntax),
            ("a.@a.example", LocalPartSyntax),
            ("x@y@a.example", LocalPartSyntax),
            ("a\"b@a.example", LocalPartSyntax),
            ("\"a\"b\"@a.example", LocalPartSyntax),
            ("\"a\\\"@a.example", LocalPartSyntax),
            ("\"a@a.example", LocalPartSyntax),
            ("\"a\r\nb\"@a.example", LocalPartSyntax),
            ("\"a\\\r\"@a.example", LocalPartSyntax),
            ("\"a\0b\"@a.example", LocalPartSyntax),
            ("a\u{85}b@a.example", LocalPartSyntax),
            ("<a@a.example", LocalPartSyntax),
            ("anne@", AddressError::Domain(DomainError::Empty)),
            ("anne@a.example>", AddressError::Domain(DomainError::Label)),
            ("anne@a.example NOTIFY=NEVER", AddressError::Domain(DomainError::Label)),
            ("anne@[127.0.0.1]", AddressError::Domain(DomainError::Label)),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn addresses_are_looked_up_without_regard_to_case() {
        let address: Address = "Anne.DUPONT@A.example".parse().unwrap();
        assert_eq!(address.canonical().to_string(), "anne.dupont@a.example");
        assert!(address.is_ascii() && !"é@a.example".parse::<Address>().unwrap().is_ascii());
    }

    #[test]
    fn addresses_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", "anne@a.example".parse::<Address>()).contains("anne"));
    }

    proptest::proptest! {
        #[test]
        fn what_prints_reads_back_and_stays_one_word(text in "\\PC{1,20}|[ -~]{1,20}") {
            if let Ok(local_part) = LocalPart::from_text(&text) {
                let printed = local_part.to_string();
                proptest::prop_assert_eq!(LocalPart::parse(&printed), Ok(local_part));
                proptest::prop_assert!(!printed.contains(char::is_control));
                // Nothing ends the angle brackets early but inside quotes.
                proptest::prop_assert!(printed.starts_with('"') || !printed.contains([' ', '<', '>', '@', ',', '"']));
            }
        }

        #[test]
        fn any_text_is_an_address_or_not(text in ".*") {
            if let Ok(address) = text.parse::<Address>() {
                proptest::prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
