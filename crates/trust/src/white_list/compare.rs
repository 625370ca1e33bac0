//! What changes from one list to the next, and whether the next may take the place of the one in use.

use std::collections::BTreeSet;

use mail::Domain;

use super::WhiteList;
use crate::dn::Dn;
use crate::timestamp::to_rfc3339;

/// What changes from one list to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Domains only the new list has.
    pub added: Vec<Domain>,
    /// Domains only the old list has.
    pub removed: Vec<Domain>,
    /// Domains of both whose subjects differ.
    pub changed: Vec<Change>,
}

/// How the subjects of a domain change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The domain.
    pub domain: Domain,
    /// Subjects only the new list gives.
    pub gained: Vec<Dn>,
    /// Subjects only the old list gives.
    pub lost: Vec<Dn>,
}

impl Difference {
    /// Whether the lists say the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

pub(super) fn difference(old: &WhiteList, new: &WhiteList) -> Difference {
    let mut difference = Difference::default();
    let none = BTreeSet::new();
    for (domain, after) in &new.domains {
        let Some(before) = old.domains.get(domain) else {
            difference.added.push(domain.clone());
            continue;
        };
        if before != after {
            let gained = after.difference(before).cloned().collect();
            let lost = before.difference(after).cloned().collect();
            difference.changed.push(Change { domain: domain.clone(), gained, lost });
        }
    }
    let gone = old.domains.keys().filter(|domain| new.domains.get(domain).unwrap_or(&none).is_empty());
    difference.removed.extend(gone.cloned());
    difference
}

/// What a new list may do to the one in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of 100 domains, how many may disappear at once.
    pub lost_percent_max: u8,
}

/// Seconds a list may be generated in our future. One that claims more would make every later list an older one.
pub const AHEAD_SECONDS_MAX: i64 = 24 * 3_600;

/// Why a new list does not take the place of the one in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was generated before the one in use: perhaps played back by somebody.
    #[error("generated {}, before the list in use ({})", to_rfc3339(*.new), to_rfc3339(*.old))]
    Older {
        /// Seconds since 1970, of the list in use.
        old: i64,
        /// Seconds since 1970, of the new one.
        new: i64,
    },
    /// It claims to come from the future.
    #[error("generated {}, in the future", to_rfc3339(*.new))]
    Ahead {
        /// Seconds since 1970.
        new: i64,
    },
    /// It lacks more domains than may disappear at once.
    #[error("{lost} of {of} domains would disappear, more than {percent_max} %")]
    Shrunk {
        /// Domains that would disappear.
        lost: usize,
        /// Domains of the list in use.
        of: usize,
        /// What is allowed.
        percent_max: u8,
    },
}

/// Whether `new` may take the place of the list in use, at `now` (seconds since 1970).
///
/// # Errors
/// It may not.
pub fn may_replace(old: Option<&WhiteList>, new: &WhiteList, limits: &Limits, now: i64) -> Result<(), Refused> {
    if new.generated > now.saturating_add(AHEAD_SECONDS_MAX) {
        return Err(Refused::Ahead { new: new.generated });
    }
    let Some(old) = old else {
        return Ok(());
    };
    if new.generated < old.generated {
        return Err(Refused::Older { old: old.generated, new: new.generated });
    }
    let of = old.domains.len();
    let lost = old.domains.keys().filter(|domain| !new.domains.contains_key(domain)).count();
    if lost * 100 > of * usize::from(limits.lost_percent_max) {
        return Err(Refused::Shrunk { lost, of, percent_max: limits.lost_percent_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(generated: i64, entries: &[(&str, &str)]) -> WhiteList {
        let entry = |(domain, dn): &(&str, &str)| (domain.parse().unwrap(), dn.parse().unwrap());
        WhiteList::of(generated, entries.iter().map(entry))
    }

    #[test]
    fn a_difference_names_domains_and_subjects() {
        let old =
            list(1, &[("a.fr", "CN=1,C=FR"), ("b.fr", "CN=1,C=FR"), ("c.fr", "CN=1,C=FR"), ("c.fr", "CN=2,C=FR")]);
        let new =
            list(2, &[("a.fr", "c=fr, cn=1"), ("c.fr", "CN=2,C=FR"), ("c.fr", "CN=3,C=FR"), ("d.fr", "CN=1,C=FR")]);
        let domain = |name: &str| name.parse::<Domain>().unwrap();
        let dn = |name: &str| name.parse::<Dn>().unwrap();
        let difference = old.diff(&new);
        assert_eq!(difference.added, [domain("d.fr")]);
        assert_eq!(difference.removed, [domain("b.fr")]);
        let change = Change { domain: domain("c.fr"), gained: vec![dn("CN=3,C=FR")], lost: vec![dn("CN=1,C=FR")] };
        assert_eq!(difference.changed, [change]);
        assert!(old.diff(&old).is_empty() && !difference.is_empty());
    }

    #[test]
    fn older_shrunk_and_future_lists_are_refused() {
        let names: Vec<String> = (0..100).map(|index| format!("d{index}.fr")).collect();
        let of = |generated, count: usize| {
            let entry = |name: &String| (name.parse().unwrap(), "CN=1".parse().unwrap());
            WhiteList::of(generated, names.iter().take(count).map(entry))
        };
        let limits = Limits { lost_percent_max: 5 };
        let old = of(1_000, 100);
        for (new, expected) in [
            (of(1_000, 100), Ok(())),
            (of(2_000, 95), Ok(())),
            (of(2_000, 94), Err(Refused::Shrunk { lost: 6, of: 100, percent_max: 5 })),
            (of(999, 100), Err(Refused::Older { old: 1_000, new: 999 })),
            (of(2_000 + AHEAD_SECONDS_MAX, 100), Ok(())),
            (of(2_001 + AHEAD_SECONDS_MAX, 100), Err(Refused::Ahead { new: 2_001 + AHEAD_SECONDS_MAX })),
        ] {
            assert_eq!(may_replace(Some(&old), &new, &limits, 2_000), expected);
        }
        assert_eq!(may_replace(None, &of(5, 1), &limits, 2_000), Ok(()));
    }
}
