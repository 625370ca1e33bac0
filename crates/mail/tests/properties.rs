//! Property tests on generated input; the properties are those of the fuzz targets.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fuzzed;

use mail::mime::{Limits, Scanner};
use proptest::prelude::*;

/// Pieces that make structure when they meet by chance.
fn message_piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        " ",
        "-",
        "--",
        "--a",
        "--a\r\n",
        "--a--\r\n",
        "--b\r\n",
        "--b--",
        "--ab\r\n",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
        "Content-Type: multipart/digest; boundary=b\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: text/html; charset=iso-8859-1\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Disposition: attachment; filename*0=a; filename*1=b\r\n",
        "Subject: =?utf-8?q?=C3=A9?= Re: x\r\n",
        "From: A <a@a.example>, g: b@b;\r\n",
        "Received: x\r\n",
        "Date: Fri, 20 Nov 2026 12:00:00 +0100\r\n",
        "Bcc: x\r\n y\r\n",
        "SGVsbG8=",
        "=C3=A9 =\r\n",
        "text <b>bold</b> &amp; é",
        "\0\u{ff}",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn any_message(pieces in prop::collection::vec(message_piece(), 0..40)) {
        fuzzed::message(pieces.concat().as_bytes());
    }

    #[test]
    fn any_submission(pieces in prop::collection::vec(message_piece(), 0..30)) {
        fuzzed::submission(pieces.concat().as_bytes());
    }

    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzzed::message(&octets);
        fuzzed::submission(&octets);
        fuzzed::stored(&octets);
        fuzzed::header_value(&octets);
        fuzzed::body(&octets);
    }

    #[test]
    fn any_header_value(value in "([<>@:;,()\"\\\\ =?_.'*%a-c]|=\\?utf-8\\?[qb]\\?|\\?=|[Rr]e: |\\[fwd: |\\]|\\(fwd\\)|é){0,40}") {
        fuzzed::header_value(value.as_bytes());
    }

    /// A stored index damaged in one octet, or cut, is an index or an error.
    #[test]
    fn any_damage(pieces in prop::collection::vec(message_piece(), 0..30), at: usize, octet: u8) {
        let mut scanner = Scanner::new(Limits::default());
        scanner.feed(pieces.concat().as_bytes());
        let split = scanner.finish().split();
        for mut stored in [split.envelope, split.structure, split.header_texts] {
            let at = at % stored.len();
            fuzzed::stored(&stored[..at]);
            stored[at] = octet;
            fuzzed::stored(&stored);
        }
    }
}
