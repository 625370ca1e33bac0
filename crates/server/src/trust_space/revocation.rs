//! Revocation lists and OCSP answers: fetched, verified by their issuer, kept until they expire.

use net::http::HttpLimits;
use trust::revocation::{CRL_OCTETS_MAX, Missing, OCSP_OCTETS_MAX, RevocationError, lists_of};

use super::{TrustSpace, seconds};

/// What a download of a list may take.
const LIST_LIMITS: HttpLimits = HttpLimits { octets_max: CRL_OCTETS_MAX, time_max: std::time::Duration::from_secs(60) };

/// What an answer may take.
const ANSWER_LIMITS: HttpLimits =
    HttpLimits { octets_max: OCSP_OCTETS_MAX, time_max: std::time::Duration::from_secs(5) };

/// Seconds before the same address is asked again because of a certificate.
const ASK_AGAIN: i64 = 300;

/// Addresses from certificates that are remembered.
const NAMED_URLS_MAX: usize = 200;

/// Lists that wait for their issuer's certificate.
const WAITING_MAX: usize = 20;

/// Addresses remembered as asked lately.
const ASKED_MAX: usize = 1_000;

impl TrustSpace {
    /// The lists kept on disk, and those of the configured files; what is no good any more is passed over.
    pub(super) fn load_kept_revocations(&self) {
        for issuer in self.files.issuers() {
            let _ = self.known().anchors.add_intermediates(&issuer);
        }
        for kept in self.files.revocations() {
            if let Err(error) = self.use_list_of_revocation(&kept.url, &kept.der) {
                tracing::warn!(url = kept.url, %error, "a kept revocation list is not used");
            }
            if self.config.revocation.distribution_points {
                self.remember(&kept.url);
            }
        }
        for error in self.read_files() {
            tracing::warn!(error, "a revocation list is not used");
        }
    }

    /// Reads the files and fetches from all addresses known.
    pub(super) async fn refresh_revocations(&self) -> Result<(), String> {
        let _one_at_a_time = self.refreshing.lock().await;
        let mut errors = self.read_files();
        let named = self.known().named_urls.clone();
        for url in self.config.revocation.urls.iter().chain(&named) {
            let fetched = self.fetch_list_of_revocation(url).await;
            errors.extend(fetched.err().map(|error| format!("{url}: {error}")));
        }
        {
            let mut known = self.known();
            known.revocations.forget_stale_answers(seconds());
            self.publish(&known);
        }
        let outcome = if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) };
        if let Err(error) = &outcome {
            tracing::error!(error, "revocation lists could not be renewed: the old ones count until they expire");
        }
        self.metrics.trust_refreshed("revocation lists", if outcome.is_ok() { "done" } else { "failed" });
        self.known().revocation_attempt.record(seconds(), outcome.clone());
        outcome
    }

    /// Reads the configured files; gives what is wrong.
    fn read_files(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for file in &self.config.revocation.files {
            let name = file.display().to_string();
            let read = std::fs::read(file).map_err(|error| error.to_string());
            errors.extend(
                read.and_then(|octets| self.use_file(&name, &octets)).err().map(|error| format!("{name}: {error}")),
            );
        }
        errors
    }

    fn use_file(&self, name: &str, octets: &[u8]) -> Result<(), String> {
        for der in lists_of(octets).map_err(|error| error.to_string())? {
            self.use_list_of_revocation(name, &der).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Until when the list, or the one in use that is newer, is valid.
    async fn fetch_list_of_revocation(&self, url: &str) -> Result<i64, String> {
        let fetched = self.revocation_client.get(url, LIST_LIMITS).await.map_err(|error| error.to_string())?;
        let lists = lists_of(&fetched).map_err(|error| error.to_string())?;
        let mut until = i64::MIN;
        for der in &lists {
            until = until.max(self.use_list_of_revocation(url, der).map_err(|error| error.to_string())?);
            if let Err(error) = self.files.keep_revocation(url, der) {
                tracing::error!(url, %error, "a revocation list cannot be kept on disk");
            }
        }
        Ok(until)
    }

    fn use_list_of_revocation(&self, source: &str, der: &[u8]) -> Result<i64, RevocationError> {
        let mut known = self.known();
        let anchors = known.anchors.clone();
        let unchanged = known.revocations.lists().iter().any(|list| list.der() == der);
        match known.revocations.add_crl(der, &anchors) {
            Ok(list) => {
                if !unchanged {
                    let issuer = list.issuer().common_name().unwrap_or("-").to_owned();
                    let until = trust::timestamp::to_rfc3339(list.next_update());
                    tracing::info!(issuer, revoked = list.revoked(), until, "revocation list in use");
                    self.publish(&known);
                }
                Ok(list.next_update())
            }
            // A server of theirs that lags behind: what is in use is newer.
            Err(RevocationError::Older) => Ok(i64::MIN),
            Err(RevocationError::NotSigned) => {
                tracing::warn!(source, "a revocation list waits until its issuer's certificate is known");
                if known.waiting.len() < WAITING_MAX || known.waiting.contains_key(source) {
                    known.waiting.insert(source.to_owned(), der.to_vec());
                }
                Ok(i64::MIN)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks where the issuers of a chain say that more could be learned. Whether anything was.
    pub(super) async fn learn(&self, missing: &[Missing]) -> bool {
        let mut learned = false;
        for one in missing {
            if self.know_issuer(&one.issuer) {
                learned = true;
                continue;
            }
            let listed = self.config.revocation.distribution_points && self.learn_lists(one).await;
            learned |= listed || (self.config.revocation.ocsp && self.learn_answer(one).await);
        }
        learned
    }

    /// Whether a list that is valid now was had.
    async fn learn_lists(&self, missing: &Missing) -> bool {
        let mut learned = false;
        for url in missing.crl_urls.iter().filter(|url| self.may_ask(url)) {
            match self.fetch_list_of_revocation(url).await {
                Ok(until) => {
                    self.remember(url);
                    learned |= until > seconds();
                }
                Err(error) => tracing::warn!(url, error, "a revocation list could not be had"),
            }
        }
        learned
    }

    /// Whether a responder answered. What the answer is worth is judged with the certificate.
    async fn learn_answer(&self, missing: &Missing) -> bool {
        for url in missing.ocsp_urls.iter().filter(|url| self.may_ask(&format!("{url} {}", missing.dn))) {
            let request = missing.ocsp_request.clone();
            let answer = self.revocation_client.post(url, "application/ocsp-request", request, ANSWER_LIMITS).await;
            let used = answer.map_err(|error| error.to_string()).and_then(|answer| {
                let mut known = self.known();
                known.revocations.add_ocsp(&answer).map_err(|error| error.to_string())?;
                self.publish(&known);
                Ok(())
            });
            match used {
                Ok(()) => return true,
                Err(error) => tracing::warn!(url, error, "an OCSP responder gave no answer"),
            }
        }
        false
    }

    /// An authority whose path to a root was found may sign lists of its own. Whether one was waiting for it.
    fn know_issuer(&self, der: &[u8]) -> bool {
        let waiting = {
            let mut known = self.known();
            if known.anchors.certificates().any(|known| **known == *der) {
                return false;
            }
            if known.anchors.add_intermediates(der).is_err() {
                return false;
            }
            std::mem::take(&mut known.waiting)
        };
        if let Err(error) = self.files.keep_issuer(der) {
            tracing::error!(%error, "an authority's certificate cannot be kept on disk");
        }
        let used = waiting
            .iter()
            .filter(|(source, der)| self.use_list_of_revocation(source, der).is_ok_and(|until| until > seconds()));
        used.count() > 0
    }

    /// Not more than once in a while: a peer that comes again and again must not make us ask again and again.
    fn may_ask(&self, what: &str) -> bool {
        let (mut known, now) = (self.known(), seconds());
        known.asked.retain(|_, at| now < *at + ASK_AGAIN);
        if known.asked.contains_key(what) || known.asked.len() >= ASKED_MAX {
            return false;
        }
        known.asked.insert(what.to_owned(), now);
        true
    }

    fn remember(&self, url: &str) {
        let mut known = self.known();
        let is_new = !known.named_urls.iter().chain(&self.config.revocation.urls).any(|one| one == url);
        if is_new && known.named_urls.len() < NAMED_URLS_MAX {
            known.named_urls.push(url.to_owned());
        }
    }
}
