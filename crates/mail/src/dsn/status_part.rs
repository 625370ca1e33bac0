//! The part for programs: `message/delivery-status` (RFC 3464 §2), or `message/global-delivery-status` where addresses are
//! not ASCII and the sender can read them (RFC 6533 §3).

use super::{Diagnostic, RecipientReport, Report, plain};
use crate::envelope::{ForwardPath, OriginalRecipient};
use crate::header::print::fold;
use crate::trace::{atom, cut};

/// A part, ready.
pub(super) struct Status {
    pub media_type: &'static str,
    pub encoding: &'static str,
    pub octets: Vec<u8>,
}

pub(super) fn status(report: &Report) -> Status {
    let mut fields = vec![field("Reporting-MTA", &format!("dns; {}", report.reporting_mta))];
    if let Some(id) = &report.envelope_id {
        fields.insert(0, field("Original-Envelope-Id", &ascii(id)));
    }
    fields.push(field("Arrival-Date", &report.arrival.to_string()));
    for recipient in &report.recipients {
        fields.push("\r\n".into());
        of_recipient(report, recipient, &mut fields);
    }
    let octets = fields.concat().into_bytes();
    match octets.is_ascii() {
        true => Status { media_type: "message/delivery-status", encoding: "7bit", octets },
        false => Status { media_type: "message/global-delivery-status", encoding: "8bit", octets },
    }
}

fn of_recipient(report: &Report, recipient: &RecipientReport, fields: &mut Vec<String>) {
    if let Some(original) = &recipient.original {
        fields.push(field("Original-Recipient", &typed(original, report.smtputf8)));
    }
    fields.push(field("Final-Recipient", &final_recipient(report, &recipient.final_recipient)));
    fields.push(field("Action", recipient.action.word()));
    fields.push(field("Status", &recipient.status.to_string()));
    if let Some(host) = &recipient.remote_mta {
        fields.push(field("Remote-MTA", &format!("dns; {}", atom(host))));
    }
    if let Some(diagnostic) = &recipient.diagnostic {
        fields.push(field("Diagnostic-Code", &diagnostic_code(diagnostic)));
    }
    if let Some(date) = recipient.last_attempt {
        fields.push(field("Last-Attempt-Date", &date.to_string()));
    }
    fields.push(field("Final-Log-ID", &atom(&report.queue_name)));
    if let Some(date) = recipient.will_retry_until {
        fields.push(field("Will-Retry-Until", &date.to_string()));
    }
}

fn final_recipient(report: &Report, path: &ForwardPath) -> String {
    let (address_type, address) = match path {
        ForwardPath::Postmaster => ("rfc822", format!("postmaster@{}", report.reporting_mta)),
        ForwardPath::Address(address) if address.is_ascii() => ("rfc822", address.to_string()),
        ForwardPath::Address(address) => ("utf-8", address.to_string()),
    };
    typed(&OriginalRecipient { address_type: address_type.into(), address }, report.smtputf8)
}

fn typed(original: &OriginalRecipient, smtputf8: bool) -> String {
    let address = match smtputf8 && original.is_utf8() {
        true => original.address.clone(),
        false => original.ascii_address().into_owned(),
    };
    format!("{};{}", atom(&original.address_type), cut(&address, ADDRESS_OCTETS_MAX))
}

fn diagnostic_code(diagnostic: &Diagnostic) -> String {
    let text = ascii(&plain(&diagnostic.text));
    let text = cut(&text, DIAGNOSTIC_OCTETS_MAX);
    match diagnostic.status {
        Some(status) => format!("smtp; {} {status} {text}", diagnostic.code),
        None => format!("smtp; {} {text}", diagnostic.code),
    }
}

/// What is not printable ASCII becomes `?`.
fn ascii(text: &str) -> String {
    text.chars().map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}

fn field(name: &str, value: &str) -> String {
    fold(name, value.split(' '))
}

/// Octets of an address repeated in a field.
const ADDRESS_OCTETS_MAX: usize = 900;

/// Octets of another server's answer repeated in a field.
const DIAGNOSTIC_OCTETS_MAX: usize = 900;
