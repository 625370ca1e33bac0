//! Failed logins are slowed, per account and per address, and nobody is locked out (S16).
//!
//! Three counters decay with time: of a login from an address, of a login from anywhere, of an address with any login.
//! - A guesser on one login from one address waits longer each time, up to [`DELAY_MAX`], and in a queue of its own.
//! - A login attacked from many addresses is slowed as a whole; its owner is not, where it signed in before.
//! - An address is slowed too, but never queued nor refused: a hospital's users share one. Every account that signed in
//!   from there lately raises what the address may fail.
//!
//! That a login signed in before from an address shortens the way of a right password only. A wrong one hears its refusal
//! when and as it would for a login that nobody has: [`Admission`] has a turn for each, and no success makes the wrong
//! one's come sooner (S14).
//!
//! Pure: time is passed in as milliseconds since 1970, so that the state survives a restart by [`Throttle::encode`].

mod decay;
mod generations;
mod stored;

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest;

use self::decay::Score;
use self::generations::Generations;
pub use self::stored::StoredThrottleError;

/// The longest an attempt is made to wait for its delay; with the queue of its login and address included it may be
/// refused instead.
pub const DELAY_MAX: Duration = Duration::from_secs(8);

/// The longest an address as a whole makes an attempt wait.
pub const ADDRESS_DELAY_MAX: Duration = Duration::from_secs(2);

/// Failures of a login from one address before the next attempt waits: mistyped passwords are free.
pub const PAIR_FAILURES_FREE: u32 = 4;

/// Failures of a login from all addresses before attempts wait.
pub const LOGIN_FAILURES_FREE: u32 = 20;

/// Failures of an address before attempts from it wait, and how many more each account that signed in from it adds.
pub const ADDRESS_FAILURES_FREE: u32 = 50;
/// See [`ADDRESS_FAILURES_FREE`].
pub const ADDRESS_FAILURES_PER_GOOD_ACCOUNT: u32 = 5;

/// Half of the failures are forgotten after this time.
pub const HALF_LIFE: Duration = Duration::from_secs(10 * 60);

/// A login that signed in from an address is known there for this long.
pub const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Entries of each of the four tables, in each of its two generations: some 30 MB when all are full.
pub const ENTRIES_MAX: usize = 65_536;

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An address like any other.
    Address(IpAddr),
    /// An address of the allow-list: never slowed, never counted.
    Listed(IpAddr),
}

/// When an attempt has its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    #[default]
    Now,
    /// After this time, at most [`DELAY_MAX`].
    After(Duration),
    /// Too many attempts wait already: [`crate::sasl::Failure::Throttled`].
    Never,
}

/// What is to be done with an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// When to verify the password, and to let in whoever has the right one. Never later than `wrong`.
    pub right: Turn,
    /// When to begin what precedes the refusal of a wrong one. Tells nothing of the login but how often it failed.
    pub wrong: Turn,
    reserved: Reserved,
}

/// The time taken in each queue, in milliseconds, to be given back when the password is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reserved {
    pair: i64,
    login: i64,
    owner: i64,
}

/// The counters.
#[derive(Debug)]
pub struct Throttle {
    pairs: Generations<PairKey, Counter>,
    logins: Generations<LoginKey, Counter>,
    addresses: Generations<AddressKey, Address>,
    /// Logins that signed in from an address.
    owners: Generations<PairKey, Owner>,
}

/// A digest of the login as typed, lower case: no table of ours holds logins.
type LoginKey = u64;

/// An IPv4 address, or the /64 of an IPv6 one: whoever has one address of a /64 has them all.
type AddressKey = u64;

type PairKey = (LoginKey, AddressKey);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counter {
    failures: Score,
    /// When the attempt admitted last may begin: the next one queues behind it.
    begins_at: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Owner {
    /// When it was credited to the address, in milliseconds since 1970.
    signed_in_at: i64,
    /// Failures since the last success, and the queue of those who type right.
    counter: Counter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Address {
    failures: Score,
    good_accounts: Score,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle::new(ENTRIES_MAX)
    }
}

impl Throttle {
    /// Makes empty counters.
    pub fn new(entries_max: usize) -> Throttle {
        Throttle {
            pairs: Generations::new(entries_max),
            logins: Generations::new(entries_max),
            addresses: Generations::new(entries_max),
            owners: Generations::new(entries_max),
        }
    }

    /// What to do with an attempt for this login. Reserves its place in the queues when there are any.
    pub fn admit(&mut self, login: &str, source: Source, now_millis: i64) -> Admission {
        let Source::Address(address) = source else { return Admission::default() };
        let (login, address) = (login_key(login), address_key(address));
        let pair = (login, address);
        let pair_delay = delay(self.pairs.get(&pair), PAIR_FAILURES_FREE, now_millis);
        let login_delay = delay(self.logins.get(&login), LOGIN_FAILURES_FREE, now_millis);
        let address_delay = self.addresses.get(&address).map_or(0, |counter| counter.delay(now_millis));

        let pair_at = queued(self.pairs.get(&pair), pair_delay, now_millis);
        let login_at = queued(self.logins.get(&login), login_delay, now_millis);
        let at = pair_at.max(login_at).max(now_millis.saturating_add(address_delay));
        let wrong = turn(at, now_millis);
        let mut reserved = Reserved::default();
        if wrong != Turn::Never {
            if pair_delay > 0 {
                self.pairs.update(pair, |counter| counter.begins_at = at);
                reserved.pair = pair_delay;
            }
            if login_delay > 0 {
                self.logins.update(login, |counter| counter.begins_at = at);
                reserved.login = login_delay;
            }
        }

        let Some(owner) = self.owner(pair, now_millis) else { return Admission { right: wrong, wrong, reserved } };
        let owner_delay = delay(Some(&owner.counter), PAIR_FAILURES_FREE, now_millis);
        let owner_at = queued(Some(&owner.counter), owner_delay, now_millis);
        if owner_at >= at {
            return Admission { right: wrong, wrong, reserved };
        }
        let right = turn(owner_at, now_millis);
        if owner_delay > 0 && right != Turn::Never {
            self.owners.update(pair, |owner| owner.counter.begins_at = owner_at);
            reserved.owner = owner_delay;
        }
        Admission { right, wrong, reserved }
    }

    /// Counts a wrong password, when its turn to be refused has come. Unknown logins count like known ones.
    pub fn failed(&mut self, login: &str, source: Source, now_millis: i64) {
        let Source::Address(address) = source else { return };
        let (login, address) = (login_key(login), address_key(address));
        self.pairs.update((login, address), |counter| counter.failures.add(1.0, now_millis));
        self.logins.update(login, |counter| counter.failures.add(1.0, now_millis));
        self.addresses.update(address, |counter| counter.failures.add(1.0, now_millis));
    }

    /// Counts a wrong password against whoever guesses where its owner signed in, as soon as it is found wrong: this
    /// slows the verification of the next one, and no refusal.
    pub fn guessed(&mut self, login: &str, source: Source, now_millis: i64) {
        let Source::Address(address) = source else { return };
        let pair = (login_key(login), address_key(address));
        if self.owner(pair, now_millis).is_some() {
            self.owners.update(pair, |owner| owner.counter.failures.add(1.0, now_millis));
        }
    }

    /// Notes a right password: the pair is known from now on, and the address gains credit.
    ///
    /// The failures that slow refusals stay: were they forgotten, a stranger at the same address would hear that somebody
    /// signed in.
    pub fn succeeded(&mut self, login: &str, source: Source, now_millis: i64) {
        let Source::Address(address) = source else { return };
        let pair = (login_key(login), address_key(address));
        // One account signing in again and again earns nothing: it might be the guesser's own.
        let earns = self
            .owners
            .get(&pair)
            .is_none_or(|owner| now_millis.saturating_sub(owner.signed_in_at) > millis(HALF_LIFE));
        self.owners.update(pair, |owner| {
            owner.counter.failures = Score::default();
            if earns {
                owner.signed_in_at = now_millis;
            }
        });
        if earns {
            self.addresses.update(pair.1, |counter| counter.good_accounts.add(1.0, now_millis));
        }
    }

    /// Gives back the places in queues of an attempt that was no guess: it succeeded, or could not be judged.
    pub fn release(&mut self, login: &str, source: Source, admission: Admission) {
        let Source::Address(address) = source else { return };
        let (login, address) = (login_key(login), address_key(address));
        let Reserved { pair, login: of_login, owner } = admission.reserved;
        if pair > 0 {
            self.pairs.update((login, address), |counter| counter.release(pair));
        }
        if of_login > 0 {
            self.logins.update(login, |counter| counter.release(of_login));
        }
        if owner > 0 {
            self.owners.update((login, address), |known| known.counter.release(owner));
        }
    }

    /// Forgets the failures of an address, at once.
    pub fn forgive_address(&mut self, address: IpAddr) {
        let address = address_key(address);
        self.addresses.remove(&address);
        self.pairs.remove_where(|pair| pair.1 == address);
        self.owners.update_where(|pair| pair.1 == address, |owner| owner.counter = Counter::default());
    }

    /// Forgets the failures of a login, at once.
    pub fn forgive_login(&mut self, login: &str) {
        let login = login_key(login);
        self.logins.remove(&login);
        self.pairs.remove_where(|pair| pair.0 == login);
        self.owners.update_where(|pair| pair.0 == login, |owner| owner.counter = Counter::default());
    }

    fn owner(&self, pair: PairKey, now_millis: i64) -> Option<Owner> {
        let owner = self.owners.get(&pair).copied();
        owner.filter(|owner| now_millis.saturating_sub(owner.signed_in_at) < millis(KNOWN_FOR))
    }
}

impl Counter {
    fn release(&mut self, delay: i64) {
        self.begins_at = self.begins_at.saturating_sub(delay);
    }
}

impl Address {
    fn delay(&self, now_millis: i64) -> i64 {
        let credit = self.good_accounts.value(now_millis) * f64::from(ADDRESS_FAILURES_PER_GOOD_ACCOUNT);
        let excess = self.failures.value(now_millis) - f64::from(ADDRESS_FAILURES_FREE) - credit;
        doubling(excess).min(millis(ADDRESS_DELAY_MAX))
    }
}

/// The pause before the next attempt, in milliseconds.
fn delay(counter: Option<&Counter>, free: u32, now_millis: i64) -> i64 {
    counter.map_or(0, |counter| doubling(counter.failures.value(now_millis) - f64::from(free)))
}

/// When an attempt that must pause for `delay` may begin: after the one before it.
fn queued(counter: Option<&Counter>, delay: i64, now_millis: i64) -> i64 {
    match delay {
        0 => now_millis,
        _ => counter.map_or(now_millis, |counter| counter.begins_at.max(now_millis)).saturating_add(delay),
    }
}

fn turn(at: i64, now_millis: i64) -> Turn {
    match at.saturating_sub(now_millis) {
        wait if wait > millis(DELAY_MAX) => Turn::Never,
        wait => match u64::try_from(wait) {
            Ok(0) | Err(_) => Turn::Now,
            Ok(wait) => Turn::After(Duration::from_millis(wait)),
        },
    }
}

/// Nothing up to the free failures, then 250 ms doubled with each failure, up to [`DELAY_MAX`].
fn doubling(excess: f64) -> i64 {
    // Decay makes the count a little less than the failures just counted.
    let steps = (excess + 0.01).floor();
    match steps {
        steps if steps < 0.0 => 0,
        steps if steps < 5.0 => (250.0 * steps.exp2()) as i64,
        _ => millis(DELAY_MAX),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn login_key(login: &str) -> LoginKey {
    let hash = digest::digest(&digest::SHA256, login.to_lowercase().as_bytes());
    hash.as_ref().first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

fn address_key(address: IpAddr) -> AddressKey {
    match address.to_canonical() {
        // fe00::/16 starts no global address: IPv4 finds room there.
        IpAddr::V4(address) => 0xfe00_0000_0000_0000 | u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests;
