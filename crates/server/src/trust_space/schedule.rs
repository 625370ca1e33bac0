//! When lists are fetched: pure, so that a year passes in a test.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use net::{Randomness, SystemRandomness};

use super::{Attempt, TrustSpace};

/// Seconds until a refresh that failed is tried again, at most.
const RETRY: i64 = 300;

/// Seconds before the end of a revocation list when it is tried to have the next one, whatever the hour.
const BEFORE_END: i64 = 3_600;

/// Seconds over which servers spread after the hour of renewal.
const RENEWAL_SPREAD: i64 = 1_800;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) list: bool,
    pub(super) revocation: bool,
}

/// A share of the spread, from 0 to 1,000: drawn once, so that a server has its minute and not all have the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter(i64);

impl Jitter {
    pub(super) fn random() -> Jitter {
        let mut octets = [0; 2];
        SystemRandomness.fill(&mut octets);
        Jitter(i64::from(u16::from_le_bytes(octets)) % 1_001)
    }

    fn of(self, spread: i64) -> i64 {
        spread * self.0 / 1_000
    }
}

impl TrustSpace {
    pub(super) fn due(&self, now: i64, jitter: Jitter) -> Due {
        let known = self.known();
        let interval = i64::try_from(self.config.white_list.refresh.as_secs()).unwrap_or(i64::MAX);
        let ends = known.revocations.lists().iter().map(|list| list.next_update()).min();
        let hour = self.config.revocation.renewal_hour;
        Due {
            list: list_is_due(&known.list_attempt, interval, now, jitter),
            revocation: revocation_is_due(&known.revocation_attempt, ends, hour, &TimeZone::system(), now, jitter),
        }
    }
}

/// At the start; then after the interval and up to a tenth more; sooner after a failure.
fn list_is_due(attempt: &Attempt, interval: i64, now: i64, jitter: Jitter) -> bool {
    let Some(at) = attempt.at else {
        return true;
    };
    let wait = match attempt.error {
        None => interval + jitter.of(interval / 10),
        Some(_) => interval.min(RETRY),
    };
    // A clock that was set back must not stop everything.
    now >= at + wait || now < at
}

/// At the start; every day after the hour; when a list is about to end; sooner after a failure.
fn revocation_is_due(
    attempt: &Attempt,
    ends: Option<i64>,
    hour: i8,
    zone: &TimeZone,
    now: i64,
    jitter: Jitter,
) -> bool {
    let Some(at) = attempt.at else {
        return true;
    };
    if now < at {
        return true;
    }
    if now < at + RETRY {
        return false;
    }
    let ends_soon = ends.is_some_and(|end| now >= end - BEFORE_END);
    let renewal =
        last_renewal(hour, zone, now - jitter.of(RENEWAL_SPREAD)).map(|last| last + jitter.of(RENEWAL_SPREAD));
    attempt.error.is_some()
        || ends_soon
        || renewal.is_none_or(|renewal| attempt.succeeded.is_none_or(|last| last < renewal))
}

/// The last moment, at or before now, when the clock on the wall showed the hour.
fn last_renewal(hour: i8, zone: &TimeZone, now: i64) -> Option<i64> {
    let wall = Timestamp::from_second(now).ok()?.to_zoned(zone.clone());
    let today = wall.date().at(hour, 0, 0, 0).to_zoned(zone.clone()).ok()?;
    if today.timestamp().as_second() <= now {
        return Some(today.timestamp().as_second());
    }
    let yesterday = wall.date().yesterday().ok()?.at(hour, 0, 0, 0).to_zoned(zone.clone()).ok()?;
    Some(yesterday.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Jitter = Jitter(0);
    const ALL: Jitter = Jitter(1_000);

    fn attempt(at: i64, error: Option<&str>, succeeded: Option<i64>) -> Attempt {
        Attempt { at: Some(at), succeeded, error: error.map(str::to_owned) }
    }

    #[test]
    fn the_list_is_fetched_at_the_interval_and_sooner_after_a_failure() {
        assert!(list_is_due(&Attempt::default(), 3_600, 0, NONE));
        let good = attempt(1_000, None, Some(1_000));
        assert!(!list_is_due(&good, 3_600, 4_599, NONE) && list_is_due(&good, 3_600, 4_600, NONE));
        assert!(!list_is_due(&good, 3_600, 4_959, ALL) && list_is_due(&good, 3_600, 4_960, ALL));
        let bad = attempt(1_000, Some("no"), None);
        assert!(!list_is_due(&bad, 3_600, 1_299, NONE) && list_is_due(&bad, 3_600, 1_300, NONE));
        assert!(list_is_due(&bad, 60, 1_060, NONE));
        assert!(list_is_due(&good, 3_600, 900, NONE), "the clock was set back");
    }

    #[test]
    fn revocation_lists_are_fetched_every_morning_before_they_end_and_after_failures() {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let at = |text: &str| text.parse::<jiff::Zoned>().unwrap().timestamp().as_second();
        let yesterday = at("2026-11-19T09:00:00[Europe/Paris]");
        let good = attempt(yesterday, None, Some(yesterday));
        let later = Some(at("2026-11-30T00:00:00[Europe/Paris]"));
        let due =
            |attempt: &Attempt, ends, now: &str, jitter| revocation_is_due(attempt, ends, 7, &zone, at(now), jitter);
        assert!(due(&Attempt::default(), None, "2026-11-19T09:00:00[Europe/Paris]", NONE));
        assert!(!due(&good, later, "2026-11-20T06:59:59[Europe/Paris]", NONE));
        assert!(due(&good, later, "2026-11-20T07:00:00[Europe/Paris]", NONE));
        assert!(!due(&good, later, "2026-11-20T07:29:59[Europe/Paris]", ALL));
        assert!(due(&good, later, "2026-11-20T07:30:00[Europe/Paris]", ALL));
        // The summer has another offset.
        let (morning, next) = (at("2026-07-01T08:00:00[Europe/Paris]"), "2026-07-02T07:00:01[Europe/Paris]");
        assert!(due(&attempt(morning, None, Some(morning)), later, next, NONE));
        // About to end, in the evening.
        let tonight = Some(at("2026-11-19T22:00:00[Europe/Paris]"));
        assert!(!due(&good, tonight, "2026-11-19T20:59:59[Europe/Paris]", NONE));
        assert!(due(&good, tonight, "2026-11-19T21:00:00[Europe/Paris]", NONE));
        // After a failure, every five minutes.
        let bad = attempt(yesterday, Some("no"), Some(yesterday - 86_400));
        assert!(!due(&bad, later, "2026-11-19T09:04:59[Europe/Paris]", NONE));
        assert!(due(&bad, later, "2026-11-19T09:05:00[Europe/Paris]", NONE));
    }
}
