//! STARTTLS (RFC 3207), and the handshake of implicit listeners.

use super::state::State;
use super::{Action, Greeting, Session, Tls, TlsFacts};
use crate::reply;

impl Session {
    /// `more`: octets were received after the command, in the clear.
    pub(super) fn starttls(&mut self, state: State, more: bool) -> State {
        let reply = match &state {
            _ if self.tls.is_some() => reply::TLS_ALREADY,
            _ if self.config.tls != Tls::StartTls => reply::NOT_OFFERED,
            State::Ready(hello) if hello.greeting == Greeting::Helo => reply::EHLO_NEEDED,
            // Injected to be read as if TLS had protected them (CVE-2011-0411, S4): no handshake either.
            State::Ready(_) if more => return self.end(reply::EARLY_OCTETS),
            State::Ready(_) => {
                self.say(reply::READY_FOR_TLS);
                self.flush();
                self.actions.push_back(Action::StartTls);
                self.forget();
                return State::Handshake;
            }
            State::Greeted => reply::HELLO_FIRST,
            _ => reply::IN_TRANSACTION,
        };
        self.refuse(state, reply)
    }

    pub(super) fn tls_established(&mut self, state: State, facts: TlsFacts) -> State {
        let State::Handshake = state else { return self.end(reply::FAULT) };
        self.forget();
        self.tls = Some(facts);
        if self.config.tls == Tls::Implicit {
            self.greet();
        }
        // After STARTTLS nothing is said: the client says EHLO again (RFC 3207 §4.2).
        self.progressed(State::Greeted)
    }
}
