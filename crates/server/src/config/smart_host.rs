//! `[relay.smart_host]`: what takes the system's own notices, and nothing that people write.

use std::path::PathBuf;

use mail::{Address, Domain};

use super::reader::Section;

/// The smart host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartHostConfig {
    /// Its name, which its certificate must have.
    pub host: Domain,
    /// Where it listens.
    pub port: u16,
    /// Files of the authorities under which its certificate is believed.
    pub authorities: Vec<PathBuf>,
    /// Whom to sign in as.
    pub sign_in: Option<SignIn>,
    /// What MAIL says; the null reverse-path without one.
    pub sender: Option<Address>,
    /// How notices are signed.
    pub signing: Option<Signing>,
}

/// A user name, and the file with its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The user name.
    pub login: String,
    /// Its first line.
    pub password_file: PathBuf,
}

/// DKIM (RFC 6376).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// `d=`
    pub domain: Domain,
    /// `s=`
    pub selector: String,
    /// An RSA key, PEM.
    pub key: PathBuf,
}

/// Message submission (RFC 6409 §3.1).
const SUBMISSION_PORT: u16 = 587;

impl SmartHostConfig {
    pub(super) fn read(section: &Section<'_>) -> Option<SmartHostConfig> {
        let authorities = section.paths("authorities", "write the path of a PEM file of certificates");
        if authorities.is_empty() {
            let remedy = "name the roots of its certificate, as authorities = [\"/etc/ssl/certs/ca-certificates.crt\"]";
            section.fault("authorities", "its certificate would never be believed", remedy);
        }
        let login: Option<String> = section.parsed("login", "write the user name");
        let sign_in = match (login, section.path("password_file")) {
            (None, None) => None,
            (Some(login), Some(password_file)) => Some(SignIn { login, password_file }),
            (Some(_), None) | (None, Some(_)) => {
                section.fault("login", "a user name and its password come together", "write login and password_file");
                None
            }
        };
        let port = section.whole("port", 1..=65_535, SUBMISSION_PORT.into());
        Some(SmartHostConfig {
            host: section.required("host", "write its full name")?,
            port: u16::try_from(port).unwrap_or(SUBMISSION_PORT),
            authorities,
            sign_in,
            sender: section.parsed("sender", "write an address"),
            signing: section.optional_section("dkim", |section| {
                let domain = section.required("domain", "write the domain that signs");
                let selector = section.required("selector", "write the label under _domainkey");
                let key = section.required_path("key", "write the path of a PEM file with an RSA key");
                Some(Signing { domain: domain?, selector: selector?, key: key? })
            }),
        })
    }
}
