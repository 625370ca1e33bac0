//! Why a peer is not believed: the words that replies, logs, metrics, bounces and `sceau trust check` share.

use crate::Language;

/// One variant per cause. The words are stable: operators and scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustCause {
    /// A certificate of the chain is past its `notAfter`.
    Expired,
    /// A certificate of the chain is before its `notBefore`.
    NotYetValid,
    /// A certificate of the chain was revoked (RFC 5280 §5, RFC 6960).
    Revoked,
    /// Neither a revocation list nor an OCSP answer that is still valid speaks about a certificate of the chain.
    RevocationUnknown,
    /// The chain does not lead to an authority of the trust space, or the certificate is not fit for this use.
    Untrusted,
    /// The domain, or for the null reverse-path the certificate, is not in the white list.
    Unlisted,
    /// The domain is listed, but not with the certificate's subject.
    DnMismatch,
    /// The peer presented no certificate.
    NoCertificate,
    /// The peer does not use TLS, or does not offer it.
    TlsRequired,
}

impl TrustCause {
    /// Every cause, in the order of the definition.
    pub const ALL: [TrustCause; 9] = [
        TrustCause::Expired,
        TrustCause::NotYetValid,
        TrustCause::Revoked,
        TrustCause::RevocationUnknown,
        TrustCause::Untrusted,
        TrustCause::Unlisted,
        TrustCause::DnMismatch,
        TrustCause::NoCertificate,
        TrustCause::TlsRequired,
    ];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            TrustCause::Expired => "expired",
            TrustCause::NotYetValid => "not-yet-valid",
            TrustCause::Revoked => "revoked",
            TrustCause::RevocationUnknown => "revocation-unknown",
            TrustCause::Untrusted => "untrusted",
            TrustCause::Unlisted => "unlisted",
            TrustCause::DnMismatch => "dn-mismatch",
            TrustCause::NoCertificate => "no-certificate",
            TrustCause::TlsRequired => "tls-required",
        }
    }

    /// Reads the stable word.
    pub fn from_word(word: &str) -> Option<TrustCause> {
        TrustCause::ALL.into_iter().find(|cause| cause.word() == word)
    }

    /// Whether the same certificate may be believed later without anyone changing it: the reply is 4xx, the mail waits.
    pub fn is_transient(self) -> bool {
        self == TrustCause::RevocationUnknown
    }

    /// One ASCII sentence for people.
    pub fn sentence(self, language: Language) -> &'static str {
        match language {
            Language::French => self.french(),
            Language::English => self.english(),
        }
    }

    fn french(self) -> &'static str {
        match self {
            TrustCause::Expired => "Le certificat de l'operateur est expire.",
            TrustCause::NotYetValid => "Le certificat de l'operateur n'est pas encore valide.",
            TrustCause::Revoked => "Le certificat de l'operateur est revoque.",
            TrustCause::RevocationUnknown => {
                "On ne peut pas savoir maintenant si le certificat de l'operateur est revoque, reessayez plus tard."
            }
            TrustCause::Untrusted => {
                "Le certificat de l'operateur ne vient pas d'une autorite de l'espace de confiance MSSante, \
                 ou n'est pas fait pour cet usage."
            }
            TrustCause::Unlisted => "Absent de la liste blanche MSSante.",
            TrustCause::DnMismatch => {
                "Le certificat presente n'est pas un de ceux que la liste blanche MSSante donne a ce domaine."
            }
            TrustCause::NoCertificate => "L'operateur n'a pas presente de certificat.",
            TrustCause::TlsRequired => "L'echange sans TLS est refuse.",
        }
    }

    fn english(self) -> &'static str {
        match self {
            TrustCause::Expired => "The operator's certificate has expired.",
            TrustCause::NotYetValid => "The operator's certificate is not valid yet.",
            TrustCause::Revoked => "The operator's certificate is revoked.",
            TrustCause::RevocationUnknown => {
                "Whether the operator's certificate is revoked cannot be known now, try again later."
            }
            TrustCause::Untrusted => {
                "The operator's certificate does not come from an authority of the MSSante trust space, \
                 or is not made for this use."
            }
            TrustCause::Unlisted => "Not in the MSSante white list.",
            TrustCause::DnMismatch => {
                "The certificate presented is none of those the MSSante white list gives for this domain."
            }
            TrustCause::NoCertificate => "The operator presented no certificate.",
            TrustCause::TlsRequired => "Nothing is exchanged without TLS.",
        }
    }
}

impl std::fmt::Display for TrustCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_sentences_are_ascii() {
        for cause in TrustCause::ALL {
            assert_eq!(TrustCause::from_word(cause.word()), Some(cause));
            for language in [Language::French, Language::English] {
                let sentence = cause.sentence(language);
                assert!(sentence.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{sentence}");
            }
        }
        assert_eq!(TrustCause::from_word("trusted"), None);
    }
}
