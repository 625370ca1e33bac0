//! Every transcript of `tests/dialogues/access`.

use std::path::Path;

use crate::player::play;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_conversation_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogues/access");
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    for (name, transcript) in testkit::dialogue::transcripts(&folder) {
        if name.contains(&only) {
            play(&name, &transcript).await;
        }
    }
}
