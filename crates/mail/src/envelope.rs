//! Where a message comes from and goes to (RFC 5321 §2.3.1).

use std::borrow::Cow;

use crate::{Address, Domain};

/// Where failures are reported. `MAIL FROM:<>` is a case of its own (RFC 5321 §4.5.5), never an empty string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nothing is ever sent back.
    Null,
    /// An ordinary sender.
    Address(Address),
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain: the postmaster of this host (RFC 5321 §4.1.1.3).
    Postmaster,
    /// An ordinary recipient. `postmaster@domain` is one of these.
    Address(Address),
}

/// What the client said of the body with `BODY=` (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// `7BIT`, or nothing said.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
    /// `BINARYMIME`: announced nowhere yet.
    BinaryMime,
}

/// A recipient with what was asked for it (RFC 3461 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where this copy goes.
    pub forward_path: ForwardPath,
    /// `ORCPT`: address type and decoded address, as first given by the author (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
    /// `NOTIFY`; where it is missing, failures are reported, and delays if the host likes (RFC 3461 §4.1).
    pub notify: Option<Notify>,
}

/// `ORCPT=rfc822;address` decoded from xtext (RFC 3461 §4.2), or `ORCPT=utf-8;address` (RFC 6533 §3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8`, …: an atom.
    pub address_type: String,
    /// The decoded address: without control characters, and ASCII unless the type is `utf-8`.
    pub address: String,
}

/// `NOTIFY=`: when a report is wanted (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notify {
    /// `NEVER`, which stands alone.
    Never,
    /// Any of the others, at least one.
    On {
        /// `SUCCESS`.
        success: bool,
        /// `FAILURE`.
        failure: bool,
        /// `DELAY`.
        delay: bool,
    },
}

/// `RET=`: what a failure report brings back (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Returned {
    /// `FULL`: the message.
    Full,
    /// `HDRS`: its header.
    Header,
}

/// One transaction's envelope: one sender, one or more recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where failures go.
    pub reverse_path: ReversePath,
    /// In the order of the RCPT commands, repeated ones included once each as given.
    pub recipients: Vec<Recipient>,
    /// `BODY=`.
    pub body: BodyKind,
    /// `SMTPUTF8` was given (RFC 6531).
    pub smtputf8: bool,
    /// `SIZE=`, in octets, when declared (RFC 1870).
    pub declared_octets: Option<u64>,
    /// `RET=`, when given (RFC 3461 §4.3).
    pub returned: Option<Returned>,
    /// `ENVID=`, decoded: printable ASCII (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// `REQUIRETLS`: may only travel to hosts that were verified under TLS and announce it too (RFC 8689 §4.2.1).
    pub require_tls: bool,
}

impl OriginalRecipient {
    /// Whether the type is `utf-8`, which has a way of its own to write what is not ASCII.
    pub fn is_utf8(&self) -> bool {
        self.address_type.eq_ignore_ascii_case("utf-8")
    }

    /// The address as it stands after `;` in a field of an ASCII header: as it is, or with `\x{E9}` for each character that
    /// is not plain where the type is `utf-8` (`utf-8-addr-xtext`, RFC 6533 §3).
    pub fn ascii_address(&self) -> Cow<'_, str> {
        let is_plain = |character: char| character.is_ascii_graphic() && !matches!(character, '\\' | '+' | '=');
        if !self.is_utf8() || self.address.chars().all(is_plain) {
            return Cow::Borrowed(&self.address);
        }
        let mut ascii = String::with_capacity(self.address.len() * 2);
        for character in self.address.chars() {
            match is_plain(character) {
                true => ascii.push(character),
                false => ascii.push_str(&format!("\\x{{{:02X}}}", u32::from(character))),
            }
        }
        Cow::Owned(ascii)
    }
}

impl Recipient {
    /// A recipient for which nothing was asked.
    pub fn new(forward_path: ForwardPath) -> Recipient {
        Recipient { forward_path, original: None, notify: None }
    }
}

impl Envelope {
    /// An envelope without recipients, for which nothing was asked.
    pub fn new(reverse_path: ReversePath) -> Envelope {
        Envelope {
            reverse_path,
            recipients: Vec::new(),
            body: BodyKind::default(),
            smtputf8: false,
            declared_octets: None,
            returned: None,
            envelope_id: None,
            require_tls: false,
        }
    }
}

impl ForwardPath {
    /// The recipient's domain; `None` for the domainless postmaster.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            ForwardPath::Postmaster => None,
            ForwardPath::Address(address) => Some(address.domain()),
        }
    }
}

impl std::fmt::Display for ReversePath {
    /// With its angle brackets: `<>` or `<a@b.example>`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl std::fmt::Display for ForwardPath {
    /// With its angle brackets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("<Postmaster>"),
            ForwardPath::Address(address) => write!(f, "<{address}>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn original_recipients_are_told_in_ascii() {
        for (address_type, address, told) in [
            ("rfc822", "a+b@c.example", "a+b@c.example"),
            ("utf-8", "anne@c.example", "anne@c.example"),
            ("UTF-8", "zoé+x@c.example", "zo\\x{E9}\\x{2B}x@c.example"),
        ] {
            let original = OriginalRecipient { address_type: address_type.into(), address: address.into() };
            assert_eq!(original.ascii_address(), told);
        }
    }

    #[test]
    fn paths_print_with_their_brackets() {
        let address: Address = "\"a b\"@a.example".parse().unwrap();
        assert_eq!(ReversePath::Null.to_string(), "<>");
        assert_eq!(ReversePath::Address(address.clone()).to_string(), "<\"a b\"@a.example>");
        assert_eq!(ForwardPath::Postmaster.to_string(), "<Postmaster>");
        assert_eq!(ForwardPath::Postmaster.domain(), None);
        let path = ForwardPath::Address(address);
        assert_eq!(path.to_string(), "<\"a b\"@a.example>");
        assert_eq!(path.domain().map(Domain::as_str), Some("a.example"));
    }
}
