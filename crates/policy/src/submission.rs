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
