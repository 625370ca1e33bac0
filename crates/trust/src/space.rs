//! Everything known of the trust space at one moment.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use mail::Domain;

use crate::Cause;
use crate::anchors::Anchors;
use crate::certificate::{Certificate, CertificatePolicy, HostName, Purpose, Rejected, judge};
use crate::revocation::Revocations;
use crate::white_list::WhiteList;

/// Everything known of the trust space at one moment. Never changed: [`Current`] gets a new one.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// Who may speak for which domain.
    pub list: Arc<WhiteList>,
    /// Who is believed.
    pub anchors: Arc<Anchors>,
    /// What is known of revocation.
    pub revocations: Arc<Revocations>,
    /// What is demanded of certificates.
    pub policy: CertificatePolicy,
}

impl Space {
    /// Judges who connected to us; `chain` is the leaf first, DER, `now` in seconds since 1970.
    ///
    /// # Errors
    /// The certificate is not believed.
    pub fn client(&self, chain: &[Vec<u8>], now: i64) -> Result<Certificate, Rejected> {
        self.judge(chain, Purpose::Client, now)
    }

    /// Judges whom we connected to under this name.
    ///
    /// # Errors
    /// The certificate is not believed, or its names are not the host's and the policy demands it.
    pub fn server(&self, chain: &[Vec<u8>], host: &Domain, now: i64) -> Result<Certificate, Rejected> {
        let certificate = self.judge(chain, Purpose::Server, now)?;
        if self.policy.host_name == HostName::Require && !certificate.names_host(host) {
            let explanation = format!("it names {}, not {host}", certificate.names.join(", "));
            let dn = Some(certificate.dn);
            return Err(Rejected { cause: Cause::Untrusted, dn, explanation, missing: Vec::new() });
        }
        Ok(certificate)
    }

    /// Judges a chain presented for this purpose.
    ///
    /// # Errors
    /// The certificate is not believed.
    pub fn judge(&self, chain: &[Vec<u8>], purpose: Purpose, now: i64) -> Result<Certificate, Rejected> {
        judge(chain, purpose, &self.anchors, &self.revocations, &self.policy, now)
    }

    /// Whether a certificate that is believed may speak for a domain: send from it, or receive for it.
    ///
    /// # Errors
    /// [`Cause::Unlisted`], [`Cause::DnMismatch`].
    pub fn speaks_for(&self, certificate: &Certificate, domain: &Domain) -> Result<(), Cause> {
        match self.list.operators(domain) {
            None => Err(Cause::Unlisted),
            Some(subjects) if subjects.contains(&certificate.dn) => Ok(()),
            Some(_) => Err(Cause::DnMismatch),
        }
    }

    /// Whether a certificate that is believed may speak for any domain at all: all that the null reverse-path asks.
    ///
    /// # Errors
    /// [`Cause::Unlisted`].
    pub fn is_listed(&self, certificate: &Certificate) -> Result<(), Cause> {
        if self.list.lists_dn(&certificate.dn) { Ok(()) } else { Err(Cause::Unlisted) }
    }
}

/// The trust space as it is now, shared by all who ask: cheap to clone, cheap to read.
#[derive(Clone, Debug, Default)]
pub struct Current(Arc<ArcSwapOption<Space>>);

impl Current {
    /// Of a space that is known.
    pub fn new(space: Space) -> Current {
        let current = Current::default();
        current.replace(space);
        current
    }

    /// The space; `None` as long as no white list was ever loaded: then nothing is decided, mail waits.
    pub fn get(&self) -> Option<Arc<Space>> {
        self.0.load_full()
    }

    /// Puts another in its place. Who holds the old one finishes with it.
    pub fn replace(&self, space: Space) {
        self.0.store(Some(Arc::new(space)));
    }
}
