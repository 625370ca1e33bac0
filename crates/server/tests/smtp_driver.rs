//! The SMTP driver over a stream in memory: replies gathered, bodies spooled, endings heard, a broken TLS stream ended.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests make connections"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::sasl::External;
use mail::Refusal;
use net::Connection;
use net::tls::Peer;
use server::sessions::{Ending, Protocol, Session, SessionLimits, Sessions};
use server::smtp_driver::{Answers, DriverError, serve};
use smtp::server::{Answer, Dsn, Question, RequireTls, Role, SessionConfig, Tls, WithoutAuth};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Accepts everything, and keeps what was spooled.
#[derive(Clone, Default)]
struct Yes {
    spooled: Arc<Mutex<Vec<u8>>>,
    accepted: Arc<Mutex<Vec<Vec<u8>>>>,
    full: bool,
}

impl Answers for Yes {
    async fn answer(&mut self, _session: &Session, question: Question) -> Answer {
        match question {
            Question::Sasl(_) => unreachable!("a relay signs nobody in"),
            Question::Sender { .. } => Answer::SenderAccepted,
            Question::Recipient(_) => Answer::RecipientAccepted,
            Question::Body => Answer::BodyReady,
            Question::Accept(_) => {
                let message = std::mem::take(&mut *self.spooled.lock().unwrap());
                self.accepted.lock().unwrap().push(message);
                Answer::Accepted { message: "m1".into() }
            }
        }
    }

    async fn spool(&mut self, chunk: Vec<u8>) -> Result<(), Refusal> {
        if self.full {
            return Err(Refusal::StoreFull);
        }
        self.spooled.lock().unwrap().extend(chunk);
        Ok(())
    }

    fn discard(&mut self) {
        self.spooled.lock().unwrap().clear();
    }

    async fn tls_established(&mut self, _session: &Session, _peer: &Peer) -> External {
        External::NotAsked
    }
}

struct Dialogue {
    client: DuplexStream,
    answers: Yes,
    sessions: Sessions,
    served: tokio::task::JoinHandle<Result<(), DriverError>>,
}

fn begin(answers: Yes) -> Dialogue {
    let limits = SessionLimits { total_max: 9, per_address_max: 9, per_account_max: 9, networks: Vec::new() };
    let sessions = Sessions::new(limits);
    let mut session = sessions.open(Protocol::Relay, "192.0.2.1".parse().unwrap()).unwrap();
    let config = SessionConfig {
        role: Role::Relay,
        host_name: "mx.a.example".parse().unwrap(),
        tls: Tls::Never,
        octets_max: 1_000_000,
        recipients_max: 100,
        mechanisms: Vec::new(),
        without_auth: WithoutAuth::Refused,
        nonce: || [0; auth::sasl::NONCE_OCTETS],
        dsn: Dsn::Refused,
        require_tls: RequireTls::Refused,
    };
    let (client, server) = tokio::io::duplex(1 << 20);
    let mut mine = answers.clone();
    let served =
        tokio::spawn(
            async move { serve(Connection::Plain(server), Arc::new(config), None, &mut session, &mut mine).await },
        );
    Dialogue { client, answers, sessions, served }
}

impl Dialogue {
    async fn send(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything the server says until it closes.
    async fn rest(&mut self) -> String {
        let mut said = String::new();
        let reading = self.client.read_to_string(&mut said);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("an end").unwrap();
        said
    }

    /// What comes in one piece.
    async fn piece(&mut self) -> String {
        let mut octets = vec![0; 4_096];
        let reading = self.client.read(&mut octets);
        let count = tokio::time::timeout(Duration::from_secs(10), reading).await.expect("a piece").unwrap();
        octets.truncate(count);
        String::from_utf8(octets).unwrap()
    }
}

fn codes(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-')).filter_map(|line| line.get(..3)).collect()
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order_and_in_one_piece() {
    let mut dialogue = begin(Yes::default());
    assert!(dialogue.piece().await.starts_with("220 "));
    dialogue.send("EHLO c.example\r\n").await;
    dialogue.piece().await;
    dialogue.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@a.example>\r\nRCPT TO:<d@a.example>\r\nDATA\r\n").await;
    assert_eq!(codes(&dialogue.piece().await), ["250", "250", "250", "354"]);
    dialogue.send("Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n").await;
    assert_eq!(codes(&dialogue.rest().await), ["250", "221"]);
    assert_eq!(*dialogue.answers.accepted.lock().unwrap(), [b"Subject: x\r\n\r\n.dot\r\n".to_vec()]);
    drop(dialogue.client);
    dialogue.served.await.unwrap().unwrap();
    assert_eq!(dialogue.sessions.count(), 0);
}

#[tokio::test]
async fn a_body_that_cannot_be_stored_is_refused_at_its_end() {
    let mut dialogue = begin(Yes { full: true, ..Yes::default() });
    dialogue.send("EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<c@a.example>\r\nDATA\r\n").await;
    while !dialogue.piece().await.contains("354 ") {}
    dialogue.send("Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n").await;
    assert_eq!(codes(&dialogue.rest().await), ["452", "221"]);
    assert!(dialogue.answers.accepted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_that_ends_within_a_body_leaves_nothing() {
    let mut dialogue = begin(Yes::default());
    dialogue.send("EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<c@a.example>\r\nBDAT 1000 LAST\r\nhalf").await;
    while !dialogue.piece().await.contains("250 2.1.5") {}
    drop(dialogue.client);
    let _ = dialogue.served.await.unwrap();
    assert!(dialogue.answers.accepted.lock().unwrap().is_empty());
    assert_eq!(dialogue.sessions.count(), 0);
}

#[tokio::test]
async fn endings_are_heard_while_a_client_is_silent() {
    for ending in [Ending::Stopping, Ending::Administrator] {
        let mut dialogue = begin(Yes::default());
        assert!(dialogue.piece().await.starts_with("220 "));
        match ending {
            Ending::Stopping => dialogue.sessions.stop(),
            _ => {
                let id = dialogue.sessions.list().first().unwrap().id;
                assert!(dialogue.sessions.end(id));
            }
        }
        assert!(dialogue.rest().await.starts_with("421 "), "{ending:?}");
    }
}

#[tokio::test]
async fn a_running_transaction_ends_before_the_session_stops() {
    let mut dialogue = begin(Yes::default());
    dialogue.send("EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<c@a.example>\r\nDATA\r\n").await;
    while !dialogue.piece().await.contains("354 ") {}
    dialogue.sessions.stop();
    dialogue.send("Subject: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    dialogue.send("body\r\n.\r\n").await;
    assert_eq!(codes(&dialogue.rest().await), ["250", "421"]);
    assert_eq!(dialogue.answers.accepted.lock().unwrap().len(), 1);
}
