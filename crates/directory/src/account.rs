//! Accounts: who owns mailboxes.

/// Whether an account is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// It signs in, sends and receives.
    Active,
    /// It does none of these; what it has is kept. Its sessions end at once.
    Disabled,
}

impl AccountState {
    /// The word of configuration, command line and log.
    pub fn word(self) -> &'static str {
        match self {
            AccountState::Active => "active",
            AccountState::Disabled => "disabled",
        }
    }
}
