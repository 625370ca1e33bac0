//! The resolver: questions go to recursive servers by hickory-resolver, answers come back as ours.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as Failure, NetError};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use mail::{Domain, Exchange, MxAnswer};

use super::{Answering, DnsError, Resolver};

/// Time for one question, with all its repetitions, servers and aliases.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

/// Time a server has before it is asked again, or another is.
const ATTEMPT_TIME: Duration = Duration::from_secs(4);

/// Times a question is repeated after silence.
const REPETITIONS: usize = 2;

/// Answers remembered.
const ANSWERS_REMEMBERED_MAX: u64 = 4_096;

/// Nothing is remembered for longer, whatever its TTL says: an operator who moves his relay should not wait for a day.
const REMEMBERED_MAX: Duration = Duration::from_secs(3_600);

/// That something is not there is remembered for less: it is about to be mended.
const ABSENCE_REMEMBERED_MAX: Duration = Duration::from_secs(300);

/// Aliases followed, one after the other.
const ALIASES_MAX: usize = 8;

/// Records taken from one answer: more than any domain needs.
const RECORDS_MAX: usize = 64;

/// Who is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Servers {
    /// Those of `/etc/resolv.conf`; `/etc/hosts` is obeyed as well.
    #[default]
    System,
    /// These alone, by UDP, then by TCP where an answer does not fit.
    These(Vec<SocketAddr>),
}

/// A resolver with a cache.
pub struct Hickory {
    /// Asks whichever server answers fastest.
    pool: TokioResolver,
    /// Each server by itself, where there are several.
    single: Vec<TokioResolver>,
    answer_time: Duration,
}

impl Hickory {
    /// Prepares; asks nothing yet.
    ///
    /// # Errors
    /// When the system's configuration cannot be read, or no server is named.
    pub fn new(servers: &Servers) -> Result<Hickory, DnsError> {
        Hickory::patient(servers, ATTEMPT_TIME, ANSWER_TIME_MAX)
    }

    /// The same with other times: each attempt's, and that of a whole answer.
    ///
    /// # Errors
    /// As [`Hickory::new`].
    pub fn patient(servers: &Servers, attempt: Duration, answer_time: Duration) -> Result<Hickory, DnsError> {
        let (servers, hosts_file) = match servers {
            Servers::System => {
                let (config, _) = read_system_conf().map_err(|error| temporary(&error))?;
                (config.name_servers().to_vec(), ResolveHosts::Always)
            }
            Servers::These(addresses) => (addresses.iter().map(server).collect(), ResolveHosts::Never),
        };
        if servers.is_empty() {
            return Err(DnsError::Temporary("no DNS server is configured".to_owned()));
        }
        let build = |servers: Vec<NameServerConfig>| {
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            let options = builder.options_mut();
            options.use_hosts_file = hosts_file;
            options.timeout = attempt;
            options.attempts = REPETITIONS;
            options.cache_size = ANSWERS_REMEMBERED_MAX;
            options.positive_max_ttl = Some(REMEMBERED_MAX);
            options.negative_max_ttl = Some(ABSENCE_REMEMBERED_MAX);
            builder.build().map_err(|error| temporary(&error))
        };
        let single = match servers.len() {
            1 => Vec::new(),
            _ => servers.iter().map(|server| build(vec![server.clone()])).collect::<Result<_, _>>()?,
        };
        Ok(Hickory { pool: build(servers)?, single, answer_time })
    }

    /// The resolver itself, for a library that asks by it: cheap to clone, its cache shared.
    pub(crate) fn resolver(&self) -> TokioResolver {
        self.pool.clone()
    }

    /// Asks. The pool takes the first SERVFAIL or REFUSED for the answer of all (hickory 0.26), so the servers are then
    /// asked one after the other.
    async fn lookup(&self, name: &Name, kind: RecordType) -> Result<Lookup, NetError> {
        let first = self.pool.lookup(name.clone(), kind).await;
        if !matches!(first, Err(NetError::Dns(Failure::ResponseCode(_)))) {
            return first;
        }
        for server in &self.single {
            match server.lookup(name.clone(), kind).await {
                Err(error) if !error.is_no_records_found() => {}
                answer => return answer,
            }
        }
        first
    }

    /// The records of one kind, aliases followed; never none.
    async fn records(&self, name: Name, kind: RecordType) -> Result<Vec<Record>, DnsError> {
        let asking = async {
            match self.lookup(&name, kind).await {
                Ok(lookup) => {
                    let wanted = lookup.answers().iter().filter(|record| record.record_type() == kind);
                    let records: Vec<Record> = wanted.take(RECORDS_MAX).cloned().collect();
                    if records.is_empty() { Err(self.absence(name).await) } else { Ok(records) }
                }
                Err(error) if error.is_nx_domain() => Err(DnsError::NoSuchDomain),
                Err(error) if error.is_no_records_found() => Err(self.absence(name).await),
                Err(error) => Err(temporary(&error)),
            }
        };
        let silence = || DnsError::Temporary(format!("no answer from DNS within {} s", self.answer_time.as_secs_f32()));
        tokio::time::timeout(self.answer_time, asking).await.unwrap_or_else(|_| Err(silence()))
    }

    /// Why there are no records: hickory says so, too, of aliases that lead into a circle or on and on, which may be
    /// mended any time.
    async fn absence(&self, name: Name) -> DnsError {
        let (mut seen, mut name) = (HashSet::from([name.clone()]), name);
        for _ in 0..ALIASES_MAX {
            let answer = match self.lookup(&name, RecordType::CNAME).await {
                Ok(answer) => answer,
                Err(error) if error.is_nx_domain() || error.is_no_records_found() => return DnsError::NoRecords,
                Err(error) => return temporary(&error),
            };
            let alias = answer.answers().iter().find_map(|record| match &record.data {
                RData::CNAME(target) => Some(target.0.clone()),
                _ => None,
            });
            match alias {
                None => return DnsError::NoRecords,
                Some(alias) if !seen.insert(alias.clone()) => break,
                Some(alias) => name = alias,
            }
        }
        DnsError::Temporary("aliases (CNAME) lead nowhere".to_owned())
    }

    async fn exchanges(&self, domain: &Domain) -> Result<MxAnswer, DnsError> {
        let records = match self.records(name_of(domain)?, RecordType::MX).await {
            Ok(records) => records,
            Err(DnsError::NoRecords) => return Ok(MxAnswer::Implicit),
            Err(error) => return Err(error),
        };
        let targets =
            || records.iter().filter_map(|record| if let RData::MX(mx) = &record.data { Some(mx) } else { None });
        // Beside other exchanges a null MX means nothing (RFC 7505 §3).
        if targets().all(|mx| mx.exchange.is_root()) {
            return Ok(MxAnswer::Null);
        }
        let exchanges: Vec<Exchange> = targets()
            .filter_map(|mx| Some(Exchange { preference: mx.preference, host: host_of(&mx.exchange)? }))
            .collect();
        match exchanges.is_empty() {
            true => Err(DnsError::Temporary("no MX names a host".to_owned())),
            false => Ok(MxAnswer::Exchanges(exchanges)),
        }
    }

    async fn both_families(&self, host: &Domain) -> Result<Vec<IpAddr>, DnsError> {
        let name = name_of(host)?;
        let (v4, v6) = tokio::join!(self.records(name.clone(), RecordType::A), self.records(name, RecordType::AAAA));
        let found: Vec<IpAddr> = [&v4, &v6].into_iter().flatten().flatten().filter_map(address_of).collect();
        match (found.is_empty(), v4, v6) {
            (false, _, _) => Ok(found),
            // What one family does not know, the other may know later.
            (true, Err(DnsError::Temporary(reason)), _) | (true, _, Err(DnsError::Temporary(reason))) => {
                Err(DnsError::Temporary(reason))
            }
            (true, Err(error), _) | (true, _, Err(error)) => Err(error),
            (true, Ok(_), Ok(_)) => Err(DnsError::NoRecords),
        }
    }
}

impl Resolver for Hickory {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answering<'a, MxAnswer> {
        Box::pin(self.exchanges(domain))
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> Answering<'a, Vec<IpAddr>> {
        Box::pin(self.both_families(host))
    }

    fn texts<'a>(&'a self, name: &'a str) -> Answering<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let name =
                Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|_| DnsError::NoSuchDomain)?;
            let records = self.records(name, RecordType::TXT).await?;
            let text = |record: &Record| match &record.data {
                RData::TXT(text) => Some(text.txt_data.concat()),
                _ => None,
            };
            Ok(records.iter().filter_map(text).collect())
        })
    }

    fn names<'a>(&'a self, address: IpAddr) -> Answering<'a, Vec<Domain>> {
        Box::pin(async move {
            let mut name = Name::from(address);
            name.set_fqdn(true);
            let records = self.records(name, RecordType::PTR).await?;
            let host = |record: &Record| match &record.data {
                RData::PTR(name) => host_of(&name.0),
                _ => None,
            };
            let names: Vec<Domain> = records.iter().filter_map(host).collect();
            if names.is_empty() { Err(DnsError::NoRecords) } else { Ok(names) }
        })
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let at_its_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at_its_port(ConnectionConfig::udp()), at_its_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

/// Fully qualified: search lists are for people.
fn name_of(domain: &Domain) -> Result<Name, DnsError> {
    // Longer than DNS allows with its length octets: such a name cannot exist.
    Name::from_ascii(format!("{domain}.")).map_err(|_| DnsError::NoSuchDomain)
}

/// A name that a mail host can have, or none.
fn host_of(name: &Name) -> Option<Domain> {
    name.to_ascii().trim_end_matches('.').parse().ok()
}

fn address_of(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

fn temporary(error: &NetError) -> DnsError {
    DnsError::Temporary(match error {
        NetError::Dns(Failure::ResponseCode(code)) => format!("DNS answers: {code}"),
        NetError::Timeout => "no answer from DNS".to_owned(),
        other => format!("DNS: {other}"),
    })
}
