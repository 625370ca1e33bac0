//! What another operator may bring: who speaks for whom, who is here, and whose name stands in `From`.
//!
//! Nothing here refuses for the sender's limits of our own users: those are for our own users.

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
    let foreign =
        |mailbox: &&mail::header::NamedAddress| !mailbox.address().is_some_and(|address| speaks_for(address.domain()));
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

#[cfg(test)]
mod tests {
    use mail::mime::{Limits, Scanner};
    use trust::WhiteList;
    use trust::revocation::Standing;

    use super::*;

    const OF_B: &str = "CN=mx.b.example,OU=1310000003,O=CLINIQUE B,ST=Paris (75),C=FR";
    const ONLY_CN: &str = "CN=mx.b.example,OU=1310000004,O=IMPOSTEUR,ST=Paris (75),C=FR";
    const OF_C: &str = "CN=mx.c.example,OU=1310000005,O=CLINIQUE C,ST=Paris (75),C=FR";

    fn space() -> Space {
        let entries = [("b.example", OF_B), ("shared.example", OF_B), ("shared.example", OF_C), ("c.example", OF_C)];
        let entries = entries.map(|(domain, dn)| (domain.parse().unwrap(), dn.parse().unwrap()));
        Space { list: WhiteList::of(1, entries).into(), ..Space::default() }
    }

    fn holds(dn: &str) -> Certificate {
        let dn: Dn = dn.parse().unwrap();
        Certificate {
            issuer: dn.clone(),
            dn,
            serial: "1".into(),
            names: Vec::new(),
            not_before: 0,
            not_after: i64::MAX,
            fingerprint: String::new(),
            standing: Standing::NotInList,
            path: Vec::new(),
        }
    }

    fn path(text: &str) -> ReversePath {
        if text.is_empty() { ReversePath::Null } else { ReversePath::Address(text.parse().unwrap()) }
    }

    #[test]
    fn s7_a_certificate_speaks_for_the_domains_that_are_listed_with_its_whole_name() {
        use TrustCause::{DnMismatch, Unlisted};
        for (dn, sender, verdict) in [
            (OF_B, "bob@b.example", Ok(())),
            (OF_B, "bob@B.EXAMPLE", Ok(())),
            (OF_B, "bob@shared.example", Ok(())),
            (OF_C, "bob@shared.example", Ok(())),
            (OF_C, "bob@b.example", Err((DnMismatch, "b.example"))),
            (ONLY_CN, "bob@b.example", Err((DnMismatch, "b.example"))),
            (OF_B, "bob@sub.b.example", Err((Unlisted, "sub.b.example"))),
            (OF_B, "bob@elsewhere.example", Err((Unlisted, "elsewhere.example"))),
            (OF_B, "", Ok(())),
            (ONLY_CN, "", Err((Unlisted, ONLY_CN))),
        ] {
            let certificate = holds(dn);
            let answer = reverse_path(&space(), Peer::Judged(Ok(&certificate)), &path(sender));
            let expected = verdict.map_err(|(cause, about)| Refusal::Trust { cause, about: Some(about.into()) });
            assert_eq!(answer, expected, "{dn} {sender}");
        }
    }

    #[test]
    fn s7_what_is_not_believed_speaks_for_nobody() {
        let rejected = |cause| Rejected { cause, dn: None, explanation: String::new(), missing: Vec::new() };
        for sender in ["bob@b.example", ""] {
            let answer = reverse_path(&space(), Peer::InClear, &path(sender));
            assert_eq!(answer, Err(Refusal::Trust { cause: TrustCause::TlsRequired, about: None }));
            for cause in TrustCause::ALL {
                let answer = reverse_path(&space(), Peer::Judged(Err(&rejected(cause))), &path(sender));
                assert_eq!(answer, Err(Refusal::Trust { cause, about: None }));
            }
        }
    }

    #[test]
    fn s13_authors_are_held_to_the_domains_of_the_peer() {
        let certificate = holds(OF_B);
        let speaks_for = |domain: &Domain| space().speaks_for(&certificate, domain).is_ok();
        let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n";
        let (own, foreign, refused) = (Ok(Author::OfPeer), Ok(Author::Foreign), Err(()));
        for (sender, header, marking, refusing) in [
            ("bob@b.example", "From: bob@b.example\n", own, own),
            ("bob@b.example", "From: Bob <bob@shared.example>, x@b.example\n", own, own),
            ("bob@b.example", "From: eve@c.example\n", foreign, refused),
            ("bob@b.example", "From: eve@c.example, bob@b.example\n", foreign, refused),
            ("bob@b.example", "From: bob@b.example\nFrom: eve@c.example\n", foreign, refused),
            ("bob@b.example", "Subject: nobody\n", foreign, refused),
            ("bob@b.example", "From: bob@b.example bob@c.example\n", foreign, refused),
            ("bob@b.example", "From: eve@c.example\nAuto-Submitted: auto-replied; x=y\n", foreign, foreign),
            ("bob@b.example", "From: eve@c.example\nAuto-Submitted: NO (yes)\n", foreign, refused),
            ("bob@b.example", &format!("From: eve@c.example\n{report}"), foreign, foreign),
            ("eve@c.example", "From: eve@c.example\n", refused, refused),
            ("eve@c.example", "From: bob@b.example\n", own, own),
            ("eve@c.example", "From: eve@c.example\nAuto-Submitted: auto-generated\n", foreign, foreign),
            ("", "From: eve@c.example\n", foreign, foreign),
        ] {
            let mut scanner = Scanner::new(Limits::default());
            scanner.feed(format!("{header}\nhello\n").replace('\n', "\r\n").as_bytes());
            let index = scanner.finish();
            for (rule, expected) in [(ForeignAuthor::Mark, marking), (ForeignAuthor::Refuse, refusing)] {
                let answer = author(rule, speaks_for, &path(sender), &index).map_err(drop);
                assert_eq!(answer, expected, "{rule:?} {sender} {header}");
            }
        }
    }
}
