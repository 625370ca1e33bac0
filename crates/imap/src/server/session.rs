//! The session itself: states, order of replies, and the commands that need no store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::Identity;
use auth::sasl::ChannelBindings;

use super::append::Appending;
use super::framing::{Announcement, Framing, Step};
use super::question::{Action, Answer, Completed, Enabled, Farewell, Input, Question, Then};
use super::sign_in::SignIn;
use super::{
    AUTHENTICATE_OCTETS_MAX, BAD_COMMANDS_MAX, COMMAND_OCTETS_MAX, COMMAND_OCTETS_MAX_BEFORE_SIGN_IN,
    DROPPED_OCTETS_MAX, LITERAL_MINUS_OCTETS_MAX, SWALLOWED_LITERALS_MAX, capability,
};
use crate::command::{Command, Operation, Tag};
use crate::parse::{self, LiteralMode, ParseError, Problem, Spelling};
use crate::response::{Code, Responses, Status, status_line};

/// What all sessions of a listener share.
pub struct Config {
    /// The name in the greeting.
    pub host_name: String,
    /// Octets of the largest message APPEND takes: announced as APPENDLIMIT (RFC 7889).
    pub append_octets_max: u64,
    /// Until a client has signed in, from its first octet on; it is not lengthened by what it sends.
    pub sign_in_time: Duration,
    /// Without a command once signed in: at least 30 minutes (RFC 9051 §5.4).
    pub idle_time: Duration,
    /// Failed sign-ins before BYE.
    pub failures_max: u32,
    /// What may be used for AUTHENTICATE under TLS, in the order to announce it.
    pub mechanisms: Vec<auth::sasl::Mechanism>,
    /// Fresh randomness for SCRAM nonces.
    pub random: Random,
}

/// Fills with fresh randomness.
pub type Random = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// What lies under the session when it begins.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Nothing: STARTTLS is announced, LOGIN is disabled.
    Clear,
    /// TLS, ended here or by a proxy we trust (then without bindings).
    Tls(ChannelBindings),
}

/// One connection.
pub struct Session {
    pub(super) config: Arc<Config>,
    pub(super) framing: Framing,
    actions: VecDeque<Action>,
    state: State,
    pub(super) phase: Phase,
    enabled: Enabled,
    failures: u32,
    bad_commands: u32,
    leaving: Option<Farewell>,
    deadline: Instant,
}

/// RFC 9051 §3.
#[derive(Debug)]
enum State {
    NotAuthenticated(Box<Transport>),
    Authenticated(Box<Identity>),
    Selected(Box<Identity>),
}

/// What the next octets are, or whose turn it is.
#[derive(Debug)]
pub(super) enum Phase {
    /// A command.
    Command,
    /// Nothing: the handshake is under way.
    Handshake,
    /// A response of a SASL exchange; or its question, or LOGIN's, is open.
    SignIn(Box<SignIn>),
    /// Nothing: an operation is asked.
    Asked(Tag),
    /// Nothing: what waits to be told is asked for, before IDLE begins.
    BeforeIdle(Tag),
    /// DONE.
    Idle(Tag),
    /// A message, or what comes around it.
    Append(Box<Appending>),
    /// The rest of a command that is refused already, then its reply.
    Refused { swallow: u64, reply: Box<Reply> },
    /// Nothing any more.
    Closed,
}

/// A completion that waits.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) tag: Option<Tag>,
    pub(super) completed: Completed,
    /// Octets of lines over the limit that were dropped.
    dropped: usize,
}

impl Reply {
    pub(super) fn new(tag: Option<Tag>, completed: Completed) -> Reply {
        Reply { tag, completed, dropped: 0 }
    }
}

impl Session {
    /// A session at its beginning; its first action is the greeting.
    pub fn new(config: Arc<Config>, transport: Transport, now: Instant) -> Session {
        let deadline = now + config.sign_in_time;
        let greeting = format!("{} ready", config.host_name);
        let mut session = Session {
            config,
            framing: Framing::default(),
            actions: VecDeque::new(),
            state: State::NotAuthenticated(Box::new(transport)),
            phase: Phase::Command,
            enabled: Enabled::default(),
            failures: 0,
            bad_commands: 0,
            leaving: None,
            deadline,
        };
        let code = Code::Capability(session.capabilities());
        session.untagged(|responses| responses.status(Status::Ok, Some(&code), &greeting));
        session
    }

    /// Takes what happened. Drain [`Session::poll`] afterwards, each action done before the next.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        let heard = matches!(input, Input::Received(_) | Input::Answered(_));
        match input {
            // What comes while the handshake is awaited came before it, in the clear (S4).
            Input::Received(_) if matches!(self.phase, Phase::Handshake | Phase::Closed) => {}
            Input::Received(octets) => self.framing.receive(octets),
            Input::TlsEstablished(bindings) => self.tls_established(bindings),
            Input::Answered(answer) => self.answered(answer),
            Input::Output(octets) if self.is_idle() => self.send(&octets),
            Input::Output(_) => {}
            Input::SpoolFailed(refusal) => self.spool_failed(&refusal),
            Input::DeadlinePassed if self.waits_for_answer() || now < self.deadline => {}
            Input::DeadlinePassed => self.bye(None, "idle for too long"),
            Input::Ended => self.close(),
            Input::Leave(farewell) => self.leaving = Some(farewell),
        }
        if heard && self.identity().is_some() {
            self.deadline = now + self.config.idle_time;
        }
        while self.advance() {}
        self.framing.compact();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if action.is_none() {
            self.actions = VecDeque::new();
        }
        action
    }

    /// When [`Input::DeadlinePassed`] is due. Not while a question is open.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Who signed in.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::NotAuthenticated(_) => None,
            State::Authenticated(identity) | State::Selected(identity) => Some(identity),
        }
    }

    /// What the client has enabled.
    pub fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// True while IDLE runs: tell changes at once, as [`Input::Output`].
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle(_))
    }

    /// True while a mailbox is selected.
    pub fn is_selected(&self) -> bool {
        matches!(self.state, State::Selected(_))
    }

    /// Octets held in buffers: of a command that is not complete.
    pub fn held_octets(&self) -> usize {
        self.framing.held_octets()
    }

    /// True while a question is open.
    fn waits_for_answer(&self) -> bool {
        match &self.phase {
            Phase::Asked(_) | Phase::BeforeIdle(_) => true,
            Phase::SignIn(sign_in) => sign_in.waits_for_answer(),
            Phase::Append(appending) => appending.waits_for_answer(),
            _ => false,
        }
    }

    /// One step; true when there may be another.
    fn advance(&mut self) -> bool {
        if self.waits_for_answer() || matches!(self.phase, Phase::Closed | Phase::Handshake) {
            return false;
        }
        if let Some(farewell) = self.leaving {
            let (code, text) = words(farewell);
            self.bye(code, text);
            return false;
        }
        match std::mem::replace(&mut self.phase, Phase::Command) {
            Phase::Command => self.command_step(),
            Phase::SignIn(sign_in) => self.response_line(sign_in),
            Phase::Idle(tag) => self.idle_line(tag),
            Phase::Append(appending) => self.append_step(appending),
            Phase::Refused { swallow, reply } => self.refused_step(swallow, reply),
            phase @ (Phase::Asked(_) | Phase::BeforeIdle(_) | Phase::Handshake | Phase::Closed) => {
                self.phase = phase;
                false
            }
        }
    }

    pub(super) fn octets_max(&self) -> usize {
        match &self.state {
            State::NotAuthenticated(transport) => match (&**transport, self.framing.is_authenticate()) {
                (Transport::Tls(_), true) => AUTHENTICATE_OCTETS_MAX,
                _ => COMMAND_OCTETS_MAX_BEFORE_SIGN_IN,
            },
            _ => COMMAND_OCTETS_MAX,
        }
    }

    fn command_step(&mut self) -> bool {
        match self.framing.step(self.octets_max()) {
            Step::Pending => return false,
            Step::TooLong => self.line_too_long(),
            Step::BareLineFeed => {
                let tag = parse::tag(self.framing.command());
                self.framing.next_command();
                self.bad(tag, "expected CRLF at the end of the line".into());
            }
            Step::Literal(announcement) => self.literal(announcement),
            Step::Complete => {
                let parsed = parse::command(self.framing.command(), self.spelling());
                self.framing.next_command();
                match parsed {
                    // Its message is announced at the end of the command, or it is no APPEND.
                    Ok((tag, Command::Append(_))) => self.bad(Some(tag), "expected the message".into()),
                    Ok((tag, command)) => self.execute(tag, command),
                    Err(error) => self.complete_error(error),
                }
            }
        }
        true
    }

    /// Before ENABLE IMAP4rev2 clients write names in modified UTF-7; before sign-in there are no names, and user names
    /// and passwords may be UTF-8 (RFC 9051 §6.2.3).
    fn spelling(&self) -> Spelling {
        match self.enabled.rev2 || matches!(self.state, State::NotAuthenticated(_)) {
            true => Spelling::Utf8,
            false => Spelling::Ascii,
        }
    }

    /// A command over the limit: whoever signed in is told BAD at its end, under the command's tag (RFC 7162 §4).
    fn line_too_long(&mut self) {
        match (parse::tag(self.framing.command()), &self.state) {
            (Some(tag), State::Authenticated(_) | State::Selected(_)) => {
                let completed = Completed { code: Some(Code::TooBig), ..Completed::bad("command too long") };
                self.drop_line(Box::new(Reply::new(Some(tag), completed)));
            }
            _ => self.bye(Some(Code::TooBig), "command too long"),
        }
    }

    /// Drops what came of a line that is too long, and waits for its end within [`DROPPED_OCTETS_MAX`].
    fn drop_line(&mut self, mut reply: Box<Reply>) {
        reply.dropped = reply.dropped.saturating_add(self.framing.forget_line());
        match reply.dropped <= DROPPED_OCTETS_MAX.saturating_add(self.octets_max()) {
            true => self.phase = Phase::Refused { swallow: 0, reply },
            false => self.bye(Some(Code::TooBig), "command too long"),
        }
    }

    /// A line announced a literal: of APPEND's message it is spooled, any other is kept in the command (bar S8).
    fn literal(&mut self, announcement: Announcement) {
        let command = self.framing.command();
        let unasked = announcement.mode == LiteralMode::NonSynchronizing;
        if unasked && self.identity().is_none() && announcement.octets > LITERAL_MINUS_OCTETS_MAX {
            let tag = parse::tag(command);
            self.framing.next_command();
            return self.refuse_literal(tag, announcement, literal_too_large());
        }
        if super::append::announces_message(command, announcement.at) {
            let parsed = parse::command(command, self.spelling());
            self.framing.next_command();
            match (parsed, &self.state) {
                (Ok((tag, Command::Append(append))), State::Authenticated(_) | State::Selected(_)) => {
                    self.append(tag, append, announcement.mode);
                }
                (Ok((tag, _)), _) => {
                    self.refuse_literal(Some(tag), announcement, Completed::bad("not allowed in this state"));
                }
                (Err(error), _) => {
                    let completed = completion(&error.problem);
                    self.refuse_literal(error.tag, announcement, completed);
                }
            }
            return;
        }
        let room = self.octets_max().saturating_sub(self.framing.command_octets());
        match usize::try_from(announcement.octets) {
            Ok(octets) if octets <= room => {
                self.framing.keep_literal(octets);
                if announcement.mode == LiteralMode::Synchronizing {
                    self.send(b"+ go on\r\n");
                }
            }
            _ => {
                let tag = parse::tag(command);
                self.framing.next_command();
                self.refuse_literal(tag, announcement, literal_too_large());
            }
        }
    }

    /// Refuses a command at its literal. One that waits for our leave is over; the other sends its octets all the same.
    pub(super) fn refuse_literal(&mut self, tag: Option<Tag>, announcement: Announcement, completed: Completed) {
        self.refuse_at_literal(announcement, Box::new(Reply::new(tag, completed)));
    }

    fn refuse_at_literal(&mut self, announcement: Announcement, reply: Box<Reply>) {
        let tolerated = match self.state {
            State::NotAuthenticated(_) => COMMAND_OCTETS_MAX_BEFORE_SIGN_IN as u64,
            _ => self.config.append_octets_max.saturating_mul(SWALLOWED_LITERALS_MAX),
        };
        match announcement.mode {
            LiteralMode::Synchronizing => self.complete_any(reply.tag.as_ref(), reply.completed),
            LiteralMode::NonSynchronizing if announcement.octets <= tolerated => {
                self.phase = Phase::Refused { swallow: announcement.octets, reply };
            }
            LiteralMode::NonSynchronizing => self.bye(Some(Code::TooBig), "literal too large"),
        }
    }

    /// Drops the rest of a refused command, further literals included, then replies.
    fn refused_step(&mut self, swallow: u64, reply: Box<Reply>) -> bool {
        if swallow > 0 {
            let dropped = self.framing.take(swallow).len() as u64;
            self.phase = Phase::Refused { swallow: swallow - dropped, reply };
            return dropped > 0;
        }
        match self.framing.step(self.octets_max()) {
            Step::Pending => {
                self.phase = Phase::Refused { swallow: 0, reply };
                return false;
            }
            Step::TooLong => self.drop_line(reply),
            Step::Literal(announcement) => {
                self.framing.next_command();
                self.refuse_at_literal(announcement, reply);
            }
            Step::Complete | Step::BareLineFeed => {
                self.framing.next_command();
                self.complete_any(reply.tag.as_ref(), reply.completed);
            }
        }
        true
    }

    fn complete_error(&mut self, error: ParseError) {
        let completed = completion(&error.problem);
        if completed.then == Then::Unselected && self.is_selected() {
            self.untagged(|responses| responses.status(Status::Ok, Some(&Code::Closed), "previous mailbox is closed"));
        }
        self.complete_any(error.tag.as_ref(), completed);
    }

    fn execute(&mut self, tag: Tag, command: Command) {
        match (command, &self.state) {
            (Command::Capability, _) => {
                let capabilities = self.capabilities();
                self.untagged(|responses| responses.capability(&capabilities));
                self.ok(&tag, "these are they");
            }
            (Command::Logout, _) => {
                self.untagged(|responses| responses.status(Status::Bye, None, "goodbye"));
                self.ok(&tag, "signed out");
                self.close();
            }
            (Command::Id(_), _) => {
                // RFC 2971 §3.2; our version is nobody's business.
                self.send(b"* ID (\"name\" \"Sceau\")\r\n");
                self.ok(&tag, "pleased to meet you");
            }
            (Command::Operation(Operation::Noop), State::NotAuthenticated(_)) => self.ok(&tag, "nothing done"),
            (Command::StartTls, State::NotAuthenticated(transport)) => match **transport {
                Transport::Clear => {
                    self.ok(&tag, "begin the handshake");
                    // What is in the buffer came before TLS and may be an attacker's (CVE-2021-33515, S4).
                    self.framing.clear();
                    self.phase = Phase::Handshake;
                    self.actions.push_back(Action::StartTls);
                }
                Transport::Tls(_) => self.bad(Some(tag), "TLS is established already".into()),
            },
            (Command::Authenticate { mechanism, initial_response }, State::NotAuthenticated(transport)) => {
                let transport = (**transport).clone();
                self.authenticate(tag, &mechanism, initial_response, &transport);
            }
            (Command::Login { user, password }, State::NotAuthenticated(transport)) => {
                let clear = matches!(**transport, Transport::Clear);
                self.login(tag, user, password, clear);
            }
            (_, State::NotAuthenticated(_)) => self.bad(Some(tag), "sign in first".into()),
            (Command::StartTls | Command::Authenticate { .. } | Command::Login { .. }, _) => {
                self.bad(Some(tag), "signed in already".into());
            }
            (Command::Enable(names), _) => self.enable(&tag, &names),
            (Command::Idle, _) => {
                self.bad_commands = 0;
                // An EXPUNGE held back by an earlier command must not wait for the next change.
                self.phase = Phase::BeforeIdle(tag.clone());
                let enabled = self.enabled;
                self.ask(Question::Operation { tag, operation: Operation::Noop, enabled });
            }
            (Command::Append(_), _) => self.bad(Some(tag), "expected the message".into()),
            (Command::Operation(operation), _) => self.operation(tag, operation),
        }
    }

    fn operation(&mut self, tag: Tag, operation: Operation) {
        if operation.needs_selected() && !matches!(self.state, State::Selected(_)) {
            return self.bad(Some(tag), "select a mailbox first".into());
        }
        // RFC 7162 §3.2.5: only after ENABLE QRESYNC, which we do not offer yet.
        let qresync = match &operation {
            Operation::Select(select) | Operation::Examine(select) => select.qresync.is_some(),
            Operation::Fetch { modifiers, .. } => modifiers.vanished,
            _ => false,
        };
        if qresync {
            return self.bad(Some(tag), "QRESYNC is not enabled".into());
        }
        self.bad_commands = 0;
        self.enabled.condstore |= operation.enables_condstore();
        let enabled = self.enabled;
        self.phase = Phase::Asked(tag.clone());
        self.ask(Question::Operation { tag, operation, enabled });
    }

    /// RFC 9051 §6.3.1: unknown names are passed over.
    fn enable(&mut self, tag: &Tag, names: &[String]) {
        let wants = |name: &str| names.iter().any(|wanted| wanted == name);
        let mut now = Vec::new();
        if wants("IMAP4REV2") && !self.enabled.rev2 {
            self.enabled.rev2 = true;
            now.push("IMAP4rev2");
        }
        if wants("CONDSTORE") && !self.enabled.condstore {
            self.enabled.condstore = true;
            now.push("CONDSTORE");
        }
        self.untagged(|responses| responses.enabled_now(&now));
        self.ok(tag, "enabled");
    }

    fn idle_line(&mut self, tag: Tag) -> bool {
        match self.framing.line_end(self.octets_max()) {
            Step::Pending => {
                self.phase = Phase::Idle(tag);
                return false;
            }
            Step::TooLong => self.bye(Some(Code::TooBig), "line too long"),
            step => {
                let done = step == Step::Complete && self.framing.command().eq_ignore_ascii_case(b"DONE");
                self.framing.next_command();
                match done {
                    true => self.ok(&tag, "no longer idle"),
                    false => self.bad(Some(tag), "expected DONE".into()),
                }
            }
        }
        true
    }

    fn tls_established(&mut self, bindings: ChannelBindings) {
        if matches!(self.phase, Phase::Handshake) {
            // Nothing learned in the clear is kept (RFC 9051 §6.2.1).
            self.framing.clear();
            self.state = State::NotAuthenticated(Box::new(Transport::Tls(bindings)));
            self.phase = Phase::Command;
        }
    }

    fn answered(&mut self, answer: Answer) {
        match (std::mem::replace(&mut self.phase, Phase::Command), answer) {
            (Phase::SignIn(sign_in), Answer::Sasl(answer)) => self.sasl_answered(sign_in, answer),
            (Phase::Asked(tag), Answer::Completed(completed)) => self.complete(&tag, completed),
            (Phase::BeforeIdle(tag), Answer::Completed(completed)) => match completed.status {
                Status::Ok => {
                    self.send(b"+ idling\r\n");
                    self.phase = Phase::Idle(tag);
                }
                _ => self.complete(&tag, completed),
            },
            (Phase::Append(appending), answer) => self.append_answered(*appending, answer),
            (Phase::Closed, _) => self.phase = Phase::Closed,
            // An answer to another question: the driver is broken, and the client must not wait for ever.
            (_, _) => self.bye(Some(Code::ServerBug), "internal error"),
        }
    }

    /// The person is known.
    pub(super) fn signed_in(&mut self, tag: &Tag, identity: Identity) {
        self.state = State::Authenticated(Box::new(identity));
        self.bad_commands = 0;
        let completed = Completed::ok("signed in").code(Code::Capability(self.capabilities()));
        self.complete(tag, completed);
    }

    /// Counts a failed sign-in; true when it was one too many.
    pub(super) fn sign_in_failed(&mut self) -> bool {
        self.failures += 1;
        self.failures >= self.config.failures_max
    }

    /// Sends a completion and follows it into its state.
    pub(super) fn complete(&mut self, tag: &Tag, completed: Completed) {
        self.complete_any(Some(tag), completed);
    }

    fn complete_any(&mut self, tag: Option<&Tag>, completed: Completed) {
        let mut line = Vec::new();
        let text = if completed.text.is_empty() { "done" } else { &completed.text };
        status_line(&mut line, tag.map_or("*", Tag::as_str), completed.status, completed.code.as_ref(), text);
        self.send(&line);
        match completed.status {
            Status::Bad => self.count_bad(),
            _ => self.bad_commands = 0,
        }
        let state = std::mem::replace(&mut self.state, State::NotAuthenticated(Box::new(Transport::Clear)));
        self.state = match (completed.then, state) {
            (Then::Selected, State::Authenticated(identity)) => State::Selected(identity),
            (Then::Unselected, State::Selected(identity)) => State::Authenticated(identity),
            (_, state) => state,
        };
    }

    fn ok(&mut self, tag: &Tag, text: &'static str) {
        self.complete(tag, Completed::ok(text));
    }

    pub(super) fn bad(&mut self, tag: Option<Tag>, text: std::borrow::Cow<'static, str>) {
        self.complete_any(tag.as_ref(), Completed::bad(text));
    }

    fn count_bad(&mut self) {
        self.bad_commands += 1;
        if self.bad_commands >= BAD_COMMANDS_MAX {
            self.bye(Some(Code::ClientBug), "too many errors");
        }
    }

    fn capabilities(&self) -> String {
        match &self.state {
            State::NotAuthenticated(transport) => match &**transport {
                Transport::Clear => capability::in_clear(),
                Transport::Tls(bindings) => {
                    let announced = self.mechanisms(bindings).filter(|mechanism| mechanism.announced(bindings));
                    capability::under_tls(announced)
                }
            },
            _ => capability::signed_in(self.config.append_octets_max),
        }
    }

    fn untagged(&mut self, write: impl FnOnce(&mut Responses)) {
        let mut responses = Responses::new(self.enabled);
        write(&mut responses);
        self.send(&responses.take());
    }

    /// Gathers what goes out together.
    pub(super) fn send(&mut self, octets: &[u8]) {
        match self.actions.back_mut() {
            Some(Action::Send(gathered)) => gathered.extend_from_slice(octets),
            _ => self.actions.push_back(Action::Send(octets.to_vec())),
        }
    }

    pub(super) fn ask(&mut self, question: Question) {
        self.actions.push_back(Action::Ask(question));
    }

    /// Takes back what was queued for a stage that is no more; true when its end was among it.
    pub(super) fn take_back_append(&mut self) -> bool {
        self.actions.retain(|action| !matches!(action, Action::Spool(_) | Action::AbandonAppend));
        let before = self.actions.len();
        self.actions.retain(|action| !matches!(action, Action::Ask(Question::AppendFinish { .. })));
        self.actions.len() < before
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn bye(&mut self, code: Option<Code>, text: &str) {
        if !matches!(self.phase, Phase::Closed) {
            self.untagged(|responses| responses.status(Status::Bye, code.as_ref(), text));
            self.close();
        }
    }

    pub(super) fn close(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Closed => return,
            Phase::Append(appending) if appending.is_staged() => self.act(Action::AbandonAppend),
            _ => {}
        }
        self.framing.clear();
        self.act(Action::Close);
    }
}

fn words(farewell: Farewell) -> (Option<Code>, &'static str) {
    match farewell {
        Farewell::ShutDown => (Some(Code::Unavailable), "the server stops, come back later"),
        Farewell::Suspended => (Some(Code::ContactAdmin), "this account is suspended"),
        Farewell::Expired => (Some(Code::Expired), "the sign-in has reached its age, sign in again"),
        Farewell::Administrator => (Some(Code::ContactAdmin), "an administrator ended this session"),
        Farewell::TooManySessions => (Some(Code::Limit), "too many sessions of this account"),
    }
}

fn literal_too_large() -> Completed {
    Completed { code: Some(Code::TooBig), ..Completed::bad("literal too large") }
}

/// What a client hears of a command that cannot be read.
fn completion(problem: &Problem) -> Completed {
    match problem {
        Problem::Expected(_) | Problem::UnknownCommand | Problem::TooMany(_) => Completed::bad(problem.to_string()),
        Problem::MailboxName(_) => Completed::no(Some(Code::Cannot), problem.to_string()),
        Problem::SelectedName(_) => Completed::no(Some(Code::Cannot), problem.to_string()).then(Then::Unselected),
        Problem::Charset => Completed::no(Some(Code::BadCharset), problem.to_string()),
        Problem::SpecialUse => Completed::no(Some(Code::UseAttr), problem.to_string()),
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("state", &self.state).field("phase", &self.phase).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 256, "{} octets", size_of::<Session>());
    }
}
