//! A DNS server for a demonstration: it answers by UDP what it was told, and that everything else does not exist.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX};
use hickory_resolver::proto::rr::{DNSClass, LowerName, Name, RData, Record};
use mail::{Domain, MxAnswer};
use tokio::net::UdpSocket;

/// Octets of a question that are read, and of an answer that are sent to whom announces nothing better (RFC 1035 §2.3.4).
const OCTETS_MAX: usize = 512;

/// How long others may remember an answer, in seconds.
const TTL: u32 = 5;

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Names {
    records: BTreeMap<LowerName, Vec<RData>>,
}

/// The server.
#[derive(Debug)]
pub struct Responder {
    socket: UdpSocket,
    address: SocketAddr,
    names: Names,
}

impl Names {
    /// A domain takes its mail so.
    pub fn mx(&mut self, domain: &Domain, answer: &MxAnswer) {
        let records = self.records.entry(lower(domain)).or_default();
        match answer {
            MxAnswer::Implicit => {}
            MxAnswer::Null => records.push(RData::MX(MX::new(0, Name::root()))),
            MxAnswer::Exchanges(exchanges) => {
                let mx = exchanges.iter().map(|one| RData::MX(MX::new(one.preference, name(&one.host))));
                records.extend(mx);
            }
        }
    }

    /// A host has this address.
    pub fn address(&mut self, host: &Domain, address: IpAddr) {
        let record = match address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        self.records.entry(lower(host)).or_default().push(record);
    }

    fn answer(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let question =
            Message::from_vec(octets).ok().filter(|message| message.metadata.message_type == MessageType::Query)?;
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata = Metadata::response_from_request(&question.metadata);
        answer.metadata.authoritative = true;
        answer.metadata.response_code = match question.queries.as_slice() {
            _ if question.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
            [query] if query.query_class() == DNSClass::IN => match self.records.get(&LowerName::new(query.name())) {
                None => ResponseCode::NXDomain,
                Some(records) => {
                    let wanted = records.iter().filter(|record| record.record_type() == query.query_type());
                    for record in wanted {
                        answer.add_answer(Record::from_rdata(query.name().clone(), TTL, record.clone()));
                    }
                    ResponseCode::NoError
                }
            },
            [_] => ResponseCode::Refused,
            _ => ResponseCode::FormErr,
        };
        answer.add_queries(question.queries);
        let octets = answer.to_vec().ok()?;
        if octets.len() <= OCTETS_MAX { Some(octets) } else { answer.truncate().to_vec().ok() }
    }
}

impl Responder {
    /// Binds the address.
    ///
    /// # Errors
    /// Those of the kernel: taken, forbidden, no such address.
    pub async fn bind(address: SocketAddr, names: Names) -> io::Result<Responder> {
        let socket = UdpSocket::bind(address).await?;
        Ok(Responder { address: socket.local_addr()?, socket, names })
    }

    /// Where it answers, with the port the kernel chose when 0 was asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until dropped. What cannot be read, and answers that cannot be sent, are passed over.
    pub async fn run(self) {
        let mut octets = [0; OCTETS_MAX];
        loop {
            // An error here is that of an earlier answer: nobody took it.
            let Ok((length, from)) = self.socket.recv_from(&mut octets).await else {
                tokio::task::yield_now().await;
                continue;
            };
            if let Some(answer) = octets.get(..length).and_then(|question| self.names.answer(question)) {
                let _ = self.socket.send_to(&answer, from).await;
            }
        }
    }
}

fn name(domain: &Domain) -> Name {
    // A domain of 255 octets has no name in DNS; nobody asks for the root's addresses instead.
    Name::from_ascii(format!("{domain}.")).unwrap_or_default()
}

fn lower(domain: &Domain) -> LowerName {
    LowerName::new(&name(domain))
}
