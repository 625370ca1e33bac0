//! Plays transcripts of several IMAP connections against the driver.
//!
//! ```text
//! # A comment.
//! -- message INBOX \Seen       a message arrives in Anne's mailbox, with flags; its lines follow
//! | From: a@example.org        a line of it; `\xE9` stands for an octet, `\{3000*x}` for many
//! A C: a SELECT INBOX          connection A, opened and signed in as Anne at its first line, sends this and CRLF
//! A C~ hello\r\n               exactly this, without CRLF
//! A S: * 3 EXISTS              connection A receives this line; `…` stands for anything
//! A -- silence                 connection A receives nothing for a moment
//! A -- closed                  the server closed connection A
//! A -- paul                    connection A, not opened yet, signs in as Paul
//! ```
//! Literals from the server are read as lines.

use std::collections::HashMap;
use std::time::Duration;

use store::Flags;
use store::flags::SystemFlag;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use crate::world::World;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long silence is listened to.
const MOMENT: Duration = Duration::from_millis(80);

pub struct Connection {
    stream: BufReader<DuplexStream>,
}

impl Connection {
    /// Connected and greeted.
    pub async fn connect(world: &World) -> Connection {
        let mut connection = Connection { stream: BufReader::new(world.connect()) };
        assert!(connection.line().await.unwrap().starts_with("* OK"));
        connection
    }

    /// Connected and signed in.
    pub async fn open(world: &World, login: &str) -> Connection {
        let mut connection = Connection::connect(world).await;
        connection.send(format!("login LOGIN {login} secret\r\n").as_bytes()).await;
        let mut line = connection.line().await.unwrap();
        while line.starts_with('*') {
            line = connection.line().await.unwrap();
        }
        assert!(line.starts_with("login OK"), "{line}");
        connection
    }

    pub async fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).await.unwrap();
    }

    /// The next line without its CRLF; `None` when the server closed.
    pub async fn line(&mut self) -> Option<String> {
        let octets = self.octets_to_line_end().await;
        octets.strip_suffix(b"\r\n").map(Shown::shown)
    }

    /// The next line with its end.
    pub async fn octets_to_line_end(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        let read = self.stream.read_until(b'\n', &mut octets);
        tokio::time::timeout(2 * PATIENCE, read).await.expect("an answer in time").unwrap();
        octets
    }

    /// Sends a command and gathers every line up to its completion.
    pub async fn command(&mut self, command: &str) -> Vec<String> {
        self.send(format!("t {command}\r\n").as_bytes()).await;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await.expect("the connection stays open");
            let last = line.starts_with("t ");
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// Sends `UID FETCH` or the like and gives all octets up to the completion.
    pub async fn raw(&mut self, command: &str) -> Vec<u8> {
        self.send(format!("t {command}\r\n").as_bytes()).await;
        let mut octets = Vec::new();
        loop {
            let line = self.octets_to_line_end().await;
            assert!(!line.is_empty(), "the connection stays open");
            let last = line.starts_with(b"t OK") || line.starts_with(b"t NO") || line.starts_with(b"t BAD");
            octets.extend_from_slice(&line);
            if last {
                return octets;
            }
        }
    }

    async fn is_silent(&mut self) -> Result<(), String> {
        match tokio::time::timeout(MOMENT, self.line()).await {
            Err(_) => Ok(()),
            Ok(line) => Err(format!("silence was expected, {line:?} came")),
        }
    }
}

trait Shown {
    fn shown(&self) -> String;
}

impl Shown for [u8] {
    /// UTF-8 as it is, other octets as `\xNN`.
    fn shown(&self) -> String {
        let mut text = String::new();
        for chunk in self.utf8_chunks() {
            text.push_str(chunk.valid());
            for octet in chunk.invalid() {
                text.push_str(&format!("\\x{octet:02X}"));
            }
        }
        text
    }
}

/// Plays one transcript.
pub async fn play(name: &str, transcript: &str) {
    let world = World::new().await;
    let mut connections: HashMap<String, Connection> = HashMap::new();
    let mut lines = transcript.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let at = format!("{name} line {}", index + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(order) = line.strip_prefix("-- message ") {
            let mut message = Vec::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with('|')) {
                let line = line.strip_prefix("| ").unwrap_or_default();
                message.extend_from_slice(&unescaped(line));
                message.extend_from_slice(b"\r\n");
            }
            let (mailbox, flags) = order.split_once(" \\").map_or((order, ""), |(mailbox, flags)| (mailbox, flags));
            world.deliver(mailbox.trim(), &message, flags_of(flags)).await;
            continue;
        }
        let (who, what) = line.split_once(' ').unwrap_or_else(|| panic!("{at}: no such line"));
        if what == "-- paul" {
            connections.insert(who.to_owned(), Connection::open(&world, "paul").await);
            continue;
        }
        if !connections.contains_key(who) {
            connections.insert(who.to_owned(), Connection::open(&world, "anne").await);
        }
        let connection = connections.get_mut(who).unwrap();
        if let Some(sent) = what.strip_prefix("C: ") {
            connection.send(&unescaped(sent)).await;
            connection.send(b"\r\n").await;
        } else if let Some(sent) = what.strip_prefix("C~ ") {
            connection.send(&unescaped(sent)).await;
        } else if let Some(expected) = what.strip_prefix("S:") {
            let expected = expected.strip_prefix(' ').unwrap_or(expected);
            let Ok(line) = tokio::time::timeout(PATIENCE, connection.line()).await else {
                panic!("{at}: nothing came, {expected:?} was expected")
            };
            let line = line.unwrap_or_else(|| panic!("{at}: closed, {expected:?} was expected"));
            if !matches(expected, &line) {
                let mut then = vec![line];
                while let Ok(Some(line)) = tokio::time::timeout(MOMENT, connection.line()).await {
                    then.push(line);
                }
                panic!("{at}: expected {expected:?}, got\n{}", then.join("\n"));
            }
        } else if what == "-- silence" {
            connection.is_silent().await.unwrap_or_else(|error| panic!("{at}: {error}"));
        } else if what == "-- closed" {
            assert_eq!(connection.line().await, None, "{at}");
        } else {
            panic!("{at}: no such line");
        }
    }
    for (who, mut connection) in connections {
        connection
            .is_silent()
            .await
            .or_else(|error| if error.contains("None") { Ok(()) } else { Err(error) })
            .unwrap_or_else(|error| panic!("{name}, at the end, connection {who}: {error}"));
    }
}

fn flags_of(names: &str) -> Flags {
    let mut flags = Flags::none();
    for name in names.split(' ').filter(|name| !name.is_empty()) {
        let system = SystemFlag::ALL
            .into_iter()
            .find(|flag| flag.name().trim_start_matches('\\') == name.trim_start_matches('\\'));
        match system {
            Some(flag) => flags.system = flags.system.with(flag.bits()),
            None => flags.keywords.push(name.to_owned()),
        }
    }
    flags
}

/// `…` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut pieces = pattern.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// `\r`, `\n`, `\xNN`, `\\` and `\{n*text}`; any other backslash is itself, as IMAP is full of them.
fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(hexadecimal) = rest.strip_prefix('x').and_then(|digits| digits.get(..2))
            && let Ok(octet) = u8::from_str_radix(hexadecimal, 16)
        {
            octets.push(octet);
            rest = &rest[3..];
        } else if let Some((count, tail)) = rest.strip_prefix('{').and_then(|repeated| repeated.split_once('*'))
            && let Some((piece, tail)) = tail.split_once('}')
            && let Ok(count) = count.parse::<usize>()
        {
            octets.extend_from_slice(piece.repeat(count).as_bytes());
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("r\\n") {
            octets.extend_from_slice(b"\r\n");
            rest = tail;
        } else {
            octets.push(b'\\');
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}
