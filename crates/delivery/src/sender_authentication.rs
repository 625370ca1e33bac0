//! What SPF, DKIM, DMARC and ARC say of a message: asked for, never obeyed.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use mail::authentication_results::MethodResult;
use mail::{Domain, ReversePath};

/// What is awaited: one result for each method at least.
pub type Findings<'a> = Pin<Box<dyn Future<Output = Vec<MethodResult>> + Send + 'a>>;

/// What a message is looked at by.
#[derive(Clone, Copy, Debug)]
pub struct SenderFacts<'a> {
    /// Where it came from.
    pub client: IpAddr,
    /// What the client called itself.
    pub helo: &'a str,
    /// Where failures go.
    pub reverse_path: &'a ReversePath,
    /// The domain of the author, when there is one and only one.
    pub author: Option<&'a Domain>,
    /// The message; its header at least, when it has more than [`SenderAuthentication::octets_max`] octets.
    pub octets: &'a [u8],
    /// Octets of the whole message.
    pub total: u64,
}

/// Looks at messages as mail of the Internet is looked at: by DNS, within a time of its own. It never fails.
pub trait SenderAuthentication: Send + Sync {
    /// Octets of a message up to which it wants to see it whole.
    fn octets_max(&self) -> u64;

    /// Looks at one message.
    fn look<'a>(&'a self, facts: SenderFacts<'a>) -> Findings<'a>;
}
