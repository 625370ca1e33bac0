//! What an account may send (RFC 6409 §6.1): its own name on the envelope and in the message.

use mail::header::{AddressListItem, NamedAddress, parse_addresses};
use mail::mime::{MessageIndex, Part};
use mail::{Address, Refusal, ReversePath};

/// What a submission is judged by.
#[derive(Clone, Copy, Debug)]
pub struct SubmissionFacts<'a> {
    /// The envelope's sender.
    pub reverse_path: &'a ReversePath,
    /// The addresses of the account written from.
    pub own: &'a [Address],
    /// The message.
    pub message: &'a MessageIndex,
}

/// At MAIL: the envelope's sender must be an address of the account. The null one waits for the message.
///
/// # Errors
/// [`Refusal::SenderNotYours`].
pub fn reverse_path(reverse_path: &ReversePath, own: &[Address]) -> Result<(), Refusal> {
    match reverse_path {
        ReversePath::Null => Ok(()),
        ReversePath::Address(address) if owns(own, address) => Ok(()),
        ReversePath::Address(address) => Err(not_yours(&address.to_string())),
    }
}

/// At end of data: everybody the message names as its author or sender must be the account.
///
/// # Errors
/// [`Refusal::SenderNotYours`], [`Refusal::SenderMissing`], [`Refusal::ContentMalformed`].
pub fn message(facts: SubmissionFacts<'_>) -> Result<(), Refusal> {
    let SubmissionFacts { reverse_path: path, own, message } = facts;
    reverse_path(path, own)?;
    // A header too long to be read whole might name another author further down.
    if message.facts.exceeded.header {
        return Err(Refusal::ContentMalformed);
    }
    // Exactly one From (RFC 5322 §3.6): of two, the reader's program might show the one we did not look at.
    if message.facts.from_fields != 1 || message.facts.from.is_empty() {
        return Err(Refusal::SenderMissing);
    }
    let resent = message
        .header_texts
        .iter()
        .filter(|field| matches!(field.name.as_str(), "resent-from" | "resent-sender"))
        .flat_map(|field| parse_addresses(&field.text, RESENT_ADDRESSES_MAX))
        .filter_map(|item| match item {
            AddressListItem::Mailbox(mailbox) => Some(mailbox),
            AddressListItem::GroupStart(_) | AddressListItem::GroupEnd => None,
        });
    let named = message.facts.from.iter().chain(&message.facts.sender).cloned().chain(resent);
    for mailbox in named {
        if !mailbox.address().is_some_and(|address| owns(own, &address)) {
            return Err(not_yours(&written(&mailbox)));
        }
    }
    // Nobody is told of the failure of what comes from <>: only receipts may do so (RFC 8098 §2.1).
    match path {
        ReversePath::Null if !is_disposition_notification(&message.root) => Err(not_yours("<>")),
        ReversePath::Null | ReversePath::Address(_) => Ok(()),
    }
}

fn is_disposition_notification(root: &Part) -> bool {
    let report_type = root.parameter("report-type");
    root.is("multipart", "report")
        && report_type.is_some_and(|report_type| report_type.eq_ignore_ascii_case("disposition-notification"))
}

fn owns(own: &[Address], address: &Address) -> bool {
    let canonical = address.canonical();
    own.iter().any(|own| own.canonical() == canonical)
}

fn written(mailbox: &NamedAddress) -> String {
    match mailbox.domain.is_empty() {
        true => mailbox.local_part.clone(),
        false => format!("{}@{}", mailbox.local_part, mailbox.domain),
    }
}

fn not_yours(address: &str) -> Refusal {
    let printable = |character: char| if (' '..='~').contains(&character) { character } else { '?' };
    Refusal::SenderNotYours { address: address.chars().take(ADDRESS_CHARACTERS_MAX).map(printable).collect() }
}

/// Characters of a foreign address repeated in a reply line: its sentence stays under 400 octets.
const ADDRESS_CHARACTERS_MAX: usize = 200;

/// Addresses looked at in one Resent field.
const RESENT_ADDRESSES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use mail::mime::{Limits, Scanner};

    use super::*;

    fn verdict(reverse: &str, text: &str) -> Result<(), Refusal> {
        let mut scanner = Scanner::new(Limits::default());
        scanner.feed(text.replace('\n', "\r\n").as_bytes());
        let index = scanner.finish();
        let own = ["ann@a.example".parse().unwrap(), "dr.ann@a.example".parse().unwrap()];
        let reverse_path = match reverse {
            "" => ReversePath::Null,
            _ => ReversePath::Address(reverse.parse().unwrap()),
        };
        message(SubmissionFacts { reverse_path: &reverse_path, own: &own, message: &index })
    }

    fn foreign(address: &str) -> Result<(), Refusal> {
        Err(Refusal::SenderNotYours { address: address.into() })
    }

    #[test]
    fn s13_an_account_writes_under_its_own_addresses_only() {
        for (reverse, header, expected) in [
            ("ann@a.example", "From: ann@a.example\n", Ok(())),
            ("Ann@A.example", "From: \"Dr Ann\" <DR.ANN@a.example>\n", Ok(())),
            ("ann@a.example", "From: ann@a.example, dr.ann@a.example\nSender: ann@a.example\n", Ok(())),
            ("bob@a.example", "From: ann@a.example\n", foreign("bob@a.example")),
            ("ann@a.example", "From: bob@b.example\n", foreign("bob@b.example")),
            ("ann@a.example", "From: ann@a.example, bob@a.example\n", foreign("bob@a.example")),
            ("ann@a.example", "From: \"ann@a.example\" <bob@a.example>\n", foreign("bob@a.example")),
            ("ann@a.example", "From: ann@a.example\nFrom: bob@a.example\n", Err(Refusal::SenderMissing)),
            ("ann@a.example", "From: ann@a.example\nFrom: ann@a.example\n", Err(Refusal::SenderMissing)),
            ("ann@a.example", "From: ann@a.example\nSender: bob@a.example\n", foreign("bob@a.example")),
            ("ann@a.example", "From: ann@a.example\nResent-From: bob@a.example\n", foreign("bob@a.example")),
            ("ann@a.example", "From: ann@a.example\nResent-Sender: ann@a.example\n", Ok(())),
            ("ann@a.example", "From : bob@a.example\nFrom: ann@a.example\n", Err(Refusal::SenderMissing)),
            ("ann@a.example", "from: ann@a.example\nFROM: bob@a.example\n", Err(Refusal::SenderMissing)),
            ("ann@a.example", "From: ann@a.example,\n bob@a.example\n", foreign("bob@a.example")),
            ("ann@a.example", "From: friends: ann@a.example, bob@a.example;\n", foreign("bob@a.example")),
            ("ann@a.example", "From: \"ann@a.example>\" <bob@a.example>\n", foreign("bob@a.example")),
            ("ann@a.example", "From: ann@a.example (<bob@a.example>)\n", Ok(())),
            ("ann@a.example", "From: \"ann@a.example\"@b.example\n", foreign("ann@a.example@b.example")),
            ("ann@a.example", "From: ann\n", foreign("ann")),
            ("ann@a.example", "From: ann@[127.0.0.1]\n", foreign("ann@[127.0.0.1]")),
            ("ann@a.example", "From: nobody:;\n", Err(Refusal::SenderMissing)),
            ("ann@a.example", "From:\n", Err(Refusal::SenderMissing)),
            ("ann@a.example", "Subject: no author\n", Err(Refusal::SenderMissing)),
        ] {
            let text = format!("{header}Date: Fri, 20 Nov 2026 14:54:00 +0100\n\nhello\n");
            assert_eq!(verdict(reverse, &text), expected, "{reverse} {header}");
        }
    }

    #[test]
    fn s13_what_two_programs_may_read_differently_is_refused() {
        for from in [
            "ann@b.example@a.example",
            "ann@a.example bob@a.example",
            "<ann@a.example> <bob@a.example>",
            "ann@a.example <bob@a.example>",
            "<bob@a.example> ann@a.example",
            "\"ann@a.example",
            "ann@a.example\0@b.example",
        ] {
            let answer = verdict("ann@a.example", &format!("From: {from}\n\nhello\n"));
            assert!(answer.is_err(), "{from}");
        }
    }

    #[test]
    fn the_null_path_is_for_receipts() {
        let receipt = "From: ann@a.example\nContent-Type: multipart/report; \
                       report-type=disposition-notification; boundary=b\n\n--b\n\nread\n--b--\n";
        assert_eq!(verdict("", receipt), Ok(()));
        assert_eq!(verdict("ann@a.example", receipt), Ok(()));
        let delivery_report = receipt.replace("disposition-notification", "delivery-status");
        assert_eq!(verdict("", &delivery_report), foreign("<>"));
        assert_eq!(verdict("", "From: ann@a.example\n\nhello\n"), foreign("<>"));
        assert_eq!(verdict("", &receipt.replace("ann@", "bob@")), foreign("bob@a.example"));
    }

    #[test]
    fn a_foreign_address_cannot_break_the_reply() {
        let index = verdict("ann@a.example", &format!("From: é\t{}@b.example\n\n", "x".repeat(300)));
        let Err(refusal @ Refusal::SenderNotYours { .. }) = index else { panic!("{index:?}") };
        let sentence = refusal.sentence(mail::Language::French);
        assert!(sentence.is_ascii() && sentence.len() < 400 && !sentence.contains('\t'), "{sentence}");
    }

    #[test]
    fn the_envelope_is_judged_at_mail_already() {
        let own = ["ann@a.example".parse().unwrap()];
        assert_eq!(reverse_path(&ReversePath::Null, &own), Ok(()));
        let bob = ReversePath::Address("bob@a.example".parse().unwrap());
        assert_eq!(reverse_path(&bob, &own), foreign("bob@a.example"));
    }
}
