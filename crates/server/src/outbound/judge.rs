//! Who says whether the server we reached is believed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mail::Domain;
use trust::{Certificate, Current, Rejected, Space};

/// A verdict that is awaited; `None` while there is no white list.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Option<Result<Certificate, Rejected>>> + Send + 'a>>;

/// Judges servers by what is known of the trust space now.
pub trait Judge: Send + Sync + 'static {
    /// Whether this chain, its leaf first, is believed of a server known as `host`. `now` in seconds since 1970.
    fn server<'a>(&'a self, chain: &'a [Vec<u8>], host: &'a Domain, now: i64) -> Judging<'a>;

    /// What is known now; none while there is no white list.
    fn space(&self) -> Option<Arc<Space>>;
}

impl Judge for Current {
    fn server<'a>(&'a self, chain: &'a [Vec<u8>], host: &'a Domain, now: i64) -> Judging<'a> {
        Box::pin(async move { Some(self.get()?.server(chain, host, now)) })
    }

    fn space(&self) -> Option<Arc<Space>> {
        self.get()
    }
}
