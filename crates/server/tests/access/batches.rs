//! FETCH reads in batches: whatever their borders fall on, each message is told once, in order, whole.

use store::Flags;

use crate::player::Connection;
use crate::world::World;

/// One FETCH response: sequence number, UID and body.
type Told = (u32, u32, Vec<u8>);

/// Reads `* n FETCH (UID u … {octets}…)` responses up to the completion.
fn parse(mut octets: &[u8], item: &str) -> Vec<Told> {
    let mut told = Vec::new();
    while octets.starts_with(b"* ") {
        let end = octets.iter().position(|octet| *octet == b'\n').unwrap() + 1;
        let line = String::from_utf8(octets[..end].to_vec()).unwrap();
        let (number, rest) = line[2..].split_once(" FETCH (UID ").unwrap();
        let (uid, rest) = rest.split_once(' ').unwrap();
        let rest = rest.strip_prefix(item).unwrap_or_else(|| panic!("{line}"));
        let count: usize = rest.trim_start_matches([' ', '~', '{']).trim_end().trim_end_matches('}').parse().unwrap();
        told.push((number.parse().unwrap(), uid.parse().unwrap(), octets[end..end + count].to_vec()));
        octets = &octets[end + count..];
        assert!(octets.starts_with(b")\r\n"), "after {number}");
        octets = &octets[3..];
    }
    assert!(octets.starts_with(b"t OK"), "{:?}", String::from_utf8_lossy(&octets[..octets.len().min(200)]));
    told
}

fn message(number: usize) -> Vec<u8> {
    // Most are small; some fill a batch alone, some are longer than what is read at once.
    let lines = match number {
        number if number % 97 == 50 => 60_000,
        number if number % 31 == 3 => 9_000,
        number => number % 13,
    };
    let mut text = format!("Subject: {number}\r\n\r\n").into_bytes();
    for line in 0..lines {
        text.extend_from_slice(format!("{number} {line} abcdefghijklmnop\r\n").as_bytes());
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_told_once_and_whole() {
    const MESSAGES: usize = 400;
    let world = World::new().await;
    let mut first = Connection::open(&world, "anne").await;
    for number in 1..=MESSAGES {
        world.deliver("INBOX", &message(number), Flags::none()).await;
    }
    first.command("SELECT INBOX").await;
    // Another session removes some behind its back: their numbers are passed over.
    let mut second = Connection::open(&world, "anne").await;
    second.command("SELECT INBOX").await;
    second.command("STORE 1:3,50,100:130,399 +FLAGS.SILENT (\\Deleted)").await;
    second.command("EXPUNGE").await;
    let gone = |number: usize| matches!(number, 1..=3 | 50 | 100..=130 | 399);

    let all: Vec<usize> = (1..=MESSAGES).filter(|number| !gone(*number)).collect();
    let some: Vec<usize> = all
        .iter()
        .copied()
        .filter(|number| matches!(number, 2..=60 | 98..=133 | 200 | 202 | 204..=206 | 398..))
        .collect();
    for (set, expected) in [("1:*", &all), ("2:60,98:133,200,202,204:206,398:*", &some)] {
        let told = parse(&first.raw(&format!("FETCH {set} (UID BODY.PEEK[])")).await, "BODY[]");
        let numbers: Vec<usize> = told.iter().map(|(number, _, _)| *number as usize).collect();
        assert_eq!(&numbers, expected);
        for (number, uid, body) in told {
            assert_eq!(number, uid);
            assert!(body == message(number as usize), "message {number}");
        }
    }
    // The same with what fits into one batch of rows, and with the narrow ones.
    for item in ["ENVELOPE", "FLAGS", "RFC822.SIZE"] {
        let lines = first.command(&format!("FETCH 1:* (UID {item})")).await;
        let numbers: Vec<usize> =
            lines.iter().filter_map(|line| line.strip_prefix("* ")?.split(' ').next()?.parse().ok()).collect();
        assert_eq!(numbers, all, "{item}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_part_is_decoded_while_it_is_sent() {
    let world = World::new().await;
    let content: Vec<u8> = (0..2_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut message = b"Subject: x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    for line in content.chunks(57) {
        message.extend_from_slice(encoded(line).as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    world.deliver("INBOX", &message, Flags::none()).await;
    let mut connection = Connection::open(&world, "anne").await;
    connection.command("EXAMINE INBOX").await;
    let told = parse(&connection.raw("FETCH 1 (UID BINARY.PEEK[1])").await, "BINARY[1]");
    assert!(told[0].2 == content);
    let told = parse(&connection.raw("FETCH 1 (UID BINARY.PEEK[1]<1000001.70000>)").await, "BINARY[1]<1000001>");
    assert!(told[0].2 == content[1_000_001..1_070_001]);
    let told = parse(&connection.raw("FETCH 1 (UID BINARY.PEEK[1]<1999990.70000>)").await, "BINARY[1]<1999990>");
    assert!(told[0].2 == content[1_999_990..]);
    assert_eq!(connection.command("FETCH 1 BINARY.SIZE[1]").await[0], "* 1 FETCH (BINARY.SIZE[1] 2000000)");
}

/// Base64 of at most 57 octets.
fn encoded(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let mut bits = [0; 3];
        bits[..group.len()].copy_from_slice(group);
        let bits = u32::from(bits[0]) << 16 | u32::from(bits[1]) << 8 | u32::from(bits[2]);
        for digit in 0..4 {
            match digit <= group.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63])),
                false => text.push('='),
            }
        }
    }
    text
}
