//! Numbers from one seed, so that a failed run is run again.

/// SplitMix64: enough for tests, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn from_seed(seed: u64) -> Random {
        Random(seed)
    }

    /// The seed in `SCEAU_TEST_SEED`, or one from the clock; printed, so that a failure can be repeated.
    #[must_use]
    pub fn for_this_run() -> Random {
        let seed = std::env::var("SCEAU_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since_1970.as_nanos() & 0xffff_ffff).unwrap_or_default()
        });
        println!("SCEAU_TEST_SEED={seed}");
        Random(seed)
    }

    /// Any 64 bits.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `low..high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.any() % (high - low).max(1)
    }
}
