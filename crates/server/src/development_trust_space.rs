//! A trust space for development: a fake IGC-Santé, two operators, hospital software, revocation lists, a signed white
//! list, and the certificates of ANS's audit, each wrong in one way.
//!
//! The names are laid out as the real ones, and the same each time; the keys are made once and kept. Nothing else trusts
//! any of it.

mod authority;
mod holder;
mod name;
mod revocation;
mod white_list;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use net::tls::CertificateFiles;

use self::authority::Authorities;
pub use self::holder::Holder;
pub use self::name::Name;
pub use self::white_list::{Entry, Signing};

/// A certificate with less than this left is made anew.
const LEFT_MIN: Duration = Duration::from_secs(30 * 86_400);

/// How long a revocation list is good, as the real ones.
pub const REVOCATION_VALID: Duration = Duration::from_secs(7 * 86_400);

/// What is to be in the space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The mail domains of operator A.
    pub domains_a: Vec<String>,
    /// The mail domains of operator B.
    pub domains_b: Vec<String>,
    /// A domain that only [`Holder::OtherDomain`] may speak for.
    pub other_domain: String,
    /// Where certificates say that their authority's revocation list is; nothing when empty.
    pub revocation_urls: Vec<String>,
}

/// The folder of a development trust space.
#[derive(Clone, Debug)]
pub struct DevelopmentTrustSpace {
    folder: PathBuf,
    /// Whether the white list is signed.
    pub signing: Signing,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            domains_a: vec!["hopital.example".into(), "cabinet.example".into()],
            domains_b: vec!["clinique.example".into()],
            other_domain: "ailleurs.example".into(),
            revocation_urls: Vec::new(),
        }
    }
}

impl Plan {
    /// The entries of the white list: whose certificate speaks for which domain, and the domains of the audit.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut list = |domain: &str, holder: Holder| {
            entries.push(Entry { domain: domain.to_owned(), name: holder.name().to_string() });
        };
        self.domains_a.iter().for_each(|domain| list(domain, Holder::OperatorA));
        self.domains_b.iter().for_each(|domain| list(domain, Holder::Valid));
        list(&self.other_domain, Holder::OtherDomain);
        for (domain, holder) in AUDIT_DOMAINS {
            list(domain, holder);
        }
        entries
    }
}

/// The domains of the audit, and whose name the list gives for each. What their servers show is another matter: that of
/// the second column, but for `cert-no-match` ([`Holder::Unlisted`]) and `cert-cn-diff-dn` ([`Holder::SameCn`]).
pub const AUDIT_DOMAINS: [(&str, Holder); 7] = [
    ("cert-valide-audit.espacedeconfiance.example", Holder::Valid),
    ("cert-expire-audit.espacedeconfiance.example", Holder::Expired),
    ("cert-revoque-audit.espacedeconfiance.example", Holder::Revoked),
    ("cert-non-igc-audit.espacedeconfiance.example", Holder::Foreign),
    ("cert-no-match-audit.espacedeconfiance.example", Holder::Valid),
    ("cert-cn-diff-dn-audit.espacedeconfiance.example", Holder::Valid),
    ("sans-tls-audit.espacedeconfiance.example", Holder::Valid),
];

impl DevelopmentTrustSpace {
    /// Makes what is missing in a folder, and renews what ends soon. Revocation lists and white list are written anew.
    ///
    /// # Errors
    /// When files cannot be read or written, or hold something else, or `xmlsec1` is there and fails.
    pub fn ensure(folder: &Path, plan: &Plan) -> anyhow::Result<DevelopmentTrustSpace> {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let (authorities, are_new) = Authorities::ensure(folder)?;
        let mut space = DevelopmentTrustSpace { folder: folder.to_owned(), signing: Signing::Done };
        for holder in Holder::ALL {
            let files = space.certificate(holder);
            if are_new || !holder.is_good(&files, LEFT_MIN) {
                authorities.issue(holder, &files, &plan.revocation_urls)?;
            }
        }
        space.write_revocation_lists(&[Holder::Revoked], SystemTime::now(), REVOCATION_VALID)?;
        space.signing = space.write_white_list(&plan.entries(), SystemTime::now())?;
        Ok(space)
    }

    /// The roots that the space trusts, PEM.
    pub fn roots(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// The authority of organisations, which issued all certificates, PEM.
    pub fn organisations(&self) -> PathBuf {
        self.folder.join("organisations.pem")
    }

    /// The revocation lists of the organisations' authority and of the root, DER.
    pub fn revocation_lists(&self) -> [PathBuf; 2] {
        [self.folder.join("organisations.crl"), self.folder.join("root.crl")]
    }

    /// The white list.
    pub fn white_list(&self) -> PathBuf {
        self.folder.join("white-list.xml")
    }

    /// A holder's chain, own certificate first, without the root, and key.
    pub fn certificate(&self, holder: Holder) -> CertificateFiles {
        let file = |ending: &str| self.folder.join(format!("{}.{ending}", holder.file_name()));
        CertificateFiles { chain: file("pem"), key: file("key") }
    }

    /// Writes both revocation lists: these certificates are revoked from `from` on; the lists are good for `valid`.
    ///
    /// # Errors
    /// When an authority or a certificate cannot be read, or a list not written.
    pub fn write_revocation_lists(&self, revoked: &[Holder], from: SystemTime, valid: Duration) -> anyhow::Result<()> {
        let (authorities, _) = Authorities::ensure(&self.folder)?;
        let serials: Vec<Vec<u8>> =
            revoked.iter().map(|holder| revocation::serial(&self.certificate(*holder))).collect::<Result<_, _>>()?;
        let [organisations, root] = self.revocation_lists();
        revocation::write(&organisations, &authorities.organisations, &serials, from, valid)?;
        revocation::write(&root, &authorities.root, &[], from, valid)
    }

    /// Writes and signs the white list.
    ///
    /// # Errors
    /// When it cannot be written, or `xmlsec1` is there and fails.
    pub fn write_white_list(&self, entries: &[Entry], generated: SystemTime) -> anyhow::Result<Signing> {
        let signer = self.certificate(Holder::ListSigner);
        white_list::write(&self.white_list(), entries, generated, &signer, &self.organisations())
    }
}

#[cfg(test)]
mod tests;
