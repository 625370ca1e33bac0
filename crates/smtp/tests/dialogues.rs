//! Every transcript of `tests/dialogues/smtp`, whole and cut at every position.

mod pretend;

use std::path::Path;

use pretend::{Pretend, relay};

#[test]
fn transcripts_hold_however_the_octets_come() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogues/smtp");
    for (name, transcript) in testkit::dialogue::transcripts(&folder) {
        testkit::dialogue::check(&name, &transcript, || Pretend::new(relay()));
    }
}
