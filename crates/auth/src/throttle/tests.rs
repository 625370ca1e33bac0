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
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW), Admission::Now);
    fail(&mut throttle, "Ann@A.example", NAT, 1);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW), Admission::After(Duration::from_millis(250)));
    fail(&mut throttle, "ann@a.example", NAT, 10);
    assert_eq!(throttle.admit("ann@a.example", OTHER, NOW), Admission::Now, "another address is another matter");
    assert_eq!(throttle.admit("bob@a.example", NAT, NOW), Admission::Now, "so is another login");
    let hours_later = NOW + 3 * 3_600_000;
    assert_eq!(throttle.admit("ann@a.example", NAT, hours_later), Admission::Now);
}

#[test]
fn parallel_guesses_queue_and_are_then_refused() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, PAIR_FAILURES_FREE + 2);
    let waits: Vec<_> = (0..9).map(|_| throttle.admit("ann@a.example", NAT, NOW)).collect();
    assert_eq!(waits[0], Admission::After(Duration::from_secs(1)));
    assert_eq!(waits[7], Admission::After(DELAY_MAX));
    assert_eq!(waits[8], Admission::Refuse);
    let soon = NOW + 1_000;
    assert_eq!(throttle.admit("ann@a.example", NAT, soon), Admission::After(DELAY_MAX), "one place became free");
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
            match throttle.admit(&login, NAT, NOW) {
                Admission::Now => {}
                Admission::After(wait) => assert!(wait <= ADDRESS_DELAY_MAX),
                Admission::Refuse => panic!("user {number} is locked out"),
            }
            throttle.succeeded(&login, NAT, NOW);
            assert_eq!(throttle.admit(&login, NAT, NOW), Admission::Now, "known here from now on");
        }
        assert_eq!(throttle.admit("late@a.example", NAT, NOW), Admission::Now, "the address is good again");
    }
}

#[test]
fn a_login_attacked_from_everywhere_is_slowed_but_not_for_its_owner() {
    let mut throttle = Throttle::default();
    throttle.succeeded("ann@a.example", NAT, NOW);
    for number in 0..LOGIN_FAILURES_FREE + 10 {
        throttle.failed("ann@a.example", address(number), NOW);
    }
    assert_eq!(throttle.admit("ann@a.example", OTHER, NOW), Admission::After(DELAY_MAX));
    assert_eq!(throttle.admit("ann@a.example", address(99), NOW), Admission::Refuse, "the queue is the login's");
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW), Admission::Now);
    throttle.forgive_login("ann@a.example");
    assert_eq!(throttle.admit("ann@a.example", OTHER, NOW), Admission::Now, "at once");
}

#[test]
fn the_allow_list_wins_and_forgiving_works_at_once() {
    let mut throttle = Throttle::default();
    let IpAddr::V4(ip) = "192.0.2.1".parse().unwrap() else { panic!() };
    fail(&mut throttle, "ann@a.example", Source::Listed(ip.into()), 1_000);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW), Admission::Now, "a listed address is not counted");
    fail(&mut throttle, "ann@a.example", NAT, 10);
    assert_eq!(throttle.admit("ann@a.example", Source::Listed(ip.into()), NOW), Admission::Now);
    throttle.forgive_address(ip.into());
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW), Admission::Now);
}

#[test]
fn a_right_password_wipes_the_slate_of_its_pair() {
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", NAT, 10);
    throttle.succeeded("ann@a.example", NAT, NOW);
    assert_eq!(throttle.admit("ann@a.example", NAT, NOW), Admission::Now);
}

#[test]
fn one_good_account_does_not_whitewash_its_address() {
    let mut throttle = Throttle::default();
    for number in 0..200 {
        throttle.failed(&format!("guess{number}@a.example"), NAT, NOW);
        throttle.succeeded("mallory@a.example", NAT, NOW);
    }
    assert_eq!(throttle.admit("fresh@a.example", NAT, NOW), Admission::After(ADDRESS_DELAY_MAX));
}

#[test]
fn ipv6_counts_by_64_and_mapped_ipv4_by_address() {
    let source = |text: &str| Source::Address(text.parse().unwrap());
    let mut throttle = Throttle::default();
    fail(&mut throttle, "ann@a.example", source("2001:db8:1:2::1"), 10);
    assert_ne!(throttle.admit("ann@a.example", source("2001:db8:1:2::ffff"), NOW), Admission::Now);
    assert_eq!(throttle.admit("ann@a.example", source("2001:db8:1:3::1"), NOW), Admission::Now);
    fail(&mut throttle, "bob@a.example", source("::ffff:192.0.2.1"), 10);
    assert_ne!(throttle.admit("bob@a.example", NAT, NOW), Admission::Now);
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
    assert_eq!(again.admit("ann@a.example", NAT, NOW), Admission::After(Duration::from_millis(500)));
    for end in 0..octets.len() {
        assert_eq!(Throttle::decode(&octets[..end]).err(), Some(StoredThrottleError), "cut at {end}");
    }
    assert!(Throttle::decode(&[&octets[..], b"x"].concat()).is_err());
}
