//! The part for people: French first, then English; the cause, the remote's answer, what to do.

use super::{Action, Cause, RecipientReport, Report, plain};
use crate::Language;
use crate::envelope::ForwardPath;
use crate::header::DateTime;
use crate::quoted_printable::encode;
use crate::trace::cut;

/// UTF-8 as quoted-printable, which passes any server.
pub(super) fn text(report: &Report) -> Vec<u8> {
    let mut text = in_language(report, Language::French);
    text.push_str("\r\n----------------------------------------------------------------------\r\n\r\n");
    text.push_str(&in_language(report, Language::English));
    encode(&text)
}

fn in_language(report: &Report, language: Language) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        text.push_str(words);
        text.push_str("\r\n");
    };
    let mut actions: Vec<Action> = report.recipients.iter().map(|recipient| recipient.action).collect();
    actions.sort_unstable();
    actions.dedup();
    for action in actions {
        line(introduction(action, language));
        line("");
        for recipient in report.recipients.iter().filter(|recipient| recipient.action == action) {
            for words in about(recipient, language) {
                line(&format!("    {words}"));
            }
            line("");
        }
    }
    let arrival = date(report.arrival, language);
    line(&match language {
        Language::French => {
            format!("Référence : {} (message reçu par {} le {arrival})", report.queue_name, report.reporting_mta)
        }
        Language::English => {
            format!("Reference: {} (message received by {} on {arrival})", report.queue_name, report.reporting_mta)
        }
    });
    text
}

fn introduction(action: Action, language: Language) -> &'static str {
    let [french, english] = match action {
        Action::Failed => [
            "Votre message n'a pas été distribué. Il n'y aura pas d'autre essai :",
            "Your message was not delivered. It will not be tried again:",
        ],
        Action::Delayed => [
            "Votre message n'est pas encore arrivé. Nous continuons d'essayer, ne l'envoyez pas de nouveau :",
            "Your message has not arrived yet. We go on trying, do not send it again:",
        ],
        Action::Delivered => ["Votre message a été distribué :", "Your message was delivered:"],
        Action::Relayed => [
            "Votre message a été transmis à un serveur qui ne confirme pas la distribution :",
            "Your message was passed on to a server that does not confirm delivery:",
        ],
        Action::Expanded => [
            "Votre message a été transmis aux membres d'une liste :",
            "Your message was passed on to the members of a list:",
        ],
    };
    match language {
        Language::French => french,
        Language::English => english,
    }
}

fn about(recipient: &RecipientReport, language: Language) -> Vec<String> {
    let mut lines = vec![match &recipient.final_recipient {
        ForwardPath::Address(address) => address.to_string(),
        ForwardPath::Postmaster => "postmaster".to_owned(),
    }];
    // Where it went on from the address that was written to, both are named.
    if let Some(original) = &recipient.original
        && lines.first().is_some_and(|address| *address != original.address)
    {
        let written = plain(&original.address);
        lines.push(match language {
            Language::French => format!("Adresse écrite : {}", cut(&written, TEXT_OCTETS_MAX)),
            Language::English => format!("Address written: {}", cut(&written, TEXT_OCTETS_MAX)),
        });
    }
    let unhappy = matches!(recipient.action, Action::Failed | Action::Delayed);
    if unhappy && recipient.cause != Cause::Success {
        lines.push(recipient.cause.sentence(language).to_owned());
    }
    if let Some(answer) = recipient.diagnostic.as_ref().filter(|_| unhappy) {
        let host = recipient.remote_mta.as_deref().map(plain).unwrap_or_default();
        let status = answer.status.map(|status| format!("{status} ")).unwrap_or_default();
        let said = plain(&answer.text);
        let said = format!("{} {status}{}", answer.code, cut(&said, TEXT_OCTETS_MAX));
        lines.push(match (language, host.is_empty()) {
            (Language::French, true) => format!("Réponse du serveur : {said}"),
            (Language::French, false) => format!("Réponse du serveur {} : {said}", cut(&host, TEXT_OCTETS_MAX)),
            (Language::English, true) => format!("Answer of the server: {said}"),
            (Language::English, false) => format!("Answer of the server {}: {said}", cut(&host, TEXT_OCTETS_MAX)),
        });
    }
    if let Some(until) = recipient.will_retry_until {
        lines.push(match language {
            Language::French => format!("Derniers essais : jusqu'au {}", date(until, language)),
            Language::English => format!("It will be tried until {}", date(until, language)),
        });
    }
    if unhappy {
        lines.push(match language {
            Language::French => format!("Que faire : {}", recipient.cause.advice(language)),
            Language::English => format!("What to do: {}", recipient.cause.advice(language)),
        });
        lines.push(format!("[{}]", recipient.cause.word()));
    }
    lines
}

/// `20/11/2026 à 14:54 (UTC)`, `20 Nov 2026 14:54 +0000`.
fn date(date: DateTime, language: Language) -> String {
    let printed = date.to_string();
    match language {
        Language::English => printed,
        Language::French => {
            let (year, month, day) = date.local_date();
            let seconds = date.seconds + i64::from(date.offset_minutes) * 60;
            let (hour, minute) = (seconds.rem_euclid(86_400) / 3_600, seconds.rem_euclid(3_600) / 60);
            let zone = match date.offset_minutes {
                0 => "UTC".to_owned(),
                minutes => {
                    let sign = if minutes < 0 { '-' } else { '+' };
                    format!("UTC{sign}{:02}:{:02}", minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60)
                }
            };
            format!("{day:02}/{month:02}/{year:04} à {hour:02}:{minute:02} ({zone})")
        }
    }
}

/// Octets of a text of somebody else's repeated to people.
const TEXT_OCTETS_MAX: usize = 1_000;
