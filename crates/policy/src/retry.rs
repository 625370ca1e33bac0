//! When a message that did not leave is tried again, when its sender is told, and when it is given up (RFC 5321 §4.5.4.1).

use std::time::Duration;

/// The times. The defaults are those of the issue; `conf/` says what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Pauses after the first, second, … attempt.
    pub first_pauses: Vec<Duration>,
    /// Then each pause is twice the last one, up to this.
    pub pause_max: Duration,
    /// Age at which the sender is told of the delay.
    pub notice_after: Duration,
    /// The same, where certificates or the white list are the cause.
    pub trust_notice_after: Duration,
    /// Age at which it is given up: after at least 4–5 days (RFC 5321 §4.5.4.1).
    pub give_up_after: Duration,
}

/// What kind of trouble an attempt met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseClass {
    /// Networks, names, full boxes.
    Ordinary,
    /// Certificates or the white list.
    Trust,
}

/// What is known after an attempt that may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptFacts {
    /// Attempts made, this one among them.
    pub attempts: u32,
    /// How long ago the message came.
    pub age: Duration,
    /// Of this attempt.
    pub class: CauseClass,
    /// The sender was told of the delay already.
    pub told: bool,
}

/// A number of [0, 1) that spreads attempts which would fall together. Given in: policy draws no lots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jitter(f64);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again.
    Retry {
        /// After this pause.
        after: Duration,
        /// And tell the sender that it is late, now.
        tell: bool,
    },
    /// Tell the sender that it failed.
    GiveUp,
}

/// Pauses grow by up to this share of themselves.
const JITTER_SHARE: f64 = 0.1;

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        RetryPolicy {
            first_pauses: [1, 5, 10, 30].map(minutes).to_vec(),
            pause_max: minutes(4 * 60),
            notice_after: minutes(4 * 60),
            trust_notice_after: minutes(60),
            give_up_after: minutes(5 * 24 * 60),
        }
    }
}

impl Jitter {
    /// None: for tests, and for whoever wants exact times.
    pub const NONE: Jitter = Jitter(0.0);

    /// From random octets.
    pub fn from_random(random: u32) -> Jitter {
        Jitter(f64::from(random) / (f64::from(u32::MAX) + 1.0))
    }
}

/// What follows an attempt that failed for now.
///
/// A pause never passes over the moment at which the sender must be told, or at which the message is given up: there is an
/// attempt at both.
pub fn next(policy: &RetryPolicy, facts: AttemptFacts, jitter: Jitter) -> Next {
    let AttemptFacts { attempts, age, class, told } = facts;
    if age >= policy.give_up_after {
        return Next::GiveUp;
    }
    let notice_after = match class {
        CauseClass::Ordinary => policy.notice_after,
        CauseClass::Trust => policy.trust_notice_after.min(policy.notice_after),
    };
    let tell = !told && age >= notice_after;
    let mut after = pause(policy, attempts, jitter).min(policy.give_up_after - age);
    if !told && !tell {
        after = after.min(notice_after - age);
    }
    Next::Retry { after: after.max(PAUSE_MIN), tell }
}

fn pause(policy: &RetryPolicy, attempts: u32, jitter: Jitter) -> Duration {
    let made = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = policy.first_pauses.last().copied().unwrap_or(PAUSE_MIN);
    let pause = policy.first_pauses.get(made).copied().unwrap_or_else(|| {
        let doublings = made.saturating_sub(policy.first_pauses.len()).saturating_add(1).min(DOUBLINGS_MAX);
        last.saturating_mul(1 << doublings).min(policy.pause_max.max(last))
    });
    pause.saturating_add(pause.mul_f64(jitter.0.clamp(0.0, 1.0) * JITTER_SHARE))
}

/// Whatever is configured, nothing is tried again without a pause.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// More than enough to reach any ceiling from a second.
const DOUBLINGS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;

    use super::*;

    /// Days, hours, minutes, seconds.
    fn clock(age: Duration) -> String {
        let seconds = age.as_secs();
        format!("{}d {:02}:{:02}:{:02}", seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
    }

    /// The life of a message whose every attempt fails for the same reason.
    fn life(policy: &RetryPolicy, class: CauseClass, jitter: Jitter) -> String {
        let (mut age, mut told, mut events) = (Duration::ZERO, false, String::new());
        for attempts in 1.. {
            match next(policy, AttemptFacts { attempts, age, class, told }, jitter) {
                Next::Retry { after, tell } => {
                    let note = if tell { ", sender told of the delay" } else { "" };
                    writeln!(events, "{} attempt {attempts}{note}", clock(age)).unwrap();
                    told |= tell;
                    age += after;
                }
                Next::GiveUp => {
                    writeln!(events, "{} attempt {attempts}, given up", clock(age)).unwrap();
                    break;
                }
            }
        }
        events
    }

    #[test]
    fn the_five_days_of_a_message_nobody_takes() {
        expect![[r#"
            0d 00:00:00 attempt 1
            0d 00:01:00 attempt 2
            0d 00:06:00 attempt 3
            0d 00:16:00 attempt 4
            0d 00:46:00 attempt 5
            0d 01:46:00 attempt 6
            0d 03:46:00 attempt 7
            0d 04:00:00 attempt 8, sender told of the delay
            0d 08:00:00 attempt 9
            0d 12:00:00 attempt 10
            0d 16:00:00 attempt 11
            0d 20:00:00 attempt 12
            1d 00:00:00 attempt 13
            1d 04:00:00 attempt 14
            1d 08:00:00 attempt 15
            1d 12:00:00 attempt 16
            1d 16:00:00 attempt 17
            1d 20:00:00 attempt 18
            2d 00:00:00 attempt 19
            2d 04:00:00 attempt 20
            2d 08:00:00 attempt 21
            2d 12:00:00 attempt 22
            2d 16:00:00 attempt 23
            2d 20:00:00 attempt 24
            3d 00:00:00 attempt 25
            3d 04:00:00 attempt 26
            3d 08:00:00 attempt 27
            3d 12:00:00 attempt 28
            3d 16:00:00 attempt 29
            3d 20:00:00 attempt 30
            4d 00:00:00 attempt 31
            4d 04:00:00 attempt 32
            4d 08:00:00 attempt 33
            4d 12:00:00 attempt 34
            4d 16:00:00 attempt 35
            4d 20:00:00 attempt 36
            5d 00:00:00 attempt 37, given up
        "#]]
        .assert_eq(&life(&RetryPolicy::default(), CauseClass::Ordinary, Jitter::NONE));
    }

    #[test]
    fn trouble_with_trust_is_told_after_an_hour() {
        let events = life(&RetryPolicy::default(), CauseClass::Trust, Jitter::NONE);
        let told: Vec<&str> = events.lines().filter(|line| line.contains("told")).collect();
        assert_eq!(told, ["0d 01:00:00 attempt 6, sender told of the delay"]);
    }

    #[test]
    fn every_time_is_a_setting() {
        let seconds = Duration::from_secs;
        let policy = RetryPolicy {
            first_pauses: vec![seconds(1), seconds(2)],
            pause_max: seconds(5),
            notice_after: seconds(4),
            trust_notice_after: seconds(2),
            give_up_after: seconds(12),
        };
        expect![[r#"
            0d 00:00:00 attempt 1
            0d 00:00:01 attempt 2
            0d 00:00:03 attempt 3
            0d 00:00:04 attempt 4, sender told of the delay
            0d 00:00:09 attempt 5
            0d 00:00:12 attempt 6, given up
        "#]]
        .assert_eq(&life(&policy, CauseClass::Ordinary, Jitter::NONE));
        let none = RetryPolicy { first_pauses: Vec::new(), pause_max: Duration::ZERO, ..policy };
        assert!(life(&none, CauseClass::Trust, Jitter::NONE).lines().count() <= 13, "never without a pause");
    }

    proptest::proptest! {
        #[test]
        fn whatever_happens_it_ends_and_is_told_in_time(random: u32, trust: bool) {
            let policy = RetryPolicy::default();
            let class = if trust { CauseClass::Trust } else { CauseClass::Ordinary };
            let events = life(&policy, class, Jitter::from_random(random));
            let told = if trust { "0d 01:00:00" } else { "0d 04:00:00" };
            proptest::prop_assert_eq!(events.lines().filter(|line| line.contains("told")).count(), 1);
            let told_in_time = events.lines().any(|line| line.starts_with(told) && line.contains("told"));
            proptest::prop_assert!(told_in_time, "{}", events);
            let given_up = events.lines().last().unwrap_or_default().starts_with("5d 00:00:00");
            proptest::prop_assert!(given_up, "{}", events);
        }
    }
}
