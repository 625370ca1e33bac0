//! Time and randomness, as values that tests replace.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SecureRandom;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic clock: deadlines are made of it.
    fn now(&self) -> Instant;
    /// Time since 1970-01-01 UTC: dates in messages are made of it.
    fn since_epoch(&self) -> Duration;
}

/// Where unpredictable octets come from.
pub trait Randomness: Send + Sync + 'static {
    /// Fills the whole slice.
    fn fill(&self, octets: &mut [u8]);
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The generator of aws-lc, seeded by the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn since_epoch(&self) -> Duration {
        // A clock before 1970 is a broken machine; zero keeps dates printable until it is mended.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl Randomness for SystemRandomness {
    fn fill(&self, octets: &mut [u8]) {
        #[expect(clippy::expect_used, reason = "without randomness nothing here is safe: better to stop at once")]
        aws_lc_rs::rand::SystemRandom::new().fill(octets).expect("the system's random generator failed");
    }
}
