//! Between operators: who is believed, what passes, what comes back.

mod audit;
mod between;
mod kill;
mod postfix;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::{imap::Imap, letter, server::Server};

/// Time in which a message goes from one operator to the other, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until a message that holds these words is in INBOX, and gives its octets.
fn arrives(mut imap: Imap, words: &str) -> Result<Vec<u8>> {
    let begun = Instant::now();
    imap.ok("SELECT INBOX")?;
    loop {
        let found = imap.ok(&format!("UID SEARCH TEXT \"{words}\""))?;
        let uids = found.find("* SEARCH").map(|response| response.text.clone()).unwrap_or_default();
        if let Some(uid) = uids.split(' ').filter_map(|word| word.parse().ok()).next() {
            return imap.fetch_body(uid);
        }
        ensure!(begun.elapsed() < PATIENCE, "nothing came with {words}");
        std::thread::sleep(Duration::from_millis(50));
        imap.ok("NOOP")?;
    }
}

/// Waits for a letter in the INBOX of USER`user`, and holds it to be what was sent.
fn arrives_intact(server: &Server, user: u8, sent: &[u8], name: &str) -> Result<String> {
    let stored = arrives(server.imap(user)?, name)?;
    let trace = letter::trace_before(&stored, sent).with_context(|| {
        format!("other octets arrived than were sent:\n{}", String::from_utf8_lossy(&stored[..stored.len().min(4_000)]))
    })?;
    Ok(String::from_utf8_lossy(trace).into_owned())
}
