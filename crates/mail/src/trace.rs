//! Trace fields (RFC 5321 §4.4): Received, Return-Path, and Original-Recipient (RFC 8098 §2.3).
//!
//! Folded at 78 octets where a fold is possible, never over 998, closed to injection. ASCII, but for addresses under
//! SMTPUTF8, which stay UTF-8 (RFC 6531 §3.7.3).

use std::net::IpAddr;

use crate::envelope::OriginalRecipient;
use crate::header::DateTime;
use crate::header::print::{fold, without_controls};
use crate::{Address, Domain, ReversePath};

/// A Received field.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// Who gave us the message. `None` on submission: a person's address is nobody else's business (the log keeps it).
    pub from: Option<Client<'a>>,
    /// Our name.
    pub by: &'a Domain,
    /// `with`.
    pub protocol: Protocol,
    /// What TLS negotiated, for a comment.
    pub tls: Option<Tls<'a>>,
    /// The transaction's id in our logs.
    pub id: &'a str,
    /// The forward-path, only when there is a single recipient (RFC 5321 §7.2).
    pub recipient: Option<&'a Address>,
    /// When it was received.
    pub date: DateTime,
}

/// The client of a Received field.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// As it named itself in EHLO, any text.
    pub helo: &'a str,
    /// Where it came from.
    pub address: IpAddr,
}

/// TLS of the session.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// `TLS1.3`.
    pub version: &'a str,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'a str,
    /// The subject of the certificate that the client showed and that was believed, any text.
    pub peer: Option<&'a str>,
}

/// How the message came (RFC 3848, RFC 6531 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// EHLO was used; without it nothing else can be true.
    pub extended: bool,
    /// Under TLS: `S`.
    pub tls: bool,
    /// Authenticated: `A`.
    pub authenticated: bool,
    /// SMTPUTF8 was asked for: `UTF8`.
    pub smtputf8: bool,
}

impl Protocol {
    /// The registered word: `SMTP`, `ESMTP`, `ESMTPSA`, `UTF8SMTPSA`, …
    pub fn keyword(self) -> String {
        let base = match (self.extended, self.smtputf8) {
            (false, _) => return "SMTP".into(),
            (true, false) => "ESMTP",
            (true, true) => "UTF8SMTP",
        };
        let tls = if self.tls { "S" } else { "" };
        let authenticated = if self.authenticated { "A" } else { "" };
        format!("{base}{tls}{authenticated}")
    }
}

impl Received<'_> {
    /// The field with its CRLF.
    pub fn to_field(&self) -> String {
        let Received { from, by, protocol, tls, id, recipient, date } = self;
        let mut words = Vec::new();
        if let Some(Client { helo, address }) = from {
            words.push(format!("from {}", atom(helo)));
            words.push(format!("({})", address_literal(*address)));
        }
        words.push(format!("by {by}"));
        if let Some(Tls { version, cipher, peer }) = tls {
            words.push(format!("({}", atom(version)));
            words.push(atom(cipher));
            words.extend(peer.iter().flat_map(|peer| comment_words(peer)));
            if let Some(last) = words.last_mut() {
                last.push(')');
            }
        }
        words.push(format!("with {}", protocol.keyword()));
        words.push(format!("id {}", atom(id)));
        if let Some(recipient) = recipient {
            words.push(format!("for <{recipient}>"));
        }
        if let Some(last) = words.last_mut() {
            last.push(';');
        }
        words.push(date.to_string());
        fold("Received", words.iter().map(String::as_str))
    }
}

/// `Return-Path: <…>` with its CRLF (RFC 5321 §4.4).
pub fn return_path(path: &ReversePath) -> String {
    fold("Return-Path", std::iter::once(path.to_string().as_str()))
}

/// `Original-Recipient: rfc822;…` with its CRLF (RFC 8098 §2.3).
pub fn original_recipient(recipient: &OriginalRecipient) -> String {
    let address = without_controls(&recipient.ascii_address());
    let words = format!("{};{}", atom(&recipient.address_type), cut(&address, ORIGINAL_OCTETS_MAX));
    fold("Original-Recipient", words.split(' '))
}

/// A text as the words of a comment (RFC 5322 §3.2.2): folds may stand between them, and nothing in them ends it.
fn comment_words(text: &str) -> Vec<String> {
    let text = ascii_escaped(&without_controls(text));
    let text = cut(&text, COMMENT_OCTETS_MAX);
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if matches!(character, '(' | ')' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped.split(' ').map(str::to_owned).collect()
}

/// Each octet of what is not ASCII as `\XX`, as names are written where they must be ASCII (RFC 4514 §2.4).
pub(crate) fn ascii_escaped(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => ascii.push(character),
            other => {
                let mut octets = [0; 4];
                other.encode_utf8(&mut octets).bytes().for_each(|octet| ascii.push_str(&format!("\\{octet:02X}")));
            }
        }
    }
    ascii
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn address_literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// What others told us, as one harmless word: printable ASCII without parentheses, quotes, separators or space.
pub(crate) fn atom(text: &str) -> String {
    let harmless = |character: char| character.is_ascii_graphic() && !"()<>;,\"\\".contains(character);
    let word: String = text.chars().map(|character| if harmless(character) { character } else { '?' }).collect();
    match word.is_empty() {
        true => "unknown".into(),
        false => cut(&word, ATOM_OCTETS_MAX).to_owned(),
    }
}

/// At most `octets` octets, whole characters.
pub(crate) fn cut(text: &str, octets: usize) -> &str {
    text.get(..text.floor_char_boundary(octets)).unwrap_or_default()
}

/// Octets kept of an original recipient: RFC 3461 §4.2 bounds the parameter at 500.
const ORIGINAL_OCTETS_MAX: usize = 500;

/// Octets kept of a text for a comment: real subjects of certificates have under 200, and all of it escaped still fits a
/// line.
const COMMENT_OCTETS_MAX: usize = 450;

/// Octets kept of a word somebody else chose: a domain's length (RFC 5321 §4.5.3.1.2).
const ATOM_OCTETS_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn received<'a>(by: &'a Domain) -> Received<'a> {
        Received {
            from: Some(Client { helo: "mail.a.example", address: "192.0.2.1".parse().unwrap() }),
            by,
            protocol: Protocol { extended: true, tls: true, ..Protocol::default() },
            tls: Some(Tls { version: "TLS1.3", cipher: "TLS_AES_256_GCM_SHA384", peer: None }),
            id: "4f2a9c",
            recipient: None,
            date: DateTime { seconds: 1_795_182_840, offset_minutes: 60 },
        }
    }

    #[test]
    fn trace_fields_print() {
        let by: Domain = "mx.b.example".parse().unwrap();
        let anne: Address = "anne@b.example".parse().unwrap();
        let relayed = Received { recipient: Some(&anne), ..received(&by) };
        let submitted = Received {
            from: None,
            protocol: Protocol { extended: true, tls: true, authenticated: true, smtputf8: false },
            ..received(&by)
        };
        let plain = Received {
            from: Some(Client { helo: "", address: "::ffff:192.0.2.1".parse().unwrap() }),
            protocol: Protocol::default(),
            tls: None,
            ..received(&by)
        };
        let original = OriginalRecipient { address_type: "rfc822".into(), address: "Anne@b.example".into() };
        let subject = "CN=mx.a.example,OU=1310000003,O=HÔPITAL,ST=Paris (75),C=FR";
        let tls = Some(Tls { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", peer: Some(subject) });
        let printed = [
            Received { tls, ..received(&by) }.to_field(),
            relayed.to_field(),
            submitted.to_field(),
            plain.to_field(),
            return_path(&ReversePath::Null),
            return_path(&ReversePath::Address(anne.clone())),
            original_recipient(&original),
        ];
        expect![[r#"
            Received: from mail.a.example ([192.0.2.1]) by mx.b.example (TLSv1.3
             TLS_AES_256_GCM_SHA384
             CN=mx.a.example,OU=1310000003,O=H\\C3\\94PITAL,ST=Paris \(75\),C=FR)
             with ESMTPS id 4f2a9c; Fri, 20 Nov 2026 14:54:00 +0100
            Received: from mail.a.example ([192.0.2.1]) by mx.b.example (TLS1.3
             TLS_AES_256_GCM_SHA384) with ESMTPS id 4f2a9c for <anne@b.example>;
             Fri, 20 Nov 2026 14:54:00 +0100
            Received: by mx.b.example (TLS1.3 TLS_AES_256_GCM_SHA384) with ESMTPSA
             id 4f2a9c; Fri, 20 Nov 2026 14:54:00 +0100
            Received: from unknown ([192.0.2.1]) by mx.b.example with SMTP id 4f2a9c;
             Fri, 20 Nov 2026 14:54:00 +0100
            Return-Path: <>
            Return-Path: <anne@b.example>
            Original-Recipient: rfc822;Anne@b.example
        "#]]
        .assert_eq(&printed.concat().replace("\r\n", "\n"));
    }

    #[test]
    fn protocols_have_their_registered_names() {
        let protocol = |extended, tls, authenticated, smtputf8| Protocol { extended, tls, authenticated, smtputf8 };
        for (protocol, keyword) in [
            (protocol(false, false, false, false), "SMTP"),
            (protocol(true, false, false, false), "ESMTP"),
            (protocol(true, true, false, false), "ESMTPS"),
            (protocol(true, false, true, false), "ESMTPA"),
            (protocol(true, true, true, false), "ESMTPSA"),
            (protocol(true, true, true, true), "UTF8SMTPSA"),
            (protocol(true, false, false, true), "UTF8SMTP"),
        ] {
            assert_eq!(protocol.keyword(), keyword);
        }
    }

    proptest::proptest! {
        #[test]
        fn s11_whatever_a_client_says_stays_in_its_field(
            helo: String, id: String, original: String, kind: String, peer: String,
        ) {
            let by: Domain = "mx.b.example".parse().unwrap();
            let client = Client { helo: &helo, address: "2001:db8::1".parse().unwrap() };
            let tls = Some(Tls { version: "TLSv1.3", cipher: "x", peer: Some(&peer) });
            let field = Received { from: Some(client), id: &id, tls, ..received(&by) }.to_field();
            let original = original_recipient(&OriginalRecipient { address_type: kind, address: original });
            proptest::prop_assert!(field.is_ascii());
            for field in [field, original] {
                proptest::prop_assert_eq!(crate::header::fields(field.as_bytes()).count(), 1);
                proptest::prop_assert!(!field.replace("\r\n", "").contains(['\r', '\n', '\0']));
                proptest::prop_assert!(field.lines().all(|line| line.len() <= 998));
            }
        }
    }
}
