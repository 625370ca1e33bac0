//! Where a domain takes its mail, as DNS says it (RFC 5321 §5, RFC 7505).

use crate::Domain;

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exchange {
    /// The lower is tried first.
    pub preference: u16,
    /// The host that takes the mail.
    pub host: Domain,
}

/// What a domain says about its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxAnswer {
    /// It names its exchanges, in no order; at least one.
    Exchanges(Vec<Exchange>),
    /// It names none: it is its own exchange with preference 0 (RFC 5321 §5.1).
    Implicit,
    /// It takes no mail at all (RFC 7505 §3).
    Null,
}
