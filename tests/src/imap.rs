//! A plain IMAP client: tagged commands out, responses with their literals in.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::wire::{Trust, Wire};

/// A session with the server, from its greeting on.
#[derive(Debug)]
pub struct Imap {
    /// The connection.
    pub wire: Wire,
    /// The response that opened the session.
    pub greeting: Response,
    tags: u32,
}

/// One response: its text, where a literal shows as `{n}`, and the literals in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The lines of the response, joined.
    pub text: String,
    /// What the literals hold.
    pub literals: Vec<Vec<u8>>,
}

/// The untagged responses of a command, and the tagged one without its tag.
#[derive(Clone, Debug)]
pub struct Completed {
    /// In the order they came.
    pub untagged: Vec<Response>,
    /// `OK …`, `NO …` or `BAD …`.
    pub status: String,
}

impl Completed {
    /// The first untagged response whose text contains `part`.
    #[must_use]
    pub fn find(&self, part: &str) -> Option<&Response> {
        self.untagged.iter().find(|response| response.text.contains(part))
    }

    /// True when the command completed with OK.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status.starts_with("OK")
    }

    /// The number before a word in an untagged response, like 18 in `* 18 EXISTS`.
    #[must_use]
    pub fn number_before(&self, word: &str) -> Option<u64> {
        self.untagged
            .iter()
            .rev()
            .find_map(|response| response.text.strip_prefix("* ")?.strip_suffix(word)?.trim_end().parse().ok())
    }

    /// The number of a response code, like 4392 in `[UIDNEXT 4392]`, in any response.
    #[must_use]
    pub fn code(&self, name: &str) -> Option<u64> {
        let texts = self.untagged.iter().map(|response| response.text.as_str()).chain([self.status.as_str()]);
        texts.filter_map(|text| number_after(text, &format!("[{name} "))).next()
    }
}

/// The number that follows `before` in `text`.
#[must_use]
pub fn number_after(text: &str, before: &str) -> Option<u64> {
    let rest = &text[text.find(before)? + before.len()..];
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

impl Imap {
    /// Connects without TLS, and reads the greeting.
    pub fn plain(address: SocketAddr) -> Result<Imap> {
        Imap::over(Wire::plain(address)?)
    }

    /// Connects under TLS (RFC 8314 §3.2), and reads the greeting.
    pub fn tls(address: SocketAddr, trust: &Trust) -> Result<Imap> {
        Imap::over(Wire::tls(address, trust)?)
    }

    /// Connects under TLS and signs in.
    pub fn signed_in(address: SocketAddr, trust: &Trust, user: &str, password: &str) -> Result<Imap> {
        let mut imap = Imap::tls(address, trust)?;
        imap.ok(&format!("LOGIN {user} {password}"))?;
        Ok(imap)
    }

    /// Reads the greeting on a connection already made.
    pub fn over(wire: Wire) -> Result<Imap> {
        let mut imap = Imap { wire, greeting: Response { text: String::new(), literals: Vec::new() }, tags: 0 };
        imap.greeting = imap.response().context("awaiting the greeting")?;
        Ok(imap)
    }

    /// Asks for STARTTLS, and goes on under TLS (RFC 9051 §6.2.1).
    pub fn starttls(mut self, trust: &Trust) -> Result<Imap> {
        self.ok("STARTTLS")?;
        Ok(Imap { wire: self.wire.upgrade(trust)?, greeting: self.greeting, tags: self.tags })
    }

    /// A new tag, for commands sent by hand.
    pub fn tag(&mut self) -> String {
        self.tags += 1;
        format!("t{}", self.tags)
    }

    /// Sends one command, and reads to its tagged response.
    pub fn command(&mut self, command: &str) -> Result<Completed> {
        let tag = self.tag();
        self.wire.send(format!("{tag} {command}\r\n"))?;
        self.completion(&tag).with_context(|| format!("awaiting the answer to {command}"))
    }

    /// Like [`Imap::command`], for a command that must complete with OK.
    pub fn ok(&mut self, command: &str) -> Result<Completed> {
        let completed = self.command(command)?;
        ensure!(completed.is_ok(), "{command}: {}", completed.status);
        Ok(completed)
    }

    /// Appends a message (RFC 9051 §6.3.12), with a non-synchronizing literal when small (RFC 7888).
    pub fn append(&mut self, mailbox: &str, flags: &str, message: &[u8]) -> Result<Completed> {
        let tag = self.tag();
        let plus = if message.len() <= 4_096 { "+" } else { "" };
        let mut octets = format!("{tag} APPEND {mailbox} {flags}{{{}{plus}}}\r\n", message.len()).into_bytes();
        if plus.is_empty() {
            self.wire.send(octets)?;
            loop {
                let response = self.response()?;
                if response.text.starts_with('+') {
                    break;
                }
                if let Some(status) = response.text.strip_prefix(&format!("{tag} ")) {
                    return Ok(Completed { untagged: Vec::new(), status: status.to_owned() });
                }
            }
            octets = Vec::with_capacity(message.len() + 2);
        }
        octets.extend_from_slice(message);
        octets.extend_from_slice(b"\r\n");
        self.wire.send(octets)?;
        self.completion(&tag).context("awaiting the answer to APPEND")
    }

    /// Reads to the tagged response of `tag`.
    pub fn completion(&mut self, tag: &str) -> Result<Completed> {
        let mut untagged = Vec::new();
        loop {
            let response = self.response()?;
            match response.text.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                Some(status) => return Ok(Completed { untagged, status: status.to_owned() }),
                None => untagged.push(response),
            }
        }
    }

    /// Begins IDLE, and reads to the continuation request (RFC 9051 §6.3.13); gives the tag.
    pub fn idle(&mut self) -> Result<String> {
        let tag = self.tag();
        self.wire.send(format!("{tag} IDLE\r\n"))?;
        loop {
            let response = self.response()?;
            ensure!(!response.text.starts_with(&tag), "IDLE refused: {}", response.text);
            if response.text.starts_with('+') {
                return Ok(tag);
            }
        }
    }

    /// Reads one response with its literals.
    pub fn response(&mut self) -> Result<Response> {
        let mut response = Response { text: String::new(), literals: Vec::new() };
        loop {
            let line = self.wire.line()?;
            response.text += &String::from_utf8_lossy(&line);
            match literal_octets(&line) {
                Some(octets) => response.literals.push(self.wire.exactly(octets)?),
                None => return Ok(response),
            }
        }
    }

    /// A response that comes within `patience`, if any.
    pub fn response_within(&mut self, patience: Duration) -> Result<Option<Response>> {
        self.wire.set_patience(patience)?;
        let response = self.response().ok();
        self.wire.set_patience(crate::wire::PATIENCE)?;
        Ok(response)
    }

    /// The octets of one message by UID, all of them.
    pub fn fetch_body(&mut self, uid: u64) -> Result<Vec<u8>> {
        let completed = self.ok(&format!("UID FETCH {uid} BODY.PEEK[]"))?;
        let response = completed.find("FETCH").with_context(|| format!("no message {uid}"))?;
        response.literals.first().cloned().with_context(|| format!("no literal in {}", response.text))
    }
}

/// The count of a literal at the end of a line: `{n}`, `{n+}` or `~{n}` (RFC 9051 §4.3).
fn literal_octets(line: &[u8]) -> Option<usize> {
    let digits = line.strip_suffix(b"}")?;
    let open = digits.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&digits[open + 1..]).ok()?.trim_end_matches('+').parse().ok()
}
