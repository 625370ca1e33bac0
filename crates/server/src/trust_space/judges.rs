//! The trust space in the words of those who ask it.

use std::sync::Arc;

use mail::Domain;
use trust::Space;

use super::TrustSpace;
use crate::{certificate_sign_in, outbound};

/// Of software that signs in by certificate.
impl certificate_sign_in::Judge for TrustSpace {
    fn client<'a>(&'a self, chain: &'a [Vec<u8>]) -> certificate_sign_in::Judging<'a> {
        Box::pin(async move { Some(self.connector(chain).await) })
    }
}

/// Of the operators that mail goes to. The time is that of the machine: lists may be asked meanwhile.
impl outbound::Judge for TrustSpace {
    fn server<'a>(&'a self, chain: &'a [Vec<u8>], host: &'a Domain, _now: i64) -> outbound::Judging<'a> {
        Box::pin(TrustSpace::server(self, chain, host))
    }

    fn space(&self) -> Option<Arc<Space>> {
        self.current().get()
    }
}
