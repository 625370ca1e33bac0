//! The trust space of a running server: lists fetched, verified, kept on disk, put into use, and told when they grow old.
//!
//! `trust` judges and knows no file; everything it is told comes through here. A list that cannot be had, verified or
//! believed changes nothing: the last good one stays in use.

pub(crate) mod authorities;
pub mod check;
mod judges;
mod kept;
mod revocation;
mod schedule;
mod signature;
mod status;
mod white_list;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use net::http::HttpClient;
use trust::revocation::Revocations;
use trust::{Anchors, Certificate, Current, Dn, Purpose, Rejected, Space, WhiteList};

use crate::config::trust::TrustConfig;
use crate::machine::now;
use crate::telemetry::Metrics;

pub use kept::KeptFiles;
pub use signature::{SignatureError, xmlsec1_is_there};
pub use status::{ListStatus, Refreshed, RevocationStatus, TrustStatus};
pub use white_list::ListError;

/// How often is looked at what is due.
const LOOK: Duration = Duration::from_secs(20);

/// Time a peer is kept waiting while lists or responders are asked about its certificate.
const LEARN_TIME_MAX: Duration = Duration::from_secs(10);

/// The trust space of a server.
pub struct TrustSpace {
    config: TrustConfig,
    files: KeptFiles,
    current: Current,
    metrics: Metrics,
    list_client: HttpClient,
    revocation_client: HttpClient,
    /// What the next [`Space`] is made of. Held while it is changed, never while something is fetched.
    known: Mutex<Known>,
    /// One refresh at a time.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    anchors: Anchors,
    revocations: Revocations,
    list: Option<Arc<WhiteList>>,
    /// Entries of the list that were passed over.
    faulty: usize,
    list_attempt: Attempt,
    revocation_attempt: Attempt,
    /// When each address was last asked because of a certificate, seconds since 1970.
    asked: BTreeMap<String, i64>,
    /// Revocation lists, by where they come from, whose issuer's certificate nobody has shown yet.
    waiting: BTreeMap<String, Vec<u8>>,
    /// Addresses of lists that certificates named.
    named_urls: Vec<String>,
    /// Whether somebody was told that the list is old, and when, seconds since 1970.
    told: Option<i64>,
}

/// The last time something was fetched, or tried.
#[derive(Clone, Debug, Default)]
struct Attempt {
    /// Seconds since 1970.
    at: Option<i64>,
    /// Seconds since 1970.
    succeeded: Option<i64>,
    error: Option<String>,
}

impl Attempt {
    fn record(&mut self, at: i64, outcome: Result<(), String>) {
        self.at = Some(at);
        match outcome {
            Ok(()) => (self.succeeded, self.error) = (Some(at), None),
            Err(error) => self.error = Some(error),
        }
    }
}

impl TrustSpace {
    /// Reads the authorities and what was kept; fetches nothing. `data` is the data folder.
    ///
    /// # Errors
    /// Authorities that cannot be read, or a folder that cannot be made. Kept lists that are no good are only told.
    pub async fn open(config: &TrustConfig, data: &Path, metrics: Metrics) -> anyhow::Result<Arc<TrustSpace>> {
        let files = KeptFiles::open(&data.join("trust"))?;
        let anchors = authorities::read(&config.roots, &config.intermediates)?;
        let client = |configured: &[PathBuf]| -> anyhow::Result<HttpClient> {
            let authorities = match configured {
                [] => anchors.certificates().map(|der| der.to_vec()).collect(),
                files => authorities::any(files)?,
            };
            HttpClient::new(&authorities).context("the authorities of https addresses")
        };
        let list_client = client(&config.white_list.authorities).context("trust.white_list.authorities")?;
        let revocation_client = client(&config.revocation.authorities).context("trust.revocation.authorities")?;
        let known = Known { anchors, ..Known::default() };
        let space = Arc::new(TrustSpace {
            config: config.clone(),
            files,
            current: Current::default(),
            metrics,
            list_client,
            revocation_client,
            known: Mutex::new(known),
            refreshing: tokio::sync::Mutex::new(()),
        });
        space.load_kept_revocations();
        space.load_kept_list().await;
        if config.white_list.verification == crate::config::trust::Verification::Unsigned {
            tracing::warn!(
                "the white list is not verified (trust.white_list.verification = \"unsigned\"): \
                 who can change it on its way decides who may send and receive patients' data"
            );
        }
        Ok(space)
    }

    /// The space as it is now, for those who judge.
    pub fn current(&self) -> &Current {
        &self.current
    }

    /// Refreshes what is due, for ever. At the start, everything.
    pub async fn run(self: Arc<TrustSpace>) {
        let jitter = schedule::Jitter::random();
        loop {
            let now = seconds();
            let due = self.due(now, jitter);
            if due.revocation {
                let _told_already = self.refresh_revocations().await;
            }
            if due.list {
                let _told_already = self.refresh_list().await;
            }
            self.tell_age(seconds());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Fetches everything now.
    pub async fn refresh(&self) -> Refreshed {
        let revocation = self.refresh_revocations().await;
        let list = self.refresh_list().await;
        self.tell_age(seconds());
        Refreshed { list, revocation }
    }

    /// Judges who connected to us; asks lists and responders when nothing is known of the certificate's revocation.
    ///
    /// # Errors
    /// The certificate is not believed; `None` while there is no white list yet.
    pub async fn client(&self, chain: &[Vec<u8>]) -> Option<Result<Certificate, Rejected>> {
        self.current.get()?;
        Some(self.judge(|space| space.client(chain, seconds()), Purpose::Client).await)
    }

    /// Judges software that connects to us: as [`TrustSpace::client`], with or without a white list, which has no say.
    ///
    /// # Errors
    /// The certificate is not believed.
    pub async fn connector(&self, chain: &[Vec<u8>]) -> Result<Certificate, Rejected> {
        self.judge(|space| space.client(chain, seconds()), Purpose::Client).await
    }

    /// Judges whom we connected to under this name, as [`TrustSpace::client`].
    ///
    /// # Errors
    /// As there.
    pub async fn server(&self, chain: &[Vec<u8>], host: &mail::Domain) -> Option<Result<Certificate, Rejected>> {
        self.current.get()?;
        Some(self.judge(|space| space.server(chain, host, seconds()), Purpose::Server).await)
    }

    async fn judge(
        &self,
        judge: impl Fn(&Space) -> Result<Certificate, Rejected>,
        purpose: Purpose,
    ) -> Result<Certificate, Rejected> {
        let mut outcome = judge(&self.space());
        if let Err(rejected) = &outcome
            && !rejected.missing.is_empty()
        {
            let learning = self.learn(&rejected.missing);
            if let Ok(true) = tokio::time::timeout(LEARN_TIME_MAX, learning).await {
                outcome = judge(&self.space());
            }
        }
        let word = outcome.as_ref().map_or_else(|rejected| rejected.cause.word(), |_| "trusted");
        self.metrics.trust_judged(purpose, word);
        outcome
    }

    /// The domain's subjects, or the subject's domains, of the list in use.
    pub fn list(&self) -> Option<Arc<WhiteList>> {
        self.known().list.clone()
    }

    /// Whether `subject` is the whole name of somebody in the list.
    pub fn lists(&self, subject: &Dn) -> bool {
        self.list().is_some_and(|list| list.lists_dn(subject))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known; without a white list, a space that lists nobody.
    fn space(&self) -> Arc<Space> {
        self.current.get().unwrap_or_else(|| Arc::new(self.space_of(&self.known(), Arc::default())))
    }

    fn space_of(&self, known: &Known, list: Arc<WhiteList>) -> Space {
        Space {
            list,
            anchors: Arc::new(known.anchors.clone()),
            revocations: Arc::new(known.revocations.clone()),
            policy: self.config.policy,
        }
    }

    /// The subjects of the authorities: what clients are asked for (RFC 8446 §4.2.4).
    pub fn hints(&self) -> Vec<Vec<u8>> {
        self.known().anchors.hints()
    }

    /// Puts what is known into use. Without a list there is no space.
    fn publish(&self, known: &Known) {
        let Some(list) = known.list.clone() else {
            return;
        };
        self.current.replace(self.space_of(known, list));
    }
}

/// Seconds since 1970.
fn seconds() -> i64 {
    now().seconds()
}
