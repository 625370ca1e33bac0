//! Where a message may go: into a box here, to another operator of the trust space, or nowhere.

use auth::AccountId;
use directory::AccountState;
use mail::{Domain, ForwardPath, Refusal};

use crate::relay;

/// The account an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// Whether it is served.
    pub state: AccountState,
}

/// What is known of a forward-path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientFacts {
    /// Whose the address is, at whatever domain.
    pub holder: Option<Holder>,
    /// Who reads `postmaster@` of a domain of ours when that address is nobody's, or that of somebody who receives nothing
    /// any more; for `<Postmaster>`, who reads it here.
    pub postmaster: Option<Holder>,
    /// Whose its domain is.
    pub domain: DomainFacts,
}

/// Whose a domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainFacts {
    /// Ours; and that of the forward-path without a domain.
    Ours,
    /// Ours and another operator's at once, and what is unknown here may be relayed there: a migration.
    Shared,
    /// Another's, to whom mail may go: in the white list, or with a configured route.
    Reachable,
    /// Another's, to whom none may.
    Unlisted,
    /// Not ours; there is no white list yet that could say more.
    Unknown,
}

/// Who brings a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bringer {
    /// Another operator, or whoever connects where nobody is asked.
    Peer,
    /// A content filter of ours: what it brings stays here.
    Gateway,
    /// Somebody with an account here.
    Account,
}

/// Where a copy goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Into the box of an account.
    Local(AccountId),
    /// To who serves this domain.
    Remote(Domain),
}

/// Where a forward-path leads.
///
/// An address is looked up whole: `user%elsewhere@ours`, `elsewhere!user@ours` and `"user@elsewhere"@ours` are unknown
/// addresses of ours and nothing else; source routes are gone before (RFC 5321 §3.6.1, appendix F.2). One that is a box
/// here is delivered here, whatever its domain; only then is asked whose the domain is.
///
/// # Errors
/// [`Refusal::RecipientUnlisted`], [`Refusal::RecipientUnknown`], [`Refusal::RecipientDisabled`],
/// [`Refusal::WhiteListMissing`]; for a postmaster, who must be there (RFC 5321 §4.5.1), [`Refusal::PostmasterMissing`]: the
/// mail waits until the operator has named one.
pub fn route(forward_path: &ForwardPath, facts: RecipientFacts, bringer: Bringer) -> Result<Route, Refusal> {
    let RecipientFacts { holder, postmaster, domain } = facts;
    let is_ours = matches!(domain, DomainFacts::Ours | DomainFacts::Shared);
    let address = match forward_path {
        ForwardPath::Address(address) if !(is_ours && is_postmaster(forward_path)) => address,
        _ => {
            let serving = [holder, postmaster].into_iter().flatten().find(|one| one.state == AccountState::Active);
            return serving.map(|one| Route::Local(one.account)).ok_or(Refusal::PostmasterMissing);
        }
    };
    match (holder, domain, bringer) {
        (Some(_), _, Bringer::Peer) if !relay::is_mssante(address) => Err(Refusal::RecipientUnknown),
        (Some(Holder { account, state: AccountState::Active }), ..) => Ok(Route::Local(account)),
        (Some(Holder { state: AccountState::Disabled, .. }), ..) => Err(Refusal::RecipientDisabled),
        (None, DomainFacts::Shared, Bringer::Peer | Bringer::Account)
        | (None, DomainFacts::Reachable, Bringer::Account) => Ok(Route::Remote(address.domain().clone())),
        (None, DomainFacts::Unlisted, Bringer::Account) => {
            Err(Refusal::RecipientUnlisted { domain: address.domain().as_str().to_owned() })
        }
        (None, DomainFacts::Unknown, Bringer::Account) => Err(Refusal::WhiteListMissing),
        // Others' mail for others is nothing we carry: nobody relays through us.
        (None, ..) => Err(Refusal::RecipientUnknown),
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

    fn at(domain: DomainFacts, holder: Option<Holder>, postmaster: Option<Holder>) -> RecipientFacts {
        RecipientFacts { holder, postmaster, domain }
    }

    fn ours(holder: Option<Holder>, postmaster: Option<Holder>) -> RecipientFacts {
        at(DomainFacts::Ours, holder, postmaster)
    }

    fn path(address: &str) -> ForwardPath {
        ForwardPath::Address(address.parse().unwrap())
    }

    #[test]
    fn s13_recipients_are_accounts_of_ours_or_refused() {
        let unlisted = at(DomainFacts::Unlisted, None, None);
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
            ("bob@b.example", unlisted, elsewhere.clone()),
            ("postmaster@b.example", unlisted, elsewhere.clone()),
            ("bob%a.example@b.example", unlisted, elsewhere.clone()),
            // A login address at somebody else's domain, listed or not, is a box here all the same.
            ("ann@b.example", at(DomainFacts::Unlisted, Some(ANN), None), Ok(ANN.account)),
            ("ann@b.example", at(DomainFacts::Reachable, Some(ANN), None), Ok(ANN.account)),
        ] {
            let verdict = verdict.map(Route::Local);
            assert_eq!(route(&path(recipient), facts, Bringer::Account), verdict, "{recipient}");
        }
    }

    #[test]
    fn s13_only_accounts_send_to_others_and_only_to_the_trust_space() {
        let unknown = Err(Refusal::RecipientUnknown);
        let unlisted = Err(Refusal::RecipientUnlisted { domain: "b.example".into() });
        let remote = Ok(Route::Remote("b.example".parse().unwrap()));
        for (domain, by_account, by_peer, by_gateway) in [
            (DomainFacts::Ours, &unknown, &unknown, &unknown),
            (DomainFacts::Shared, &remote, &remote, &unknown),
            (DomainFacts::Reachable, &remote, &unknown, &unknown),
            (DomainFacts::Unlisted, &unlisted, &unknown, &unknown),
            (DomainFacts::Unknown, &Err(Refusal::WhiteListMissing), &unknown, &unknown),
        ] {
            let facts = at(domain, None, None);
            for (bringer, verdict) in
                [(Bringer::Account, by_account), (Bringer::Peer, by_peer), (Bringer::Gateway, by_gateway)]
            {
                assert_eq!(&route(&path("bob@b.example"), facts, bringer), verdict, "{domain:?} {bringer:?}");
            }
        }
    }

    #[test]
    fn the_domainless_postmaster_is_the_hosts() {
        let route = |postmaster| route(&ForwardPath::Postmaster, ours(None, postmaster), Bringer::Peer);
        assert_eq!(route(Some(ADMIN)), Ok(Route::Local(ADMIN.account)));
        assert_eq!(route(Some(GONE)), Err(Refusal::PostmasterMissing));
        assert_eq!(route(None), Err(Refusal::PostmasterMissing));
    }
}
