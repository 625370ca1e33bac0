//! Every transcript of `tests/dialogues/imap`, whole and cut at every position. A name that begins with `clear` begins
//! without TLS, one with `in_` after sign-in, `bound` and `useless` where a certificate was asked for.

use std::path::Path;

use auth::sasl::External;
use testkit::dialogue::{Endpoint, check, transcripts};

use crate::scripted::Scripted;

#[test]
fn dialogues_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogues/imap");
    for (name, transcript) in transcripts(&folder) {
        let file = Path::new(&name).file_name().and_then(|file| file.to_str()).expect("a file name");
        match file {
            file if file.starts_with("clear") => check(&name, &transcript, Scripted::clear),
            file if file.starts_with("in_") => check(&name, &transcript, Scripted::signed_in),
            file if file.starts_with("bound") => {
                check(&name, &transcript, || Scripted::connector(External::Bound));
            }
            file if file.starts_with("useless") => {
                check(&name, &transcript, || Scripted::connector(External::Useless));
            }
            _ => check(&name, &transcript, Scripted::tls),
        }
    }
}

/// S4: what came with STARTTLS, before the handshake, is never answered, however it is cut (CVE-2021-33515).
#[test]
fn s4_nothing_said_in_the_clear_outlives_starttls() {
    let octets = b"a STARTTLS\r\nb NOOP\r\nc LOGIN ann secret\r\n";
    for cut in 1..octets.len() {
        let mut session = Scripted::clear();
        session.sent();
        session.receive(&octets[..cut]);
        session.receive(&octets[cut..]);
        session.event("tls established").expect("a handshake was begun");
        session.receive(b"d CAPABILITY\r\n");
        let sent = String::from_utf8(session.sent()).expect("ASCII");
        assert!(sent.starts_with("a OK begin the handshake\r\n* CAPABILITY "), "cut at {cut}: {sent}");
        assert!(!sent.contains("STARTTLS") && !sent.contains("LOGINDISABLED"), "{sent}");
        assert!(session.session.identity().is_none());
    }
}
