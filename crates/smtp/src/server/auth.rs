//! AUTH (RFC 4954): lines and base64 here, mechanisms in `auth::sasl`.

use auth::sasl::{self, Exchange, Failure, Mechanism, Progress};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::state::{Authentication, State};
use super::{Greeting, Question, Role, Session};
use crate::command::Auth;
use crate::limits::FAILED_AUTHENTICATIONS_MAX;
use crate::line::LineError;
use crate::reply::{self, Reply};

impl Session {
    pub(super) fn auth(&mut self, state: State, auth: Auth) -> State {
        let hello = match state {
            State::Ready(hello) => hello,
            State::Greeted => return self.refuse(state, reply::HELLO_FIRST),
            _ => return self.refuse(state, reply::IN_TRANSACTION),
        };
        let refused = match &self.tls {
            _ if self.config.role != Role::Submission => Some(reply::NOT_OFFERED),
            _ if hello.greeting == Greeting::Helo => Some(reply::EHLO_NEEDED),
            None => Some(self.sign_in_first()),
            Some(_) if self.is_authenticated() => Some(reply::SIGNED_IN_ALREADY),
            Some(_) => None,
        };
        if let Some(reply) = refused {
            return self.refuse(State::Ready(hello), reply);
        }
        let named = Mechanism::from_name(&auth.mechanism);
        let Some(mechanism) = self.mechanisms().find(|mechanism| Some(*mechanism) == named) else {
            return self.refuse(State::Ready(hello), reply::MECHANISM_UNKNOWN);
        };
        let initial = match auth.initial_response.as_deref().map(decode_initial) {
            None => None,
            Some(Some(response)) => Some(response),
            Some(None) => return self.refuse(State::Ready(hello), reply::NOT_BASE64),
        };
        let bindings = self.tls.as_ref().map(|tls| tls.bindings.clone()).unwrap_or_default();
        let exchange = Exchange::new(mechanism, &bindings, (self.config.nonce)());
        let mut authentication = Box::new(Authentication { hello, mechanism, exchange });
        let progress = authentication.exchange.step(initial.as_deref());
        self.sasl_progress(authentication, progress)
    }

    pub(super) fn sasl_response(
        &mut self,
        mut authentication: Box<Authentication>,
        line: Result<&str, LineError>,
    ) -> State {
        let failure = match line {
            Ok("*") => Reply::from(Failure::Cancelled),
            Ok(line) => match STANDARD.decode(line) {
                Ok(response) => {
                    let progress = authentication.exchange.step(Some(&response));
                    return self.sasl_progress(authentication, progress);
                }
                Err(_) => reply::NOT_BASE64,
            },
            Err(LineError::TooLong) => reply::AUTH_LINE_TOO_LONG,
            Err(error) => error.into(),
        };
        self.refuse(State::Ready(authentication.hello), failure)
    }

    pub(super) fn sasl_answered(&mut self, mut authentication: Box<Authentication>, answer: sasl::Answer) -> State {
        let progress = authentication.exchange.answered(answer);
        self.sasl_progress(authentication, progress)
    }

    fn sasl_progress(&mut self, authentication: Box<Authentication>, progress: Progress) -> State {
        match progress {
            Progress::Challenge(challenge) => {
                self.say_line(&format!("334 {}", STANDARD.encode(challenge)));
                State::Authenticating(authentication)
            }
            Progress::Ask(question) => {
                self.ask(Question::Sasl(question));
                State::AuthenticationAsked(authentication)
            }
            Progress::Done(Ok(identity)) => {
                (self.identity, self.chosen_by_mail) = (Some(identity), false);
                self.answer(State::Ready(authentication.hello), reply::SIGNED_IN)
            }
            Progress::Done(Err(failure)) => self.sign_in_failed(authentication, failure),
        }
    }

    fn sign_in_failed(&mut self, authentication: Box<Authentication>, failure: Failure) -> State {
        self.say(failure.into());
        // What the client could not help is not counted against it.
        let helpless = match failure {
            Failure::Unavailable | Failure::Cancelled => true,
            Failure::Certificate(cause) => cause.is_transient(),
            _ => false,
        };
        self.failed_authentications += u32::from(!helpless);
        match self.failed_authentications >= FAILED_AUTHENTICATIONS_MAX {
            true => self.end(reply::TOO_MANY_FAILED_AUTHENTICATIONS),
            false => State::Ready(authentication.hello),
        }
    }
}

/// `=` is a response of no octets, told from none (RFC 4954 §4).
fn decode_initial(response: &str) -> Option<Vec<u8>> {
    match response {
        "=" => Some(Vec::new()),
        response => STANDARD.decode(response).ok(),
    }
}
