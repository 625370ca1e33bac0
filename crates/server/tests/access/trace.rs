//! The trace fields of a delivery and the octets received are one message to a client.

use crate::player::Connection;
use crate::world::World;

const RECEIVED: &[u8] = b"From: Paul <paul@elsewhere.example>\r\nSubject: hello\r\nContent-Type: multipart/mixed; \
    boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>two</b>\r\n--x--\r\n";

/// The octets of the one literal in an answer.
async fn literal(connection: &mut Connection, item: &str) -> Vec<u8> {
    let told = connection.raw(&format!("FETCH 1 {item}")).await;
    let line = told.split(|octet| *octet == b'\n').next().unwrap();
    let line = String::from_utf8(line.to_vec()).unwrap();
    let (_, count) = line.trim_end().trim_end_matches('}').rsplit_once('{').unwrap();
    let octets = &told[line.len() + 1..];
    octets[..count.parse().unwrap()].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_one_message() {
    let world = World::new().await;
    world.relay(RECEIVED).await;
    let mut connection = Connection::open(&world, "anne").await;
    connection.command("EXAMINE INBOX").await;

    let whole = literal(&mut connection, "BODY[]").await;
    assert!(whole.starts_with(b"Return-Path: <paul@elsewhere.example>\r\nAuthentication-Results: "));
    assert!(whole.ends_with(RECEIVED));
    let prefix = whole.len() - RECEIVED.len();
    let lines = connection.command("FETCH 1 RFC822.SIZE").await;
    assert_eq!(lines[0], format!("* 1 FETCH (RFC822.SIZE {})", whole.len()));

    let header_end = whole.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap() + 4;
    for (item, expected) in [
        ("BODY[HEADER]", &whole[..header_end]),
        ("RFC822.HEADER", &whole[..header_end]),
        ("BODY[TEXT]", &whole[header_end..]),
        ("BODY[1]", b"one"),
        ("BODY[2]", b"<b>two</b>"),
        ("BODY[2.MIME]", b"Content-Type: text/html\r\n\r\n"),
        (
            "BODY[HEADER.FIELDS (RETURN-PATH SUBJECT)]",
            b"Return-Path: <paul@elsewhere.example>\r\nSubject: hello\r\n\r\n",
        ),
    ] {
        assert_eq!(
            String::from_utf8_lossy(&literal(&mut connection, item).await),
            String::from_utf8_lossy(expected),
            "{item}"
        );
    }
    // Cut anywhere around the seam.
    for (origin, octets) in [(0, 5), (prefix - 3, 3), (prefix - 3, 10), (prefix, 6), (prefix + 2, 100_000)] {
        let told = literal(&mut connection, &format!("BODY[]<{origin}.{octets}>")).await;
        let end = (origin + octets).min(whole.len());
        assert_eq!(told, &whole[origin..end], "{origin} {octets}");
    }

    for (search, found) in [
        ("HEADER Return-Path elsewhere", "* SEARCH 1"),
        ("HEADER Received client.example", "* SEARCH 1"),
        ("TEXT 192.0.2.7", "* SEARCH 1"),
        ("BODY 192.0.2.7", "* SEARCH"),
        ("BODY two", "* SEARCH 1"),
    ] {
        assert_eq!(connection.command(&format!("SEARCH {search}")).await[0], found, "{search}");
    }
}
