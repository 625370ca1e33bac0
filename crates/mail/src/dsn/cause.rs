//! Why a message has not gone further: one closed list, a stable word each, and the words a doctor understands.

use crate::{EnhancedStatus, Language, TrustCause};

/// Why a message was not taken at its destination, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The other server's certificate, or the lack of it, forbids the transaction.
    Trust(TrustCause),
    /// The other server did not want our certificate.
    CertificateRefused,
    /// The handshake failed otherwise.
    TlsFailed,
    /// The domain does not exist.
    NoSuchDomain,
    /// The domain takes no mail (RFC 7505), or names no server for it.
    NoMailServer,
    /// The domain names ourselves, or a server nobody else can reach.
    MailLoop,
    /// The names could not be looked up.
    DnsTrouble,
    /// No connection.
    Unreachable,
    /// The other server did not answer in time.
    TimedOut,
    /// The connection broke.
    ConnectionLost,
    /// What the other server said was no SMTP.
    ProtocolError,
    /// The other server has no such address.
    RecipientUnknown,
    /// The box there takes nothing any more.
    RecipientDisabled,
    /// The box there is full.
    MailboxFull,
    /// The other server takes no message of this size.
    TooLarge,
    /// The other server says no for a reason of its own.
    Refused,
    /// The other server asks to come back later.
    Deferred,
    /// The other server takes no 8-bit content.
    EightBitUnsupported,
    /// The other server takes no addresses that are not ASCII.
    Utf8Unsupported,
    /// The sender asked for REQUIRETLS, which the other server does not offer.
    RequireTlsUnsupported,
    /// The message cannot be read here.
    ContentUnreadable,
    /// Somebody who runs this server gave it up.
    Operator,
    /// It went well: for delivery reports.
    Success,
}

/// Whom the reader should turn to.
enum Advice {
    Correspondent,
    Address,
    OtherOperator,
    Wait,
    Smaller,
    OurAdministrator,
    Nothing,
}

impl Cause {
    /// Every one.
    pub const ALL: [Cause; 31] = [
        Cause::Trust(TrustCause::Expired),
        Cause::Trust(TrustCause::NotYetValid),
        Cause::Trust(TrustCause::Revoked),
        Cause::Trust(TrustCause::RevocationUnknown),
        Cause::Trust(TrustCause::Untrusted),
        Cause::Trust(TrustCause::Unlisted),
        Cause::Trust(TrustCause::DnMismatch),
        Cause::Trust(TrustCause::NoCertificate),
        Cause::Trust(TrustCause::TlsRequired),
        Cause::CertificateRefused,
        Cause::TlsFailed,
        Cause::NoSuchDomain,
        Cause::NoMailServer,
        Cause::MailLoop,
        Cause::DnsTrouble,
        Cause::Unreachable,
        Cause::TimedOut,
        Cause::ConnectionLost,
        Cause::ProtocolError,
        Cause::RecipientUnknown,
        Cause::RecipientDisabled,
        Cause::MailboxFull,
        Cause::TooLarge,
        Cause::Refused,
        Cause::Deferred,
        Cause::EightBitUnsupported,
        Cause::Utf8Unsupported,
        Cause::RequireTlsUnsupported,
        Cause::ContentUnreadable,
        Cause::Operator,
        Cause::Success,
    ];

    /// The stable word of logs, metrics and queue listings; for trust, the one of the `trust` crate.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Trust(cause) => cause.word(),
            Cause::CertificateRefused => "certificate-refused",
            Cause::TlsFailed => "tls-failed",
            Cause::NoSuchDomain => "no-such-domain",
            Cause::NoMailServer => "no-mail-server",
            Cause::MailLoop => "mail-loop",
            Cause::DnsTrouble => "dns-trouble",
            Cause::Unreachable => "unreachable",
            Cause::TimedOut => "timed-out",
            Cause::ConnectionLost => "connection-lost",
            Cause::ProtocolError => "protocol-error",
            Cause::RecipientUnknown => "recipient-unknown",
            Cause::RecipientDisabled => "recipient-disabled",
            Cause::MailboxFull => "mailbox-full",
            Cause::TooLarge => "too-large",
            Cause::Refused => "refused",
            Cause::Deferred => "deferred",
            Cause::EightBitUnsupported => "8bit-unsupported",
            Cause::Utf8Unsupported => "smtputf8-unsupported",
            Cause::RequireTlsUnsupported => "requiretls-unsupported",
            Cause::ContentUnreadable => "content-unreadable",
            Cause::Operator => "operator",
            Cause::Success => "success",
        }
    }

    /// The cause a word stands for.
    pub fn from_word(word: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.word() == word)
    }

    /// What an answer of another server means, its enhanced status first (RFC 3463 §3), where it has one.
    pub fn of_answer(code: u16, status: Option<EnhancedStatus>) -> Cause {
        let detail = status.filter(|status| u16::from(status.class) == code / 100).map(|it| (it.subject, it.detail));
        match (detail, code) {
            (Some((1, 1 | 2 | 3 | 6 | 10)), _) => Cause::RecipientUnknown,
            (Some((2, 1)), _) => Cause::RecipientDisabled,
            (Some((2, 2)), _) => Cause::MailboxFull,
            (Some((2, 3) | (3, 4)), _) | (None, 552) => Cause::TooLarge,
            (_, 500..) => Cause::Refused,
            _ => Cause::Deferred,
        }
    }

    /// Whether the fault lies with certificates or the white list: the sender is told of the delay earlier.
    pub fn is_trust(self) -> bool {
        matches!(self, Cause::Trust(_) | Cause::CertificateRefused | Cause::TlsFailed)
    }

    /// The status told when the other server gave none (RFC 3463 §3); the class is the caller's.
    pub fn status(self, class: u8) -> EnhancedStatus {
        let (subject, detail) = match self {
            Cause::Trust(TrustCause::Expired)
            | Cause::Trust(TrustCause::NotYetValid)
            | Cause::Trust(TrustCause::Revoked)
            | Cause::Trust(TrustCause::Untrusted)
            | Cause::Trust(TrustCause::Unlisted)
            | Cause::Trust(TrustCause::DnMismatch)
            | Cause::CertificateRefused => (7, 1),
            Cause::Trust(TrustCause::RevocationUnknown) => (7, 0),
            Cause::Trust(TrustCause::NoCertificate) => (7, 8),
            Cause::Trust(TrustCause::TlsRequired) | Cause::TlsFailed => (7, 10),
            Cause::NoSuchDomain => (1, 2),
            Cause::NoMailServer => (1, 10),
            Cause::MailLoop => (4, 6),
            Cause::DnsTrouble => (4, 3),
            Cause::Unreachable => (4, 1),
            Cause::TimedOut | Cause::ConnectionLost => (4, 2),
            Cause::ProtocolError => (5, 0),
            Cause::RecipientUnknown => (1, 1),
            Cause::RecipientDisabled => (2, 1),
            Cause::MailboxFull => (2, 2),
            Cause::TooLarge => (3, 4),
            Cause::Refused | Cause::Deferred | Cause::Success => (0, 0),
            Cause::EightBitUnsupported => (6, 3),
            Cause::Utf8Unsupported => (6, 7),
            Cause::RequireTlsUnsupported => (7, 30),
            Cause::ContentUnreadable => (6, 0),
            Cause::Operator => (7, 0),
        };
        EnhancedStatus::new(class, subject, detail)
    }

    /// What happened, in one sentence.
    pub fn sentence(self, language: Language) -> &'static str {
        match language {
            Language::French => self.french(),
            Language::English => self.english(),
        }
    }

    /// What the reader can do.
    pub fn advice(self, language: Language) -> &'static str {
        let [french, english] = match self.whom() {
            Advice::Correspondent => {
                ["Joignez votre correspondant par un autre moyen.", "Reach your correspondent by other means."]
            }
            Advice::Address => [
                "Vérifiez l'adresse, par exemple sur annuaire.sante.fr, puis envoyez de nouveau.",
                "Check the address, for example on annuaire.sante.fr, then send again.",
            ],
            Advice::OtherOperator => [
                "La panne est chez l'opérateur de votre correspondant : prévenez-le par un autre moyen, il peut la signaler.",
                "The fault lies with your correspondent's operator: tell your correspondent by other means, who can report it.",
            ],
            Advice::Wait => [
                "Si c'est urgent, joignez votre correspondant par un autre moyen.",
                "If it is urgent, reach your correspondent by other means.",
            ],
            Advice::Smaller => [
                "Envoyez des pièces jointes plus petites, ou en plusieurs messages.",
                "Send smaller attachments, or several messages.",
            ],
            Advice::OurAdministrator => [
                "Adressez-vous à l'administrateur de votre messagerie, avec la référence ci-dessous.",
                "Ask the administrator of your mail service, with the reference below.",
            ],
            Advice::Nothing => ["Vous n'avez rien à faire.", "There is nothing for you to do."],
        };
        match language {
            Language::French => french,
            Language::English => english,
        }
    }

    fn whom(self) -> Advice {
        match self {
            Cause::Trust(TrustCause::Expired)
            | Cause::Trust(TrustCause::NotYetValid)
            | Cause::Trust(TrustCause::Revoked)
            | Cause::Trust(TrustCause::RevocationUnknown)
            | Cause::Trust(TrustCause::Untrusted)
            | Cause::Trust(TrustCause::DnMismatch)
            | Cause::Trust(TrustCause::NoCertificate)
            | Cause::Trust(TrustCause::TlsRequired)
            | Cause::TlsFailed
            | Cause::ProtocolError
            | Cause::RequireTlsUnsupported => Advice::OtherOperator,
            Cause::Trust(TrustCause::Unlisted)
            | Cause::NoSuchDomain
            | Cause::NoMailServer
            | Cause::RecipientUnknown
            | Cause::RecipientDisabled => Advice::Address,
            Cause::DnsTrouble
            | Cause::Unreachable
            | Cause::TimedOut
            | Cause::ConnectionLost
            | Cause::Deferred
            | Cause::MailboxFull => Advice::Wait,
            Cause::TooLarge => Advice::Smaller,
            Cause::CertificateRefused | Cause::MailLoop | Cause::ContentUnreadable | Cause::Operator => {
                Advice::OurAdministrator
            }
            Cause::Refused | Cause::EightBitUnsupported | Cause::Utf8Unsupported => Advice::Correspondent,
            Cause::Success => Advice::Nothing,
        }
    }

    fn french(self) -> &'static str {
        match self {
            Cause::Trust(TrustCause::Expired) => "Le certificat du serveur de votre correspondant a expiré.",
            Cause::Trust(TrustCause::NotYetValid) => {
                "Le certificat du serveur de votre correspondant n'est pas encore valable."
            }
            Cause::Trust(TrustCause::Revoked) => "Le certificat du serveur de votre correspondant a été révoqué.",
            Cause::Trust(TrustCause::RevocationUnknown) => {
                "On ne peut pas savoir si le certificat du serveur de votre correspondant a été révoqué."
            }
            Cause::Trust(TrustCause::Untrusted) => {
                "Le certificat du serveur de votre correspondant ne vient pas d'une autorité de l'espace de confiance."
            }
            Cause::Trust(TrustCause::Unlisted) => {
                "Le domaine de votre correspondant n'est pas dans l'espace de confiance MSSanté."
            }
            Cause::Trust(TrustCause::DnMismatch) => {
                "Le serveur qui a répondu n'a pas le droit de recevoir pour le domaine de votre correspondant."
            }
            Cause::Trust(TrustCause::NoCertificate) => {
                "Le serveur de votre correspondant n'a pas présenté de certificat."
            }
            Cause::Trust(TrustCause::TlsRequired) => {
                "Le serveur de votre correspondant ne propose pas de liaison chiffrée."
            }
            Cause::CertificateRefused => "Le serveur de votre correspondant n'a pas accepté notre certificat.",
            Cause::TlsFailed => "La liaison chiffrée avec le serveur de votre correspondant n'a pas pu s'établir.",
            Cause::NoSuchDomain => "Le domaine de cette adresse n'existe pas.",
            Cause::NoMailServer => "Le domaine de cette adresse ne reçoit pas de messages.",
            Cause::MailLoop => "Le domaine de cette adresse renvoie à notre propre serveur.",
            Cause::DnsTrouble => "Le serveur de votre correspondant n'a pas pu être trouvé pour le moment.",
            Cause::Unreachable => "Le serveur de votre correspondant est injoignable.",
            Cause::TimedOut => "Le serveur de votre correspondant n'a pas répondu à temps.",
            Cause::ConnectionLost => "La liaison avec le serveur de votre correspondant a été coupée.",
            Cause::ProtocolError => "Le serveur de votre correspondant a répondu de façon incompréhensible.",
            Cause::RecipientUnknown => "Cette adresse n'existe pas chez l'opérateur de votre correspondant.",
            Cause::RecipientDisabled => "La boîte de votre correspondant ne reçoit plus de messages.",
            Cause::MailboxFull => "La boîte de votre correspondant est pleine.",
            Cause::TooLarge => "Le message est trop volumineux pour le serveur de votre correspondant.",
            Cause::Refused => "Le serveur de votre correspondant a refusé le message.",
            Cause::Deferred => "Le serveur de votre correspondant demande de réessayer plus tard.",
            Cause::EightBitUnsupported => "Le serveur de votre correspondant n'accepte pas le codage de ce message.",
            Cause::Utf8Unsupported => "Le serveur de votre correspondant n'accepte pas les adresses avec accents.",
            Cause::RequireTlsUnsupported => {
                "Ce message exige une liaison protégée jusqu'au bout, que le serveur de votre correspondant ne garantit pas."
            }
            Cause::ContentUnreadable => "Le message est endommagé sur notre serveur.",
            Cause::Operator => "L'administrateur de votre messagerie a renoncé à envoyer ce message.",
            Cause::Success => "Le serveur de votre correspondant a accepté le message.",
        }
    }

    fn english(self) -> &'static str {
        match self {
            Cause::Trust(TrustCause::Expired) => "The certificate of your correspondent's server has expired.",
            Cause::Trust(TrustCause::NotYetValid) => "The certificate of your correspondent's server is not valid yet.",
            Cause::Trust(TrustCause::Revoked) => "The certificate of your correspondent's server was revoked.",
            Cause::Trust(TrustCause::RevocationUnknown) => {
                "Whether the certificate of your correspondent's server was revoked cannot be found out."
            }
            Cause::Trust(TrustCause::Untrusted) => {
                "The certificate of your correspondent's server comes from no authority of the trust space."
            }
            Cause::Trust(TrustCause::Unlisted) => "Your correspondent's domain is not in the MSSanté trust space.",
            Cause::Trust(TrustCause::DnMismatch) => {
                "The server that answered may not receive for your correspondent's domain."
            }
            Cause::Trust(TrustCause::NoCertificate) => "Your correspondent's server showed no certificate.",
            Cause::Trust(TrustCause::TlsRequired) => "Your correspondent's server offers no encryption.",
            Cause::CertificateRefused => "Your correspondent's server did not accept our certificate.",
            Cause::TlsFailed => "No encrypted connection to your correspondent's server could be made.",
            Cause::NoSuchDomain => "The domain of this address does not exist.",
            Cause::NoMailServer => "The domain of this address receives no mail.",
            Cause::MailLoop => "The domain of this address leads back to our own server.",
            Cause::DnsTrouble => "Your correspondent's server could not be found for the time being.",
            Cause::Unreachable => "Your correspondent's server cannot be reached.",
            Cause::TimedOut => "Your correspondent's server did not answer in time.",
            Cause::ConnectionLost => "The connection to your correspondent's server broke.",
            Cause::ProtocolError => "Your correspondent's server gave an answer that makes no sense.",
            Cause::RecipientUnknown => "This address does not exist at your correspondent's operator.",
            Cause::RecipientDisabled => "Your correspondent's mailbox receives no more mail.",
            Cause::MailboxFull => "Your correspondent's mailbox is full.",
            Cause::TooLarge => "The message is too large for your correspondent's server.",
            Cause::Refused => "Your correspondent's server refused the message.",
            Cause::Deferred => "Your correspondent's server asks to try again later.",
            Cause::EightBitUnsupported => "Your correspondent's server does not accept the encoding of this message.",
            Cause::Utf8Unsupported => "Your correspondent's server does not accept addresses with accents.",
            Cause::RequireTlsUnsupported => {
                "This message asks for protection all the way, which your correspondent's server does not guarantee."
            }
            Cause::ContentUnreadable => "The message is damaged on our server.",
            Cause::Operator => "The administrator of your mail service gave up sending this message.",
            Cause::Success => "Your correspondent's server accepted the message.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_cause() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_word(cause.word()), Some(cause));
        }
        assert_eq!(Cause::from_word("no such word"), None);
    }

    #[test]
    fn answers_have_causes() {
        for (code, status, cause) in [
            (550, "5.1.1", Cause::RecipientUnknown),
            (550, "5.2.1", Cause::RecipientDisabled),
            (452, "4.2.2", Cause::MailboxFull),
            (552, "5.3.4", Cause::TooLarge),
            (552, "", Cause::TooLarge),
            (552, "5.2.2", Cause::MailboxFull),
            (550, "5.7.1", Cause::Refused),
            (550, "4.1.1", Cause::Refused),
            (554, "", Cause::Refused),
            (451, "4.7.1", Cause::Deferred),
            (421, "", Cause::Deferred),
        ] {
            assert_eq!(Cause::of_answer(code, status.parse().ok()), cause, "{code} {status}");
        }
    }
}
