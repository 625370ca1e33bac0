//! A session whose questions are answered by a script: it accepts `ann` with `secret`, and says back what was asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::sasl::{self, Failure, Mechanism};
use auth::{AccountId, Identity};
use imap::command::{Command, print};
use imap::response::{Code, Responses, Status};
use imap::sequence::Ranges;
use imap::server::{Action, Answer, Completed, Config, Farewell, Input, Question, Session, Then, Transport};
use mail::{Language, Refusal, TrustCause};
use testkit::dialogue::Endpoint;

/// The largest message: small, so that tests can pass it.
pub const APPEND_OCTETS_MAX: u64 = 1_000;

pub struct Scripted {
    pub session: Session,
    now: Instant,
    sent: Vec<u8>,
    staged: Option<Vec<u8>>,
    spool_fails: bool,
    handshake: bool,
    closed: bool,
    /// The largest [`Action::Send`] and [`Action::Spool`] seen.
    pub largest: usize,
}

impl Scripted {
    pub fn clear() -> Scripted {
        Scripted::open(Transport::Clear, &Mechanism::PASSWORD)
    }

    pub fn tls() -> Scripted {
        Scripted::offering(&Mechanism::PASSWORD)
    }

    pub fn offering(mechanisms: &[Mechanism]) -> Scripted {
        Scripted::open(Transport::Tls(sasl::ChannelBindings::default()), mechanisms)
    }

    /// For hospital software, which showed a certificate that is good for this much.
    pub fn connector(external: sasl::External) -> Scripted {
        let bindings = sasl::ChannelBindings { external, ..sasl::ChannelBindings::default() };
        let mechanisms = [Mechanism::External, Mechanism::OauthBearer, Mechanism::XOauth2];
        Scripted::open(Transport::Tls(bindings), &mechanisms)
    }

    /// Signed in, the greeting and the completion already read.
    pub fn signed_in() -> Scripted {
        let mut scripted = Scripted::tls();
        scripted.receive(b"a LOGIN ann secret\r\n");
        assert!(String::from_utf8(scripted.sent()).unwrap().contains("a OK [CAPABILITY"));
        scripted
    }

    fn open(transport: Transport, mechanisms: &[Mechanism]) -> Scripted {
        let now = Instant::now();
        let config = Config {
            host_name: "mail.example.org".into(),
            append_octets_max: APPEND_OCTETS_MAX,
            sign_in_time: Duration::from_secs(60),
            idle_time: Duration::from_secs(31 * 60),
            failures_max: 3,
            mechanisms: mechanisms.to_vec(),
            random: Box::new(|nonce| nonce.fill(7)),
        };
        let mut scripted = Scripted {
            session: Session::new(Arc::new(config), transport, now),
            now,
            sent: Vec::new(),
            staged: None,
            spool_fails: false,
            handshake: false,
            closed: false,
            largest: 0,
        };
        scripted.drain();
        scripted
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.poll() {
            assert!(!self.closed, "after the end: {action:?}");
            match action {
                Action::Send(octets) => {
                    self.largest = self.largest.max(octets.len());
                    self.sent.extend(octets);
                }
                Action::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.handle(Input::Answered(answer), self.now);
                }
                Action::Spool(octets) => {
                    assert!(!octets.is_empty());
                    self.largest = self.largest.max(octets.len());
                    self.staged.as_mut().expect("a stage is open").extend(octets);
                    if self.spool_fails {
                        (self.spool_fails, self.staged) = (false, None);
                        self.session.handle(Input::SpoolFailed(Refusal::StoreTrouble), self.now);
                    }
                }
                Action::AbandonAppend => drop(self.staged.take().expect("a stage is open")),
                Action::StartTls => self.handshake = true,
                Action::Close => self.closed = true,
            }
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Sasl(sasl::Question::Password { login, password, .. }) => {
                Answer::Sasl(match (login.as_str(), password.expose()) {
                    ("ann" | "ann*box" | "zoé", "secret") => sasl::Answer::Accepted(ann()),
                    ("busy", _) => sasl::Answer::Refused(Failure::Unavailable),
                    _ => sasl::Answer::Refused(Failure::Credentials),
                })
            }
            Question::Sasl(sasl::Question::Certificate { acting_for }) => Answer::Sasl(match acting_for.as_deref() {
                None | Some("dpi@example.org") => sasl::Answer::Accepted(ann()),
                Some("expired") => sasl::Answer::Refused(Failure::Certificate(TrustCause::Expired)),
                Some("unknown") => sasl::Answer::Refused(Failure::Certificate(TrustCause::RevocationUnknown)),
                Some(_) => sasl::Answer::Refused(Failure::Credentials),
            }),
            Question::Sasl(sasl::Question::Token { token, .. }) => Answer::Sasl(match token.expose() {
                "away" => sasl::Answer::Refused(Failure::Unavailable),
                token if token.starts_with("good") => sasl::Answer::Accepted(ann()),
                _ => sasl::Answer::TokenRefused(sasl::TokenRefusal {
                    status: sasl::TokenStatus::InvalidToken,
                    scope: "openid".into(),
                    discovery: String::new(),
                }),
            }),
            Question::Sasl(_) => Answer::Sasl(sasl::Answer::Refused(Failure::Credentials)),
            Question::Operation { tag, operation, enabled } => {
                let then = match operation.name() {
                    "SELECT" | "EXAMINE" => Then::Selected,
                    "CLOSE" | "UNSELECT" => Then::Unselected,
                    _ => Then::Stay,
                };
                let mut responses = Responses::new(enabled);
                let printed = print(&tag, &Command::Operation(operation));
                let printed = String::from_utf8_lossy(&printed).replace("\r\n", "\\");
                responses.status(Status::Ok, None, &format!("asked {printed}"));
                self.sent.extend(responses.take());
                match printed.contains(" missing") {
                    true => Answer::Completed(
                        Completed::no(Some(Code::NonExistent), "no such mailbox").then(if then == Then::Selected {
                            Then::Unselected
                        } else {
                            then
                        }),
                    ),
                    false => Answer::Completed(Completed::ok("done").then(then)),
                }
            }
            Question::AppendStart { mailbox, .. } => match mailbox.as_str() {
                "full" => Answer::Completed(Completed::refused(&Refusal::QuotaExceeded, Language::English)),
                "missing" => Answer::Completed(Completed::no(Some(Code::TryCreate), "no such mailbox")),
                name => {
                    self.spool_fails = name == "broken";
                    self.staged = Some(Vec::new());
                    Answer::AppendReady
                }
            },
            Question::AppendFinish { .. } => {
                let octets = self.staged.take().expect("a stage is open");
                let text = String::from_utf8_lossy(&octets).replace("\r\n", "\\");
                let text = if octets.len() > 100 { format!("{} octets", octets.len()) } else { text };
                let uids = Ranges::from_numbers([1]);
                Answer::Completed(Completed::ok(text).code(Code::AppendUid { uid_validity: 7, uids }))
            }
        }
    }
}

pub fn ann() -> Identity {
    Identity { person: AccountId(1), acting_for: AccountId(1), language: Language::English }
}

impl Endpoint for Scripted {
    fn receive(&mut self, octets: &[u8]) {
        if !self.closed {
            self.give(Input::Received(octets));
        }
    }

    fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        if self.now >= self.session.deadline() {
            self.give(Input::DeadlinePassed);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn event(&mut self, event: &str) -> Result<(), String> {
        match event {
            "tls established" if std::mem::take(&mut self.handshake) => {
                self.give(Input::TlsEstablished(sasl::ChannelBindings::default()));
            }
            "the server stops" => self.give(Input::Leave(Farewell::ShutDown)),
            "the sign-in is too old" => self.give(Input::Leave(Farewell::Expired)),
            "the account is suspended" => self.give(Input::Leave(Farewell::Suspended)),
            "a message arrives" if self.session.is_idle() => self.give(Input::Output(b"* 5 EXISTS\r\n".to_vec())),
            "the client is gone" => self.give(Input::Ended),
            other => return Err(format!("not now: {other}")),
        }
        Ok(())
    }
}
