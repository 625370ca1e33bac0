//! The white list: fetched, verified, compared with the one in use, kept.

use std::sync::Arc;

use aws_lc_rs::digest;
use net::http::{HttpError, HttpLimits};
use trust::white_list::{Limits, OCTETS_MAX, Parsed, Refused, may_replace};
use trust::{Purpose, Rejected, Space, WhiteList, WhiteListError, timestamp};

use super::kept::hexadecimal;
use super::signature::{self, SignatureError};
use super::{TrustSpace, seconds};
use crate::config::trust::{ListSource, Verification};

/// What a download may take.
const LIMITS: HttpLimits = HttpLimits { octets_max: OCTETS_MAX, time_max: std::time::Duration::from_secs(120) };

/// Faults of a list that are logged one by one.
const FAULTS_TOLD_MAX: usize = 20;

/// Seconds after which it is told again that the list is old.
const TOLD_AGAIN: i64 = 6 * 3_600;

/// Why a list was not put into use.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not fetched.
    #[error("fetching: {0}")]
    Http(#[from] HttpError),
    /// Not read.
    #[error("reading {0}: {1}")]
    File(String, std::io::Error),
    /// No white list.
    #[error(transparent)]
    Parse(#[from] WhiteListError),
    /// Not the pinned one.
    #[error("its SHA-256 is {0}, not the pinned one")]
    NotPinned(String),
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signer's certificate.
    #[error("its signer's certificate: {0}")]
    Signer(Rejected),
    /// Worse than the one in use.
    #[error("not put into use: {0}")]
    Refused(#[from] Refused),
    /// Reading and verifying were cut off.
    #[error("cut off while it was read")]
    CutOff,
}

/// Which list is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// One that was just fetched: the signer must be good now.
    Fetched,
    /// The one that was good when it was kept: the signer must have been good when it was generated.
    Kept,
}

impl TrustSpace {
    /// Fetches the list and puts it into use when it is good.
    pub(super) async fn refresh_list(&self) -> Result<(), String> {
        let _one_at_a_time = self.refreshing.lock().await;
        let outcome = self.fetch_list().await.map_err(|error| error.to_string());
        match &outcome {
            Ok(()) => self.metrics.trust_refreshed("white list", "done"),
            Err(error) => {
                self.metrics.trust_refreshed("white list", "failed");
                tracing::error!(error, "the white list could not be renewed: the old one stays in use");
            }
        }
        self.known().list_attempt.record(seconds(), outcome.clone());
        outcome
    }

    async fn fetch_list(&self) -> Result<(), ListError> {
        let xml = match &self.config.white_list.source {
            ListSource::Url(url) => self.list_client.get(url, LIMITS).await?,
            ListSource::File(file) => {
                let read = tokio::fs::read(file).await;
                read.map_err(|error| ListError::File(file.display().to_string(), error))?
            }
        };
        let (xml, parsed) = self.verified(xml, Occasion::Fetched).await?;
        let limits = Limits { lost_percent_max: self.config.white_list.lost_percent_max };
        let in_use = self.list();
        may_replace(in_use.as_deref(), &parsed.list, &limits, seconds())?;
        let unchanged = in_use.is_some_and(|in_use| *in_use == parsed.list);
        if !unchanged && let Err(error) = self.files.keep_white_list(&xml) {
            // In use all the same: only a restart without network would miss it.
            tracing::error!(%error, "the white list cannot be kept on disk");
        }
        self.use_list(parsed, unchanged);
        Ok(())
    }

    /// The list kept on disk.
    pub(super) async fn load_kept_list(&self) {
        let file = self.files.white_list();
        let xml = match tokio::fs::read(&file).await {
            Ok(xml) => xml,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "the kept white list cannot be read");
                return;
            }
        };
        match self.verified(xml, Occasion::Kept).await {
            Ok((_, parsed)) => self.use_list(parsed, false),
            Err(error) => tracing::error!(file = %file.display(), %error, "the kept white list is not used"),
        }
    }

    fn use_list(&self, parsed: Parsed, unchanged: bool) {
        let generated = timestamp::to_rfc3339(parsed.list.generated());
        let (domains, subjects) = (parsed.list.domains().len(), parsed.list.subjects().len());
        let mut known = self.known();
        if !unchanged {
            for fault in parsed.faults.iter().take(FAULTS_TOLD_MAX) {
                tracing::warn!(%fault, "white list");
            }
            tracing::info!(generated, domains, subjects, faulty = parsed.faulty, "white list in use");
        }
        self.metrics.trust_list(parsed.list.generated(), domains, parsed.faulty);
        known.faulty = parsed.faulty;
        known.list = Some(Arc::new(parsed.list));
        self.publish(&known);
    }

    /// Reads a list and verifies it as the configuration demands.
    async fn verified(&self, xml: Vec<u8>, occasion: Occasion) -> Result<(Vec<u8>, Parsed), ListError> {
        // A list takes a tenth of a second to read: not on a network thread.
        let reading = tokio::task::spawn_blocking(move || {
            let parsed = WhiteList::parse(&xml);
            (xml, parsed)
        });
        let (xml, parsed) = reading.await.map_err(|_| ListError::CutOff)?;
        let parsed = parsed?;
        match &self.config.white_list.verification {
            Verification::Unsigned => {}
            Verification::Pinned { sha256 } => {
                let found = hexadecimal(digest::digest(&digest::SHA256, &xml).as_ref());
                if found != *sha256 {
                    return Err(ListError::NotPinned(found));
                }
            }
            Verification::Signed { signer } => {
                let chain = signature::chain_of(&xml, signer)?;
                self.judge_signer(&chain, occasion, parsed.list.generated()).await?;
                signature::verify(&xml, &chain, self.files.folder()).await?;
            }
        }
        Ok((xml, parsed))
    }

    async fn judge_signer(&self, chain: &[Vec<u8>], occasion: Occasion, generated: i64) -> Result<(), ListError> {
        let judge = || {
            let known = self.known();
            let mut policy = self.config.policy;
            let time = match occasion {
                Occasion::Fetched => seconds(),
                Occasion::Kept => {
                    policy.revocation_unknown = trust::certificate::UnknownRevocation::Accept;
                    generated
                }
            };
            let (anchors, revocations) = (Arc::new(known.anchors.clone()), Arc::new(known.revocations.clone()));
            Space { anchors, revocations, policy, ..Space::default() }.judge(chain, Purpose::Signer, time)
        };
        let rejected = match judge() {
            Ok(_) => return Ok(()),
            Err(rejected) => rejected,
        };
        if occasion == Occasion::Fetched && !rejected.missing.is_empty() && self.learn(&rejected.missing).await {
            return judge().map(|_| ()).map_err(ListError::Signer);
        }
        Err(ListError::Signer(rejected))
    }

    /// Whether the list in use is older than it should be; `None` without a list.
    pub(super) fn age(&self, now: i64) -> Option<(i64, bool)> {
        let list = self.list()?;
        let age = now.saturating_sub(list.generated());
        let max = i64::try_from(self.config.white_list.alert_age.as_secs()).unwrap_or(i64::MAX);
        Some((age, age > max))
    }

    /// Says, once in a while, that the list is old or missing.
    pub(super) fn tell_age(&self, now: i64) {
        let age = self.age(now);
        let stale = age.is_none_or(|(_, stale)| stale);
        self.metrics.trust_stale(stale);
        let mut known = self.known();
        if !stale {
            known.told = None;
            return;
        }
        if known.told.is_some_and(|told| now < told + TOLD_AGAIN) {
            return;
        }
        known.told = Some(now);
        let error = known.list_attempt.error.clone();
        match age {
            Some((age, _)) => tracing::error!(age_hours = age / 3_600, error, "the white list is old"),
            None => tracing::error!(error, "there is no white list: nothing is received or sent yet"),
        }
    }
}
