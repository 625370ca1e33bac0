//! The session itself: input to commands, answers to replies, and the limits of both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::Identity;
use mail::{Language, Refusal};

use super::state::{Fault, State, Transfer};
use super::{Action, Answer, Input, Question, Role, SessionConfig, Tls, TlsFacts, WithoutAuth};
use crate::ClientName;
use crate::command::{Command, CommandError, Offered};
use crate::limits::{
    AUTH_LINE_OCTETS_MAX, BAD_COMMANDS_MAX, BUFFERED_OCTETS_MAX, COMMAND_LINE_OCTETS_MAX, COMMAND_TIMEOUT,
    DATA_BLOCK_TIMEOUT, DATA_INITIATION_TIMEOUT, REPLIES_HIGH_WATER, TOKEN_LINE_OCTETS_MAX,
};
use crate::line::LineReader;
use crate::reply::{self, Moment, Reply};

/// One connection, from greeting to close.
///
/// Memory: idle, this value, room for four actions and the client's name, under 2 KiB. Busy, at most the input that waits
/// ([`crate::limits::BUFFERED_OCTETS_MAX`]), one spool chunk ([`crate::limits::SPOOL_OCTETS_MAX`]), replies
/// ([`crate::limits::REPLIES_HIGH_WATER`] and one more), and about 400 octets for each recipient at their longest: less
/// than 650 KiB with 1,000 recipients, less than 100 KiB with the usual few. Buffers are freed when they empty.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Arc<SessionConfig>,
    pub(super) state: State,
    pub(super) tls: Option<TlsFacts>,
    pub(super) identity: Option<Identity>,
    /// The identity was chosen by MAIL, for want of AUTH: the next MAIL chooses again.
    pub(super) chosen_by_mail: bool,
    pub(super) actions: VecDeque<Action>,
    /// A stage is open in the driver.
    pub(super) staged: bool,
    pub(super) failed_authentications: u32,
    bad_commands: u32,
    lines: LineReader,
    /// Input not looked at yet.
    received: Vec<u8>,
    /// Replies not handed out yet: they travel together while input remains (RFC 2920 §3.2).
    replies: Vec<u8>,
    /// Input was left because replies had to leave first.
    held_back: bool,
    /// Rules of the refusals said since somebody asked.
    refusals: Vec<&'static str>,
    /// Said at the next safe point, before closing.
    farewell: Option<Reply>,
    now: Instant,
    deadline: Instant,
}

impl Session {
    /// A connection that was just accepted. On listeners that are not [`Tls::Implicit`] the greeting is the first
    /// action.
    pub fn new(config: Arc<SessionConfig>, now: Instant) -> Session {
        let mut session = Session {
            config,
            state: State::Handshake,
            tls: None,
            identity: None,
            chosen_by_mail: false,
            actions: VecDeque::new(),
            staged: false,
            failed_authentications: 0,
            bad_commands: 0,
            lines: LineReader::default(),
            received: Vec::new(),
            replies: Vec::new(),
            held_back: false,
            refusals: Vec::new(),
            farewell: None,
            now,
            deadline: now + COMMAND_TIMEOUT,
        };
        if session.config.tls != Tls::Implicit {
            session.greet();
            session.flush();
        }
        session
    }

    /// Takes what happened, and queues what is to be done; drain [`Session::poll`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.now = now;
        match input {
            _ if matches!(self.state, State::Closed) => return,
            Input::Received(octets) => self.received(octets),
            Input::Answered(answer) => self.step(|session, state| session.answered(state, answer)),
            Input::TlsEstablished(facts) => self.step(|session, state| session.tls_established(state, facts)),
            Input::DeadlinePassed => self.deadline_passed(),
            Input::Ended => self.step(|session, _| session.close()),
            Input::SpoolFailed(refusal) => self.step(|session, state| session.spool_failed(state, refusal)),
            Input::ShutDown => match (&self.farewell, &self.state) {
                // Patience is over, except with a commit.
                (Some(_), state) if !matches!(state, State::AcceptAsked(_)) => {
                    self.step(|session, _| session.end(reply::STOPPING));
                }
                _ => self.farewell = Some(reply::STOPPING),
            },
            Input::Suspended => self.suspended(),
        }
        self.work();
    }

    /// The rules of the refusals said since the last call ([`Refusal::rule`]): for figures.
    pub fn take_refusals(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.refusals)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        if self.actions.is_empty() && self.held_back {
            self.held_back = false;
            self.work();
        }
        self.actions.pop_front()
    }

    /// When [`Input::DeadlinePassed`] is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// False while a question is open, while actions wait, during a handshake, and once the session is over: do not
    /// read then.
    pub fn wants_input(&self) -> bool {
        self.actions.is_empty() && !self.held_back && self.reads()
    }

    /// Whom the listener serves.
    pub fn role(&self) -> Role {
        self.config.role
    }

    /// What TLS established, once it has.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// What the client called itself, once it has, until the session closes.
    pub fn client(&self) -> Option<&ClientName> {
        self.state.hello().map(|hello| &hello.client)
    }

    /// Who signed in.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether somebody gave proof by AUTH.
    pub(super) fn is_authenticated(&self) -> bool {
        self.identity.is_some() && !self.chosen_by_mail
    }

    /// Whether MAIL may choose whom the session acts for.
    pub(super) fn chooses_by_mail(&self) -> bool {
        let may = self.config.role == Role::Submission && self.config.without_auth == WithoutAuth::ByCertificate;
        may && self.tls.is_some() && !self.is_authenticated()
    }

    /// Users get their account's language, everybody else English.
    pub(super) fn language(&self) -> Language {
        self.identity.as_ref().map_or(Language::English, |identity| identity.language)
    }

    fn received(&mut self, octets: &[u8]) {
        if let State::Handshake = self.state {
            // Plaintext where TLS was to begin (S4): nothing that could be said would be protected.
            return self.step(|session, _| session.close());
        }
        if self.received.is_empty() {
            let used = self.pump(octets);
            if let Some(rest) = octets.get(used..).filter(|rest| !rest.is_empty()) {
                self.received = rest.to_vec();
            }
        } else {
            self.received.extend_from_slice(octets);
        }
        if self.received.len() > BUFFERED_OCTETS_MAX {
            self.step(|session, _| session.end(reply::FAULT));
        }
    }

    /// Reads what waits, hands out replies, keeps the clock.
    fn work(&mut self) {
        if !self.held_back && !self.received.is_empty() {
            let mut input = std::mem::take(&mut self.received);
            let used = self.pump(&input);
            if used < input.len() && !matches!(self.state, State::Closed) {
                input.drain(..used);
                self.received = input;
            }
        }
        if self.state.is_between_transactions()
            && let Some(farewell) = self.farewell.take()
        {
            self.step(|session, state| match state {
                State::Handshake => session.close(),
                _ => session.end(farewell),
            });
        }
        if !self.state.is_asking() {
            self.flush();
        }
    }

    /// Reads as much of `input` as can be read now; gives how many octets were used.
    fn pump(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            if !self.reads() || (self.farewell.is_some() && self.state.is_between_transactions()) {
                break;
            }
            if self.replies.len() >= REPLIES_HIGH_WATER {
                self.held_back = true;
                self.flush();
                break;
            }
            let state = std::mem::replace(&mut self.state, State::Closed);
            let (state, taken) = self.read(state, rest);
            self.state = state;
            used += taken;
            if taken == 0 {
                break;
            }
        }
        used
    }

    fn reads(&self) -> bool {
        !self.state.is_asking() && !matches!(self.state, State::Handshake | State::Closed)
    }

    /// One command, or one piece of a body.
    fn read(&mut self, state: State, input: &[u8]) -> (State, usize) {
        match state {
            State::Data(incoming) => self.data_received(incoming, input),
            State::Chunk(incoming, left, last) => self.chunk_received(incoming, left, last, input),
            State::Swallowing(swallow) => self.swallow(swallow, input),
            State::Authenticating(authentication) => {
                let octets_max = match authentication.mechanism.carries_tokens() {
                    true => TOKEN_LINE_OCTETS_MAX,
                    false => AUTH_LINE_OCTETS_MAX,
                };
                let taken = self.lines.take(input, octets_max);
                let next = match taken.line {
                    None => State::Authenticating(authentication),
                    Some(line) => self.sasl_response(authentication, line),
                };
                (self.progressed(next), taken.consumed)
            }
            state => {
                let taken = self.lines.take(input, self.command_line_octets_max(input));
                let more = taken.consumed < input.len();
                let next = match taken.line {
                    None => return (state, taken.consumed),
                    Some(Err(error)) => self.refuse(state, error.into()),
                    Some(Ok(line)) => match Command::parse(line, self.offered()) {
                        Ok(command) => self.execute(state, command, more),
                        // What follows cannot be told from commands (S3).
                        Err(error @ CommandError::ChunkSize) => self.end((&error).into()),
                        Err(error) => self.refuse(state, (&error).into()),
                    },
                };
                (self.progressed(next), taken.consumed)
            }
        }
    }

    /// The AUTH command may be as long as the lines of its exchange (RFC 4954 §4), where it is offered.
    fn command_line_octets_max(&self, input: &[u8]) -> usize {
        let is_auth = input.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "));
        match is_auth && self.offered().auth {
            true => AUTH_LINE_OCTETS_MAX,
            false => COMMAND_LINE_OCTETS_MAX,
        }
    }

    pub(super) fn offered(&self) -> Offered {
        let tls = self.tls.is_some();
        Offered {
            dsn: self.config.dsn == super::Dsn::Announced,
            auth: self.config.role == Role::Submission && tls,
            require_tls: self.config.require_tls == super::RequireTls::Announced && tls,
        }
    }

    /// `more`: octets were received after this command line.
    fn execute(&mut self, state: State, command: Command, more: bool) -> State {
        match command {
            Command::Ehlo(client) => self.ehlo(client),
            Command::Helo(client) => self.helo(client),
            Command::Mail(mail) => self.mail(state, mail),
            Command::Rcpt(rcpt) => self.rcpt(state, rcpt),
            Command::Data => self.data(state),
            Command::Bdat(chunk) => self.bdat(state, chunk),
            Command::Rset => {
                self.discard();
                self.say(reply::OK);
                state.reset()
            }
            Command::Noop => self.answer(state, reply::OK),
            Command::Help => self.answer(state, reply::HELP),
            // Addresses are told to nobody (RFC 5321 §3.5.3, §7.3).
            Command::Vrfy => self.answer(state, reply::CANNOT_VERIFY),
            Command::Expn => self.refuse(state, reply::NOT_OFFERED),
            Command::Quit => self.end(reply::BYE),
            Command::StartTls => self.starttls(state, more),
            Command::Auth(auth) => self.auth(state, auth),
        }
    }

    fn answered(&mut self, state: State, answer: Answer) -> State {
        let next = match (state, answer) {
            (State::AuthenticationAsked(authentication), Answer::Sasl(answer)) => {
                self.sasl_answered(authentication, answer)
            }
            (State::SenderAsked(opened), Answer::SenderAccepted) => {
                self.answer(State::Envelope(opened), reply::SENDER_ACCEPTED)
            }
            (State::SenderAsked(opened), Answer::SenderIs(identity)) if self.chooses_by_mail() => {
                (self.identity, self.chosen_by_mail) = (Some(identity), true);
                self.answer(State::Envelope(opened), reply::SENDER_ACCEPTED)
            }
            (State::SenderAsked(opened), Answer::Refused(refusal)) => {
                self.answer_refusal(State::Ready(opened.hello), &refusal, Moment::Sender)
            }
            (State::RecipientAsked(mut opened, recipient), Answer::RecipientAccepted) => {
                opened.envelope.recipients.push(*recipient);
                self.answer(State::Envelope(opened), reply::RECIPIENT_ACCEPTED)
            }
            (State::RecipientAsked(opened, _), Answer::Refused(refusal)) => {
                self.answer_refusal(State::Envelope(opened), &refusal, Moment::Recipient)
            }
            (State::BodyAsked(opened, Transfer::Data), Answer::BodyReady) => {
                self.staged = true;
                self.data_ready(*opened, !self.received.is_empty())
            }
            (State::BodyAsked(opened, Transfer::Bdat(chunk)), Answer::BodyReady) => {
                self.staged = true;
                self.chunk_ready(*opened, chunk)
            }
            (State::BodyAsked(opened, Transfer::Data), Answer::Refused(refusal)) => {
                self.answer_refusal(State::Ready(opened.hello), &refusal, Moment::Message)
            }
            (State::BodyAsked(opened, Transfer::Bdat(chunk)), Answer::Refused(refusal)) => {
                let reply = Reply::refused(&refusal, Moment::Message, self.language());
                self.refuse_chunk(State::Ready(opened.hello), chunk.octets, reply)
            }
            // 250 follows the commit, and nothing but the commit (RFC 5321 §6.1).
            (State::AcceptAsked(hello), Answer::Accepted { message }) => {
                self.answer(State::Ready(hello), Reply::accepted(&message))
            }
            (State::AcceptAsked(hello), Answer::Refused(refusal)) => {
                self.answer_refusal(State::Ready(hello), &refusal, Moment::Message)
            }
            // The driver answered another question: nothing can be trusted any more, least of all a yes.
            _ => self.end(reply::FAULT),
        };
        self.progressed(next)
    }

    fn spool_failed(&mut self, state: State, refusal: Refusal) -> State {
        self.actions.retain(|action| !matches!(action, Action::Spool(_)));
        match state {
            State::Data(mut incoming) => {
                self.spoil(&mut incoming.body, Fault::Spool(refusal));
                State::Data(incoming)
            }
            State::Chunk(mut incoming, left, last) => {
                self.spoil(&mut incoming.body, Fault::Spool(refusal));
                State::Chunk(incoming, left, last)
            }
            // The chunk's 250 may have left: the next one is refused.
            State::Chunks(mut incoming) => {
                self.spoil(&mut incoming.body, Fault::Spool(refusal));
                State::Chunks(incoming)
            }
            // The last octets failed: the question must not be asked.
            State::AcceptAsked(hello) => {
                self.actions.retain(|action| !matches!(action, Action::Ask(Question::Accept(_))));
                self.actions.push_back(Action::Discard);
                self.answer_refusal(State::Ready(hello), &refusal, Moment::Message)
            }
            other => other,
        }
    }

    fn deadline_passed(&mut self) {
        if self.now < self.deadline {
            return;
        }
        self.deadline = self.now + COMMAND_TIMEOUT;
        // While we owe the answer, the client is not idle.
        if !self.state.is_asking() {
            self.step(|session, state| match state {
                State::Handshake => session.close(),
                _ => session.end(reply::IDLE),
            });
        }
    }

    fn suspended(&mut self) {
        let farewell = Reply::farewell(&Refusal::AccountSuspended, self.language());
        match self.state {
            // What is being committed is answered first, or the client would send it again.
            State::AcceptAsked(_) => self.farewell = Some(farewell),
            _ => self.step(|session, _| session.end(farewell)),
        }
    }

    fn step(&mut self, transition: impl FnOnce(&mut Session, State) -> State) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.state = transition(self, state);
    }

    /// Something whole was received or answered: the client gets its full time again. Octets of an unfinished line
    /// do not count, so that nobody stays for ever by dripping.
    pub(super) fn progressed(&mut self, state: State) -> State {
        self.deadline = self.now + timeout(&state);
        state
    }

    pub(super) fn say(&mut self, reply: Reply) {
        reply.print(&mut self.replies);
    }

    /// A line that is no [`Reply`]: challenges are longer than reply lines may be (RFC 4954 §4).
    pub(super) fn say_line(&mut self, line: &str) {
        self.replies.extend_from_slice(line.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    pub(super) fn answer(&mut self, next: State, reply: Reply) -> State {
        self.say(reply);
        next
    }

    pub(super) fn answer_refusal(&mut self, next: State, refusal: &Refusal, moment: Moment) -> State {
        self.refusals.push(refusal.rule());
        self.answer(next, Reply::refused(refusal, moment, self.language()))
    }

    /// Answers a command refused for grammar or order, and counts it.
    pub(super) fn refuse(&mut self, next: State, reply: Reply) -> State {
        self.say(reply);
        self.bad_commands += 1;
        match self.bad_commands >= BAD_COMMANDS_MAX {
            true => self.end(reply::TOO_MANY_BAD_COMMANDS),
            false => next,
        }
    }

    pub(super) fn ask(&mut self, question: Question) {
        // Hashing and committing take time: what is known is not kept waiting for them.
        if matches!(question, Question::Sasl(_) | Question::Accept(_)) {
            self.flush();
        }
        self.actions.push_back(Action::Ask(question));
    }

    pub(super) fn discard(&mut self) {
        if std::mem::take(&mut self.staged) {
            self.actions.push_back(Action::Discard);
        }
    }

    /// Says a last word and closes.
    pub(super) fn end(&mut self, reply: Reply) -> State {
        self.say(reply);
        self.close()
    }

    pub(super) fn close(&mut self) -> State {
        self.discard();
        self.flush();
        self.received = Vec::new();
        self.farewell = None;
        self.actions.push_back(Action::Close);
        State::Closed
    }

    /// What came before TLS may be an attacker's: forget it (RFC 3207 §4.2).
    pub(super) fn forget(&mut self) {
        self.lines = LineReader::default();
        self.received = Vec::new();
        (self.identity, self.chosen_by_mail) = (None, false);
    }

    pub(super) fn flush(&mut self) {
        if !self.replies.is_empty() {
            self.actions.push_back(Action::Send(std::mem::take(&mut self.replies)));
        }
    }
}

/// RFC 5321 §4.5.3.2.
fn timeout(state: &State) -> Duration {
    match state {
        State::Data(incoming) if incoming.body.octets == 0 => DATA_INITIATION_TIMEOUT,
        State::Data(_) | State::Chunk(..) | State::Swallowing(_) => DATA_BLOCK_TIMEOUT,
        _ => COMMAND_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        let actions = 4 * size_of::<Action>();
        assert!(size_of::<Session>() + actions <= 1_536, "{} + {actions}", size_of::<Session>());
    }
}
