//! The scanner on whole messages.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use expect_test::expect;
use mail::mime::{Content, EnvelopeFields, HeaderText, Limits, MessageIndex, Part, Scanner, SectionText};

fn scan(message: &[u8]) -> MessageIndex {
    scan_in(message, message.len().max(1), Limits::default())
}

fn scan_in(message: &[u8], size: usize, limits: Limits) -> MessageIndex {
    let mut scanner = Scanner::new(limits);
    message.chunks(size).for_each(|chunk| scanner.feed(chunk));
    scanner.finish()
}

/// One line a part, indented: type, header and body offsets, lines, decoded octets.
fn outline(part: &Part) -> String {
    let mut lines = String::new();
    write_outline(part, 0, &mut lines);
    lines
}

fn write_outline(part: &Part, depth: usize, out: &mut String) {
    let Part { header, body, lines, media_type, subtype, decoded_octets, .. } = part;
    let indent = "  ".repeat(depth);
    out.push_str(&format!(
        "{indent}{media_type}/{subtype} {header:?} {body:?} {lines} lines, {decoded_octets} decoded\n"
    ));
    match &part.content {
        Content::Leaf => {}
        Content::Multipart(parts) => parts.iter().for_each(|part| write_outline(part, depth + 1, out)),
        Content::Message(message) => write_outline(&message.part, depth + 1, out),
    }
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// The example of RFC 9051 §6.4.5.1.
fn example() -> Vec<u8> {
    crlf(
        "From: Anne <anne@a.example>
Subject: all kinds
Content-Type: multipart/mixed; boundary=one

preamble
--one

first
--one
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

AAEC
--one
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/mixed; boundary=two

--two

3.1
--two
Content-Type: application/octet-stream

3.2
--two--
--one
Content-Type: multipart/mixed; boundary=three

--three
Content-Type: image/gif
Content-Transfer-Encoding: base64

R0lG
--three
Content-Type: message/rfc822

Subject: innermost
Content-Type: multipart/mixed; boundary=four

--four
Content-Type: text/plain

4.2.1
--four
Content-Type: multipart/alternative; boundary=five

--five

4.2.2.1
--five
Content-Type: text/richtext

4.2.2.2
--five--
--four--
--three--
--one--
epilogue
",
    )
}

#[test]
fn every_section_of_the_example_is_found() {
    let message = example();
    let index = scan(&message);
    assert!(!index.facts.exceeded.any());
    for (path, text, found) in [
        (&[][..], SectionText::Whole, None),
        (&[1], SectionText::Whole, Some("first")),
        (&[1], SectionText::Mime, Some("\r\n")),
        (&[1], SectionText::Text, None),
        (&[1, 1], SectionText::Whole, None),
        (&[2], SectionText::Whole, Some("AAEC")),
        (
            &[2],
            SectionText::Mime,
            Some("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        ),
        (&[3], SectionText::Header, Some("Subject: inner\r\nContent-Type: multipart/mixed; boundary=two\r\n\r\n")),
        (
            &[3],
            SectionText::Text,
            Some("--two\r\n\r\n3.1\r\n--two\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--two--"),
        ),
        (&[3, 1], SectionText::Whole, Some("3.1")),
        (&[3, 2], SectionText::Whole, Some("3.2")),
        (&[3, 3], SectionText::Whole, None),
        (&[4, 1], SectionText::Whole, Some("R0lG")),
        (
            &[4, 2],
            SectionText::Header,
            Some("Subject: innermost\r\nContent-Type: multipart/mixed; boundary=four\r\n\r\n"),
        ),
        (&[4, 2, 1], SectionText::Whole, Some("4.2.1")),
        (&[4, 2, 2, 1], SectionText::Whole, Some("4.2.2.1")),
        (&[4, 2, 2, 2], SectionText::Mime, Some("Content-Type: text/richtext\r\n\r\n")),
        (&[4, 2, 2, 2], SectionText::Whole, Some("4.2.2.2")),
        (&[0], SectionText::Whole, None),
        (&[5], SectionText::Whole, None),
        (&[u32::MAX], SectionText::Whole, None),
    ] {
        let range = index.root.section(path, text, 0);
        let octets = range.map(|range| &message[range.start as usize..range.end as usize]);
        match found {
            Some(found) => assert_eq!(octets.map(String::from_utf8_lossy).as_deref(), Some(found), "{path:?} {text:?}"),
            None if path.is_empty() => assert_eq!(octets, Some(&message[..])),
            None => assert_eq!(octets, None, "{path:?} {text:?}"),
        }
    }
}

#[test]
fn the_outline_of_the_example() {
    expect![[r#"
        multipart/mixed 0..96 96..855 56 lines, 759 decoded
          text/plain 113..115 115..120 1 lines, 5 decoded
          application/octet-stream 129..206 206..210 1 lines, 3 decoded
          message/rfc822 219..251 251..389 11 lines, 138 decoded
            multipart/mixed 251..314 314..389 8 lines, 75 decoded
              text/plain 321..323 323..326 1 lines, 3 decoded
              application/octet-stream 335..377 377..380 1 lines, 3 decoded
          multipart/mixed 398..447 447..834 28 lines, 387 decoded
            image/gif 456..518 518..522 1 lines, 3 decoded
            message/rfc822 533..565 565..823 19 lines, 258 decoded
              multipart/mixed 565..633 633..823 16 lines, 190 decoded
                text/plain 641..669 669..674 1 lines, 5 decoded
                multipart/alternative 684..738 738..813 8 lines, 75 decoded
                  text/plain 746..748 748..755 1 lines, 7 decoded
                  text/richtext 765..796 796..803 1 lines, 7 decoded
    "#]]
    .assert_eq(&outline(&scan(&example()).root));
}

#[test]
fn a_trace_prefix_shifts_every_section() {
    let index = scan(b"Subject: x\r\n\r\nbody");
    assert_eq!(index.root.section(&[], SectionText::Whole, 10), Some(0..28));
    assert_eq!(index.root.section(&[], SectionText::Header, 10), Some(0..24));
    assert_eq!(index.root.section(&[], SectionText::Text, 10), Some(24..28));
    assert_eq!(index.root.section(&[1], SectionText::Whole, 10), Some(24..28));
    assert_eq!(index.root.section(&[1], SectionText::Mime, 10), Some(0..24));
    assert_eq!(index.root.section(&[1], SectionText::Header, 10), None);
    assert_eq!(index.root.section(&[2], SectionText::Whole, 10), None);
}

#[test]
fn odd_messages_have_an_outline() {
    for (message, expected) in [
        ("", "text/plain 0..0 0..0 0 lines, 0 decoded\n"),
        ("\n", "text/plain 0..2 2..2 0 lines, 0 decoded\n"),
        ("a: b\n", "text/plain 0..6 6..6 0 lines, 0 decoded\n"),
        ("a: b\n\n", "text/plain 0..8 8..8 0 lines, 0 decoded\n"),
        ("a: b\n\nx", "text/plain 0..8 8..9 1 lines, 1 decoded\n"),
        ("a: b\n\nx\n\n", "text/plain 0..8 8..13 2 lines, 5 decoded\n"),
        ("no header at all\n", "text/plain 0..18 18..18 0 lines, 0 decoded\n"),
        // No delimiter ever comes.
        ("Content-Type: multipart/mixed; boundary=a\n\nx\n", "multipart/mixed 0..45 45..48 1 lines, 3 decoded\n"),
        ("Content-Type: multipart/mixed\n\n--\n", "multipart/mixed 0..33 33..37 1 lines, 4 decoded\n"),
        // The delimiter cuts the header.
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nX: y\n--a\n--a--",
            "multipart/mixed 0..45 45..66 4 lines, 21 decoded\n  \
               text/plain 50..54 54..54 0 lines, 0 decoded\n  \
               text/plain 61..61 61..61 0 lines, 0 decoded\n",
        ),
        // Boundary that is the beginning of the parent's; white space after it; a line that only begins with it.
        (
            "Content-Type: multipart/mixed; boundary=aa\n\n--aa\nContent-Type: multipart/mixed; boundary=a\n\n\
             --a \t\n\nx\n--ab\n--aa\n\ny\n--aa--\n",
            "multipart/mixed 0..46 46..134 11 lines, 88 decoded\n  \
               multipart/mixed 52..97 97..113 4 lines, 16 decoded\n    \
                 text/plain 104..106 106..113 2 lines, 7 decoded\n  \
               text/plain 121..123 123..124 1 lines, 1 decoded\n",
        ),
        // The same boundary inside: the inner one closes first.
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n\
             --a\n\nx\n--a--\n--a\n\ny\n--a--\n",
            "multipart/mixed 0..45 45..129 11 lines, 84 decoded\n  \
               multipart/mixed 50..95 95..110 4 lines, 15 decoded\n    \
                 text/plain 100..102 102..103 1 lines, 1 decoded\n  \
               text/plain 117..119 119..120 1 lines, 1 decoded\n",
        ),
        // A message that is transfer-encoded is not looked into (RFC 2046 §5.2.1).
        (
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA0KDQo=\n",
            "message/rfc822 0..67 67..89 1 lines, 14 decoded\n",
        ),
        // The delimiter cuts the header of a message in a digest.
        (
            "Content-Type: multipart/digest; boundary=a\n\n--a\nX: y\n--a--\n",
            "multipart/digest 0..46 46..64 3 lines, 18 decoded\n  \
               message/rfc822 51..55 55..55 0 lines, 0 decoded\n    \
                 text/plain 55..55 55..55 0 lines, 0 decoded\n",
        ),
        // A multipart is never transfer-encoded (RFC 2045 §6.4).
        (
            "Content-Type: multipart/mixed; boundary=a\nContent-Transfer-Encoding: base64\n\nx\n",
            "multipart/mixed 0..80 80..83 1 lines, 3 decoded\n",
        ),
        // In a digest a part is a message.
        (
            "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\ny\n--a--\n",
            "multipart/digest 0..46 46..77 6 lines, 31 decoded\n  \
               message/rfc822 51..53 53..68 3 lines, 15 decoded\n    \
                 text/plain 53..67 67..68 1 lines, 1 decoded\n",
        ),
    ] {
        let message = crlf(message);
        assert_eq!(outline(&scan(&message).root), expected, "{}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn cutting_anywhere_changes_nothing() {
    let mut message = example();
    message.extend_from_slice(b"\n--one\r--one\r\n\n--one");
    let whole = scan(&message);
    for size in 1..=64 {
        assert_eq!(scan_in(&message, size, Limits::default()), whole, "in {size}");
    }
    for cut in 0..message.len() {
        let (left, right) = message.split_at(cut);
        let mut scanner = Scanner::new(Limits::default());
        scanner.feed(left);
        scanner.feed(right);
        assert_eq!(scanner.finish(), whole, "at {cut}");
    }
}

#[test]
fn the_stored_form_reads_back() {
    let index = scan(&example());
    let split = index.split();
    assert_eq!(EnvelopeFields::from_stored(&split.envelope), Ok(index.envelope));
    assert_eq!(Part::from_stored(&split.structure), Ok(index.root));
    assert_eq!(HeaderText::from_stored(&split.header_texts), Ok(index.header_texts));
    assert!(split.structure.len() < 1_000, "{}", split.structure.len());
}

#[test]
fn a_stored_part_beyond_any_message_is_damage() {
    let mut index = Scanner::new(Limits::default()).finish();
    for (end, readable) in [(i64::MAX as u64, true), (i64::MAX as u64 + 1, false), (u64::MAX - 1, false)] {
        index.root.body = i64::MAX as u64..end;
        assert_eq!(Part::from_stored(&index.split().structure).is_ok(), readable, "{end}");
    }
}
