//! The machine's clock and randomness, in the words of the crates that ask for them.

use net::{Clock, Randomness, SystemClock, SystemRandomness};
use store::UnixMillis;

/// The machine itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

/// Wall time.
pub fn now() -> UnixMillis {
    UnixMillis(i64::try_from(SystemClock.since_epoch().as_millis()).unwrap_or(i64::MAX))
}

impl delivery::Surroundings for Machine {
    fn now(&self) -> UnixMillis {
        now()
    }

    fn instant(&self) -> std::time::Instant {
        SystemClock.now()
    }

    fn random(&self, octets: &mut [u8]) {
        SystemRandomness.fill(octets);
    }
}
