//! A count that halves with time.

use super::{HALF_LIFE, millis};

/// No count goes beyond: a long attack is forgotten within hours of its end, not days.
const MAX: f64 = 1_000.0;

/// A count as it was at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    pub(super) value: f32,
    pub(super) at_millis: i64,
}

impl Score {
    /// The count now. A clock that went backwards leaves it as it was.
    pub(super) fn value(self, now_millis: i64) -> f64 {
        let age = now_millis.saturating_sub(self.at_millis).max(0);
        f64::from(self.value) * (-(age as f64) / millis(HALF_LIFE) as f64).exp2()
    }

    pub(super) fn add(&mut self, amount: f64, now_millis: i64) {
        let value = (self.value(now_millis) + amount).min(MAX);
        *self = Score { value: value as f32, at_millis: now_millis };
    }
}
