//! Whether two samples of times differ: Welch's t-test (B. L. Welch, "The generalization of 'Student's' problem", 1947),
//! used as dudect does (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2017).

use std::fmt;

/// |t| beyond this is no chance: with some hundred values it happens once in 100,000 runs. The threshold of ISO/IEC 17825
/// and of dudect.
pub const T_MAX: f64 = 4.5;

/// The slowest part of all values, which is cropped: whatever else the machine did meanwhile, which only ever adds time.
/// Cropped at one limit for both samples, so that cropping itself makes no difference.
const CROPPED: f64 = 0.05;

/// Two samples compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Values in each.
    pub counts: [usize; 2],
    /// The mean of each.
    pub means: [f64; 2],
    /// Welch's t.
    pub t: f64,
}

impl Comparison {
    /// Compares two samples as they are.
    #[must_use]
    pub fn of(first: &[f64], second: &[f64]) -> Comparison {
        let counts = [first.len(), second.len()];
        let means = [mean(first), mean(second)];
        let error = (variance(first) / counts[0] as f64 + variance(second) / counts[1] as f64).sqrt();
        let t = if means[0] == means[1] { 0.0 } else { (means[0] - means[1]) / error };
        Comparison { counts, means, t }
    }

    /// Compares two samples without the slowest of both.
    #[must_use]
    pub fn cropped(first: &[f64], second: &[f64]) -> Comparison {
        let mut all = [first, second].concat();
        all.sort_by(f64::total_cmp);
        let limit = all[((all.len() - 1) as f64 * (1.0 - CROPPED)) as usize];
        let below = |sample: &[f64]| sample.iter().copied().filter(|value| *value <= limit).collect::<Vec<_>>();
        Comparison::of(&below(first), &below(second))
    }

    /// Between the means.
    #[must_use]
    pub fn difference(&self) -> f64 {
        (self.means[0] - self.means[1]).abs()
    }

    /// Whether the samples differ: surely, and by more than is tolerated.
    #[must_use]
    pub fn differs_by(&self, tolerated: f64) -> bool {
        self.t.abs() > T_MAX && self.difference() > tolerated
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { counts: [n1, n2], means: [m1, m2], t } = self;
        write!(f, "means {m1:.6} s (n {n1}) and {m2:.6} s (n {n2}), difference {:.6} s, t {t:.2}", self.difference())
    }
}

fn mean(sample: &[f64]) -> f64 {
    sample.iter().sum::<f64>() / sample.len() as f64
}

/// Of the population the sample is from.
fn variance(sample: &[f64]) -> f64 {
    let mean = mean(sample);
    sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (sample.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn t_is_welch_s() {
        // Computed by hand: means 3 and 6, variances 2.5 and 10, so t = -3 / sqrt(2.5/5 + 10/5).
        let compared = Comparison::of(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(compared.means, [3.0, 6.0]);
        assert!((compared.t + 3.0 / 2.5_f64.sqrt()).abs() < 1e-12, "{compared}");
        assert_eq!(Comparison::of(&[1.0, 1.0], &[1.0, 1.0]).t, 0.0);
    }

    /// Times as a busy machine gives them: 0.5 s, some milliseconds of noise, and now and then a long pause.
    fn times(random: &mut Random, count: usize, more: f64) -> Vec<f64> {
        let noisy = |random: &mut Random| {
            let pause = if random.between(0, 50) == 0 { random.between(0, 300_000) } else { 0 };
            0.5 + more + (random.between(0, 3_000) + pause) as f64 / 1e6
        };
        (0..count).map(|_| noisy(random)).collect()
    }

    #[test]
    fn two_milliseconds_are_found_among_pauses_and_nothing_where_nothing_is() {
        let mut random = Random::from_seed(14);
        let (first, same, slower) =
            (times(&mut random, 200, 0.0), times(&mut random, 200, 0.0), times(&mut random, 200, 0.002));
        let (equal, different) = (Comparison::cropped(&first, &same), Comparison::cropped(&first, &slower));
        assert!(!equal.differs_by(0.001), "{equal}");
        assert!(different.differs_by(0.001), "{different}");
        assert!(!Comparison::of(&first, &slower).differs_by(0.001), "cropping is what finds it");
    }
}
