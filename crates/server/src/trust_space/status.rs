//! What `sceau trust status`, health and people are told.

use serde::{Deserialize, Serialize};
use trust::timestamp::to_rfc3339;

use super::TrustSpace;
use crate::config::trust::{ListSource, Verification};

/// The trust space as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustStatus {
    /// The white list.
    pub list: ListStatus,
    /// The revocation lists.
    pub revocation: Vec<RevocationStatus>,
    /// When revocation lists were last fetched with success, RFC 3339.
    pub revocation_fetched: Option<String>,
    /// Why the last attempt failed.
    pub revocation_error: Option<String>,
    /// The authorities believed in, and those known on the way to them.
    pub authorities: usize,
}

/// The white list in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStatus {
    /// Where it comes from.
    pub source: String,
    /// `signed`, `pinned-sha256`, `unsigned`.
    pub verification: String,
    /// `DateDeGeneration`, RFC 3339; nothing without a list.
    pub generated: Option<String>,
    /// Seconds since then.
    pub age_seconds: Option<i64>,
    /// Whether it is older than it should be, or missing.
    pub stale: bool,
    /// Domains in it.
    pub domains: usize,
    /// Subjects in it.
    pub subjects: usize,
    /// Entries that could not be read.
    pub faulty: usize,
    /// When it was last fetched with success, RFC 3339.
    pub fetched: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A revocation list in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationStatus {
    /// Who issued it.
    pub issuer: String,
    /// RFC 3339.
    pub this_update: String,
    /// RFC 3339.
    pub next_update: String,
    /// Whether it still counts.
    pub valid: bool,
    /// Certificates revoked by it.
    pub revoked: usize,
}

/// What a refresh came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The white list.
    pub list: Result<(), String>,
    /// The revocation lists.
    pub revocation: Result<(), String>,
}

impl TrustSpace {
    /// The trust space as it is, at `now` (seconds since 1970).
    pub fn status(&self, now: i64) -> TrustStatus {
        let age = self.age(now);
        let known = self.known();
        let list = known.list.as_deref();
        let time = |seconds: Option<i64>| seconds.map(to_rfc3339);
        TrustStatus {
            list: ListStatus {
                source: match &self.config.white_list.source {
                    ListSource::Url(url) => url.clone(),
                    ListSource::File(file) => file.display().to_string(),
                },
                verification: match self.config.white_list.verification {
                    Verification::Signed { .. } => "signed",
                    Verification::Pinned { .. } => "pinned-sha256",
                    Verification::Unsigned => "unsigned",
                }
                .to_owned(),
                generated: time(list.map(|list| list.generated())),
                age_seconds: age.map(|(age, _)| age),
                stale: age.is_none_or(|(_, stale)| stale),
                domains: list.map_or(0, |list| list.domains().len()),
                subjects: list.map_or(0, |list| list.subjects().len()),
                faulty: known.faulty,
                fetched: time(known.list_attempt.succeeded),
                error: known.list_attempt.error.clone(),
            },
            revocation: known
                .revocations
                .lists()
                .iter()
                .map(|list| RevocationStatus {
                    issuer: list.issuer().to_string(),
                    this_update: to_rfc3339(list.this_update()),
                    next_update: to_rfc3339(list.next_update()),
                    valid: now < list.next_update(),
                    revoked: list.revoked(),
                })
                .collect(),
            revocation_fetched: time(known.revocation_attempt.succeeded),
            revocation_error: known.revocation_attempt.error.clone(),
            authorities: known.anchors.certificates().count(),
        }
    }

    /// Whether somebody should look: the white list is old or missing.
    ///
    /// # Errors
    /// A few words.
    pub fn health(&self, now: i64) -> Result<(), &'static str> {
        match self.age(now) {
            None => Err("no white list"),
            Some((_, true)) => Err("white list old"),
            Some((_, false)) => Ok(()),
        }
    }
}
