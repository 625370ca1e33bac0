//! A plain SMTP client: commands out, replies in.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::wire::{Trust, Wire};

/// A session with the server, from its greeting on.
#[derive(Debug)]
pub struct Smtp {
    /// The connection.
    pub wire: Wire,
    /// The reply that opened the session.
    pub greeting: Reply,
}

/// All lines of one reply (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text after the code, line by line.
    pub lines: Vec<String>,
}

impl Reply {
    /// The enhanced status that starts the first line (RFC 2034 §4).
    #[must_use]
    pub fn status(&self) -> &str {
        self.lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default()
    }

    /// True for 2xx.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

impl Smtp {
    /// Connects without TLS, and reads the greeting.
    pub fn plain(address: SocketAddr) -> Result<Smtp> {
        Smtp::over(Wire::plain(address)?)
    }

    /// Connects under TLS (RFC 8314 §3.3), and reads the greeting.
    pub fn tls(address: SocketAddr, trust: &Trust) -> Result<Smtp> {
        Smtp::over(Wire::tls(address, trust)?)
    }

    /// Connects under TLS, says EHLO and signs in with PLAIN.
    pub fn signed_in(address: SocketAddr, trust: &Trust, user: &str, password: &str) -> Result<Smtp> {
        let mut smtp = Smtp::tls(address, trust)?;
        smtp.expect("EHLO client.example", 250)?;
        smtp.expect(&auth_plain(user, password), 235)?;
        Ok(smtp)
    }

    /// Reads the greeting on a connection already made.
    pub fn over(wire: Wire) -> Result<Smtp> {
        let mut smtp = Smtp { wire, greeting: Reply { code: 0, lines: Vec::new() } };
        smtp.greeting = smtp.reply().context("awaiting the greeting")?;
        Ok(smtp)
    }

    /// Asks for STARTTLS, and goes on under TLS (RFC 3207).
    pub fn starttls(mut self, trust: &Trust) -> Result<Smtp> {
        self.expect("STARTTLS", 220)?;
        Ok(Smtp { wire: self.wire.upgrade(trust)?, greeting: self.greeting })
    }

    /// Sends one command line, and reads its reply.
    pub fn command(&mut self, line: &str) -> Result<Reply> {
        self.wire.send(format!("{line}\r\n"))?;
        self.reply().with_context(|| format!("awaiting the reply to {line}"))
    }

    /// Like [`Smtp::command`], for a reply that must have this code.
    pub fn expect(&mut self, line: &str, code: u16) -> Result<Reply> {
        let reply = self.command(line)?;
        ensure!(reply.code == code, "{line}: expected {code}, heard {reply:?}");
        Ok(reply)
    }

    /// Reads one reply.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = String::from_utf8(self.wire.line()?)?;
            let (code, rest) = line.split_at_checked(3).with_context(|| format!("no reply: {line:?}"))?;
            let code: u16 = code.parse().with_context(|| format!("no reply: {line:?}"))?;
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            match rest.as_bytes().first() {
                Some(b'-') => {}
                Some(b' ') | None => return Ok(Reply { code, lines }),
                Some(_) => bail!("no reply: {line:?}"),
            }
        }
    }

    /// One transaction, pipelined to DATA (RFC 2920); gives the reply to the end of data, or the first refusal.
    pub fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> Result<Reply> {
        let mut commands = format!("MAIL FROM:<{from}> SIZE={} BODY=8BITMIME\r\n", message.len());
        for recipient in to {
            commands += &format!("RCPT TO:<{recipient}>\r\n");
        }
        commands += "DATA\r\n";
        self.wire.send(commands)?;
        let mut refusal = None;
        for _ in 0..=to.len() {
            let reply = self.reply()?;
            if !reply.is_ok() {
                refusal.get_or_insert(reply);
            }
        }
        let go_ahead = self.reply()?;
        match (go_ahead.code, refusal) {
            (354, None) => {
                self.wire.send(stuffed(message))?;
                self.reply()
            }
            (354, Some(refusal)) => {
                self.wire.send(".\r\n")?;
                self.reply()?;
                Ok(refusal)
            }
            (_, refusal) => {
                self.command("RSET")?;
                Ok(refusal.unwrap_or(go_ahead))
            }
        }
    }
}

/// The line that signs in with PLAIN and an initial response (RFC 4954 §4, RFC 4616).
#[must_use]
pub fn auth_plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
}

/// A message as DATA carries it: dots doubled at line starts, ended by a lone dot (RFC 5321 §4.5.2).
#[must_use]
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + message.len() / 64 + 8);
    let mut at_line_start = true;
    for octet in message {
        if at_line_start && *octet == b'.' {
            wire.push(b'.');
        }
        wire.push(*octet);
        at_line_start = *octet == b'\n';
    }
    if !at_line_start {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
