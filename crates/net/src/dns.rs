//! Questions to the domain name system, as the relay asks them.

mod hickory;
pub mod responder;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use mail::{Domain, MxAnswer};

pub use hickory::{Hickory, Servers};

/// An answer that is awaited. Boxed, so that a resolver can be a `dyn Resolver`: one allocation beside a look-up is nothing.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, DnsError>> + Send + 'a>>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// NXDOMAIN: permanent.
    #[error("the name does not exist")]
    NoSuchDomain,
    /// The name exists, and has nothing of the kind: permanent.
    #[error("the name has no such record")]
    NoRecords,
    /// SERVFAIL, REFUSED, silence, aliases in a circle, what cannot be read: another time it may be otherwise.
    #[error("{0}")]
    Temporary(String),
}

/// Looks names up. Aliases (CNAME) are followed (RFC 5321 §5.1).
pub trait Resolver: Send + Sync + 'static {
    /// Where a domain takes its mail.
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answering<'a, MxAnswer>;

    /// A host's addresses, IPv4 and IPv6; never an empty list.
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answering<'a, Vec<IpAddr>>;

    /// Text records, the strings of each joined; never an empty list.
    fn texts<'a>(&'a self, name: &'a str) -> Answering<'a, Vec<Vec<u8>>>;

    /// The names an address goes by; never an empty list.
    fn names<'a>(&'a self, address: IpAddr) -> Answering<'a, Vec<Domain>>;
}
