//! The relay of a configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use delivery::Delivery;
use net::SystemClock;
use net::dns::{Hickory, Resolver, Servers};
use net::tls::TlsClient;
use policy::MxRules;
use store::Store;

use super::{Judge, Outbound, Parts, Settings};
use crate::config::{Config, RelayConfig, Role};
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
        let parts = Parts { store, delivery, resolver, tls, judge, clock, metrics };
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
