//! Ann's server: her account, the queue, and the relay that empties it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use delivery::{Delivery, Surroundings};
use mail::Language;
use mail::envelope::{Envelope, ForwardPath, Recipient, ReversePath};
use net::dns::{Hickory, Servers};
use net::tls::TlsClient;
use net::{Clock, Randomness, SystemClock, SystemRandomness};
use policy::{MxRules, RetryPolicy};
use queue::NewMessage;
use queue::operate::Shown;
use queue::schedule::Limits;
use server::development_trust_space::{DevelopmentTrustSpace, Holder, Plan};
use server::outbound::{Outbound, Parts, Settings, SmartHost};
use server::telemetry::Metrics;
use smtp::client::Transfer;
use store::account::NewAccount;
use store::mailbox::MailboxName;
use store::{AccountId, Store, StoreError, StructureId, UnixMillis};
use testkit::dns_server::DnsServer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trust::{Anchors, Current, Revocations, Space, WhiteList};

/// Nothing in these tests takes longer, unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const SENDER: &str = "ann@hopital.example";

pub struct World {
    _folder: tempfile::TempDir,
    pub made: DevelopmentTrustSpace,
    pub trust: Current,
    pub dns: DnsServer,
    pub store: Store,
    pub delivery: Delivery,
    pub metrics: Metrics,
    pub ann: AccountId,
    pub structure: StructureId,
    running: Option<Running>,
    pub smart_host: Option<SmartHost>,
}

struct Running {
    tracker: TaskTracker,
    stopping: CancellationToken,
}

struct Here;

impl Surroundings for Here {
    fn now(&self) -> UnixMillis {
        now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn random(&self, octets: &mut [u8]) {
        SystemRandomness.fill(octets);
    }
}

pub fn now() -> UnixMillis {
    UnixMillis(SystemClock.since_epoch().as_millis().try_into().unwrap())
}

/// What the files of a development trust space say.
pub fn space(made: &DevelopmentTrustSpace) -> Space {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let parsed = WhiteList::parse(&read(&made.white_list())).unwrap();
    let mut anchors = Anchors::default();
    anchors.add_roots(&read(&made.roots())).unwrap();
    anchors.add_intermediates(&read(&made.organisations())).unwrap();
    let mut revocations = Revocations::default();
    for list in made.revocation_lists() {
        revocations.add_crl(&read(&list), &anchors).unwrap();
    }
    Space { list: parsed.list.into(), anchors: anchors.into(), revocations: revocations.into(), ..Space::default() }
}

/// Retries come in tenths of seconds, and so does the end.
pub fn impatient() -> RetryPolicy {
    RetryPolicy {
        first_pauses: vec![Duration::from_secs(1)],
        pause_max: Duration::from_secs(1),
        notice_after: Duration::from_secs(3_600),
        trust_notice_after: Duration::from_secs(3_600),
        give_up_after: Duration::from_secs(7_200),
    }
}

impl World {
    pub async fn new() -> World {
        net::tls::install_crypto_provider();
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let made = DevelopmentTrustSpace::ensure(&folder.path().join("trust"), &Plan::default()).unwrap();
        let store = Store::open(&store::Config::in_folder(folder.path().join("store"))).unwrap();
        let people = store.transaction(|tx| {
            let structure = store::structure::create(tx, "Hôpital", now())?;
            store::domain::create(tx, structure, &"hopital.example".parse().unwrap(), now())?;
            let new = NewAccount { structure, name: "Ann", language: Language::English, quota_octets: 0 };
            let ann = store::account::create(tx, &new, now())?;
            store::address::add(tx, ann, &SENDER.parse().unwrap(), now())?;
            Ok::<_, StoreError>((structure, ann))
        });
        let (structure, ann) = people.await.unwrap();
        let config = delivery::Config::alone("mx.operateur-a.example".parse().unwrap(), 50 << 20);
        let delivery = Delivery::new(store.clone(), config, Here);
        let dns = DnsServer::start().await;
        dns.zone("clinique.example", "@ MX 10 mx\nmx A 127.0.0.1\n");
        let trust = Current::new(space(&made));
        let metrics = Metrics::default();
        World {
            _folder: folder,
            made,
            trust,
            dns,
            store,
            delivery,
            metrics,
            ann,
            structure,
            running: None,
            smart_host: None,
        }
    }

    /// How mail leaves here, to peers on this port.
    pub fn settings(&self, port: u16) -> Settings {
        Settings {
            name: "mx.operateur-a.example".parse().unwrap(),
            routes: Vec::new(),
            port,
            rules: MxRules {
                own_names: vec!["mx.operateur-a.example".parse().unwrap()],
                own_addresses: Vec::new(),
                allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
            },
            transfer: Transfer::Data,
            retry: impatient(),
            limits: Limits { pause_first: Duration::from_millis(500), ..Limits::default() },
            idle: Duration::from_secs(5),
        }
    }

    pub fn run(&mut self, settings: Settings) {
        let servers = Servers::These(vec![self.dns.address()]);
        let resolver = Hickory::patient(&servers, Duration::from_millis(500), Duration::from_secs(2)).unwrap();
        let parts = Parts {
            store: self.store.clone(),
            delivery: self.delivery.clone(),
            smart_host: self.smart_host.take(),
            resolver: Arc::new(resolver),
            tls: TlsClient::new(Some(self.made.certificate(Holder::OperatorA))).unwrap(),
            judge: Arc::new(self.trust.clone()),
            clock: Arc::new(SystemClock),
            metrics: self.metrics.clone(),
        };
        let running = Running { tracker: TaskTracker::new(), stopping: CancellationToken::new() };
        let outbound = Outbound::new(settings, parts);
        running.tracker.spawn(outbound.run(running.tracker.clone(), running.stopping.clone()));
        self.running = Some(running);
    }

    pub fn run_to(&mut self, peer: SocketAddr) {
        let settings = self.settings(peer.port());
        self.run(settings);
    }

    /// As SIGTERM does.
    pub async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stopping.cancel();
        running.tracker.close();
        tokio::time::timeout(PATIENCE, running.tracker.wait()).await.expect("it stops");
    }

    pub async fn send(&self, name: &'static str, to: &[&str], content: &[u8]) {
        let mut envelope = Envelope::new(ReversePath::Address(SENDER.parse().unwrap()));
        envelope.recipients = to.iter().map(|to| recipient(to)).collect();
        self.send_envelope(name, envelope, content).await;
    }

    pub async fn send_envelope(&self, name: &'static str, envelope: Envelope, content: &[u8]) {
        let mut writer = self.store.stage().unwrap();
        writer.write(content).await.unwrap();
        let staged = writer.finish().await.unwrap();
        let (structure, account) = (self.structure, Some(self.ann));
        let inserted = self.store.transaction(move |tx| {
            let new = NewMessage {
                name,
                staged: &staged,
                trace_prefix: b"Received: by mx.operateur-a.example; Fri, 20 Nov 2026 00:00:00 +0000\r\n",
                structure,
                account,
                envelope: &envelope,
                message_id: Some("one@hopital.example"),
            };
            queue::insert(tx, &new, &envelope.recipients, now())
        });
        inserted.await.unwrap();
    }

    pub async fn show(&self, name: &'static str) -> Option<Shown> {
        self.store.read(move |view| queue::operate::show(view, name)).await.unwrap()
    }

    /// Waits until nothing of a message is left in the queue.
    pub async fn gone(&self, name: &'static str) {
        self.until(name, |shown| shown.is_none()).await;
    }

    /// Waits until an entry of a message has attempts, and gives `stage cause host` of the first.
    pub async fn attempt(&self, name: &'static str) -> String {
        let is_tried = |shown: &Option<Shown>| shown.as_ref().is_some_and(|shown| !shown.entries[0].1.is_empty());
        let shown = self.until(name, is_tried).await.unwrap();
        let first = &shown.entries[0].1[0];
        let cause = first.cause.map_or("", |cause| cause.word());
        format!("{} {cause} {}", first.attempt.stage.word(), first.attempt.host)
    }

    pub async fn until(&self, name: &'static str, is_so: impl Fn(&Option<Shown>) -> bool) -> Option<Shown> {
        let began = Instant::now();
        loop {
            let shown = self.show(name).await;
            if is_so(&shown) {
                return shown;
            }
            assert!(began.elapsed() < PATIENCE, "{:?}", shown.map(|shown| shown.entries));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The reports in Ann's box, once there are so many.
    pub async fn reports(&self, count: usize) -> Vec<String> {
        let began = Instant::now();
        loop {
            let reports = self.inbox().await;
            if reports.len() >= count {
                return reports;
            }
            assert!(began.elapsed() < PATIENCE, "{} reports", reports.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn inbox(&self) -> Vec<String> {
        let account = self.ann;
        let found = self.store.read(move |view| {
            let inbox = store::mailbox::by_name(view, account, &MailboxName::inbox())?.unwrap().id;
            let mut found = Vec::new();
            let wanted = store::message::Wanted::default();
            store::message::fetch(view, inbox, 1..=u32::MAX, 1_000, wanted, &mut |message| {
                found.push(message.blob);
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            Ok::<_, StoreError>(found)
        });
        let mut texts = Vec::new();
        for blob in found.await.unwrap() {
            let blob = self.store.open_blob(blob).await.unwrap();
            texts.push(String::from_utf8(blob.read(0..u64::MAX).await.unwrap()).unwrap());
        }
        texts
    }
}

pub fn recipient(address: &str) -> Recipient {
    Recipient::new(ForwardPath::Address(address.parse().unwrap()))
}
