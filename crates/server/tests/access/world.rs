//! A store in a temporary folder with two people, and connections to the access driver over a pipe in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{AccountId, Identity, sasl};
use delivery::{AppendOrder, Delivery, Door, Origin, Peer, Surroundings};
use mail::Language;
use mail::envelope::{Envelope, ForwardPath, Recipient, ReversePath};
use server::access::{Authenticating, Context, Conversation, Host, Outcome, serve};
use server::sessions::{Protocol, Session, SessionLimits, Sessions};
use store::account::NewAccount;
use store::mailbox::MailboxName;
use store::message::Appended;
use store::{Flags, Store, StoreError, UnixMillis};
use tokio::io::DuplexStream;

/// When messages of the tests come in: 2 January 2020, 03:04:05 UTC.
pub const THEN: UnixMillis = UnixMillis(1_577_934_245_000);

/// Octets of the largest message.
pub const APPEND_OCTETS_MAX: u64 = 4 * 1024 * 1024;

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub delivery: Delivery,
    pub sessions: Sessions,
    pub context: Arc<Context>,
    pub anne: AccountId,
}

/// Lets in whoever says `secret`.
struct Doorman {
    people: [(&'static str, AccountId); 2],
}

impl Host for Doorman {
    fn authenticate<'a>(&'a self, _: &'a Session, question: sasl::Question) -> Authenticating<'a> {
        let known = |login: &str| self.people.iter().find(|(name, _)| *name == login).map(|(_, account)| *account);
        let answer = match question {
            sasl::Question::Password { login, password, .. } if password.expose() == "secret" => known(&login),
            _ => None,
        };
        let answer = match answer {
            Some(account) => {
                sasl::Answer::Accepted(Identity { person: account, acting_for: account, language: Language::English })
            }
            None => sasl::Answer::Refused(sasl::Failure::Credentials),
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Fixed;

impl Surroundings for Fixed {
    fn now(&self) -> UnixMillis {
        THEN
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn random(&self, octets: &mut [u8]) {
        octets.fill(7);
    }
}

impl World {
    pub async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&store::Config::in_folder(folder.path())).unwrap();
        let people = store.transaction(|tx| {
            let structure = store::structure::create(tx, "Cabinet", THEN)?;
            store::domain::create(tx, structure, &"example.org".parse().unwrap(), THEN)?;
            let mut account = |name, quota_octets| {
                let new = NewAccount { structure, name, language: Language::English, quota_octets };
                store::account::create(tx, &new, THEN)
            };
            let (anne, paul) = (account("Anne", 0)?, account("Paul", 100_000)?);
            store::address::add(tx, anne, &"anne@example.org".parse().unwrap(), THEN)?;
            Ok::<_, StoreError>((anne, paul))
        });
        let (anne, paul) = people.await.unwrap();
        let config = delivery::Config::alone("mx.example.org".parse().unwrap(), APPEND_OCTETS_MAX);
        let delivery = Delivery::new(store.clone(), config, Fixed);
        let imap = imap::server::Config {
            host_name: "imap.example.org".into(),
            append_octets_max: APPEND_OCTETS_MAX,
            sign_in_time: Duration::from_secs(60),
            idle_time: Duration::from_secs(1_800),
            failures_max: 3,
            mechanisms: auth::sasl::Mechanism::PASSWORD.to_vec(),
            random: Box::new(|octets| octets.fill(7)),
        };
        let host = Doorman { people: [("anne", anne), ("paul", paul)] };
        let context =
            Context { store: store.clone(), delivery: delivery.clone(), imap: Arc::new(imap), host: Arc::new(host) };
        let limits = SessionLimits { total_max: 100, per_address_max: 100, per_account_max: 10, networks: Vec::new() };
        let sessions = Sessions::new(limits);
        World { folder, store, delivery, sessions, context: Arc::new(context), anne }
    }

    /// A client's end of a new connection; the server's end runs in a task of its own.
    pub fn connect(&self) -> DuplexStream {
        let (client, mut server) = tokio::io::duplex(64 * 1024);
        let place = self.sessions.open(Protocol::Imap, "192.0.2.1".parse().unwrap()).unwrap();
        let transport = imap::server::Transport::Tls(sasl::ChannelBindings::default());
        let mut conversation = Conversation::new(self.context.clone(), place, transport);
        tokio::spawn(async move {
            assert_eq!(serve(&mut server, &mut conversation).await, Outcome::Closed);
        });
        client
    }

    /// A message arrives in Anne's mailbox.
    pub async fn deliver(&self, mailbox: &str, octets: &[u8], flags: Flags) -> Appended {
        let (account, name) = (self.anne, MailboxName::parse(mailbox).unwrap());
        let found = self.store.read(move |view| store::mailbox::by_name(view, account, &name)).await;
        let mailbox = found.map_err(|error: StoreError| error).unwrap().unwrap().id;
        let mut incoming = self.delivery.begin(Door::Append).await.unwrap();
        for chunk in octets.chunks(50_000) {
            incoming.write(chunk).await.unwrap();
        }
        incoming.append(AppendOrder { mailbox, flags, internal_date: Some(THEN) }).await.unwrap()
    }

    /// A message comes from another host, and so gets trace fields.
    pub async fn relay(&self, octets: &[u8]) -> Appended {
        let mut incoming = self.delivery.begin(Door::Relay(Peer::Unasked)).await.unwrap();
        incoming.write(octets).await.unwrap();
        let mut envelope = Envelope::new(ReversePath::Address("paul@elsewhere.example".parse().unwrap()));
        let anne = ForwardPath::Address("anne@example.org".parse().unwrap());
        envelope.recipients.push(Recipient::new(anne));
        let origin = Origin {
            client_name: "client.example".into(),
            client_address: "192.0.2.7".parse().unwrap(),
            tls: None,
            protocol: mail::trace::Protocol { extended: true, tls: false, authenticated: false, smtputf8: false },
        };
        incoming.accept(&envelope, &origin).await.unwrap().copies[0]
    }
}
