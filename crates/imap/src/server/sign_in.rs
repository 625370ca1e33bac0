//! AUTHENTICATE and LOGIN (RFC 9051 §6.2.2, §6.2.3).

use auth::sasl::{self, Channel, ChannelBindings, Exchange, Failure, Mechanism, Progress, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::Language;

use super::framing::Step;
use super::question::{Completed, Question};
use super::session::{Phase, Session, Transport};
use super::{AUTHENTICATE_OCTETS_MAX, COMMAND_OCTETS_MAX_BEFORE_SIGN_IN};
use crate::command::Tag;
use crate::response::Code;

/// A sign-in under way.
#[derive(Debug)]
pub(super) struct SignIn {
    tag: Tag,
    /// `None` for LOGIN.
    exchange: Option<Exchange>,
    /// True while the exchange's question is open, false while the client owes a response.
    asked: bool,
    /// Octets of a response line.
    octets_max: usize,
}

impl SignIn {
    pub(super) fn waits_for_answer(&self) -> bool {
        self.asked
    }
}

impl Session {
    pub(super) fn login(&mut self, tag: Tag, login: String, password: Secret, clear: bool) {
        if clear {
            // LOGINDISABLED (RFC 9051 §6.2.3).
            return self.complete(&tag, Completed::no(Some(Code::PrivacyRequired), "TLS is needed first"));
        }
        self.phase = Phase::SignIn(Box::new(SignIn {
            tag,
            exchange: None,
            asked: true,
            octets_max: COMMAND_OCTETS_MAX_BEFORE_SIGN_IN,
        }));
        self.ask(Question::Sasl(sasl::Question::Password { login, acting_for: None, password }));
    }

    /// What may be used under TLS with these bindings.
    pub(super) fn mechanisms(&self, bindings: &ChannelBindings) -> impl Iterator<Item = Mechanism> {
        let usable = |mechanism: &Mechanism| mechanism.usable(Channel::Encrypted, bindings);
        self.config.mechanisms.iter().copied().filter(usable)
    }

    pub(super) fn authenticate(
        &mut self,
        tag: Tag,
        mechanism: &str,
        initial_response: Option<Secret>,
        transport: &Transport,
    ) {
        let nothing = ChannelBindings::default();
        let (channel, bindings) = match transport {
            Transport::Clear => (Channel::Clear, &nothing),
            Transport::Tls(bindings) => (Channel::Encrypted, bindings),
        };
        let mechanism = match Mechanism::from_name(mechanism) {
            Some(mechanism)
                if channel == Channel::Encrypted && self.mechanisms(bindings).any(|one| one == mechanism) =>
            {
                mechanism
            }
            Some(_) if channel == Channel::Clear => {
                return self.complete(&tag, Completed::no(Some(Code::PrivacyRequired), "TLS is needed first"));
            }
            _ => return self.complete(&tag, Completed::no(Some(Code::Cannot), "unknown mechanism")),
        };
        let mut nonce = [0; sasl::NONCE_OCTETS];
        (self.config.random)(&mut nonce);
        let mut exchange = Exchange::new(mechanism, bindings, nonce);
        let progress = match initial_response.map(|response| decoded(response.expose().as_bytes())) {
            None => exchange.step(None),
            Some(Some(response)) => exchange.step(Some(&response)),
            Some(None) => Progress::Done(Err(Failure::Malformed)),
        };
        let octets_max = match mechanism.carries_tokens() {
            true => AUTHENTICATE_OCTETS_MAX,
            false => COMMAND_OCTETS_MAX_BEFORE_SIGN_IN,
        };
        self.follow(tag, exchange, octets_max, progress);
    }

    /// A line of the exchange: base64, or `*` to give up.
    pub(super) fn response_line(&mut self, mut sign_in: Box<SignIn>) -> bool {
        match self.framing.line_end(sign_in.octets_max) {
            Step::Pending => {
                self.phase = Phase::SignIn(sign_in);
                return false;
            }
            Step::TooLong => {
                self.bye(Some(Code::TooBig), "response too long");
                return false;
            }
            _ => {}
        }
        let response = match self.framing.command() {
            b"*" => Err(Failure::Cancelled),
            line => base64_line(line).ok_or(Failure::Malformed),
        };
        self.framing.next_command();
        let Some(mut exchange) = sign_in.exchange.take() else { return false };
        let progress = match response {
            Ok(response) => exchange.step(Some(&response)),
            Err(failure) => Progress::Done(Err(failure)),
        };
        self.follow(sign_in.tag, exchange, sign_in.octets_max, progress);
        true
    }

    pub(super) fn sasl_answered(&mut self, sign_in: Box<SignIn>, answer: sasl::Answer) {
        match (sign_in.exchange, answer) {
            (Some(mut exchange), answer) => {
                let progress = exchange.answered(answer);
                self.follow(sign_in.tag, exchange, sign_in.octets_max, progress);
            }
            (None, sasl::Answer::Accepted(identity)) => self.signed_in(&sign_in.tag, identity),
            (None, sasl::Answer::Refused(failure)) => self.refused(&sign_in.tag, failure),
            (None, sasl::Answer::Scram(_) | sasl::Answer::TokenRefused(_)) => {
                self.refused(&sign_in.tag, Failure::Unavailable)
            }
        }
    }

    fn follow(&mut self, tag: Tag, exchange: Exchange, octets_max: usize, progress: Progress) {
        match progress {
            Progress::Challenge(challenge) => {
                self.send(format!("+ {}\r\n", STANDARD.encode(challenge)).as_bytes());
                self.phase =
                    Phase::SignIn(Box::new(SignIn { tag, exchange: Some(exchange), asked: false, octets_max }));
            }
            Progress::Ask(question) => {
                self.phase = Phase::SignIn(Box::new(SignIn { tag, exchange: Some(exchange), asked: true, octets_max }));
                self.ask(Question::Sasl(question));
            }
            Progress::Done(Ok(identity)) => self.signed_in(&tag, identity),
            Progress::Done(Err(failure)) => self.refused(&tag, failure),
        }
    }

    fn refused(&mut self, tag: &Tag, failure: Failure) {
        let completed = match failure {
            Failure::Credentials => Completed::no(Some(Code::AuthenticationFailed), "wrong user name or password"),
            Failure::Cancelled => Completed::bad("cancelled"),
            Failure::Malformed => Completed::bad("malformed response"),
            Failure::Unavailable => Completed::no(Some(Code::Unavailable), "try again later"),
            Failure::Certificate(cause) => {
                let code = if cause.is_transient() { Code::Unavailable } else { Code::AuthenticationFailed };
                Completed::no(Some(code), format!("{} [{}]", cause.sentence(Language::English), cause.word()))
            }
            Failure::Throttled => Completed::no(Some(Code::Unavailable), "too many failures lately, try again later"),
        };
        self.complete(tag, completed);
        if self.sign_in_failed() {
            self.bye(None, "too many failures");
        }
    }
}

/// The initial response: `=` is an empty one (RFC 4959 §3).
fn decoded(response: &[u8]) -> Option<Vec<u8>> {
    match response {
        b"=" => Some(Vec::new()),
        response => base64_line(response),
    }
}

fn base64_line(line: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(line).ok()
}
