//! What the other side says when it gives up (RFC 8446 §6.2).

use std::{fmt, io};

use rustls::AlertDescription;

/// A fatal alert received. Under TLS 1.3 a server that refuses our certificate says so only after our handshake is over:
/// at the first read, as an [`io::Error`] in which [`Alert::in_error`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert(AlertDescription);

impl Alert {
    /// The alert that caused this error of a read, a write or a handshake.
    pub fn in_error(error: &io::Error) -> Option<Alert> {
        match error.get_ref()?.downcast_ref()? {
            rustls::Error::AlertReceived(description) => Some(Alert(*description)),
            _ => None,
        }
    }

    /// True when it is our certificate, or that we have none, which the other side does not like.
    /// `handshake_failure` is what TLS 1.2 servers send for want of a certificate (RFC 5246 §7.4.6).
    pub fn concerns_our_certificate(self) -> bool {
        use AlertDescription::{
            AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
            CertificateUnknown, HandshakeFailure, NoCertificate, UnknownCA, UnsupportedCertificate,
        };
        matches!(
            self.0,
            AccessDenied
                | BadCertificate
                | CertificateExpired
                | CertificateRequired
                | CertificateRevoked
                | CertificateUnknown
                | HandshakeFailure
                | NoCertificate
                | UnknownCA
                | UnsupportedCertificate
        )
    }

    /// Its number in IANA's registry.
    pub fn number(self) -> u8 {
        self.0.into()
    }
}

impl fmt::Display for Alert {
    /// The name in the RFCs' spelling: `certificate_required`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let AlertDescription::UnknownCA = self.0 {
            return f.write_str("unknown_ca");
        }
        let name = format!("{:?}", self.0);
        if name.contains('(') {
            return write!(f, "alert {}", self.number());
        }
        for (place, letter) in name.char_indices() {
            if letter.is_ascii_uppercase() && place > 0 {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        for (number, name, certificate) in [
            (116, "certificate_required", true),
            (48, "unknown_ca", true),
            (44, "certificate_revoked", true),
            (40, "handshake_failure", true),
            (70, "protocol_version", false),
            (80, "internal_error", false),
            (200, "alert 200", false),
        ] {
            let alert = Alert(AlertDescription::from(number));
            assert_eq!((alert.to_string().as_str(), alert.number()), (name, number));
            assert_eq!(alert.concerns_our_certificate(), certificate, "{name}");
        }
    }

    #[test]
    fn other_errors_hold_none() {
        assert_eq!(Alert::in_error(&io::ErrorKind::ConnectionReset.into()), None);
        assert_eq!(Alert::in_error(&io::Error::other(rustls::Error::DecryptError)), None);
    }
}
