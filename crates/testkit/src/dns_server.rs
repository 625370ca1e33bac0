//! A real DNS server in the test's process, hickory-server: its zones and its faults are the test's to make and change.
//!
//! ```no_run
//! # async fn test() {
//! use testkit::dns_server::{DnsServer, Fault};
//! let dns = DnsServer::start().await;
//! dns.zone("hopital.example", "@ MX 10 mx\nmx A 127.0.0.1\n");
//! dns.fault("broken.hopital.example", Fault::ServFail);
//! # }
//! ```

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot have its server has failed")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_proto::rr::{LowerName, Name};
use hickory_proto::serialize::txt::Parser;
use hickory_server::Server;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneHandler, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// Time a TCP client may be silent.
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Answers that wait for a TCP client.
const TCP_ANSWERS_MAX: usize = 16;

/// How often a port is looked for that is free for UDP and TCP.
const PORTS_TRIED: usize = 20;

/// Short, so that a change of the test is soon seen; a resolver's cache still gets something to do.
const HEAD_OF_ZONE: &str = "$TTL 1\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\n";

/// How a name is answered wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// Not at all.
    Silence,
}

/// The server; it stops when dropped.
pub struct DnsServer {
    address: SocketAddr,
    state: Shared,
    _server: Server<Handler>,
}

type Shared = Arc<Mutex<State>>;

#[derive(Default)]
struct State {
    zones: BTreeMap<Name, String>,
    catalog: Arc<Catalog>,
    faults: BTreeMap<LowerName, Fault>,
    questions: BTreeMap<LowerName, usize>,
}

struct Handler(Shared);

impl DnsServer {
    /// Listens on a free port of 127.0.0.1, UDP and TCP, and refuses every question until it has zones.
    pub async fn start() -> DnsServer {
        for _ in 0..PORTS_TRIED {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
            let address = tcp.local_addr().expect("its address");
            let Ok(udp) = UdpSocket::bind(address).await else { continue };
            let state = Shared::default();
            let mut server = Server::new(Handler(state.clone()));
            server.register_socket(udp);
            server.register_listener(tcp, TCP_IDLE, TCP_ANSWERS_MAX);
            return DnsServer { address, state, _server: server };
        }
        panic!("no port is free for both UDP and TCP")
    }

    /// Where to ask.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves this zone from now on, in the place of an older one of the name. `records` are lines of a master file
    /// (RFC 1035 §5); SOA and NS are there already.
    ///
    /// # Panics
    /// When the records cannot be read.
    pub fn zone(&self, origin: &str, records: &str) {
        let mut origin = Name::from_ascii(origin).expect(origin);
        origin.set_fqdn(true);
        let mut state = lock(&self.state);
        state.zones.insert(origin, format!("{HEAD_OF_ZONE}{records}\n"));
        let mut catalog = Catalog::new();
        for (origin, text) in &state.zones {
            catalog.upsert(LowerName::new(origin), vec![handler(origin, text)]);
        }
        state.catalog = Arc::new(catalog);
    }

    /// Answers every question about this name so, until [`DnsServer::mend`].
    pub fn fault(&self, name: &str, fault: Fault) {
        lock(&self.state).faults.insert(lower(name), fault);
    }

    /// Answers questions about this name by its zone again.
    pub fn mend(&self, name: &str) {
        lock(&self.state).faults.remove(&lower(name));
    }

    /// How many questions about this name have come, repetitions too.
    pub fn questions(&self, name: &str) -> usize {
        lock(&self.state).questions.get(&lower(name)).copied().unwrap_or_default()
    }
}

fn handler(origin: &Name, text: &str) -> Arc<dyn ZoneHandler> {
    let parser = Parser::new(text, None, Some(origin.clone()));
    let (_, records) = parser.parse().unwrap_or_else(|error| panic!("zone {origin}: {error}"));
    let zone =
        InMemoryZoneHandler::<TokioRuntimeProvider>::new(origin.clone(), records, ZoneType::Primary, AxfrPolicy::Deny);
    Arc::new(zone.unwrap_or_else(|error| panic!("zone {origin}: {error}")))
}

fn lower(name: &str) -> LowerName {
    let mut name = Name::from_ascii(name).expect(name);
    name.set_fqdn(true);
    LowerName::new(&name)
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut to: R) -> ResponseInfo {
        let (catalog, fault) = {
            let mut state = lock(&self.0);
            let name = request.request_info().map(|info| info.query.name().clone()).unwrap_or_default();
            *state.questions.entry(name.clone()).or_default() += 1;
            (state.catalog.clone(), state.faults.get(&name).copied())
        };
        let code = match fault {
            None => return catalog.handle_request::<R, T>(request, to).await,
            Some(Fault::ServFail) => Some(ResponseCode::ServFail),
            Some(Fault::Refused) => Some(ResponseCode::Refused),
            Some(Fault::Silence) => None,
        };
        let metadata = Metadata::response_from_request(&request.metadata);
        if let Some(code) = code {
            let answer = MessageResponseBuilder::from_message_request(request).error_msg(&request.metadata, code);
            if let Ok(sent) = to.send_response(answer).await {
                return sent;
            }
        }
        ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
    }
}
