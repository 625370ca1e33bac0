//! Sections at any MIME depth, against mail-parser as an oracle.

use mail_parser::{MessageParser, PartType};
use store::Flags;

use crate::player::Connection;
use crate::world::World;

/// Messages with parts in parts and messages in messages.
fn messages() -> Vec<String> {
    let leaf = |kind: &str, text: &str| format!("Content-Type: {kind}\r\nX-Part: {text}\r\n\r\n{text}\r\nsecond line");
    let multipart = |boundary: &str, parts: &[String]| {
        let mut text = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\npreamble\r\n");
        for part in parts {
            text.push_str(&format!("--{boundary}\r\n{part}\r\n"));
        }
        text.push_str(&format!("--{boundary}--\r\nepilogue"));
        text
    };
    let inner = |subject: &str, body: String| {
        format!(
            "Content-Type: message/rfc822\r\n\r\nFrom: b@example.org\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n{body}"
        )
    };
    let outer = |body: String| format!("From: a@example.org\r\nSubject: outer\r\nMIME-Version: 1.0\r\n{body}\r\n");
    let (plain, html) = (leaf("text/plain", "plain"), leaf("text/html", "html"));
    let two = multipart("two", &[plain.clone(), html.clone()]);
    let deep = (0..8).fold(two.clone(), |inside, depth| multipart(&format!("d{depth}"), &[plain.clone(), inside]));
    vec![
        outer(plain.clone()),
        outer("\r\njust text".into()),
        outer(two.clone()),
        outer(multipart("a", &[two.clone(), inner("one", two.clone()), html.clone()])),
        // A message directly within a message is beyond mail-parser 0.11, which trips over it.
        outer(multipart("b", &[inner("two", multipart("m", &[inner("three", two.clone()), plain.clone()]))])),
        outer(inner("four", plain.clone())),
        outer(deep),
    ]
}

/// Every section mail-parser knows of, with its octets: the body of each part, and its header.
fn sections(
    message: &mail_parser::Message<'_>,
    raw: &[u8],
    part: usize,
    path: &[u32],
    found: &mut Vec<(String, Vec<u8>)>,
) {
    let here = &message.parts[part];
    let octets = |from: u32, to: u32| raw[from as usize..to as usize].to_vec();
    let name = path.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    if !path.is_empty() {
        found.push((name.clone(), octets(here.offset_body, here.offset_end)));
        found.push((format!("{name}.MIME"), octets(here.offset_header, here.offset_body)));
    }
    match &here.body {
        PartType::Multipart(parts) => {
            for (number, child) in (1..).zip(parts) {
                sections(message, raw, *child as usize, &[path, &[number]].concat(), found);
            }
        }
        PartType::Message(inner) => {
            let path = if path.is_empty() { vec![1] } else { path.to_vec() };
            let name = path.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
            let root = &inner.parts[0];
            found.push((format!("{name}.HEADER"), octets(root.offset_header, root.offset_body)));
            found.push((format!("{name}.TEXT"), octets(root.offset_body, root.offset_end)));
            inside(inner, raw, &path, found);
        }
        _ if path.is_empty() => found.push(("1".into(), octets(here.offset_body, here.offset_end))),
        _ => {}
    }
}

/// The parts of an encapsulated message, numbered below it.
fn inside(inner: &mail_parser::Message<'_>, raw: &[u8], path: &[u32], found: &mut Vec<(String, Vec<u8>)>) {
    match &inner.parts[0].body {
        PartType::Multipart(parts) => {
            for (number, child) in (1..).zip(parts) {
                sections(inner, raw, *child as usize, &[path, &[number]].concat(), found);
            }
        }
        PartType::Message(_) => {
            let mut below = Vec::new();
            sections(inner, raw, 0, &[path, &[1]].concat(), &mut below);
            found.extend(below);
        }
        _ => {
            let root = &inner.parts[0];
            let name = path.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
            found.push((format!("{name}.1"), raw[root.offset_body as usize..root.offset_end as usize].to_vec()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sections_are_what_mail_parser_finds() {
    let world = World::new().await;
    let messages = messages();
    for message in &messages {
        world.deliver("INBOX", message.as_bytes(), Flags::none()).await;
    }
    let mut connection = Connection::open(&world, "anne").await;
    connection.command("EXAMINE INBOX").await;
    let mut checked = 0;
    for (number, message) in (1..).zip(&messages) {
        let raw = message.as_bytes();
        let parsed = MessageParser::new().parse(raw).unwrap();
        let mut found = Vec::new();
        sections(&parsed, raw, 0, &[], &mut found);
        for (section, octets) in found {
            let told = connection.raw(&format!("FETCH {number} BODY.PEEK[{section}]")).await;
            let begin = format!("* {number} FETCH (BODY[{section}] {{{}}}\r\n", octets.len());
            let expected = [begin.as_bytes(), &octets, b")\r\nt OK FETCH completed\r\n"].concat();
            assert_eq!(
                String::from_utf8_lossy(&told),
                String::from_utf8_lossy(&expected),
                "message {number}, section {section}:\n{message}"
            );
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}
