//! What the two operators of a demo find around them: names in DNS, certificates, revocation lists, the white list.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use mail::{Domain, Exchange, MxAnswer};
use net::dns::responder::{Names, Responder};

use super::people::{B_DOMAIN, FIRST_DOMAIN, SECOND_DOMAIN};
use crate::development_trust_space::{DevelopmentTrustSpace, Plan, Signing};

/// The host of operator A, as its certificate names it.
pub const A_HOST: &str = "mx.operateur-a.example";

/// The host of operator B, as its certificate names it.
pub const B_HOST: &str = "mx.operateur-b.example";

/// In the white list, of a third operator. Nobody listens at its host until somebody does, with its certificate.
pub const OTHER_DOMAIN: &str = "ailleurs.example";

/// In the white list; its host is down.
pub const DEAD_DOMAIN: &str = "eteint.example";

/// In no list.
pub const UNLISTED_DOMAIN: &str = "hors-liste.example";

/// Where both operators are.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Nobody listens here, on any port.
const DEAD_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The third operator's host: whoever plays it binds this address.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Makes what is missing of the trust space.
pub fn ensure_trust_space(folder: &Path) -> anyhow::Result<DevelopmentTrustSpace> {
    let plan = Plan {
        domains_a: vec![FIRST_DOMAIN.into(), SECOND_DOMAIN.into()],
        domains_b: vec![B_DOMAIN.into(), DEAD_DOMAIN.into()],
        other_domain: OTHER_DOMAIN.into(),
        revocation_urls: Vec::new(),
    };
    let space = DevelopmentTrustSpace::ensure(folder, &plan).context("making the trust space")?;
    if space.signing == Signing::ProgramMissing {
        say!("  xmlsec1 is not installed: the white list is not signed, and believed as it is");
    }
    Ok(space)
}

/// Answers DNS for both operators, as long as the process lives.
pub async fn serve_names(address: SocketAddr) -> anyhow::Result<()> {
    let responder = Responder::bind(address, names()?).await;
    let responder = responder.with_context(|| format!("DNS: binding {address}, another --port-base may help"))?;
    tokio::spawn(responder.run());
    Ok(())
}

fn names() -> anyhow::Result<Names> {
    let mut names = Names::default();
    for (domain, host) in [
        (FIRST_DOMAIN, A_HOST),
        (SECOND_DOMAIN, A_HOST),
        (B_DOMAIN, B_HOST),
        (OTHER_DOMAIN, "mx.ailleurs.example"),
        (DEAD_DOMAIN, "mx.eteint.example"),
    ] {
        let exchange = Exchange { preference: 10, host: host.parse()? };
        names.mx(&domain.parse()?, &MxAnswer::Exchanges(vec![exchange]));
    }
    for (host, address) in
        [(A_HOST, HERE), (B_HOST, HERE), ("mx.ailleurs.example", OTHER_ADDRESS), ("mx.eteint.example", DEAD_ADDRESS)]
    {
        let host: Domain = host.parse()?;
        names.address(&host, IpAddr::V4(address));
    }
    Ok(names)
}
