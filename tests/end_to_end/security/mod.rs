//! What made other servers fail, tried on ours. Each test carries the name its class has in our list of requirements.

mod backscatter;
mod desync;
mod headers;
mod limits;
mod logins;
mod logs;
mod mime;
mod mutual_tls;
mod names;
mod relaying;
mod smuggling;
mod timing;

use anyhow::{Context, Result};
use tests::{imap::Imap, server::Server};

/// How many messages USER`user` has in INBOX.
pub(crate) fn messages_of(server: &Server, user: u8) -> Result<u64> {
    server.imap(user)?.ok("STATUS INBOX (MESSAGES)")?.find("STATUS").map_or_else(
        || anyhow::bail!("no STATUS"),
        |response| tests::imap::number_after(&response.text, "MESSAGES ").context("no MESSAGES"),
    )
}

/// The octets of the newest message of INBOX.
fn newest(imap: &mut Imap) -> Result<Vec<u8>> {
    imap.ok("SELECT INBOX")?;
    let fetched = imap.ok("FETCH * BODY.PEEK[]")?;
    fetched.find("FETCH").and_then(|response| response.literals.first().cloned()).context("INBOX is empty")
}

/// True in `scripts/test --long`, where counts are full.
fn long() -> bool {
    std::env::var_os("SCEAU_TEST_LONG").is_some()
}
