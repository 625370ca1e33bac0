//! Where a message comes from and goes to (RFC 5321 §2.3.1).

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
}

/// `ORCPT=rfc822;address` decoded from xtext (RFC 3461 §4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8`, …: an atom.
    pub address_type: String,
    /// The decoded address: printable, no CR, LF or NUL.
    pub address: String,
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
