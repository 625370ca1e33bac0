//! Which hosts and addresses may be tried for a domain's mail: by RFC 5321 §5.1, and never ourselves or our own network
//! because somebody's DNS says so (bar.md S24).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use mail::{Domain, Exchange, MxAnswer};

/// Exchanges tried for one domain.
pub const EXCHANGES_MAX: usize = 10;

/// Addresses tried of one exchange.
pub const ADDRESSES_MAX: usize = 8;

/// What the operator configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MxRules {
    /// Names we go by: an exchange of such a name is ourselves.
    pub own_names: Vec<Domain>,
    /// Where we listen ourselves, as others would reach it.
    pub own_addresses: Vec<SocketAddr>,
    /// Loopback, private and other special addresses that exchanges may have nonetheless.
    pub allowed_networks: Vec<IpNet>,
}

/// Why a domain's mail cannot be brought anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoExchange {
    /// It says so itself (RFC 7505): 5.1.10 (RFC 7505 §4.2).
    #[error("the domain takes no mail")]
    Null,
    /// We are its best exchange, yet it is not ours (RFC 5321 §5.1): 5.4.6.
    #[error("the domain's mail leads back to this server")]
    Ourselves,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is where we listen.
    #[error("it is this server")]
    Ourselves,
    /// Loopback.
    #[error("it is a loopback address")]
    Loopback,
    /// Private (RFC 1918), unique local (RFC 4193), shared (RFC 6598) or link-local.
    #[error("it is a private address")]
    Private,
    /// Unspecified, multicast, broadcast, reserved, for documentation or benchmarks.
    #[error("it is no address of a host")]
    NoHost,
}

/// The hosts to try, best first, at most [`EXCHANGES_MAX`]. Equal preferences are shuffled to share the load (RFC 5321
/// §5.1); `random` gives the index below its argument. If one of the hosts is us, those after it and its equals are left
/// out: mail must come nearer with each hop.
///
/// # Errors
/// [`NoExchange`]; both are permanent.
pub fn hosts(
    domain: &Domain,
    answer: &MxAnswer,
    rules: &MxRules,
    mut random: impl FnMut(usize) -> usize,
) -> Result<Vec<Domain>, NoExchange> {
    let mut exchanges = match answer {
        MxAnswer::Null => return Err(NoExchange::Null),
        MxAnswer::Implicit => vec![Exchange { preference: 0, host: domain.clone() }],
        MxAnswer::Exchanges(exchanges) => exchanges.clone(),
    };
    let ours = exchanges.iter().filter(|exchange| rules.own_names.contains(&exchange.host));
    if let Some(nearest) = ours.map(|exchange| exchange.preference).min() {
        exchanges.retain(|exchange| exchange.preference < nearest);
    }
    if exchanges.is_empty() {
        return Err(NoExchange::Ourselves);
    }
    // Fisher and Yates; the sort below is stable and keeps the order among equals.
    for last in (1..exchanges.len()).rev() {
        exchanges.swap(last, random(last + 1).min(last));
    }
    exchanges.sort_by_key(|exchange| exchange.preference);
    let mut hosts: Vec<Domain> = Vec::new();
    for exchange in exchanges {
        if hosts.len() < EXCHANGES_MAX && !hosts.contains(&exchange.host) {
            hosts.push(exchange.host);
        }
    }
    Ok(hosts)
}

/// Whether mail may be brought to `address`.
///
/// # Errors
/// [`Forbidden`].
pub fn address(address: SocketAddr, rules: &MxRules) -> Result<(), Forbidden> {
    let ip = address.ip().to_canonical();
    let is_ours = |own: &SocketAddr| own.port() == address.port() && own.ip().to_canonical() == ip;
    if rules.own_addresses.iter().any(is_ours) {
        return Err(Forbidden::Ourselves);
    }
    if rules.allowed_networks.iter().any(|network| network.contains(&ip)) {
        return Ok(());
    }
    match ip {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => v6(ip),
    }
}

/// The addresses that [`address`] allows, at most [`ADDRESSES_MAX`], and those it forbids.
pub fn addresses(found: &[IpAddr], port: u16, rules: &MxRules) -> (Vec<SocketAddr>, Vec<(IpAddr, Forbidden)>) {
    let (mut allowed, mut forbidden) = (Vec::new(), Vec::new());
    for ip in found {
        let candidate = SocketAddr::new(*ip, port);
        match address(candidate, rules) {
            Ok(()) if allowed.len() < ADDRESSES_MAX && !allowed.contains(&candidate) => allowed.push(candidate),
            Ok(()) => {}
            Err(reason) => forbidden.push((*ip, reason)),
        }
    }
    (allowed, forbidden)
}

/// IANA's registry of special addresses (RFC 6890).
fn v4(ip: Ipv4Addr) -> Result<(), Forbidden> {
    match ip.octets() {
        [127, ..] => Err(Forbidden::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] | [100, 64..=127, ..] => {
            Err(Forbidden::Private)
        }
        [0, ..] | [224..=255, ..] | [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Err(Forbidden::NoHost)
        }
        _ => Ok(()),
    }
}

fn v6(ip: Ipv6Addr) -> Result<(), Forbidden> {
    if ip.is_loopback() {
        return Err(Forbidden::Loopback);
    }
    match ip.segments() {
        [0xfc00..=0xfdff, ..] | [0xfe80..=0xfebf, ..] | [0xfec0..=0xfeff, ..] => Err(Forbidden::Private),
        // NAT64 and 6to4 carry IPv4 addresses: what is forbidden there is forbidden here.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(embedded(high, low)),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x100, 0, 0, 0, ..] => Err(Forbidden::NoHost),
        // Everything global lies in 2000::/3.
        [0x2000..=0x3fff, ..] => Ok(()),
        _ => Err(Forbidden::NoHost),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        text.parse().unwrap()
    }

    fn exchanges(text: &str) -> MxAnswer {
        let read = |word: &str| {
            let (preference, host) = word.split_once(':').unwrap();
            Exchange { preference: preference.parse().unwrap(), host: domain(host) }
        };
        MxAnswer::Exchanges(text.split_whitespace().map(read).collect())
    }

    fn tried(answer: &MxAnswer, rules: &MxRules) -> Result<String, NoExchange> {
        let found = hosts(&domain("hopital.example"), answer, rules, |_| 0)?;
        Ok(found.iter().map(Domain::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn hosts_are_tried_by_preference() {
        let us = MxRules { own_names: vec![domain("us.example")], ..MxRules::default() };
        for (answer, expected) in [
            (MxAnswer::Null, Err(NoExchange::Null)),
            (MxAnswer::Implicit, Ok("hopital.example")),
            (exchanges("20:b.example 10:a.example"), Ok("a.example b.example")),
            (exchanges("10:a.example 20:a.example 30:b.example"), Ok("a.example b.example")),
            (exchanges("0:us.example"), Err(NoExchange::Ourselves)),
            (exchanges("10:us.example 20:b.example"), Err(NoExchange::Ourselves)),
            // A relay hands on only to better ones than itself.
            (exchanges("5:a.example 10:us.example 10:b.example 20:c.example"), Ok("a.example")),
        ] {
            assert_eq!(tried(&answer, &us), expected.map(str::to_owned), "{answer:?}");
        }
        let we = MxRules { own_names: vec![domain("hopital.example")], ..MxRules::default() };
        assert_eq!(tried(&MxAnswer::Implicit, &we), Err(NoExchange::Ourselves));
    }

    #[test]
    fn equals_take_turns_and_never_overtake_their_betters() {
        let answer = exchanges("20:worse.example 10:a.example 10:b.example 10:c.example");
        let mut state = 7_usize;
        let mut first = std::collections::BTreeMap::<String, usize>::new();
        for _ in 0..600 {
            let random = |below: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            let found = hosts(&domain("hopital.example"), &answer, &MxRules::default(), random).unwrap();
            assert_eq!((found.len(), found[3].as_str()), (4, "worse.example"));
            *first.entry(found[0].to_string()).or_default() += 1;
        }
        assert!(first.len() == 3 && first.values().all(|times| *times > 120), "{first:?}");
    }

    #[test]
    fn there_is_an_end_to_exchanges_and_addresses() {
        let many: Vec<String> = (0..100).map(|number| format!("{number}:mx{number}.example")).collect();
        let found = hosts(&domain("a.example"), &exchanges(&many.join(" ")), &MxRules::default(), |_| 0).unwrap();
        assert_eq!((found.len(), found[9].as_str()), (EXCHANGES_MAX, "mx9.example"));
        let found: Vec<IpAddr> = (0..100).map(|host| Ipv4Addr::new(8, 8, 8, host).into()).collect();
        assert_eq!(addresses(&found, 25, &MxRules::default()).0.len(), ADDRESSES_MAX);
    }

    #[test]
    fn nobody_sends_us_into_our_own_network() {
        use Forbidden::{Loopback, NoHost, Private};
        for (text, expected) in [
            ("8.8.8.8", Ok(())),
            ("2a01:e0a::1", Ok(())),
            ("127.0.0.1", Err(Loopback)),
            ("127.99.0.1", Err(Loopback)),
            ("::1", Err(Loopback)),
            ("::ffff:127.0.0.1", Err(Loopback)),
            ("64:ff9b::7f00:1", Err(Loopback)),
            ("2002:7f00:1::1", Err(Loopback)),
            ("10.1.2.3", Err(Private)),
            ("172.16.0.1", Err(Private)),
            ("172.32.0.1", Ok(())),
            ("192.168.1.1", Err(Private)),
            ("169.254.169.254", Err(Private)),
            ("100.64.0.1", Err(Private)),
            ("::ffff:10.0.0.1", Err(Private)),
            ("fd00::1", Err(Private)),
            ("fe80::1", Err(Private)),
            ("0.0.0.0", Err(NoHost)),
            ("::", Err(NoHost)),
            ("255.255.255.255", Err(NoHost)),
            ("224.0.0.1", Err(NoHost)),
            ("ff02::1", Err(NoHost)),
            ("192.0.2.1", Err(NoHost)),
            ("2001:db8::1", Err(NoHost)),
            ("::10.0.0.1", Err(NoHost)),
        ] {
            let candidate = SocketAddr::new(text.parse().unwrap(), 25);
            assert_eq!(address(candidate, &MxRules::default()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_configured_is_allowed_but_never_ourselves() {
        let rules = MxRules {
            own_addresses: vec!["127.0.0.1:2525".parse().unwrap()],
            allowed_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ..MxRules::default()
        };
        for (text, expected) in [
            ("127.0.0.1:25", Ok(())),
            ("[::1]:2525", Ok(())),
            ("127.0.0.1:2525", Err(Forbidden::Ourselves)),
            ("[::ffff:127.0.0.1]:2525", Err(Forbidden::Ourselves)),
            ("10.0.0.1:25", Err(Forbidden::Private)),
        ] {
            assert_eq!(address(text.parse().unwrap(), &rules), expected, "{text}");
        }
    }
}
