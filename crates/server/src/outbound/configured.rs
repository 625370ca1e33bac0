//! The relay of a configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use auth::sasl::Secret;
use delivery::Delivery;
use net::SystemClock;
use net::dns::{Hickory, Resolver, Servers};
use net::tls::TlsClient;
use policy::MxRules;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use smtp::client::Credentials;
use store::Store;
use trust::certificate::{CertificatePolicy, HostName, UnknownRevocation};
use trust::{Anchors, Space};

use super::{Judge, Outbound, Parts, Settings, Signature, SmartHost};
use crate::config::{Config, RelayConfig, Role, SignIn, Signing, SmartHostConfig};
use crate::telemetry::Metrics;

impl Outbound {
    /// Reads our certificate and prepares to ask DNS.
    ///
    /// # Errors
    /// A certificate that cannot be used; DNS servers of the system that cannot be read.
    pub fn configured(
        config: &Config,
        relay: &RelayConfig,
        store: Store,
        delivery: Delivery,
        judge: Arc<dyn Judge>,
        metrics: Metrics,
    ) -> anyhow::Result<Arc<Outbound>> {
        let servers = match relay.dns_servers.as_slice() {
            [] => Servers::System,
            servers => Servers::These(servers.to_vec()),
        };
        let resolver: Arc<dyn Resolver> = Arc::new(Hickory::new(&servers).context("relay.dns_servers")?);
        let tls = TlsClient::new(Some(relay.certificate.clone())).context("relay.certificate")?;
        let clock = Arc::new(SystemClock);
        let smart_host =
            relay.smart_host.as_ref().map(SmartHostConfig::open).transpose().context("relay.smart_host")?;
        let parts = Parts { store, delivery, smart_host, resolver, tls, judge, clock, metrics };
        Ok(Outbound::new(Settings::of(config, relay)?, parts))
    }
}

impl Settings {
    /// # Errors
    /// A name that EHLO cannot say, which a domain never is.
    fn of(config: &Config, relay: &RelayConfig) -> anyhow::Result<Settings> {
        let name = relay.name.as_ref().unwrap_or(&config.name);
        let mut own_names = vec![config.name.clone(), name.clone()];
        own_names.dedup();
        let receiving = config.listeners.iter().filter(|listener| listener.role == Role::Relay);
        let own_addresses: Vec<SocketAddr> = receiving.flat_map(|listener| listener.listen.clone()).collect();
        let rules = MxRules { own_names, own_addresses, allowed_networks: relay.allowed_networks.clone() };
        Ok(Settings {
            name: name.as_str().parse().context("relay.name")?,
            routes: relay.routes.clone(),
            port: relay.port,
            rules,
            transfer: relay.transfer,
            retry: relay.retry.clone(),
            limits: relay.limits.clone(),
            idle: relay.idle,
        })
    }
}

impl SmartHostConfig {
    /// Reads what its files hold.
    fn open(&self) -> anyhow::Result<SmartHost> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
        let mut anchors = Anchors::default();
        for file in &self.authorities {
            anchors.add_roots(&read(file)?).with_context(|| file.display().to_string())?;
        }
        let policy = CertificatePolicy {
            // It is no operator of the trust space: its name is its identity, and its authority says what is revoked where
            // it is asked, which nobody does for a notice.
            revocation_unknown: UnknownRevocation::Accept,
            host_name: HostName::Require,
            ..CertificatePolicy::default()
        };
        let credentials = match &self.sign_in {
            None => None,
            Some(SignIn { login, password_file }) => {
                let text = String::from_utf8(read(password_file)?).context("the password is no UTF-8")?;
                let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
                Some(Credentials { login: login.clone(), password })
            }
        };
        let signature = match &self.signing {
            None => None,
            Some(Signing { domain, selector, key }) => {
                let der =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| anyhow::anyhow!("{}: {error}", key.display()))?;
                let signature = Signature::new(der, domain, selector);
                Some(signature.map_err(|error| anyhow::anyhow!("{}: {error}", key.display()))?)
            }
        };
        Ok(SmartHost {
            host: self.host.clone(),
            port: self.port,
            credentials,
            sender: self.sender.clone(),
            signature,
            authorities: Space { anchors: anchors.into(), policy, ..Space::default() },
            tls: TlsClient::new(None)?,
        })
    }
}
