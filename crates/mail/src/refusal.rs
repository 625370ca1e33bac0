//! Every reason to say no, in one closed list: its rule id, its status (RFC 3463) and its sentences.
//!
//! Protocol crates choose code and framing (`smtp::reply`, `imap::response`); the reasons are here, so that a reviewer
//! reads on one page what users may be told. Sentences for SMTP and IMAP4rev1 are ASCII, French without accents.

use crate::{EnhancedStatus, Language, TrustCause};

/// Why something was refused. Values are carried so that the sentence can name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `recipient.unknown`: the domain is ours, the address is nobody's.
    RecipientUnknown,
    /// `recipient.disabled`: the account receives nothing any more.
    RecipientDisabled,
    /// `recipient.postmaster`: nobody reads the postmaster's mail yet (RFC 5321 §4.5.1): it waits until somebody is named.
    PostmasterMissing,
    /// `recipient.unlisted`: neither a box here nor a domain we may send to.
    RecipientUnlisted {
        /// The domain as given, ASCII form.
        domain: String,
    },
    /// `sender.not_yours`: envelope sender, From or Sender is not an address of the account.
    SenderNotYours {
        /// The address found, ASCII form, `?` for what is not ASCII.
        address: String,
    },
    /// `sender.missing`: the message does not name exactly one author, or the header cannot be read.
    SenderMissing,
    /// `limit.size`: more octets than the listener takes.
    MessageTooLarge {
        /// The limit, octets on the wire.
        octets_max: u64,
    },
    /// `limit.recipients`: more recipients than one message may have.
    TooManyRecipients {
        /// The limit.
        max: usize,
    },
    /// `mailbox.full`: the account's quota is reached.
    QuotaExceeded,
    /// `loop`: more Received fields than a mail that travels well ever has.
    Loop {
        /// The limit.
        received_max: usize,
    },
    /// `content.bare_line_end`: a CR or LF alone, the raw material of SMTP smuggling (CVE-2023-51764).
    BareLineEnd,
    /// `content.malformed`: a NUL octet, or a bound of ours on MIME depth, parts or header size that the message breaks.
    ContentMalformed,
    /// `store.full`: free space is under the reserve.
    StoreFull,
    /// `store.trouble`: the store cannot take the message now.
    StoreTrouble,
    /// `access.suspended`: the account was disabled during the session.
    AccountSuspended,
    /// `sender.foreign`: the author is nobody for whom the peer speaks.
    AuthorForeign {
        /// The author found, any text; empty when there is none.
        address: String,
    },
    /// `trust.no_list`: no white list has been loaded yet: nobody can be believed, everything waits.
    WhiteListMissing,
    /// The peer's certificate, or the lack of it, forbids the transaction. The rule is the cause's word.
    Trust {
        /// Why.
        cause: TrustCause,
        /// The domain in question, or the subject of the certificate.
        about: Option<String>,
    },
}

impl Refusal {
    /// The stable word that ends every sentence, in brackets, and names the rule in logs and metrics.
    pub fn rule(&self) -> &'static str {
        match self {
            Refusal::RecipientUnknown => "recipient.unknown",
            Refusal::RecipientDisabled => "recipient.disabled",
            Refusal::PostmasterMissing => "recipient.postmaster",
            Refusal::RecipientUnlisted { .. } => "recipient.unlisted",
            Refusal::SenderNotYours { .. } => "sender.not_yours",
            Refusal::SenderMissing => "sender.missing",
            Refusal::MessageTooLarge { .. } => "limit.size",
            Refusal::TooManyRecipients { .. } => "limit.recipients",
            Refusal::QuotaExceeded => "mailbox.full",
            Refusal::Loop { .. } => "loop",
            Refusal::BareLineEnd => "content.bare_line_end",
            Refusal::ContentMalformed => "content.malformed",
            Refusal::StoreFull => "store.full",
            Refusal::StoreTrouble => "store.trouble",
            Refusal::AccountSuspended => "access.suspended",
            Refusal::AuthorForeign { .. } => "sender.foreign",
            Refusal::WhiteListMissing => "trust.no_list",
            Refusal::Trust { cause, .. } => cause.word(),
        }
    }

    /// The enhanced status (RFC 3463 §3); its class says whether trying again may help.
    pub fn status(&self) -> EnhancedStatus {
        match self {
            Refusal::RecipientUnknown => EnhancedStatus::new(5, 1, 1),
            Refusal::RecipientDisabled => EnhancedStatus::new(5, 2, 1),
            // System incorrectly configured.
            Refusal::PostmasterMissing => EnhancedStatus::new(4, 3, 5),
            Refusal::RecipientUnlisted { .. } | Refusal::SenderNotYours { .. } => EnhancedStatus::new(5, 7, 1),
            Refusal::SenderMissing | Refusal::BareLineEnd | Refusal::ContentMalformed => EnhancedStatus::new(5, 6, 0),
            Refusal::MessageTooLarge { .. } => EnhancedStatus::new(5, 3, 4),
            Refusal::TooManyRecipients { .. } => EnhancedStatus::new(4, 5, 3),
            Refusal::QuotaExceeded => EnhancedStatus::new(4, 2, 2),
            Refusal::Loop { .. } => EnhancedStatus::new(5, 4, 6),
            Refusal::StoreFull => EnhancedStatus::new(4, 3, 1),
            Refusal::StoreTrouble => EnhancedStatus::new(4, 3, 0),
            Refusal::AccountSuspended | Refusal::AuthorForeign { .. } => EnhancedStatus::new(5, 7, 1),
            Refusal::WhiteListMissing => EnhancedStatus::new(4, 7, 1),
            Refusal::Trust { cause: TrustCause::TlsRequired, .. } => EnhancedStatus::new(5, 7, 0),
            Refusal::Trust { cause, .. } if cause.is_transient() => EnhancedStatus::new(4, 7, 1),
            Refusal::Trust { .. } => EnhancedStatus::new(5, 7, 1),
        }
    }

    /// One ASCII sentence without code or status, ending in `[rule-id]`. At most 400 octets.
    pub fn sentence(&self, language: Language) -> String {
        let text = match language {
            Language::French => self.french(),
            Language::English => self.english(),
        };
        format!("{text} [{}]", self.rule())
    }

    fn french(&self) -> String {
        match self {
            Refusal::RecipientUnknown => "Cette adresse n'existe pas ici.".into(),
            Refusal::RecipientDisabled => "Cette boite ne recoit plus de messages.".into(),
            Refusal::PostmasterMissing => "Ce serveur n'a pas encore d'administrateur, reessayez plus tard.".into(),
            Refusal::RecipientUnlisted { domain } => format!(
                "{} n'est pas dans l'espace de confiance MSSante et cette adresse n'est pas un compte d'ici : \
                 non envoye. Cherchez sur annuaire.sante.fr.",
                shown(domain)
            ),
            Refusal::SenderNotYours { address } => format!("{} n'est pas une adresse de votre boite.", shown(address)),
            Refusal::SenderMissing => "Le message ne nomme pas un auteur et un seul (champ From).".into(),
            Refusal::MessageTooLarge { octets_max } => {
                let attached = attached(*octets_max, |max| format!("maximum {max} Mo de pieces jointes, "));
                format!("Message trop volumineux : {attached}maximum {octets_max} octets en tout. Non envoye.")
            }
            Refusal::TooManyRecipients { max } => format!("Maximum {max} destinataires par message."),
            Refusal::QuotaExceeded => "La boite du destinataire est pleine.".into(),
            Refusal::Loop { received_max } => {
                format!("Le message tourne en rond : plus de {received_max} champs Received.")
            }
            Refusal::BareLineEnd => "Le message contient un CR ou un LF isole : non accepte.".into(),
            Refusal::ContentMalformed => {
                "Le message contient un octet nul, ou sa structure MIME depasse nos limites : non accepte.".into()
            }
            Refusal::StoreFull => "Place insuffisante sur le serveur, reessayez plus tard.".into(),
            Refusal::StoreTrouble => "Incident de stockage, reessayez plus tard.".into(),
            Refusal::AccountSuspended => "Ce compte est suspendu.".into(),
            Refusal::AuthorForeign { address } => {
                format!("L'auteur {} n'est pas d'un domaine de l'operateur qui l'apporte.", shown(address))
            }
            Refusal::WhiteListMissing => {
                "La liste blanche MSSante n'est pas encore chargee, reessayez plus tard.".into()
            }
            Refusal::Trust { cause, about } => about_cause(cause.sentence(Language::French), about.as_deref()),
        }
    }

    fn english(&self) -> String {
        match self {
            Refusal::RecipientUnknown => "There is no such address here.".into(),
            Refusal::RecipientDisabled => "This mailbox no longer receives mail.".into(),
            Refusal::PostmasterMissing => "This server has no postmaster yet, try again later.".into(),
            Refusal::RecipientUnlisted { domain } => format!(
                "{} is not in the MSSante trust space and this is no account here: not sent. \
                 Search annuaire.sante.fr.",
                shown(domain)
            ),
            Refusal::SenderNotYours { address } => format!("{} is not an address of your box.", shown(address)),
            Refusal::SenderMissing => "The message does not name exactly one author (From field).".into(),
            Refusal::MessageTooLarge { octets_max } => {
                let attached = attached(*octets_max, |max| format!("at most {max} MB of attachments, "));
                format!("Message too large: {attached}at most {octets_max} octets. Not sent.")
            }
            Refusal::TooManyRecipients { max } => format!("At most {max} recipients per message."),
            Refusal::QuotaExceeded => "The recipient's mailbox is full.".into(),
            Refusal::Loop { received_max } => format!("The message loops: more than {received_max} Received fields."),
            Refusal::BareLineEnd => "The message holds a CR or LF on its own: not accepted.".into(),
            Refusal::ContentMalformed => {
                "The message holds a NUL octet, or its MIME structure exceeds our bounds: not accepted.".into()
            }
            Refusal::StoreFull => "Not enough space on the server, try again later.".into(),
            Refusal::StoreTrouble => "Storage trouble, try again later.".into(),
            Refusal::AccountSuspended => "This account is suspended.".into(),
            Refusal::AuthorForeign { address } => {
                format!("The author {} is of no domain for which the bringing operator speaks.", shown(address))
            }
            Refusal::WhiteListMissing => "The MSSante white list is not loaded yet, try again later.".into(),
            Refusal::Trust { cause, about } => about_cause(cause.sentence(Language::English), about.as_deref()),
        }
    }
}

fn about_cause(sentence: &str, about: Option<&str>) -> String {
    about.map_or_else(|| sentence.to_owned(), |about| format!("{sentence} ({})", shown(about)))
}

/// What users think in: megabytes of attachments, before base64 in lines of 76 with CRLF (RFC 2045 §6.8) and beside a
/// mebibyte of headers. Nothing where that would be less than one.
fn attached(octets_max: u64, say: impl Fn(u64) -> String) -> String {
    let body = octets_max.saturating_sub(1 << 20);
    let megabytes = (body / 78 * 57 + body % 78 * 57 / 78) >> 20;
    if megabytes == 0 { String::new() } else { say(megabytes) }
}

/// A value somebody else chose, as it may stand in a sentence: printable ASCII, cut where it would crowd out the rest.
fn shown(value: &str) -> String {
    let printable = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    let shown: String = value.chars().take(VALUE_OCTETS_MAX).map(printable).collect();
    if value.chars().nth(VALUE_OCTETS_MAX).is_some() { shown + "..." } else { shown }
}

/// Octets of a value in a sentence.
const VALUE_OCTETS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// One of each; the match makes a new variant remember this list.
    fn every_refusal() -> Vec<Refusal> {
        let of_each = |refusal: &Refusal| match refusal {
            Refusal::RecipientUnknown
            | Refusal::RecipientDisabled
            | Refusal::PostmasterMissing
            | Refusal::RecipientUnlisted { .. }
            | Refusal::SenderNotYours { .. }
            | Refusal::SenderMissing
            | Refusal::MessageTooLarge { .. }
            | Refusal::TooManyRecipients { .. }
            | Refusal::QuotaExceeded
            | Refusal::Loop { .. }
            | Refusal::BareLineEnd
            | Refusal::ContentMalformed
            | Refusal::StoreFull
            | Refusal::StoreTrouble
            | Refusal::AccountSuspended
            | Refusal::AuthorForeign { .. }
            | Refusal::WhiteListMissing
            | Refusal::Trust { .. } => (),
        };
        let mut all = vec![
            Refusal::RecipientUnknown,
            Refusal::RecipientDisabled,
            Refusal::PostmasterMissing,
            Refusal::RecipientUnlisted { domain: "elsewhere.example".into() },
            Refusal::SenderNotYours { address: "bob@b.example".into() },
            Refusal::SenderMissing,
            Refusal::MessageTooLarge { octets_max: 72_793_252 },
            Refusal::TooManyRecipients { max: 1_000 },
            Refusal::QuotaExceeded,
            Refusal::Loop { received_max: 50 },
            Refusal::BareLineEnd,
            Refusal::ContentMalformed,
            Refusal::StoreFull,
            Refusal::StoreTrouble,
            Refusal::AccountSuspended,
            Refusal::AuthorForeign { address: "bob@b.example".into() },
            Refusal::WhiteListMissing,
        ];
        let trust = |cause| Refusal::Trust { cause, about: Some("a.mssante.fr".into()) };
        all.extend(TrustCause::ALL.map(trust));
        all.iter().for_each(of_each);
        all
    }

    #[test]
    fn every_sentence() {
        let lines = every_refusal().into_iter().map(|refusal| {
            let (french, english) = (refusal.sentence(Language::French), refusal.sentence(Language::English));
            format!("{} {french}\n      {english}\n", refusal.status())
        });
        expect![[r#"
            5.1.1 Cette adresse n'existe pas ici. [recipient.unknown]
                  There is no such address here. [recipient.unknown]
            5.2.1 Cette boite ne recoit plus de messages. [recipient.disabled]
                  This mailbox no longer receives mail. [recipient.disabled]
            4.3.5 Ce serveur n'a pas encore d'administrateur, reessayez plus tard. [recipient.postmaster]
                  This server has no postmaster yet, try again later. [recipient.postmaster]
            5.7.1 elsewhere.example n'est pas dans l'espace de confiance MSSante et cette adresse n'est pas un compte d'ici : non envoye. Cherchez sur annuaire.sante.fr. [recipient.unlisted]
                  elsewhere.example is not in the MSSante trust space and this is no account here: not sent. Search annuaire.sante.fr. [recipient.unlisted]
            5.7.1 bob@b.example n'est pas une adresse de votre boite. [sender.not_yours]
                  bob@b.example is not an address of your box. [sender.not_yours]
            5.6.0 Le message ne nomme pas un auteur et un seul (champ From). [sender.missing]
                  The message does not name exactly one author (From field). [sender.missing]
            5.3.4 Message trop volumineux : maximum 50 Mo de pieces jointes, maximum 72793252 octets en tout. Non envoye. [limit.size]
                  Message too large: at most 50 MB of attachments, at most 72793252 octets. Not sent. [limit.size]
            4.5.3 Maximum 1000 destinataires par message. [limit.recipients]
                  At most 1000 recipients per message. [limit.recipients]
            4.2.2 La boite du destinataire est pleine. [mailbox.full]
                  The recipient's mailbox is full. [mailbox.full]
            5.4.6 Le message tourne en rond : plus de 50 champs Received. [loop]
                  The message loops: more than 50 Received fields. [loop]
            5.6.0 Le message contient un CR ou un LF isole : non accepte. [content.bare_line_end]
                  The message holds a CR or LF on its own: not accepted. [content.bare_line_end]
            5.6.0 Le message contient un octet nul, ou sa structure MIME depasse nos limites : non accepte. [content.malformed]
                  The message holds a NUL octet, or its MIME structure exceeds our bounds: not accepted. [content.malformed]
            4.3.1 Place insuffisante sur le serveur, reessayez plus tard. [store.full]
                  Not enough space on the server, try again later. [store.full]
            4.3.0 Incident de stockage, reessayez plus tard. [store.trouble]
                  Storage trouble, try again later. [store.trouble]
            5.7.1 Ce compte est suspendu. [access.suspended]
                  This account is suspended. [access.suspended]
            5.7.1 L'auteur bob@b.example n'est pas d'un domaine de l'operateur qui l'apporte. [sender.foreign]
                  The author bob@b.example is of no domain for which the bringing operator speaks. [sender.foreign]
            4.7.1 La liste blanche MSSante n'est pas encore chargee, reessayez plus tard. [trust.no_list]
                  The MSSante white list is not loaded yet, try again later. [trust.no_list]
            5.7.1 Le certificat de l'operateur est expire. (a.mssante.fr) [expired]
                  The operator's certificate has expired. (a.mssante.fr) [expired]
            5.7.1 Le certificat de l'operateur n'est pas encore valide. (a.mssante.fr) [not-yet-valid]
                  The operator's certificate is not valid yet. (a.mssante.fr) [not-yet-valid]
            5.7.1 Le certificat de l'operateur est revoque. (a.mssante.fr) [revoked]
                  The operator's certificate is revoked. (a.mssante.fr) [revoked]
            4.7.1 On ne peut pas savoir maintenant si le certificat de l'operateur est revoque, reessayez plus tard. (a.mssante.fr) [revocation-unknown]
                  Whether the operator's certificate is revoked cannot be known now, try again later. (a.mssante.fr) [revocation-unknown]
            5.7.1 Le certificat de l'operateur ne vient pas d'une autorite de l'espace de confiance MSSante, ou n'est pas fait pour cet usage. (a.mssante.fr) [untrusted]
                  The operator's certificate does not come from an authority of the MSSante trust space, or is not made for this use. (a.mssante.fr) [untrusted]
            5.7.1 Absent de la liste blanche MSSante. (a.mssante.fr) [unlisted]
                  Not in the MSSante white list. (a.mssante.fr) [unlisted]
            5.7.1 Le certificat presente n'est pas un de ceux que la liste blanche MSSante donne a ce domaine. (a.mssante.fr) [dn-mismatch]
                  The certificate presented is none of those the MSSante white list gives for this domain. (a.mssante.fr) [dn-mismatch]
            5.7.1 L'operateur n'a pas presente de certificat. (a.mssante.fr) [no-certificate]
                  The operator presented no certificate. (a.mssante.fr) [no-certificate]
            5.7.0 L'echange sans TLS est refuse. (a.mssante.fr) [tls-required]
                  Nothing is exchanged without TLS. (a.mssante.fr) [tls-required]
        "#]].assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn sentences_are_short_ascii_lines_whatever_their_values() {
        for value in ["x".repeat(10_000), "é\r\n\0".repeat(1_000), String::new()] {
            let mut refusals = every_refusal();
            refusals.push(Refusal::RecipientUnlisted { domain: value.clone() });
            let about = |cause| Refusal::Trust { cause, about: Some(value.clone()) };
            refusals.extend(TrustCause::ALL.map(about));
            refusals.push(Refusal::AuthorForeign { address: value.clone() });
            refusals.push(Refusal::SenderNotYours { address: value });
            for refusal in refusals {
                for language in [Language::French, Language::English] {
                    let sentence = refusal.sentence(language);
                    assert!(sentence.len() <= 400, "{} octets: {sentence}", sentence.len());
                    assert!(sentence.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{sentence}");
                    assert!(sentence.ends_with(&format!("[{}]", refusal.rule())), "{sentence}");
                }
            }
        }
    }

    #[test]
    fn the_size_of_attachments_is_that_of_the_setting() {
        // What server announces for `message_megabytes`.
        for megabytes in [1_u64, 2, 10, 25, 50, 100, 1_024] {
            let base64 = (megabytes << 20).div_ceil(3) * 4;
            let octets_max = base64 + base64.div_ceil(76) * 2 + (1 << 20);
            assert_eq!(attached(octets_max, |max| max.to_string()), megabytes.to_string());
        }
        assert_eq!(attached(0, |max| max.to_string()), "");
        assert_eq!(attached(u64::MAX, |max| max.to_string()), "12855828263226");
    }

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        let refusals = every_refusal();
        let names: std::collections::BTreeSet<&str> = refusals.iter().map(Refusal::rule).collect();
        assert_eq!(names.len(), refusals.len());
        assert!(refusals.iter().all(|refusal| matches!(refusal.status().class, 4 | 5)));
    }
}
