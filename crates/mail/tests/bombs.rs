//! S9: messages built to exhaust a parser. Each is delivered, in time linear in its size, with an index of bounded size.

#![allow(clippy::disallowed_methods, reason = "these tests measure time")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mail::mime::{Content, Limits, MessageIndex, Scanner};

/// Scans in chunks as they come from the network.
fn scan(message: &[u8]) -> MessageIndex {
    let mut scanner = Scanner::new(Limits::default());
    message.chunks(16 * 1024).for_each(|chunk| scanner.feed(chunk));
    scanner.finish()
}

/// Scans the bomb of `size` units and one eight times as large: quadratic time would be 64 times as much.
fn s9(size: usize, bomb: impl Fn(usize) -> String) -> MessageIndex {
    let (small, large) = (bomb(size / 8), bomb(size));
    let small_time = elapsed(|| drop(scan(small.as_bytes())));
    let mut index = None;
    let large_time = elapsed(|| index = Some(scan(large.as_bytes())));
    assert!(large_time < small_time * 32 + Duration::from_millis(500), "{small_time:?}, then {large_time:?}");
    let index = index.expect("scanned");
    assert_eq!(index.facts.octets, large.len() as u64);
    let split = index.split();
    let stored = split.envelope.len() + split.structure.len() + split.header_texts.len();
    assert!(stored < 4 * 1024 * 1024, "{stored} octets stored");
    index
}

fn elapsed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn count(index: &MessageIndex) -> usize {
    let mut parts = 0;
    index.root.walk(&mut |_| parts += 1);
    parts
}

#[test]
fn s9_nested_multiparts() {
    let index = s9(10_000, |depth| {
        (0..depth)
            .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"))
            .collect()
    });
    assert!(index.facts.exceeded.depth);
    assert_eq!(count(&index), 51);
}

#[test]
fn s9_nested_messages() {
    let index = s9(10_000, |depth| "Subject: x\r\nContent-Type: message/rfc822\r\n\r\n".repeat(depth));
    assert!(index.facts.exceeded.depth);
    assert_eq!(count(&index), 51);
}

#[test]
fn s9_a_hundred_thousand_parts() {
    let index = s9(100_000, |parts| {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", "--b\r\n\r\n\r\n".repeat(parts))
    });
    assert!(index.facts.exceeded.parts);
    assert_eq!(count(&index), 1_000);
    // The rest is text of the last part.
    let Content::Multipart(parts) = &index.root.content else { panic!("no multipart") };
    assert_eq!(parts.last().map(|part| part.body.end), Some(index.facts.octets));
}

#[test]
fn s9_boundaries_that_are_beginnings_of_each_other() {
    let index = s9(200_000, |lines| {
        let open: String = (1..=50)
            .map(|length| {
                let boundary = "b".repeat(length);
                format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n")
            })
            .collect();
        open + "\r\n" + &format!("--{}\r\n", "b".repeat(60)).repeat(lines)
    });
    assert_eq!(count(&index), 51);
}

#[test]
fn s9_the_parents_boundary_again() {
    let index = s9(10_000, |parts| "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(parts));
    assert!(index.facts.exceeded.depth);
}

#[test]
fn s9_address_fields() {
    let index = s9(500_000, |fields| "To: a@a.example\r\n".repeat(fields) + "\r\n");
    assert!(index.facts.exceeded.header);
    assert_eq!(index.envelope.to.len(), 1);
    let index = s9(500_000, |addresses| format!("To: {}\r\n\r\n", "a@a.example, ".repeat(addresses)));
    assert!(index.facts.exceeded.header);
    assert!(index.facts.exceeded.addresses);
    assert_eq!(index.envelope.to.len(), Limits::default().addresses);
    // Many parts with many addresses and parameters: the index does not grow with them.
    let index = s9(900, |parts| {
        let header =
            format!("Content-Type: message/rfc822{}\r\n\r\nTo: {}\r\n\r\n", ";a=b".repeat(60), "a@b,".repeat(2_000));
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", format!("--b\r\n{header}").repeat(parts))
    });
    let mut addresses = 0;
    index.root.walk(&mut |part| {
        if let Content::Message(message) = &part.content {
            addresses += message.envelope.to.len();
        }
    });
    assert!(addresses < Limits::default().kept_octets / 100 && index.facts.exceeded.header);
}

#[test]
fn s9_parameter_segments() {
    let index = s9(100_000, |segments| {
        let segments: String = (0..segments).map(|number| format!(";\r\n n*{number}*=%41")).collect();
        format!("Content-Type: text/plain{segments}\r\n\r\n")
    });
    assert!(index.facts.exceeded.header);
    assert_eq!(index.root.parameter("n").map(str::len), Some(1_000));
}

#[test]
fn s9_one_header_of_many_octets() {
    let index = s9(8_000_000, |octets| format!("Subject: {}\r\nContent-Type: text/html\r\n\r\n", "x".repeat(octets)));
    assert!(index.facts.exceeded.header);
    // What says how to read the body is still found.
    assert!(index.root.is("text", "html"));
    let index = s9(1_000_000, |lines| format!("Subject: x\r\n{}\r\n", " y\r\n".repeat(lines)));
    assert!(index.facts.exceeded.header);
}

#[test]
fn s9_encoded_words() {
    let index = s9(1_000_000, |words| format!("Subject: {}\r\n\r\n", "=?utf-8?q?=C3=A9?= ".repeat(words)));
    assert!(index.facts.thread.base_subject.starts_with("éé"));
    s9(1_000_000, |words| format!("Subject: {}\r\n\r\n", "=?".repeat(words)));
}

#[test]
fn s9_headers_of_a_thousand_parts() {
    let index = s9(1_000, |parts| {
        let header = format!(
            "Content-Description: {}\r\nContent-Type: a/b; n=\"{}\"\r\n\r\n",
            "d".repeat(8_000),
            "x".repeat(8_000)
        );
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", format!("--b\r\n{header}").repeat(parts))
    });
    assert!(index.facts.exceeded.header);
    assert_eq!(count(&index), 1_000);
}

#[test]
fn s9_base64_of_nothing() {
    for filler in ["=", "\r\n", "====\r\n", "-", "--\r\n"] {
        let index = s9(1_000_000, |times| {
            format!(
                "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
                filler.repeat(times / filler.len())
            )
        });
        assert_eq!(index.root.decoded_octets, 0);
    }
}

#[test]
fn s9_lines_that_may_be_delimiters() {
    for filler in ["--", "--b", "\r\n-", "\r\n--", "\r\n--b ", "-"] {
        let index = s9(2_000_000, |octets| {
            let body = filler.repeat(octets / filler.len());
            format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{body}")
        });
        assert!(count(&index) <= 1_000);
    }
}

#[test]
fn s9_text_that_never_becomes_a_preview() {
    for body in ["<p>", "<!--", "<style>", "&", "&#", " ", "=\r\n"] {
        let index = s9(1_000_000, |octets| {
            let body = body.repeat(octets / body.len());
            format!("Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{body}")
        });
        assert!(index.facts.preview.len() <= 1_000);
    }
}
