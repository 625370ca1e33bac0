//! Where mail may go that is for nobody here.

use std::collections::BTreeSet;

use mail::Domain;
use policy::DomainFacts;
use trust::Current;

use crate::Door;

/// Where mail may go that is for nobody here. By default nowhere.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// The trust space; without one nothing leaves but by a route.
    pub trust: Option<Current>,
    /// Domains with a configured route: allowed whatever the white list says.
    pub routes: BTreeSet<Domain>,
    /// Domains of ours that another operator serves too: what is unknown here goes there.
    pub shared: BTreeSet<Domain>,
}

impl Outside {
    /// What is known of a domain that is ours.
    pub(crate) fn own(&self, domain: &Domain, door: &Door) -> DomainFacts {
        // What the other operator does not know either must not go round and round.
        let is_the_other = door.operator().is_some_and(|operator| operator.speaks_for(domain));
        match self.shared.contains(domain) && !is_the_other {
            true => DomainFacts::Shared,
            false => DomainFacts::Ours,
        }
    }

    /// What is known of a domain that is not.
    pub(crate) fn others(&self, domain: &Domain) -> DomainFacts {
        if self.routes.contains(domain) {
            return DomainFacts::Reachable;
        }
        match self.trust.as_ref().map(Current::get) {
            None => DomainFacts::Unlisted,
            Some(None) => DomainFacts::Unknown,
            Some(Some(space)) if space.list.lists_domain(domain) => DomainFacts::Reachable,
            Some(Some(_)) => DomainFacts::Unlisted,
        }
    }
}
