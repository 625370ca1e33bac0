use super::*;

const NOW: i64 = 1_795_000_000_000;
const NAT: Source = Source::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
const OTHER: Source = Source::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

fn fail(throttle: &mut Throttle, login: &str, source: Source, times: u32) {
    (0..times).for_each(|_| throttle.failed(login, source, NOW));
}

fn address(number: u32) -> Source {
    Source::Address(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into())
}

#[test]
fn mistyping_is_free_guessing_is_slowed_and_time_heals() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, PAIR_FAILURES_FREE - 1);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::Now);
    fail(&mut throttle, "Ann@A.example", NAT, 1);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::After(Duration::from_millis(250)));
    fail(&mut throttle, "ann@a.example", NAT, 10);
    assert_eq!(throttle.admit("ann@a.example", OTHER, NOW).right, Turn::Now, "another address is another matter");
    assert_eq!(throttle.admit("bob@a.example", NAT, NOW).right, Turn::Now, "so is another login");
    let hours_later = NOW + 3 * 3_600_000;
    assert_eq!(throttle.admit("ann@a.example", NAT, hours_later).right, Turn::Now);
}

#[test]
fn parallel_guesses_queue_and_are_then_refused() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, PAIR_FAILURES_FREE + 2);
    let waits: Vec<_> = (0..9).map(|_| throttle.admit("ann@a.example", NAT, NOW).right).collect();
    assert_eq!(waits[0], Turn::After(Duration::from_secs(1)));
    assert_eq!(waits[7], Turn::After(DELAY_MAX));
    assert_eq!(waits[8], Turn::Never);
    let soon = NOW + 1_000;
    assert_eq!(throttle.admit("ann@a.example", NAT, soon).right, Turn::After(DELAY_MAX), "one place became free");
}

#[test]
fn s16_a_thousand_bad_logins_from_one_address_lock_nobody_out() {
    for victims in [1, 1_000] {
        let mut throttle = Throttle::default();
        for number in 0..1_000 {
            throttle.failed(&format!("guess{}@a.example", number % victims), NAT, NOW);
        }
        for number in 0..1_000 {
            let login = format!("user{number}@a.example");
            match throttle.admit(&login, NAT, NOW).right {
                Turn::Now => {}
                Turn::After(wait) => assert!(wait <= ADDRESS_DELAY_MAX),
                Turn::Never => panic!("user {number} is locked out"),
            }
            throttle.succeeded(&login, NAT, NOW);
            assert_eq!(throttle.admit(&login, NAT, NOW).right, Turn::Now, "known here from now on");
        }
        assert_eq!(throttle.admit("late@a.example", NAT, NOW).right, Turn::Now, "the address is good again");
    }
}

#[test]
fn a_login_attacked_from_everywhere_is_slowed_but_not_for_its_owner() {
    let mut throttle = Throttle::default();
    throttle.succeeded("ann@a.example", NAT, NOW);
    for number in 0..LOGIN_FAILURES_FREE + 10 {
        throttle.failed("ann@a.example", address(number), NOW);
    }
    assert_eq!(throttle.admit("ann@a.example", OTHER, NOW).right, Turn::After(DELAY_MAX));
    assert_eq!(throttle.admit("ann@a.example", address(99), NOW).right, Turn::Never, "the queue is the login's");
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::Now);
    throttle.forgive_login("ann@a.example");
    assert_eq!(throttle.admit("ann@a.example", OTHER, NOW).right, Turn::Now, "at once");
}

#[test]
fn the_allow_list_wins_and_forgiving_works_at_once() {
    let mut throttle = Throttle::default();
    let IpAddr::V4(ip) = "192.0.2.1".parse().unwrap() else { panic!() };
    fail(&mut throttle, "ann@a.example", Source::Listed(ip.into()), 1_000);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::Now, "a listed address is not counted");
    fail(&mut throttle, "ann@a.example", NAT, 10);
    assert_eq!(throttle.admit("ann@a.example", Source::Listed(ip.into()), NOW).right, Turn::Now);
    throttle.forgive_address(ip.into());
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::Now);
}

#[test]
fn a_right_password_wipes_the_slate_of_its_owner() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, 10);
    throttle.succeeded("ann@a.example", NAT, NOW);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::Now);
    (0..10).for_each(|_| throttle.guessed("ann@a.example", NAT, NOW));
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::After(DELAY_MAX), "guesses there are slowed");
    throttle.succeeded("ann@a.example", NAT, NOW);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW).right, Turn::Now);
}

/// What happens to a login, and whether its failures can tell.
fn attempt(throttle: &mut Throttle, login: &str, source: Source, outcome: Outcome, now: i64) -> Turn {
    let admission = throttle.admit(login, source, now);
    match outcome {
        Outcome::Wrong => {
            throttle.guessed(login, source, now);
            if admission.wrong != Turn::Never {
                throttle.failed(login, source, now);
            }
        }
        Outcome::Right => {
            throttle.release(login, source, admission);
            throttle.succeeded(login, source, now);
        }
    }
    admission.wrong
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Wrong,
    Right,
}

#[test]
fn s14_a_wrong_password_waits_the_same_whether_its_login_is_known_there_or_nobodys() {
    for busy_owner in [false, true] {
        // `delay` of the address: none, and slowed as far as it goes.
        for failed_before in [0, 1_000] {
            let mut throttle = Throttle::default();
            throttle.succeeded("ann@a.example", NAT, NOW);
            (0..failed_before).for_each(|number| throttle.failed(&format!("x{number}"), NAT, NOW));
            for number in 0..200_u32 {
                let now = NOW + i64::from(number) * 700;
                if busy_owner && number % 3 == 0 {
                    attempt(&mut throttle, "ann@a.example", NAT, Outcome::Right, now);
                }
                let source = if number % 4 == 3 { OTHER } else { NAT };
                let of_ann = attempt(&mut throttle, "ann@a.example", source, Outcome::Wrong, now);
                let of_nobody = attempt(&mut throttle, "nobody@a.example", source, Outcome::Wrong, now);
                // The first failure slows the address for the second: half a step of its delay at most.
                let milliseconds = |turn| match turn {
                    Turn::Now => 0,
                    Turn::After(wait) => wait.as_millis(),
                    Turn::Never => u128::MAX,
                };
                assert_eq!(milliseconds(of_ann), milliseconds(of_nobody), "attempt {number}, busy: {busy_owner}");
            }
        }
    }
}

#[test]
fn s16_the_owner_gets_in_where_refusals_of_a_stale_device_have_queued_up() {
    let mut throttle = Throttle::default();
    throttle.succeeded("ann@a.example", NAT, NOW);
    for minute in 0..60 {
        let now = NOW + minute * 60_000;
        attempt(&mut throttle, "ann@a.example", NAT, Outcome::Wrong, now);
        let admission = throttle.admit("ann@a.example", NAT, now);
        assert_eq!(admission.right, Turn::Now);
        throttle.release("ann@a.example", NAT, admission);
        throttle.succeeded("ann@a.example", NAT, now);
    }
}

#[test]
fn places_of_right_passwords_are_given_back() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, PAIR_FAILURES_FREE + 2);
    for _ in 0..100 {
        let admission = throttle.admit("ann@a.example", NAT, NOW);
        assert_eq!(admission.wrong, Turn::After(Duration::from_secs(1)));
        throttle.release("ann@a.example", NAT, admission);
    }
}

#[test]
fn one_good_account_does_not_whitewash_its_address() {
    let mut throttle = Throttle::default();
    for number in 0..200 {
        throttle.failed(&format!("guess{number}@a.example"), NAT, NOW);
        throttle.succeeded("mallory@a.example", NAT, NOW);
    }
    assert_eq!(throttle.admit("fresh@a.example", NAT, NOW).right, Turn::After(ADDRESS_DELAY_MAX));
}

#[test]
fn ipv6_counts_by_64_and_mapped_ipv4_by_address() {
    let source = |text: &str| Source::Address(text.parse().unwrap());
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", source("2001:db8:1:2::1"), 10);
    assert_ne!(throttle.admit("ann@a.example", source("2001:db8:1:2::ffff"), NOW).right, Turn::Now);
    assert_eq!(throttle.admit("ann@a.example", source("2001:db8:1:3::1"), NOW).right, Turn::Now);
    fail(&mut throttle, "bob@a.example", source("::ffff:192.0.2.1"), 10);
    assert_ne!(throttle.admit("bob@a.example", NAT, NOW).right, Turn::Now);
}

#[test]
fn memory_is_bounded() {
    let mut throttle = Throttle::new(100);
    for number in 0..10_000 {
        throttle.failed(&format!("guess{number}"), address(number), NOW);
    }
    for len in [throttle.pairs.len(), throttle.logins.len(), throttle.addresses.len()] {
        assert!(len <= 200);
    }
}

#[test]
fn counters_survive_a_restart() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, PAIR_FAILURES_FREE + 1);
    throttle.succeeded("bob@a.example", OTHER, NOW);
    let octets = throttle.encode();
    let mut again = Throttle::decode(&octets).unwrap();
    assert_eq!(again.encode().len(), octets.len());
    assert_eq!(again.admit("ann@a.example", NAT, NOW).right, Turn::After(Duration::from_millis(500)));
    for end in 0..octets.len() {
        assert_eq!(Throttle::decode(&octets[..end]).err(), Some(StoredThrottleError), "cut at {end}");
    }
    assert!(Throttle::decode(&[&octets[..], b"x"].concat()).is_err());
}
