//! The operator at the other end of a relay session: judged by the trust space as it is at each MAIL.

use std::sync::Arc;

use delivery::Peer;
use mail::{Refusal, ReversePath};
use policy::relay;
use trust::{Cause, Certificate, Rejected, Space};

use crate::machine::now;
use crate::sessions::Session;
use crate::telemetry::{Metrics, OutcomeLabels};
use crate::trust_space::TrustSpace;

/// Seconds a verdict is good while the space stays the same: validity ends at seconds, and nobody sends that fast for long.
const VERDICT_SECONDS: i64 = 60;

/// What is known of a session's peer.
pub struct Operator {
    /// None where none is configured: then nobody is believed.
    trust: Option<Arc<TrustSpace>>,
    metrics: Metrics,
    /// What it showed; none before TLS.
    chain: Option<Vec<Vec<u8>>>,
    judged: Option<Judged>,
}

struct Judged {
    space: Arc<Space>,
    at: i64,
    verdict: Result<Arc<Certificate>, Rejected>,
}

impl Judged {
    fn is_fresh(&self, space: &Arc<Space>, now: i64) -> bool {
        Arc::ptr_eq(&self.space, space) && (self.at..self.at + VERDICT_SECONDS).contains(&now)
    }
}

impl Operator {
    /// Before TLS.
    pub fn new(trust: Option<Arc<TrustSpace>>, metrics: Metrics) -> Operator {
        Operator { trust, metrics, chain: None, judged: None }
    }

    /// TLS is there, and this was shown.
    pub fn shows(&mut self, chain: Vec<Vec<u8>>) {
        (self.chain, self.judged) = (Some(chain), None);
    }

    /// At MAIL: whether the peer may name this sender, by the lists as they are now.
    ///
    /// # Errors
    /// Policy's refusals; [`Refusal::WhiteListMissing`].
    pub async fn sender(&mut self, session: &Session, path: &ReversePath) -> Result<Peer, Refusal> {
        let verdict = self.judge(path).await;
        let dn = self.judged.as_ref().and_then(|judged| match &judged.verdict {
            Ok(certificate) => Some(certificate.dn.to_string()),
            Err(rejected) => rejected.dn.as_ref().map(ToString::to_string),
        });
        let outcome = verdict.as_ref().map_or_else(Refusal::rule, |_| "trusted");
        self.metrics.peer_verdicts.get_or_create(&OutcomeLabels { outcome }).inc();
        let domain = match path {
            ReversePath::Null => "",
            ReversePath::Address(address) => address.domain().as_str(),
        };
        let dn = dn.as_deref().unwrap_or_default();
        let (session_id, peer) = (session.id().0, session.peer());
        match (&verdict, self.judged.as_ref().map(|judged| &judged.verdict)) {
            (Ok(_), _) => tracing::debug!(session = session_id, %peer, dn, domain, outcome, "operator believed"),
            (Err(_), Some(Err(rejected))) => {
                let why = &rejected.explanation;
                tracing::info!(session = session_id, %peer, dn, domain, outcome, why, "operator not believed");
            }
            (Err(_), _) => tracing::info!(session = session_id, %peer, dn, domain, outcome, "operator not believed"),
        }
        verdict
    }

    async fn judge(&mut self, path: &ReversePath) -> Result<Peer, Refusal> {
        let Some(chain) = &self.chain else {
            return Err(Refusal::Trust { cause: Cause::TlsRequired, about: None });
        };
        let trust = self.trust.as_ref().ok_or(Refusal::WhiteListMissing)?;
        let space = trust.current().get().ok_or(Refusal::WhiteListMissing)?;
        let at = now().seconds();
        let judged = match self.judged.take() {
            Some(judged) if judged.is_fresh(&space, at) => judged,
            _ => {
                let verdict = trust.client(chain).await.ok_or(Refusal::WhiteListMissing)?;
                // Asking may have taught the space something: it is the one that was judged by.
                let space = trust.current().get().ok_or(Refusal::WhiteListMissing)?;
                Judged { space, at: now().seconds(), verdict: verdict.map(Arc::new) }
            }
        };
        let judged = self.judged.insert(judged);
        let verdict = judged.verdict.as_ref();
        let facts = relay::Peer::Judged(verdict.map(|certificate| &**certificate));
        relay::reverse_path(&judged.space, facts, path)?;
        match verdict {
            Ok(certificate) => {
                let (certificate, space) = (certificate.clone(), judged.space.clone());
                Ok(Peer::Operator(delivery::Operator { certificate, space }))
            }
            // Policy has refused it already.
            Err(rejected) => Err(Refusal::Trust { cause: rejected.cause, about: None }),
        }
    }
}
