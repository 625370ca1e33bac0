//! Where entries leave to: what the schedule counts connections by.

use std::fmt;
use std::str::FromStr;

use mail::{Domain, DomainError};

/// A queue of its own within the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// Another operator's domain.
    Domain(Domain),
    /// The configured smart host, for the system's own notices and nothing else: [`crate::notice`] alone sends there.
    SmartHost,
}

/// No domain begins with a dot.
const SMART_HOST: &str = ".smart-host";

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Domain(domain) => f.write_str(domain.as_str()),
            Destination::SmartHost => f.write_str(SMART_HOST),
        }
    }
}

impl FromStr for Destination {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Destination, DomainError> {
        match text {
            SMART_HOST => Ok(Destination::SmartHost),
            domain => domain.parse().map(Destination::Domain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_read_as_they_print() {
        for destination in [Destination::SmartHost, Destination::Domain("b.example".parse().unwrap())] {
            assert_eq!(destination.to_string().parse(), Ok(destination));
        }
        assert!(SMART_HOST.parse::<Domain>().is_err());
    }
}
