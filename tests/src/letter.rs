//! Messages to send: every one different, of the size asked for, with CRLF line ends.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;

/// A text message of about `octets` octets from `from` to `to`, with a name no other message has.
#[must_use]
pub fn plain(from: &str, to: &str, octets: usize) -> Vec<u8> {
    named(from, to, &unique_name(), octets)
}

/// Like [`plain`], with the name given: it is in the subject, the Message-ID and the field `X-Ledger`.
#[must_use]
pub fn named(from: &str, to: &str, name: &str, octets: usize) -> Vec<u8> {
    let mut message = format!(
        "Date: Fri, 20 Nov 2026 12:00:00 +0100\r\nFrom: <{from}>\r\nTo: <{to}>\r\nSubject: Letter {name}\r\n\
         Message-ID: <{name}@tests.example>\r\nX-Ledger: {name}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n"
    )
    .into_bytes();
    let mut line = 0_u64;
    while message.len() < octets {
        message.extend_from_slice(format!("line {line:08} of letter {name}, and some words to fill it\r\n").as_bytes());
        line += 1;
    }
    // One line begins with a dot, to see dot-stuffing undone (RFC 5321 §4.5.2).
    message.extend_from_slice(b".end\r\n");
    message
}

/// A message with an attachment of `octets` random octets in base64.
#[must_use]
pub fn with_attachment(from: &str, to: &str, octets: usize) -> Vec<u8> {
    use base64::Engine as _;
    let name = unique_name();
    let mut random = crate::random::Random::from_seed(octets as u64);
    let attachment: Vec<u8> = std::iter::repeat_with(|| random.any().to_le_bytes()).flatten().take(octets).collect();
    let encoded = base64::engine::general_purpose::STANDARD.encode(attachment);
    let mut message = format!(
        "Date: Fri, 20 Nov 2026 12:00:00 +0100\r\nFrom: <{from}>\r\nTo: <{to}>\r\n\
         Subject: =?UTF-8?Q?Compte_rendu_d'op=C3=A9ration?=\r\nMessage-ID: <{name}@tests.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=-frontier\"\r\n\r\nThis is MIME.\r\n\
         --=-frontier\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Ci-joint le résumé.\r\n.\r\n..\r\n--=-frontier\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n\
         Content-Disposition: attachment; filename=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    for line in encoded.as_bytes().chunks(76) {
        message.extend_from_slice(line);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--=-frontier--\r\n");
    message
}

/// A word that no other call in this run, or in a parallel one, gives.
#[must_use]
pub fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{count}", std::process::id(), since_1970.as_micros() & 0xff_ffff_ffff)
}

/// The SHA-256 of some octets, in hexadecimal.
#[must_use]
pub fn sha256(octets: &[u8]) -> String {
    digest::digest(&digest::SHA256, octets).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What delivery put before the message, when `stored` is `sent` with whole header fields before it.
#[must_use]
pub fn trace_before<'a>(stored: &'a [u8], sent: &[u8]) -> Option<&'a [u8]> {
    let trace = stored.strip_suffix(sent)?;
    let only_fields = trace.is_empty() || trace.ends_with(b"\r\n") && !trace.windows(4).any(|four| four == b"\r\n\r\n");
    only_fields.then_some(trace)
}
