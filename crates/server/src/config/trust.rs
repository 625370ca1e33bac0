//! `[trust]`: who is believed, and where lists come from.

use std::path::PathBuf;
use std::time::Duration;

use trust::Dn;
use trust::certificate::{CertificatePolicy, ExtendedKeyUsage, HostName, UnknownRevocation};

use super::reader::Section;

/// The trust space of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustConfig {
    /// Files of root certificates, PEM or DER.
    pub roots: Vec<PathBuf>,
    /// Files of intermediate authorities' certificates, PEM or DER.
    pub intermediates: Vec<PathBuf>,
    /// What is demanded of certificates.
    pub policy: CertificatePolicy,
    /// The white list.
    pub white_list: WhiteListConfig,
    /// Revocation lists and OCSP.
    pub revocation: RevocationConfig,
}

/// The white list: from where, how verified, how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhiteListConfig {
    /// Where it comes from.
    pub source: ListSource,
    /// Files of the authorities under which its `https` address is believed; empty: the roots.
    pub authorities: Vec<PathBuf>,
    /// How it is verified.
    pub verification: Verification,
    /// How often it is fetched.
    pub refresh: Duration,
    /// How old its `DateDeGeneration` may be before somebody is told.
    pub alert_age: Duration,
    /// Of 100 domains, how many a new list may lack.
    pub lost_percent_max: u8,
}

/// Where the white list comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// An `https` address.
    Url(String),
    /// A file that somebody else keeps fresh.
    File(PathBuf),
}

/// How a white list is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By its XML signature, made by the holder of this name whose certificate leads to the roots.
    Signed {
        /// The signer's whole subject.
        signer: Dn,
    },
    /// By the SHA-256 of the file: for a list that somebody handed over by another way.
    Pinned {
        /// The hash, lower-case hexadecimal.
        sha256: String,
    },
    /// Not at all.
    Unsigned,
}

/// Revocation lists and OCSP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationConfig {
    /// Addresses of revocation lists to keep, beside those that certificates name.
    pub urls: Vec<String>,
    /// Files of revocation lists that somebody else keeps fresh.
    pub files: Vec<PathBuf>,
    /// Whether the addresses in certificates are fetched from.
    pub distribution_points: bool,
    /// Whether OCSP responders are asked where no list is valid.
    pub ocsp: bool,
    /// Files of the authorities under which `https` addresses of lists are believed; empty: the roots.
    pub authorities: Vec<PathBuf>,
    /// The hour of the day, local time, after which lists are fetched anew.
    pub renewal_hour: i8,
}

const CERTIFICATE_REMEDY: &str = "write the path of a PEM or DER file of certificates";

impl TrustConfig {
    pub(super) fn read(section: &Section<'_>) -> Option<TrustConfig> {
        let roots = section.paths("roots", CERTIFICATE_REMEDY);
        if roots.is_empty() {
            section.fault("roots", "nobody would be believed", "name the files of the roots: roots = [\"ACR-EL.pem\"]");
        }
        let intermediates = section.paths("intermediates", CERTIFICATE_REMEDY);
        let policy = CertificatePolicy {
            extended_key_usage: section.choice(
                "extended_key_usage",
                &[("either", ExtendedKeyUsage::Either), ("strict", ExtendedKeyUsage::Strict)],
                ExtendedKeyUsage::Either,
            ),
            revocation_unknown: section.choice(
                "revocation_unknown",
                &[("wait", UnknownRevocation::Refuse), ("accept", UnknownRevocation::Accept)],
                UnknownRevocation::Refuse,
            ),
            host_name: section.choice(
                "host_name",
                &[("off", HostName::Off), ("log", HostName::Log), ("require", HostName::Require)],
                HostName::Log,
            ),
        };
        let white_list = section.section("white_list", WhiteListConfig::read);
        let revocation = section.section("revocation", RevocationConfig::read);
        Some(TrustConfig { roots, intermediates, policy, white_list: white_list?, revocation })
    }
}

impl WhiteListConfig {
    fn read(section: &Section<'_>) -> Option<WhiteListConfig> {
        let (url, file) = (section.text("url"), section.path("file"));
        let source = match (url, file) {
            (Some(url), None) if url.starts_with("https://") => Some(ListSource::Url(url.to_owned())),
            (Some(_), None) => {
                section.fault("url", "the list would travel in clear", "write an address that begins with https://");
                None
            }
            (None, Some(file)) => Some(ListSource::File(file)),
            (Some(_), Some(_)) => {
                section.fault("file", "the list has an address already", "keep url or file, not both");
                None
            }
            (None, None) => {
                section.fault("url", "missing", "write url = \"https://…\", or file = \"path\"");
                None
            }
        };
        let verification = Verification::read(section);
        let authorities = section.paths("authorities", CERTIFICATE_REMEDY);
        let refresh = Duration::from_secs(section.whole("refresh_minutes", 1..=10_080, 60) * 60);
        let alert_age = Duration::from_secs(section.whole("alert_hours", 1..=8_760, 72) * 3_600);
        let lost = section.whole("lost_percent_max", 0..=100, 10);
        Some(WhiteListConfig {
            source: source?,
            authorities,
            verification: verification?,
            refresh,
            alert_age,
            lost_percent_max: u8::try_from(lost).unwrap_or(10),
        })
    }
}

impl Verification {
    fn read(section: &Section<'_>) -> Option<Verification> {
        let signer: Option<Dn> =
            section.parsed("signer", "write the signer's whole subject, as \"CN=…,OU=…,O=…,C=FR\"");
        let sha256 = section.text("sha256");
        let remedy = "write \"signed\", \"pinned-sha256\" or, where nothing is at stake, \"unsigned\"";
        match section.text("verification") {
            Some("signed") | None => {
                if signer.is_none() {
                    section.fault("signer", "anybody under the roots could sign", "write the signer's whole subject");
                }
                Some(Verification::Signed { signer: signer? })
            }
            Some("pinned-sha256") => {
                let hash = sha256.unwrap_or_default().to_ascii_lowercase();
                let is_hash = hash.len() == 64 && hash.bytes().all(|octet| octet.is_ascii_hexdigit());
                if !is_hash {
                    section.fault("sha256", "not a SHA-256", "write the 64 hexadecimal digits that sha256sum prints");
                    return None;
                }
                Some(Verification::Pinned { sha256: hash })
            }
            Some("unsigned") => {
                section.warning(
                    "verification",
                    "whoever can change the list on its way decides who may send and receive patients' data",
                    "write \"signed\" and the signer's subject",
                );
                Some(Verification::Unsigned)
            }
            Some(other) => {
                section.fault("verification", format!("\"{other}\" is not known"), remedy);
                None
            }
        }
    }
}

impl RevocationConfig {
    fn read(section: &Section<'_>) -> RevocationConfig {
        let urls: Vec<String> = section.list("urls", "write an http or https address");
        for url in &urls {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                section.fault(
                    "urls",
                    format!("\"{url}\" is no address we can fetch"),
                    "write an http or https address",
                );
            }
        }
        RevocationConfig {
            urls,
            files: section.paths("files", "write the path of a revocation list, DER or PEM"),
            distribution_points: section.flag("distribution_points", true),
            ocsp: section.flag("ocsp", true),
            authorities: section.paths("authorities", CERTIFICATE_REMEDY),
            renewal_hour: i8::try_from(section.whole("renewal_hour", 0..=23, 7)).unwrap_or(7),
        }
    }
}
