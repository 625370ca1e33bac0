//! `[receiving]`: what mail from other operators is held to.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mail::Domain;
use policy::relay::ForeignAuthor;

use super::reader::Section;

/// What mail from other operators is held to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivingConfig {
    /// Octets of a message's attachments and texts, decoded; those of `limits` where nothing is said.
    pub message_octets: Option<u64>,
    /// Whose name may stand in From.
    pub from_header: ForeignAuthor,
    /// Domains of ours that another operator serves too.
    pub shared_domains: BTreeSet<Domain>,
    /// Whether SPF, DKIM, DMARC and ARC are looked at, for information only.
    pub sender_authentication: SenderAuthentication,
    /// The DNS servers that are asked for it; the system's when empty.
    pub dns_servers: Vec<SocketAddr>,
}

/// Whether SPF, DKIM, DMARC and ARC are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderAuthentication {
    /// They are, and nothing follows from it.
    #[default]
    On,
    /// They are not.
    Off,
}

impl ReceivingConfig {
    pub(super) fn read(section: &Section<'_>) -> ReceivingConfig {
        let authentication = [("on", SenderAuthentication::On), ("off", SenderAuthentication::Off)];
        let from_header = [("mark", ForeignAuthor::Mark), ("refuse", ForeignAuthor::Refuse)];
        let megabytes = section.whole("message_megabytes", 0..=1_024, 0);
        ReceivingConfig {
            message_octets: (megabytes > 0).then_some(megabytes << 20),
            from_header: section.choice("from_header", &from_header, ForeignAuthor::Mark),
            shared_domains: section
                .list("shared_domains", "write a domain, as \"hopital.example\"")
                .into_iter()
                .collect(),
            sender_authentication: section.choice("sender_authentication", &authentication, SenderAuthentication::On),
            dns_servers: section.list("dns_servers", "write address and port, as \"127.0.0.1:53\""),
        }
    }
}
