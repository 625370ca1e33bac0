//! Which passwords people may choose. Length is what counts; rules of composition are not asked (NIST SP 800-63B §5.1.1).

use auth::{PreparedPassword, preparation::PreparationError};
use mail::Address;

/// Fewest characters of a chosen password (CNIL, recommendation 2022-100: 12 where failures are slowed).
pub const CHARACTERS_MIN: usize = 12;

/// Most octets: what a SASL field may carry.
pub const OCTETS_MAX: usize = auth::sasl::FIELD_OCTETS_MAX;

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRuleError {
    /// Under [`CHARACTERS_MIN`].
    #[error("the password has fewer than {CHARACTERS_MIN} characters")]
    TooShort,
    /// Over [`OCTETS_MAX`].
    #[error("the password has more than {OCTETS_MAX} octets")]
    TooLong,
    /// A control character, or one that nobody sees: some client could not send it.
    #[error("the password holds a control character or an invisible one")]
    Disallowed,
    /// Few different characters, or the login again.
    #[error("the password is too easy to guess")]
    Guessable,
}

/// Checks a password a person chose for the account with this login, and gives it as it is to be hashed.
///
/// # Errors
/// [`PasswordRuleError`].
pub fn check(typed: &str, login: &Address) -> Result<PreparedPassword, PasswordRuleError> {
    if typed.len() > OCTETS_MAX {
        return Err(PasswordRuleError::TooLong);
    }
    let prepared = PreparedPassword::new(typed).map_err(|error| match error {
        PreparationError::Empty => PasswordRuleError::TooShort,
        PreparationError::Disallowed => PasswordRuleError::Disallowed,
    })?;
    let password = prepared.expose();
    if password.chars().count() < CHARACTERS_MIN {
        return Err(PasswordRuleError::TooShort);
    }
    let mut characters: Vec<char> = password.to_lowercase().chars().collect();
    characters.sort_unstable();
    characters.dedup();
    let folded = password.to_lowercase();
    let login = login.canonical();
    let rest = folded.replace(login.local_part().as_str(), "").replace(login.domain().as_str(), "");
    match characters.len() < DISTINCT_MIN || rest.chars().count() < CHARACTERS_MIN / 2 {
        true => Err(PasswordRuleError::Guessable),
        false => Ok(prepared),
    }
}

/// Fewest different characters.
const DISTINCT_MIN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_the_obvious() {
        let login: Address = "anne.martin@a.example".parse().unwrap();
        for (password, verdict) in [
            ("quatre mots au hasard", Ok(())),
            ("été à la mer", Ok(())),
            ("correct-horse-9", Ok(())),
            ("court", Err(PasswordRuleError::TooShort)),
            ("onze lettre", Err(PasswordRuleError::TooShort)),
            ("aaaaaaaaaaaaaaa", Err(PasswordRuleError::Guessable)),
            ("Anne.Martin123", Err(PasswordRuleError::Guessable)),
            ("anne.martin@a.example", Err(PasswordRuleError::Guessable)),
            ("douze lettres\n", Err(PasswordRuleError::Disallowed)),
        ] {
            assert_eq!(check(password, &login).map(|_| ()), verdict, "{password}");
        }
        assert_eq!(check(&"motdepasse".repeat(200), &login).map(|_| ()), Err(PasswordRuleError::TooLong));
    }
}
