//! The counters as octets, to be kept over a restart: version, then each table as a count and fixed-size entries.

use super::decay::Score;
use super::generations::Generations;
use super::{Address, Counter, ENTRIES_MAX, Owner, PairKey, Throttle};

const VERSION: u8 = 2;

/// Why stored counters could not be read. Starting with empty ones is right then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored login counters are of another version or damaged")]
pub struct StoredThrottleError;

impl Throttle {
    /// The counters as octets. Places in queues are not kept.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        table(&mut out, &self.pairs, |out, (login, address), counter| {
            out.extend(login.to_be_bytes());
            out.extend(address.to_be_bytes());
            score(out, counter.failures);
        });
        table(&mut out, &self.logins, |out, login, counter| {
            out.extend(login.to_be_bytes());
            score(out, counter.failures);
        });
        table(&mut out, &self.addresses, |out, key, address| {
            out.extend(key.to_be_bytes());
            score(out, address.failures);
            score(out, address.good_accounts);
        });
        table(&mut out, &self.owners, |out, (login, address), owner| {
            out.extend(login.to_be_bytes());
            out.extend(address.to_be_bytes());
            out.extend(owner.signed_in_at.to_be_bytes());
            score(out, owner.counter.failures);
        });
        out
    }

    /// Reads what [`Throttle::encode`] wrote.
    ///
    /// # Errors
    /// [`StoredThrottleError`].
    pub fn decode(octets: &[u8]) -> Result<Throttle, StoredThrottleError> {
        let mut reader = Reader(octets);
        if reader.take::<1>()? != [VERSION] {
            return Err(StoredThrottleError);
        }
        let mut throttle = Throttle::new(ENTRIES_MAX);
        for _ in 0..reader.count()? {
            let (pair, failures) = (reader.pair()?, reader.score()?);
            throttle.pairs.update(pair, |counter| *counter = Counter { failures, begins_at: 0 });
        }
        for _ in 0..reader.count()? {
            let (login, failures) = (reader.key()?, reader.score()?);
            throttle.logins.update(login, |counter| *counter = Counter { failures, begins_at: 0 });
        }
        for _ in 0..reader.count()? {
            let (key, failures, good_accounts) = (reader.key()?, reader.score()?, reader.score()?);
            throttle.addresses.update(key, |address| *address = Address { failures, good_accounts });
        }
        for _ in 0..reader.count()? {
            let (pair, signed_in_at) = (reader.pair()?, i64::from_be_bytes(reader.take()?));
            let counter = Counter { failures: reader.score()?, begins_at: 0 };
            throttle.owners.update(pair, |owner| *owner = Owner { signed_in_at, counter });
        }
        match reader.0 {
            [] => Ok(throttle),
            _ => Err(StoredThrottleError),
        }
    }
}

fn table<K: std::hash::Hash + Eq + Copy, V: Default>(
    out: &mut Vec<u8>,
    entries: &Generations<K, V>,
    mut entry: impl FnMut(&mut Vec<u8>, &K, &V),
) {
    out.extend((entries.len() as u64).to_be_bytes());
    entries.iter().for_each(|(key, value)| entry(out, key, value));
}

fn score(out: &mut Vec<u8>, score: Score) {
    out.extend(score.value.to_bits().to_be_bytes());
    out.extend(score.at_millis.to_be_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], StoredThrottleError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(StoredThrottleError)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn count(&mut self) -> Result<u64, StoredThrottleError> {
        self.take().map(u64::from_be_bytes)
    }

    fn key(&mut self) -> Result<u64, StoredThrottleError> {
        self.take().map(u64::from_be_bytes)
    }

    fn pair(&mut self) -> Result<PairKey, StoredThrottleError> {
        Ok((self.key()?, self.key()?))
    }

    fn score(&mut self) -> Result<Score, StoredThrottleError> {
        let value = f32::from_bits(u32::from_be_bytes(self.take()?));
        let at_millis = i64::from_be_bytes(self.take()?);
        match value.is_finite() && value >= 0.0 {
            true => Ok(Score { value, at_millis }),
            false => Err(StoredThrottleError),
        }
    }
}
