//! Which hosts take a domain's mail, and where they are.

use std::net::{IpAddr, SocketAddr};

use mail::Domain;
use mail::dsn::Cause;
use net::{Randomness, SystemRandomness};
use policy::mx;
use queue::Stage;

use super::Outbound;
use super::trouble::Trouble;

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Its name, or the literal of its address.
    pub host: Domain,
    /// Where it listens.
    pub port: u16,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Dns,
    /// Whoever configured it may point anywhere but at us.
    Configuration,
}

impl Outbound {
    /// The hosts of a domain, in the order in which they are tried.
    pub(super) async fn exchanges(&self, domain: &Domain) -> Result<Vec<Exchange>, Trouble> {
        if let Some(route) = self.settings.routes.iter().find(|route| route.domain == *domain) {
            let (host, port) = (route.host.clone(), route.port);
            return Ok(vec![Exchange { host, port, origin: Origin::Configuration }]);
        }
        let answer = self.parts.resolver.mx(domain).await.map_err(|error| Trouble::of_dns(&error))?;
        let hosts = mx::hosts(domain, &answer, &self.settings.rules, random).map_err(Trouble::of_exchanges)?;
        let port = self.settings.port;
        Ok(hosts.into_iter().map(|host| Exchange { host, port, origin: Origin::Dns }).collect())
    }

    /// The addresses of a host, in the order in which they are tried.
    pub(super) async fn addresses(&self, exchange: &Exchange) -> Result<Vec<SocketAddr>, Trouble> {
        let found = match exchange.host.as_str().parse::<IpAddr>() {
            // An address in the place of a name is what only configuration may say (RFC 5321 §5.1).
            Ok(address) if exchange.origin == Origin::Configuration => vec![address],
            _ => self.parts.resolver.addresses(&exchange.host).await.map_err(|error| Trouble::of_dns(&error))?,
        };
        let rules = &self.settings.rules;
        let (allowed, forbidden) = match exchange.origin {
            Origin::Dns => mx::addresses(&found, exchange.port, rules),
            Origin::Configuration => {
                let everywhere = vec![ipnet::Ipv4Net::default().into(), ipnet::Ipv6Net::default().into()];
                let rules = mx::MxRules { allowed_networks: everywhere, ..rules.clone() };
                mx::addresses(&found, exchange.port, &rules)
            }
        };
        match (allowed.is_empty(), forbidden.first()) {
            (false, _) => Ok(allowed),
            (true, Some((address, reason))) => {
                Err(Trouble::for_good(Stage::Dns, Cause::MailLoop, format!("{address}: {reason}")))
            }
            (true, None) => Err(Trouble::new(Stage::Dns, Cause::DnsTrouble, "no address")),
        }
    }
}

/// A number below `end`.
fn random(end: usize) -> usize {
    let mut octets = [0; 8];
    SystemRandomness.fill(&mut octets);
    let number = u64::from_le_bytes(octets) % (end as u64).max(1);
    usize::try_from(number).unwrap_or(0)
}
