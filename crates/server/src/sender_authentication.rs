//! SPF, DKIM, DMARC and ARC for delivery, asked of DNS.

use delivery::{Findings, SenderFacts};
use net::dns::{DnsError, Servers};
use net::sender_authentication::{Extent, Facts, MESSAGE_OCTETS_MAX, SenderAuthentication};

use crate::config::Config;

/// Looks at messages by DNS.
pub(crate) struct ByDns(SenderAuthentication);

/// As the configuration has it.
pub(crate) fn configured(config: &Config) -> Result<ByDns, DnsError> {
    let servers = match config.receiving.dns_servers.as_slice() {
        [] => Servers::System,
        servers => Servers::These(servers.to_vec()),
    };
    SenderAuthentication::new(&servers, config.name.clone()).map(ByDns)
}

impl delivery::SenderAuthentication for ByDns {
    fn octets_max(&self) -> u64 {
        MESSAGE_OCTETS_MAX
    }

    fn look<'a>(&'a self, facts: SenderFacts<'a>) -> Findings<'a> {
        let SenderFacts { client, helo, reverse_path, author, octets, total } = facts;
        let extent = if octets.len() as u64 == total { Extent::Whole } else { Extent::Header };
        Box::pin(self.0.look(Facts { client, helo, reverse_path, author, octets, extent }))
    }
}
