//! Notices that the system writes on its own: a message awaits you, a certificate ends soon.
//!
//! A [`Notice`] is made of a subject and a text, never of somebody's message: nothing that came in can leave as one. That
//! is what the way out to the Internet takes, and nothing else.

use crate::Address;
use crate::header::print::fold;
use crate::header::{DateTime, address_field, unstructured_field};
use crate::quoted_printable::encode;

/// A notice, ready to travel from the null reverse-path: ASCII, CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    to: Address,
    message_id: String,
    octets: Vec<u8>,
}

/// What a notice says.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// Who says it.
    pub from: &'a Address,
    /// Whom it is for.
    pub to: &'a Address,
    /// Now.
    pub date: DateTime,
    /// `Message-ID`, without angle brackets.
    pub message_id: &'a str,
    /// In one line.
    pub subject: &'a str,
    /// UTF-8; its lines end as they like.
    pub text: &'a str,
}

impl Notice {
    /// Writes it.
    pub fn write(words: Words<'_>) -> Notice {
        let Words { from, to, date, message_id, subject, text } = words;
        let mut octets = fold("Date", std::iter::once(date.to_string().as_str())).into_bytes();
        octets.extend(address_field("From", &[(None, from)]).bytes());
        octets.extend(address_field("To", &[(None, to)]).bytes());
        octets.extend(unstructured_field("Subject", subject).bytes());
        octets.extend(fold("Message-ID", std::iter::once(format!("<{message_id}>").as_str())).bytes());
        // Nobody's vacation notice answers it (RFC 3834 §5).
        octets.extend_from_slice(
            b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
              Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        );
        for line in text.lines() {
            octets.extend(encode(line));
            octets.extend_from_slice(b"\r\n");
        }
        Notice { to: to.clone(), message_id: message_id.to_owned(), octets }
    }

    /// Whom it is for.
    pub fn to(&self) -> &Address {
        &self.to
    }

    /// Its `Message-ID`, without angle brackets.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The message.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_notice_is_written() {
        let notice = Notice::write(Words {
            from: &"notices@a.example".parse().unwrap(),
            to: &"ann@mail.example".parse().unwrap(),
            date: DateTime::utc(1_795_182_840),
            message_id: "1@a.example",
            subject: "Un message\r\nBcc: x@y",
            text: "Un message vous attend, reçu à 14:54.\nPour le lire : https://a.example/",
        });
        expect![[r#"
            Date: Fri, 20 Nov 2026 13:54:00 +0000
            From: notices@a.example
            To: ann@mail.example
            Subject: Un message Bcc: x@y
            Message-ID: <1@a.example>
            Auto-Submitted: auto-generated
            MIME-Version: 1.0
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: quoted-printable

            Un message vous attend, re=C3=A7u =C3=A0 14:54.
            Pour le lire : https://a.example/
        "#]]
        .assert_eq(&String::from_utf8(notice.octets().to_vec()).unwrap().replace('\r', ""));
        assert_eq!(crate::crlf::CrlfCleaner::clean(notice.octets()).1, 0);
    }
}
