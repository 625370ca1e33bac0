//! How many messages does delivery bring in each second, and what does one cost in processor time?
//!
//! `cargo run --release -p delivery --example measure -- [FOLDER]`: durable messages by 1, 10 and 100 callers at once.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a measurement: a failure ends it, and it reads the clock"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use delivery::{Config, Delivery, Door, Origin, Peer, Surroundings};
use mail::envelope::{Envelope, ForwardPath, Recipient, ReversePath};
use mail::trace::Protocol;
use mail::{Address, Language};
use store::{Store, StoreError, UnixMillis};

const ACCOUNTS: usize = 100;

struct Machine;

impl Surroundings for Machine {
    fn now(&self) -> UnixMillis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        UnixMillis(i64::try_from(since.as_millis()).unwrap())
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Not random, only different each time.
    fn random(&self, octets: &mut [u8]) {
        let text = format!("{:?}", Instant::now());
        let digits = text.bytes().filter(u8::is_ascii_digit).cycle();
        octets.iter_mut().zip(digits).for_each(|(octet, digit)| *octet = digit);
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "measure-data".into());
    let _ = std::fs::remove_dir_all(&folder);
    let store = Store::open(&store::Config::in_folder(&folder)).unwrap();
    let created = store.transaction(|tx| {
        let now = UnixMillis(1_795_182_840_000);
        let structure = store::structure::create(tx, "measure", now)?;
        store::domain::create(tx, structure, &"a.example".parse().unwrap(), now)?;
        for number in 0..ACCOUNTS {
            let new = store::account::NewAccount { structure, name: "x", language: Language::English, quota_octets: 0 };
            let account = store::account::create(tx, &new, now)?;
            store::address::add(tx, account, &address(number), now)?;
        }
        Ok::<_, StoreError>(())
    });
    created.await.unwrap();
    let config = Config::alone("mx.a.example".parse().unwrap(), 100 << 20);
    let delivery = Delivery::new(store.clone(), config, Machine);

    println!("octets  callers  messages/s  processor µs/message");
    for octets in [1_000, 10_000, 1_000_000] {
        for callers in [1, 10, 100] {
            let (rate, cost) = measure(&delivery, octets, callers).await;
            println!("{octets:>7}  {callers:>6}  {rate:>9.0}  {cost:>9.0}");
        }
    }
    store.close().await;
    let _ = std::fs::remove_dir_all(&folder);
}

async fn measure(delivery: &Delivery, octets: usize, callers: usize) -> (f64, f64) {
    let message = message(octets);
    let (began, cpu) = (Instant::now(), processor_time());
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (delivery, message) = (delivery.clone(), message.clone());
        tasks.spawn(async move {
            let mut count = 0;
            while began.elapsed() < Duration::from_secs(3) {
                bring(&delivery, &message, (caller + count * 7) % ACCOUNTS).await;
                count += 1;
            }
            count
        });
    }
    let counts = tasks.join_all().await;
    let count = counts.iter().sum::<usize>() as f64;
    let cost = (processor_time() - cpu).as_secs_f64() * 1e6 / count;
    (count / began.elapsed().as_secs_f64(), cost)
}

async fn bring(delivery: &Delivery, message: &[u8], to: usize) {
    let path = ForwardPath::Address(address(to));
    delivery.recipient(&Door::Relay(Peer::Unasked), &path, None).await.unwrap();
    let mut incoming = delivery.begin(Door::Relay(Peer::Unasked)).await.unwrap();
    for chunk in message.chunks(16 * 1024) {
        incoming.write(chunk).await.unwrap();
    }
    let mut envelope = Envelope::new(ReversePath::Address("zoe@b.example".parse().unwrap()));
    envelope.recipients.push(Recipient::new(path));
    let client_address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let origin = Origin { client_name: "x".into(), client_address, tls: None, protocol: Protocol::default() };
    incoming.accept(&envelope, &origin).await.unwrap();
}

fn address(number: usize) -> Address {
    format!("user{number}@a.example").parse().unwrap()
}

fn message(octets: usize) -> Vec<u8> {
    let mut text = String::from(
        "From: Zoe <zoe@b.example>\r\nTo: user@a.example\r\nSubject: =?utf-8?q?r=C3=A9sultats?= du 20 novembre\r\n\
         Date: Fri, 20 Nov 2026 14:54:00 +0100\r\nMessage-ID: <1@b.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         Bonjour.\r\n--b\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=x.pdf\r\n\r\n",
    );
    while text.len() + 86 < octets {
        text.push_str("JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0ZURlY29k\r\n");
    }
    text.push_str("--b--\r\n");
    text.into_bytes()
}

/// User and system time of the process, in ticks of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
