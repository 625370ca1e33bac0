//! Which names may be given. What arrives from outside is held to the RFCs only; what we create, to these rules too.

use mail::{Address, LocalPart};

/// Characters in a display name or in the name of a structure.
pub const NAME_CHARACTERS_MAX: usize = 200;

/// Why a name or an address may not be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamingError {
    /// Nothing but spaces.
    #[error("the name is empty")]
    Empty,
    /// Over [`NAME_CHARACTERS_MAX`].
    #[error("the name has more than {NAME_CHARACTERS_MAX} characters")]
    TooLong,
    /// A control character, or one that turns the direction of what follows.
    #[error("the name holds a control character")]
    Control,
    /// A character we give in no address.
    #[error("in an address we create, the part before the @ holds only letters without accents, digits and . - _ + '")]
    LocalPart,
    /// An address other hosts expect somebody else behind (RFC 2142, RFC 5321 §4.5.1).
    #[error(
        "{0}@ is reserved: an account takes it as a further address, not as its first: \
         sceau account address ACCOUNT {0}@DOMAIN"
    )]
    Reserved(&'static str),
}

/// Checks a display name or the name of a structure, and takes the spaces around it away.
///
/// # Errors
/// [`NamingError::Empty`], [`NamingError::TooLong`], [`NamingError::Control`].
pub fn display_name(text: &str) -> Result<String, NamingError> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(NamingError::Empty),
        count if count > NAME_CHARACTERS_MAX => Err(NamingError::TooLong),
        _ if text.chars().any(|character| character.is_control() || turns_direction(character)) => {
            Err(NamingError::Control)
        }
        _ => Ok(text.to_owned()),
    }
}

/// Checks an address that is to be the first of an account, its login.
///
/// # Errors
/// [`NamingError::LocalPart`], [`NamingError::Reserved`].
pub fn login_address(address: &Address) -> Result<(), NamingError> {
    let canonical = address.canonical();
    let reserved = RESERVED.into_iter().find(|reserved| *reserved == canonical.local_part().as_str());
    match reserved {
        Some(reserved) => Err(NamingError::Reserved(reserved)),
        None => further_address(address),
    }
}

/// Checks a further address of an account.
///
/// # Errors
/// [`NamingError::LocalPart`].
pub fn further_address(address: &Address) -> Result<(), NamingError> {
    match plain(address.local_part()) {
        true => Ok(()),
        false => Err(NamingError::LocalPart),
    }
}

/// `%`, `!` and `@` in a local part once meant "send it on": an address of ours never holds them, nor what needs quotes.
fn plain(local_part: &LocalPart) -> bool {
    let text = local_part.as_str();
    let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_+'".contains(character);
    text.split('.').all(|atom| !atom.is_empty()) && text.chars().all(allowed) && !text.starts_with('-')
}

/// Marks that show text in another order than it is stored: the material of names that look like other names.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Mailboxes of RFC 2142 §2–5 that speak for the host, and the one RFC 5321 demands.
const RESERVED: [&str; 6] = ["postmaster", "abuse", "security", "hostmaster", "noc", "mailer-daemon"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names() {
        assert_eq!(display_name("  Dr Anne Martin "), Ok("Dr Anne Martin".to_owned()));
        assert_eq!(display_name("Hôpital d'Étampes"), Ok("Hôpital d'Étampes".to_owned()));
        assert_eq!(display_name(" "), Err(NamingError::Empty));
        assert_eq!(display_name("a\r\nBcc: b"), Err(NamingError::Control));
        assert_eq!(display_name("a\u{202e}b"), Err(NamingError::Control));
        assert_eq!(display_name(&"é".repeat(NAME_CHARACTERS_MAX)).map(|name| name.chars().count()), Ok(200));
        assert_eq!(display_name(&"é".repeat(NAME_CHARACTERS_MAX + 1)), Err(NamingError::TooLong));
    }

    #[test]
    fn addresses_we_give() {
        for (address, verdict) in [
            ("anne.martin@a.example", Ok(())),
            ("o'neill+lab_2@a.example", Ok(())),
            ("Postmaster@a.example", Err(NamingError::Reserved("postmaster"))),
            ("abuse@a.example", Err(NamingError::Reserved("abuse"))),
            ("a%b@a.example", Err(NamingError::LocalPart)),
            ("b!a@a.example", Err(NamingError::LocalPart)),
            ("\"a b\"@a.example", Err(NamingError::LocalPart)),
            ("\"a@b\"@a.example", Err(NamingError::LocalPart)),
            ("-rf@a.example", Err(NamingError::LocalPart)),
            ("andré@a.example", Err(NamingError::LocalPart)),
            ("../etc@a.example", Err(NamingError::LocalPart)),
        ] {
            let Ok(address) = address.parse::<Address>() else { continue };
            assert_eq!(login_address(&address), verdict, "{address}");
        }
        assert_eq!(further_address(&"postmaster@a.example".parse().unwrap()), Ok(()));
    }
}
