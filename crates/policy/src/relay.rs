//! What another operator may bring: who speaks for whom, who is here, and whose name stands in `From`.
//!
//! Nothing here refuses for the sender's limits of our own users: those are for our own users.

use auth::AccountId;
use mail::mime::MessageIndex;
use mail::{Address, Domain, Refusal, ReversePath, TrustCause};
use trust::{Certificate, Dn, Rejected, Space};

/// What is known of the peer when it says MAIL.
#[derive(Clone, Copy, Debug)]
pub enum Peer<'a> {
    /// No TLS yet.
    InClear,
    /// Under TLS, its certificate judged.
    Judged(Result<&'a Certificate, &'a Rejected>),
}

/// At MAIL: whether the peer may name this sender (Ref #1 as read in the white list: a domain, and the subjects of the
/// certificates that speak for it).
///
/// The null reverse-path names no domain: it is accepted from whoever is listed at all.
///
/// # Errors
/// [`Refusal::Trust`] with its cause, about the domain or the certificate's subject.
pub fn reverse_path(space: &Space, peer: Peer<'_>, path: &ReversePath) -> Result<(), Refusal> {
    let certificate = match peer {
        Peer::InClear => return Err(Refusal::Trust { cause: TrustCause::TlsRequired, about: None }),
        Peer::Judged(Err(Rejected { cause, dn, .. })) => {
            return Err(Refusal::Trust { cause: *cause, about: dn.as_ref().map(Dn::to_string) });
        }
        Peer::Judged(Ok(certificate)) => certificate,
    };
    let (verdict, about) = match path {
        ReversePath::Null => (space.is_listed(certificate), certificate.dn.to_string()),
        ReversePath::Address(address) => {
            (space.speaks_for(certificate, address.domain()), address.domain().as_str().to_owned())
        }
    };
    verdict.map_err(|cause| Refusal::Trust { cause, about: Some(about) })
}

/// Whether an address of ours is a MSSanté address, and so one that other operators may write to: a login address is
/// not. Until accounts have both kinds, every address is one.
pub fn is_mssante(_address: &Address) -> bool {
    true
}

/// Whether another operator than ourselves speaks for a domain too: ours, while it moves from one operator to another.
pub fn is_shared(space: &Space, domain: &Domain, ourselves: &Dn) -> bool {
    space.list.operators(domain).is_some_and(|subjects| subjects.iter().any(|subject| subject != ourselves))
}

/// What becomes of messages whose author is none of the peer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForeignAuthor {
    /// They are taken, and marked in Authentication-Results, as long as the reverse-path is the peer's.
    #[default]
    Mark,
    /// They are refused.
    Refuse,
}

/// What `From` says of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// Every author's domain is one the peer speaks for.
    OfPeer,
    /// One is not, or there is none that can be read.
    Foreign,
}

/// At end of data: whether the message may be taken for its `From`, and what is to be told of it.
///
/// Exempt are the null reverse-path, reports (RFC 6522) and what a program sent (RFC 3834): they speak of others.
///
/// # Errors
/// [`Refusal::AuthorForeign`].
pub fn author(
    rule: ForeignAuthor,
    speaks_for: impl Fn(&Domain) -> bool,
    path: &ReversePath,
    message: &MessageIndex,
) -> Result<Author, Refusal> {
    let from = &message.facts.from;
    let foreign = |mailbox: &&mail::header::NamedAddress| {
        !mailbox.address().is_some_and(|address| speaks_for(address.domain()))
    };
    let stranger = from.iter().find(foreign);
    if stranger.is_none() && !from.is_empty() && !message.facts.exceeded.header {
        return Ok(Author::OfPeer);
    }
    let envelope_of_peer = match path {
        ReversePath::Null => return Ok(Author::Foreign),
        ReversePath::Address(address) => speaks_for(address.domain()),
    };
    let refused = match rule {
        ForeignAuthor::Mark => !envelope_of_peer,
        ForeignAuthor::Refuse => true,
    };
    if !refused || is_report(message) || is_automatic(message) {
        return Ok(Author::Foreign);
    }
    let address = stranger.map(|mailbox| format!("{}@{}", mailbox.local_part, mailbox.domain)).unwrap_or_default();
    Err(Refusal::AuthorForeign { address })
}

fn is_report(message: &MessageIndex) -> bool {
    message.root.is("multipart", "report")
}

fn is_automatic(message: &MessageIndex) -> bool {
    let says = |text: &str| text.split([';', '(']).next().unwrap_or_default().trim().to_ascii_lowercase();
    let fields = || message.header_texts.iter().filter(|field| field.name == "auto-submitted");
    fields().any(|field| !matches!(says(&field.text).as_str(), "no" | ""))
}
