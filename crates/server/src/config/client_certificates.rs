//! Whether a listener asks its clients for a certificate.

use super::reader::Section;
use super::{Role, Tls};

/// What a listener does about its clients' certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None is asked for: where people connect, their programs and card readers would prompt them.
    #[default]
    Ignored,
    /// Asked for: EXTERNAL may be used.
    Requested,
    /// Asked for, and good without AUTH: MAIL chooses among the boxes it is bound to.
    SignIn,
}

impl ClientCertificates {
    pub(super) fn read(section: &Section<'_>, role: Option<Role>, tls: Tls) -> ClientCertificates {
        let choices = [
            ("ignored", ClientCertificates::Ignored),
            ("requested", ClientCertificates::Requested),
            ("sign-in", ClientCertificates::SignIn),
        ];
        let chosen = section.choice("client_certificates", &choices, ClientCertificates::Ignored);
        match (chosen, role) {
            (ClientCertificates::Ignored, _) => {}
            (_, Some(Role::Relay | Role::Gateway)) => {
                let remedy = "leave it out here; hospital software connects to listeners of its own";
                section.fault("client_certificates", "other operators are not asked by this key", remedy);
            }
            (ClientCertificates::SignIn, Some(Role::Imap)) => {
                let remedy = "write \"requested\": IMAP clients use AUTHENTICATE EXTERNAL";
                section.fault("client_certificates", "IMAP has no MAIL that could choose the box", remedy);
            }
            _ if tls == Tls::None => {
                section.fault("client_certificates", "there is no certificate without TLS", "write tls = \"implicit\"");
            }
            _ => {}
        }
        chosen
    }

    /// Whether clients are asked for one.
    pub fn are_asked_for(self) -> bool {
        self != ClientCertificates::Ignored
    }
}
