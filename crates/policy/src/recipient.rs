//! Where a message may go. In this version both roles, relay and submission, deliver to accounts of ours only.

use auth::AccountId;
use directory::AccountState;
use mail::{ForwardPath, Refusal};

/// The account an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// Whether it is served.
    pub state: AccountState,
}

/// What the directory says of a forward-path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientFacts {
    /// The domain is none of ours.
    Elsewhere,
    /// The domain is ours, or there is none (`<Postmaster>`).
    Ours {
        /// Whose the address is.
        holder: Option<Holder>,
        /// Who reads `postmaster@` of this domain when that address is nobody's, or that of somebody who receives nothing
        /// any more; for `<Postmaster>`, who reads it here.
        postmaster: Option<Holder>,
    },
}

/// The account a forward-path leads to.
///
/// An address is looked up whole: `user%elsewhere@ours`, `elsewhere!user@ours` and `"user@elsewhere"@ours` are unknown
/// addresses of ours and nothing else; source routes are gone before (RFC 5321 §3.6.1, appendix F.2).
///
/// # Errors
/// [`Refusal::RecipientUnlisted`], [`Refusal::RecipientUnknown`], [`Refusal::RecipientDisabled`]; for a postmaster, who must
/// be there (RFC 5321 §4.5.1), [`Refusal::PostmasterMissing`]: the mail waits until the operator has named one.
pub fn account(forward_path: &ForwardPath, facts: RecipientFacts) -> Result<AccountId, Refusal> {
    let holder = match (facts, forward_path) {
        (RecipientFacts::Elsewhere, ForwardPath::Address(address)) => {
            return Err(Refusal::RecipientUnlisted { domain: address.domain().as_str().to_owned() });
        }
        // <Postmaster> is always ours: no directory says otherwise.
        (RecipientFacts::Elsewhere, ForwardPath::Postmaster) => return Err(Refusal::PostmasterMissing),
        (RecipientFacts::Ours { holder, postmaster }, path) if is_postmaster(path) => {
            let serving = [holder, postmaster].into_iter().flatten().find(|one| one.state == AccountState::Active);
            return serving.map(|one| one.account).ok_or(Refusal::PostmasterMissing);
        }
        (RecipientFacts::Ours { holder, .. }, _) => holder,
    };
    match holder {
        Some(Holder { account, state: AccountState::Active }) => Ok(account),
        Some(Holder { state: AccountState::Disabled, .. }) => Err(Refusal::RecipientDisabled),
        None => Err(Refusal::RecipientUnknown),
    }
}

/// `<Postmaster>`, and `postmaster` in any case at any domain: one reads mail in every domain of ours (RFC 5321 §4.5.1).
pub fn is_postmaster(forward_path: &ForwardPath) -> bool {
    match forward_path {
        ForwardPath::Postmaster => true,
        ForwardPath::Address(address) => address.local_part().as_str().eq_ignore_ascii_case("postmaster"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Holder = Holder { account: AccountId(1), state: AccountState::Active };
    const GONE: Holder = Holder { account: AccountId(2), state: AccountState::Disabled };
    const ADMIN: Holder = Holder { account: AccountId(3), state: AccountState::Active };

    fn ours(holder: Option<Holder>, postmaster: Option<Holder>) -> RecipientFacts {
        RecipientFacts::Ours { holder, postmaster }
    }

    #[test]
    fn s13_recipients_are_accounts_of_ours_or_refused() {
        let elsewhere = Err(Refusal::RecipientUnlisted { domain: "b.example".into() });
        for (recipient, facts, verdict) in [
            ("ann@a.example", ours(Some(ANN), Some(ADMIN)), Ok(ANN.account)),
            ("nobody@a.example", ours(None, Some(ADMIN)), Err(Refusal::RecipientUnknown)),
            ("gone@a.example", ours(Some(GONE), Some(ADMIN)), Err(Refusal::RecipientDisabled)),
            ("postmaster@a.example", ours(None, Some(ADMIN)), Ok(ADMIN.account)),
            ("PostMaster@a.example", ours(None, Some(ADMIN)), Ok(ADMIN.account)),
            ("postmaster@a.example", ours(Some(ANN), Some(ADMIN)), Ok(ANN.account)),
            ("postmaster@a.example", ours(Some(GONE), Some(ADMIN)), Ok(ADMIN.account)),
            ("POSTMASTER@a.example", ours(None, None), Err(Refusal::PostmasterMissing)),
            ("postmaster@a.example", ours(Some(GONE), None), Err(Refusal::PostmasterMissing)),
            ("postmaster@a.example", ours(None, Some(GONE)), Err(Refusal::PostmasterMissing)),
            ("postmasters@a.example", ours(None, None), Err(Refusal::RecipientUnknown)),
            ("bob%b.example@a.example", ours(None, Some(ADMIN)), Err(Refusal::RecipientUnknown)),
            ("b.example!bob@a.example", ours(None, Some(ADMIN)), Err(Refusal::RecipientUnknown)),
            ("\"bob@b.example\"@a.example", ours(None, Some(ADMIN)), Err(Refusal::RecipientUnknown)),
            ("bob@b.example", RecipientFacts::Elsewhere, elsewhere.clone()),
            ("postmaster@b.example", RecipientFacts::Elsewhere, elsewhere.clone()),
            ("bob%a.example@b.example", RecipientFacts::Elsewhere, elsewhere.clone()),
        ] {
            let forward_path = ForwardPath::Address(recipient.parse().unwrap());
            assert_eq!(account(&forward_path, facts), verdict, "{recipient}");
        }
    }

    #[test]
    fn the_domainless_postmaster_is_the_hosts() {
        assert_eq!(account(&ForwardPath::Postmaster, ours(None, Some(ADMIN))), Ok(ADMIN.account));
        assert_eq!(account(&ForwardPath::Postmaster, ours(None, Some(GONE))), Err(Refusal::PostmasterMissing));
        assert_eq!(account(&ForwardPath::Postmaster, ours(None, None)), Err(Refusal::PostmasterMissing));
        assert_eq!(account(&ForwardPath::Postmaster, RecipientFacts::Elsewhere), Err(Refusal::PostmasterMissing));
    }
}
