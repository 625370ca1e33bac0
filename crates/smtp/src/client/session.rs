//! The client's session.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::{EnhancedStatus, Envelope};
use smtp_proto::response::parser::ResponseReceiver;

use super::announced::{has_international_path, needs_smtputf8};
use super::{Action, Announced, ClientConfig, Decided, Extension, Failure, Input, Outcome, Response, Tls, Transfer};
use crate::command::{Command, Mail, Rcpt};
use crate::dot_stuffing::DotWriter;
use crate::line_ends::LineEnds;

/// One connection to a server.
pub struct Session {
    config: ClientConfig,
    announced: Announced,
    protected: bool,
    /// Replies that are owed to us, first come first served.
    awaited: VecDeque<Awaited>,
    stage: Stage,
    /// Commands held back until the reply before them, where PIPELINING is not announced.
    unsent: VecDeque<(String, Awaited)>,
    /// A transaction the server may still have open is reset before the next.
    stale: bool,
    replies: ResponseReceiver,
    actions: VecDeque<Action>,
    deadline: Instant,
    now: Instant,
}

/// To what a reply will answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Rset,
    Mail,
    Rcpt,
    Data,
    Chunk,
    BodyEnd,
    Quit,
}

enum Stage {
    /// Before [`Action::Ready`].
    Opening,
    Ready,
    /// MAIL and RCPT are out.
    Envelope(Progress),
    /// The body is being handed in.
    Body(Progress, Body),
    /// The body is out.
    Sent(Progress),
    Over,
}

struct Progress {
    transfer: Transfer,
    recipients: Vec<Response>,
    /// The first reply that spoils the transaction as a whole.
    refused: Option<(Decided, Response)>,
}

enum Body {
    Data(DotWriter),
    Chunks(LineEnds),
}

/// RFC 5321 §4.5.3.2.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const DATA_TIMEOUT: Duration = Duration::from_secs(2 * 60);
const BLOCK_TIMEOUT: Duration = Duration::from_secs(3 * 60);
const END_TIMEOUT: Duration = Duration::from_secs(10 * 60);

impl Session {
    /// A connection that was just made; with [`Tls::Implicit`], after the handshake.
    pub fn new(config: ClientConfig, now: Instant) -> Session {
        Session {
            protected: config.tls == Tls::Implicit,
            config,
            announced: Announced::default(),
            awaited: VecDeque::from([Awaited::Greeting]),
            stage: Stage::Opening,
            unsent: VecDeque::new(),
            stale: false,
            replies: ResponseReceiver::default(),
            actions: VecDeque::new(),
            deadline: now + REPLY_TIMEOUT,
            now,
        }
    }

    /// Takes what happened, and queues what is to be done; drain [`Session::poll`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.now = now;
        let result = match input {
            _ if matches!(self.stage, Stage::Over) => Ok(()),
            Input::Received(octets) => self.received(octets),
            Input::TlsEstablished => self.tls_established(),
            Input::Message(envelope) => self.message(&envelope),
            Input::Body(piece) => self.body(piece),
            Input::BodyEnd => self.body_end(),
            Input::Quit => self.quit(),
            Input::DeadlinePassed if now < self.deadline => Ok(()),
            Input::DeadlinePassed if self.awaited.is_empty() => {
                self.deadline = now + REPLY_TIMEOUT;
                Ok(())
            }
            Input::DeadlinePassed => Err(Failure::TimedOut),
            Input::Ended => Err(Failure::Ended),
        };
        if let Err(failure) = result {
            self.actions.push_back(Action::Failed(failure));
            self.close();
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Input::DeadlinePassed`] is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What the server offers, from the last EHLO on.
    pub fn announced(&self) -> &Announced {
        &self.announced
    }

    fn received(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let mut rest = octets.iter();
        // What follows the reply to QUIT is nobody's.
        while !rest.as_slice().is_empty() && !matches!(self.stage, Stage::Over) {
            let response = match self.replies.parse(&mut rest) {
                Ok(response) => response,
                Err(smtp_proto::Error::NeedsMoreData { .. }) => return Ok(()),
                Err(_) => return Err(Failure::Protocol("no reply")),
            };
            self.replies.reset();
            if !(200..600).contains(&response.code) {
                return Err(Failure::Protocol("reply code out of range"));
            }
            let status = match response.esc {
                [0, ..] => None,
                [class, subject, detail] => Some(EnhancedStatus::new(class, u16::from(subject), u16::from(detail))),
            };
            let response = Response { code: response.code, status, text: response.message };
            let Some(awaited) = self.awaited.pop_front() else {
                // 421 may come at any time (RFC 5321 §3.8).
                return Err(match response.code {
                    421 => Failure::Refused { command: "connection", response },
                    _ => Failure::Protocol("a reply to nothing"),
                });
            };
            self.replied(awaited, response, rest.as_slice().is_empty())?;
        }
        Ok(())
    }

    /// `last`: no octets follow this reply.
    fn replied(&mut self, awaited: Awaited, response: Response, last: bool) -> Result<(), Failure> {
        let refused = |command, response| Err(Failure::Refused { command, response });
        match (awaited, response.code) {
            (_, 421) => refused("connection", response),
            (Awaited::Greeting, 220) => {
                self.say_ehlo();
                Ok(())
            }
            (Awaited::Greeting, _) => refused("greeting", response),
            (Awaited::Ehlo, 250) => self.greeted(&response),
            (Awaited::Ehlo, _) => refused("EHLO", response),
            // What follows was sent in the clear, to be read as if it were not (S4).
            (Awaited::StartTls, 220) if !last => Err(Failure::Protocol("octets before the handshake")),
            (Awaited::StartTls, 220) => {
                self.actions.push_back(Action::StartTls);
                Ok(())
            }
            (Awaited::StartTls, _) => refused("STARTTLS", response),
            (Awaited::Auth, 235) => {
                self.ready();
                Ok(())
            }
            (Awaited::Auth, _) => refused("AUTH", response),
            (Awaited::Rset, 250) => {
                self.say_next();
                Ok(())
            }
            (Awaited::Rset, _) => refused("RSET", response),
            (Awaited::Quit, _) => {
                self.close();
                Ok(())
            }
            (Awaited::Mail | Awaited::Rcpt | Awaited::Data | Awaited::Chunk | Awaited::BodyEnd, _) => {
                self.replied_in_transaction(awaited, response)
            }
        }
    }

    fn greeted(&mut self, response: &Response) -> Result<(), Failure> {
        self.announced = Announced::parse(&response.text);
        if !self.protected && self.config.tls == Tls::StartTls {
            return match self.announced.starttls {
                true => {
                    self.say(b"STARTTLS\r\n".to_vec(), [Awaited::StartTls], REPLY_TIMEOUT);
                    Ok(())
                }
                false => Err(Failure::NoTls),
            };
        }
        let Some(credentials) = &self.config.credentials else {
            self.ready();
            return Ok(());
        };
        if !self.protected || !self.announced.plain {
            return Err(Failure::NoAuthentication);
        }
        let plain = format!("\0{}\0{}", credentials.login, credentials.password.expose());
        let line = format!("AUTH PLAIN {}\r\n", STANDARD.encode(plain));
        self.say(line.into_bytes(), [Awaited::Auth], REPLY_TIMEOUT);
        Ok(())
    }

    fn tls_established(&mut self) -> Result<(), Failure> {
        if self.protected || !matches!(self.stage, Stage::Opening) || !self.awaited.is_empty() {
            return Err(Failure::Misused);
        }
        self.protected = true;
        // What was announced in the clear counts for nothing (RFC 3207 §4.2).
        self.announced = Announced::default();
        self.replies.reset();
        self.say_ehlo();
        Ok(())
    }

    /// MAIL, RCPT and DATA: in one go where PIPELINING is announced (RFC 2920 §3.1), except that BDAT awaits the body.
    fn message(&mut self, envelope: &Envelope) -> Result<(), Failure> {
        let Stage::Ready = self.stage else { return Err(Failure::Misused) };
        let mail = self.mail(envelope)?;
        let mut line = |command: Command, answer: Awaited| self.unsent.push_back((format!("{command}\r\n"), answer));
        if std::mem::take(&mut self.stale) {
            line(Command::Rset, Awaited::Rset);
        }
        line(Command::Mail(mail), Awaited::Mail);
        for recipient in &envelope.recipients {
            let rcpt = Rcpt {
                forward_path: recipient.forward_path.clone(),
                internationalized: false,
                original: recipient.original.clone().filter(|_| self.announced.dsn),
                notify: recipient.notify.filter(|_| self.announced.dsn),
            };
            line(Command::Rcpt(rcpt), Awaited::Rcpt);
        }
        let transfer = match self.announced.chunking {
            true => self.config.transfer,
            false => Transfer::Data,
        };
        if transfer == Transfer::Data {
            line(Command::Data, Awaited::Data);
        }
        self.stage = Stage::Envelope(Progress { transfer, recipients: Vec::new(), refused: None });
        self.say_next();
        Ok(())
    }

    fn mail(&self, envelope: &Envelope) -> Result<Mail, Failure> {
        if let Some(extension) = self.announced.lacks(envelope) {
            return Err(Failure::Unsupported(extension));
        }
        if envelope.require_tls && !self.protected {
            return Err(Failure::Unsupported(Extension::RequireTls));
        }
        Ok(Mail {
            reverse_path: envelope.reverse_path.clone(),
            internationalized: has_international_path(envelope),
            declared_octets: envelope.declared_octets.filter(|_| self.announced.size),
            body: envelope.body,
            smtputf8: needs_smtputf8(envelope),
            // Where DSN is not announced the wishes end here, and whoever sends owes the reports (RFC 3461 §5.2.2).
            returned: envelope.returned.filter(|_| self.announced.dsn),
            envelope_id: envelope.envelope_id.clone().filter(|_| self.announced.dsn),
            require_tls: envelope.require_tls,
        })
    }

    fn replied_in_transaction(&mut self, awaited: Awaited, response: Response) -> Result<(), Failure> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        self.stage = match (stage, awaited) {
            (Stage::Envelope(progress), _) => self.envelope_replied(progress, awaited, response)?,
            // A chunk was refused while more were on their way (RFC 3030 §2).
            (Stage::Body(mut progress, body), Awaited::Chunk) => {
                if !response.is_positive() {
                    progress.refused.get_or_insert((Decided::Content, response));
                }
                Stage::Body(progress, body)
            }
            (Stage::Sent(mut progress), Awaited::Chunk) => {
                if !response.is_positive() {
                    progress.refused.get_or_insert((Decided::Content, response));
                }
                Stage::Sent(progress)
            }
            (Stage::Sent(progress), Awaited::BodyEnd) => self.done(progress, response),
            _ => return Err(Failure::Protocol("a reply out of order")),
        };
        // With more replies owed, the wait for each begins anew.
        self.deadline = self.deadline.max(self.now + REPLY_TIMEOUT);
        Ok(())
    }

    fn envelope_replied(
        &mut self,
        mut progress: Progress,
        awaited: Awaited,
        response: Response,
    ) -> Result<Stage, Failure> {
        let positive = response.is_positive();
        match awaited {
            Awaited::Mail if !positive => progress.refused = Some((Decided::Mail, response)),
            Awaited::Mail => {}
            Awaited::Rcpt => progress.recipients.push(response),
            Awaited::Data if response.code == 354 => {
                return Ok(match has_recipients(&progress) {
                    true => {
                        self.actions.push_back(Action::WantBody);
                        self.deadline = self.now + DATA_TIMEOUT;
                        Stage::Body(progress, Body::Data(DotWriter::new()))
                    }
                    // A body awaited for nobody: the empty one (RFC 2920 §3.1).
                    false => {
                        progress
                            .refused
                            .get_or_insert_with(|| (Decided::Recipients, no_recipients(&progress.recipients)));
                        self.say(b".\r\n".to_vec(), [Awaited::BodyEnd], END_TIMEOUT);
                        Stage::Sent(progress)
                    }
                });
            }
            Awaited::Data if positive => return Err(Failure::Protocol("DATA answered 2xx")),
            // Without recipients, their refusals say more than this one.
            Awaited::Data if has_recipients(&progress) => progress.refused = Some((Decided::Content, response)),
            Awaited::Data => {}
            _ => return Err(Failure::Protocol("a reply out of order")),
        }
        if self.awaited.is_empty() {
            if progress.refused.is_some() || (self.unsent.len() == 1 && !has_recipients(&progress)) {
                // DATA would be refused, or would ask for a body for nobody.
                self.unsent.clear();
            }
            self.say_next();
        }
        if !self.awaited.is_empty() {
            return Ok(Stage::Envelope(progress));
        }
        if progress.refused.is_none() && progress.transfer == Transfer::Chunks && has_recipients(&progress) {
            self.actions.push_back(Action::WantBody);
            self.deadline = self.now + DATA_TIMEOUT;
            return Ok(Stage::Body(progress, Body::Chunks(LineEnds::default())));
        }
        let message = no_recipients(&progress.recipients);
        progress.refused.get_or_insert((Decided::Recipients, message.clone()));
        Ok(self.done(progress, message))
    }

    fn body(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let Stage::Body(progress, body) = &mut self.stage else { return Err(Failure::Misused) };
        let mut wire = Vec::new();
        match body {
            Body::Data(writer) => writer.write(piece, &mut wire)?,
            Body::Chunks(ends) => {
                ends.check(piece)?;
                if !piece.is_empty() && progress.refused.is_none() {
                    wire.reserve(piece.len() + 32);
                    wire.extend_from_slice(format!("BDAT {}\r\n", piece.len()).as_bytes());
                    wire.extend_from_slice(piece);
                    self.awaited.push_back(Awaited::Chunk);
                }
            }
        }
        self.deadline = self.now + BLOCK_TIMEOUT;
        if !wire.is_empty() {
            self.actions.push_back(Action::Send(wire));
        }
        Ok(())
    }

    fn body_end(&mut self) -> Result<(), Failure> {
        let Stage::Body(progress, body) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Err(Failure::Misused);
        };
        let mut wire = Vec::new();
        match body {
            Body::Data(writer) => writer.finish(&mut wire)?,
            Body::Chunks(ends) => {
                ends.finish()?;
                wire.extend_from_slice(b"BDAT 0 LAST\r\n");
            }
        }
        self.stage = Stage::Sent(progress);
        self.say(wire, [Awaited::BodyEnd], END_TIMEOUT);
        Ok(())
    }

    fn done(&mut self, mut progress: Progress, response: Response) -> Stage {
        // What spoiled the transaction says more than the 503 that follows from it.
        let (decided, message) = progress.refused.take().unwrap_or((Decided::Content, response));
        // Whatever of it the server still holds open.
        self.stale = !message.is_positive();
        self.actions.push_back(Action::Done(Outcome { recipients: progress.recipients, message, decided }));
        Stage::Ready
    }

    fn quit(&mut self) -> Result<(), Failure> {
        let Stage::Ready = self.stage else { return Err(Failure::Misused) };
        self.say(b"QUIT\r\n".to_vec(), [Awaited::Quit], REPLY_TIMEOUT);
        Ok(())
    }

    fn ready(&mut self) {
        self.stage = Stage::Ready;
        self.actions.push_back(Action::Ready);
    }

    fn close(&mut self) {
        self.stage = Stage::Over;
        self.actions.push_back(Action::Close);
    }

    fn say_ehlo(&mut self) {
        let line = format!("EHLO {}\r\n", self.config.name);
        self.say(line.into_bytes(), [Awaited::Ehlo], REPLY_TIMEOUT);
    }

    fn say(&mut self, octets: Vec<u8>, awaited: impl IntoIterator<Item = Awaited>, timeout: Duration) {
        self.actions.push_back(Action::Send(octets));
        self.awaited.extend(awaited);
        self.deadline = self.now + timeout;
    }

    /// All that waits, or one of it.
    fn say_next(&mut self) {
        let count = if self.announced.pipelining { self.unsent.len() } else { self.unsent.len().min(1) };
        let (lines, awaited): (String, Vec<Awaited>) = self.unsent.drain(..count).unzip();
        if !lines.is_empty() {
            self.say(lines.into_bytes(), awaited, REPLY_TIMEOUT);
        }
    }
}

fn has_recipients(progress: &Progress) -> bool {
    progress.refused.is_none() && progress.recipients.iter().any(Response::is_positive)
}

/// The last refusal stands for all of them.
fn no_recipients(recipients: &[Response]) -> Response {
    let none = || Response { code: 554, status: Some(EnhancedStatus::new(5, 5, 1)), text: "no recipients".into() };
    recipients.last().cloned().unwrap_or_else(none)
}
