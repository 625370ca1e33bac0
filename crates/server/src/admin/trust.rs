//! Requests about the trust space.

use std::sync::Arc;

use mail::Domain;
use serde_json::Value;
use trust::{Dn, WhiteList};

use super::operations::{Administration, value};
use super::{Failed, TrustView};
use crate::machine::now;
use crate::telemetry::Metrics;
use crate::trust_space::TrustSpace;

impl Administration {
    pub(super) async fn trust_status(&self) -> Result<Value, Failed> {
        value(self.trust_space().await?.status(now().seconds()))
    }

    pub(super) async fn trust_show(&self, what: &str) -> Result<Value, Failed> {
        let list = self.trust_space().await?.list().ok_or_else(|| Failed("there is no white list yet".into()))?;
        value(view(&list, what)?)
    }

    pub(super) async fn trust_refresh(&self) -> Result<Value, Failed> {
        let space = self.trust_space().await?;
        let refreshed = space.refresh().await;
        let failures = [("white list", refreshed.list), ("revocation lists", refreshed.revocation)];
        let told: Vec<String> =
            failures.into_iter().filter_map(|(what, outcome)| Some(format!("{what}: {}", outcome.err()?))).collect();
        if told.is_empty() { value(space.status(now().seconds())) } else { Err(Failed(told.join("\n"))) }
    }

    /// The server's, or what is kept on disk when none runs.
    async fn trust_space(&self) -> Result<Arc<TrustSpace>, Failed> {
        let none = || Failed("no trust space is configured: add [trust] to the configuration".into());
        match self.hooks() {
            Some(hooks) => hooks.trust().cloned().ok_or_else(none),
            None => {
                let (config, data) = self.trust_config().ok_or_else(none)?;
                let opened = TrustSpace::open(config, data, Metrics::default()).await;
                opened.map_err(|error| Failed(format!("{error:#}")))
            }
        }
    }
}

/// What a list says of a domain, or of a subject.
fn view(list: &WhiteList, what: &str) -> Result<TrustView, Failed> {
    // No domain holds an equals sign, and no name is without.
    if what.contains('=') {
        let subject: Dn = what.parse().map_err(|error| Failed(format!("{what}: {error}")))?;
        let domains = list.domains_of(&subject);
        let names = domains.into_iter().flatten().map(ToString::to_string).collect();
        return Ok(TrustView::Subject { subject: subject.to_string(), listed: domains.is_some(), domains: names });
    }
    let domain: Domain = what.parse().map_err(|error| Failed(format!("{what}: {error}")))?;
    let operators = list.operators(&domain);
    let names = operators.into_iter().flatten().map(ToString::to_string).collect();
    Ok(TrustView::Domain { domain: domain.to_string(), listed: operators.is_some(), operators: names })
}
