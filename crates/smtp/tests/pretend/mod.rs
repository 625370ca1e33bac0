//! A driver without I/O: answers a session's questions from a few rules, and keeps what was accepted.
//!
//! `nobody@` does not exist, `full@` is full, `@elsewhere.example` is not ours; `forged@` may not send, `big@` finds no
//! room; a message that holds `X-Loop` loops. `ann@example.org` signs in with `secret`.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::expect_used, reason = "tests fail by panicking")]

use std::time::{Duration, Instant};

use auth::sasl::{self, Failure, Mechanism};
use auth::{AccountId, Identity};
use mail::{Envelope, ForwardPath, Language, Refusal, ReversePath, TrustCause};
use smtp::limits::INPUT_OCTETS_MAX;
use smtp::server::{
    Action, Answer, Dsn, Input, Question, RequireTls, Role, Session, SessionConfig, Tls, TlsFacts, Transaction,
    WithoutAuth,
};
use testkit::dialogue::{Endpoint, unescape};

pub fn relay() -> SessionConfig {
    SessionConfig {
        role: Role::Relay,
        host_name: "mx.example.org".parse().expect("a domain"),
        tls: Tls::StartTls,
        octets_max: 10_000,
        recipients_max: 3,
        mechanisms: vec![],
        without_auth: WithoutAuth::Refused,
        nonce: || [7; sasl::NONCE_OCTETS],
        dsn: Dsn::Refused,
        require_tls: RequireTls::Refused,
    }
}

pub fn submission() -> SessionConfig {
    SessionConfig {
        role: Role::Submission,
        mechanisms: vec![Mechanism::ScramSha256Plus, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login],
        ..relay()
    }
}

pub fn submissions() -> SessionConfig {
    SessionConfig { tls: Tls::Implicit, ..submission() }
}

/// For hospital software: it shows a certificate, and may go without AUTH.
pub fn connectors() -> SessionConfig {
    SessionConfig {
        mechanisms: vec![Mechanism::External, Mechanism::OauthBearer, Mechanism::XOauth2, Mechanism::Plain],
        ..submissions()
    }
}

pub fn tls_facts() -> TlsFacts {
    TlsFacts {
        version: "TLSv1.3".into(),
        cipher: "TLS_AES_256_GCM_SHA384".into(),
        bindings: sasl::ChannelBindings { tls_exporter: Some([1; 32]), ..sasl::ChannelBindings::default() },
        peer_chain: Vec::new(),
    }
}

pub struct Pretend {
    config: SessionConfig,
    session: Option<Session>,
    now: Instant,
    /// Octets the client sent while the session did not want any.
    waiting: Vec<u8>,
    sent: Vec<u8>,
    stage: Option<Vec<u8>>,
    pub accepted: Vec<(Transaction, Vec<u8>)>,
    pub tls_asked: bool,
    pub closed: bool,
    /// The most a session had queued at once, in octets of replies.
    pub greatest_send: usize,
    no_stage: bool,
    spool_fails: bool,
    /// The commit takes time: its question stays open until `answer_accept`.
    pub slow_commit: bool,
    pub accept_asked: bool,
    external: sasl::External,
}

impl Pretend {
    pub fn new(config: SessionConfig) -> Pretend {
        Pretend {
            config,
            session: None,
            // The only clock of these tests.
            #[allow(clippy::disallowed_methods, reason = "a starting point; time passes by the transcript")]
            now: Instant::now(),
            waiting: Vec::new(),
            sent: Vec::new(),
            stage: None,
            accepted: Vec::new(),
            tls_asked: false,
            closed: false,
            greatest_send: 0,
            no_stage: false,
            spool_fails: false,
            slow_commit: false,
            accept_asked: false,
            external: sasl::External::NotAsked,
        }
    }

    fn tls_facts(&self) -> TlsFacts {
        let mut facts = tls_facts();
        facts.bindings.external = self.external;
        facts
    }

    pub fn session(&mut self) -> &mut Session {
        if self.session.is_none() {
            self.session = Some(Session::new(self.config.clone().shared(), self.now));
            if self.config.tls == Tls::Implicit {
                self.handle(Input::TlsEstablished(self.tls_facts()));
            }
            self.drain();
        }
        self.session.as_mut().expect("just made")
    }

    pub fn handle(&mut self, input: Input<'_>) {
        let now = self.now;
        self.session().handle(input, now);
        self.drain();
    }

    /// Says it all, gives what is answered.
    pub fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.receive(octets.as_ref());
        String::from_utf8(self.sent()).expect("replies are text")
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.as_mut().and_then(Session::poll) {
            assert!(!self.closed, "an action after Close: {action:?}");
            match action {
                Action::Send(octets) => {
                    self.greatest_send = self.greatest_send.max(octets.len());
                    self.sent.extend(octets);
                }
                Action::Ask(Question::Accept(_)) if self.slow_commit => self.accept_asked = true,
                Action::Ask(question) => {
                    let answer = self.answer(question);
                    let now = self.now;
                    self.session().handle(Input::Answered(answer), now);
                }
                Action::Spool(chunk) => {
                    assert!(chunk.len() <= smtp::limits::SPOOL_OCTETS_MAX);
                    if self.spool_fails {
                        let now = self.now;
                        self.session().handle(Input::SpoolFailed(Refusal::StoreTrouble), now);
                    } else {
                        self.stage.as_mut().expect("Spool without a stage").extend(chunk);
                    }
                }
                Action::Discard => assert!(self.stage.take().is_some(), "Discard without a stage"),
                Action::StartTls => {
                    self.tls_asked = true;
                    self.waiting.clear();
                }
                Action::Close => {
                    self.closed = true;
                    self.stage = None;
                }
            }
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Sender { reverse_path: ReversePath::Address(address), .. } => match address.local_part().as_str()
            {
                "forged" => Answer::Refused(Refusal::SenderNotYours { address: address.to_string() }),
                "big" => Answer::Refused(Refusal::StoreFull),
                "dpi" => Answer::SenderIs(ann()),
                _ => Answer::SenderAccepted,
            },
            Question::Sender { .. } => Answer::SenderAccepted,
            Question::Recipient(ForwardPath::Postmaster) => Answer::RecipientAccepted,
            Question::Recipient(ForwardPath::Address(address)) => {
                match (address.local_part().as_str(), address.domain().as_str()) {
                    (_, "elsewhere.example") => {
                        Answer::Refused(Refusal::RecipientUnlisted { domain: address.domain().to_string() })
                    }
                    ("nobody", _) => Answer::Refused(Refusal::RecipientUnknown),
                    ("full", _) => Answer::Refused(Refusal::QuotaExceeded),
                    _ => Answer::RecipientAccepted,
                }
            }
            Question::Body if self.no_stage => Answer::Refused(Refusal::StoreFull),
            Question::Body => {
                assert!(self.stage.is_none(), "a stage is open already");
                self.stage = Some(Vec::new());
                Answer::BodyReady
            }
            Question::Accept(transaction) => {
                let message = self.stage.take().expect("Accept without a stage");
                assert_eq!(transaction.octets, message.len() as u64);
                if message.windows(6).any(|window| window == b"X-Loop") {
                    return Answer::Refused(Refusal::Loop { received_max: 50 });
                }
                self.accepted.push((*transaction, message));
                Answer::Accepted { message: format!("M{}", self.accepted.len()) }
            }
            Question::Sasl(question) => Answer::Sasl(sign_in(question)),
        }
    }

    fn check_message(&self, what: &str) -> Result<(), String> {
        let (number, what) = what.split_once(' ').ok_or("message N is/from …")?;
        let number: usize = number.parse().map_err(|_| "message number")?;
        let (transaction, message) = self.accepted.get(number - 1).ok_or("no such message")?;
        let (kind, text) = what.split_once(' ').unwrap_or((what, ""));
        let found = match kind {
            "is" => {
                let expected = unescape(text).ok_or("escape")?;
                return match *message == expected {
                    true => Ok(()),
                    false => Err(format!("the message is {:?}", String::from_utf8_lossy(message))),
                };
            }
            "from" => {
                let recipients: Vec<_> =
                    transaction.envelope.recipients.iter().map(|it| it.forward_path.to_string()).collect();
                format!("{} to {}", transaction.envelope.reverse_path, recipients.join(" "))
            }
            "asks" => asked(&transaction.envelope),
            "by" => format!("{} from {}", transaction.protocol.keyword(), transaction.client),
            _ => return Err("message N is/from/by/asks …".into()),
        };
        if found == text { Ok(()) } else { Err(format!("it is {found:?}")) }
    }
}

/// What the envelope asks of reports and travel (RFC 3461, RFC 8689).
fn asked(envelope: &Envelope) -> String {
    let mut asked = format!("{:?} {:?}", envelope.returned, envelope.envelope_id);
    for recipient in &envelope.recipients {
        let original = recipient.original.as_ref();
        let original = original.map(|original| format!(" {} {}", original.address_type, original.address));
        asked.push_str(&format!("; {:?}{}", recipient.notify, original.unwrap_or_default()));
    }
    asked + if envelope.require_tls { " REQUIRETLS" } else { "" }
}

fn sign_in(question: sasl::Question) -> sasl::Answer {
    match question {
        sasl::Question::Password { login, password, .. } => match (login.as_str(), password.expose()) {
            ("ann@example.org", "secret") => sasl::Answer::Accepted(ann()),
            ("slow@example.org", _) => sasl::Answer::Refused(Failure::Throttled),
            ("down@example.org", _) => sasl::Answer::Refused(Failure::Unavailable),
            _ => sasl::Answer::Refused(Failure::Credentials),
        },
        sasl::Question::ScramCredentials { .. } => sasl::Answer::Scram(sasl::ScramCredentials {
            salt: vec![9; 16],
            iterations: 4_096,
            stored_key: [0; 32],
            server_key: [0; 32],
        }),
        sasl::Question::Authorize { .. } | sasl::Question::WrongProof { .. } => {
            sasl::Answer::Refused(Failure::Credentials)
        }
        sasl::Question::Certificate { acting_for } => match acting_for.as_deref() {
            None | Some("dpi@example.org") => sasl::Answer::Accepted(ann()),
            Some("expired") => sasl::Answer::Refused(Failure::Certificate(TrustCause::Expired)),
            Some("unknown") => sasl::Answer::Refused(Failure::Certificate(TrustCause::RevocationUnknown)),
            Some(_) => sasl::Answer::Refused(Failure::Credentials),
        },
        sasl::Question::Token { token, .. } => match token.expose() {
            "away" => sasl::Answer::Refused(Failure::Unavailable),
            token if token.starts_with("good") => sasl::Answer::Accepted(ann()),
            _ => sasl::Answer::TokenRefused(sasl::TokenRefusal {
                status: sasl::TokenStatus::InvalidToken,
                scope: "openid".into(),
                discovery: String::new(),
            }),
        },
    }
}

fn ann() -> Identity {
    Identity { person: AccountId(1), acting_for: AccountId(1), language: Language::French }
}

impl Endpoint for Pretend {
    fn receive(&mut self, octets: &[u8]) {
        self.waiting.extend_from_slice(octets);
        while self.session().wants_input() && !self.waiting.is_empty() {
            let read = self.waiting.len().min(INPUT_OCTETS_MAX);
            let piece: Vec<u8> = self.waiting.drain(..read).collect();
            self.handle(Input::Received(&piece));
        }
    }

    fn sent(&mut self) -> Vec<u8> {
        self.session();
        std::mem::take(&mut self.sent)
    }

    fn pass(&mut self, duration: Duration) {
        self.session();
        let end = self.now + duration;
        while self.session().deadline() <= end && !self.closed {
            self.now = self.session().deadline();
            self.handle(Input::DeadlinePassed);
        }
        self.now = end;
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn event(&mut self, event: &str) -> Result<(), String> {
        if let Some(what) = event.strip_prefix("message ") {
            return self.check_message(what);
        }
        match event.split(' ').collect::<Vec<_>>().as_slice() {
            ["listener", "relay"] => self.config = relay(),
            ["listener", "submission"] => self.config = submission(),
            ["listener", "submissions"] => self.config = submissions(),
            ["dsn"] => self.config.dsn = Dsn::Announced,
            ["requiretls"] => self.config.require_tls = RequireTls::Announced,
            ["no", "TLS"] => self.config.tls = Tls::Never,
            ["at", "most", number, "octets"] => self.config.octets_max = number.parse().map_err(|_| "number")?,
            ["at", "most", number, "recipients"] => {
                self.config.recipients_max = number.parse().map_err(|_| "number")?
            }
            ["listener", "connectors"] => self.config = connectors(),
            ["a", "certificate", "is", "asked", "for"] => self.external = sasl::External::Useless,
            ["a", "bound", "certificate", "is", "shown"] => self.external = sasl::External::Bound,
            ["MAIL", "chooses"] => self.config.without_auth = WithoutAuth::ByCertificate,
            ["tls", "established"] if self.tls_asked => self.handle(Input::TlsEstablished(self.tls_facts())),
            ["no", "room"] => self.no_stage = true,
            ["disk", "fails"] => self.spool_fails = true,
            ["the", "client", "vanishes"] => self.handle(Input::Ended),
            ["the", "server", "stops"] => self.handle(Input::ShutDown),
            ["the", "account", "is", "suspended"] => self.handle(Input::Suspended),
            ["nothing", "accepted"] if self.accepted.is_empty() => {}
            ["nothing", "accepted"] => return Err("something was accepted".into()),
            ["nothing", "staged"] if self.stage.is_none() => {}
            _ => return Err("no such event, or not now".into()),
        }
        Ok(())
    }
}
