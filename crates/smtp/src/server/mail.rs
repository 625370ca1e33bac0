//! MAIL (RFC 5321 §4.1.1.2): a transaction begins.

use mail::{Envelope, Refusal};

use super::state::{Hello, Opened, State};
use super::{Greeting, Question, Role, Session, Tls};
use crate::command::Mail;
use crate::reply::{self, Moment, Reply};

impl Session {
    pub(super) fn mail(&mut self, state: State, mail: Mail) -> State {
        let hello = match state {
            State::Ready(hello) => hello,
            State::Greeted => return self.refuse(state, reply::HELLO_FIRST),
            _ => return self.refuse(state, reply::NESTED_MAIL),
        };
        if let Some(reply) = self.against_mail(&hello, &mail) {
            return self.refuse(State::Ready(hello), reply);
        }
        let octets_max = self.config.octets_max;
        if mail.declared_octets.is_some_and(|octets| octets > octets_max) {
            // RFC 1870 §6.1.
            let refusal = Refusal::MessageTooLarge { octets_max };
            return self.answer_refusal(State::Ready(hello), &refusal, Moment::Sender);
        }
        if std::mem::take(&mut self.chosen_by_mail) {
            self.identity = None;
        }
        self.ask(Question::Sender { reverse_path: mail.reverse_path.clone(), declared_octets: mail.declared_octets });
        State::SenderAsked(Box::new(Opened {
            hello,
            envelope: Envelope {
                reverse_path: mail.reverse_path,
                recipients: Vec::new(),
                body: mail.body,
                smtputf8: mail.smtputf8,
                declared_octets: mail.declared_octets,
                returned: mail.returned,
                envelope_id: mail.envelope_id,
                require_tls: mail.require_tls,
            },
        }))
    }

    /// Why this MAIL comes too early, or says what it may not.
    fn against_mail(&self, hello: &Hello, mail: &Mail) -> Option<Reply> {
        if self.config.role == Role::Submission && !self.is_authenticated() && !self.chooses_by_mail() {
            return Some(self.sign_in_first());
        }
        let reports = mail.returned.is_some() || mail.envelope_id.is_some();
        let travel = mail.smtputf8 || mail.require_tls || mail.body != Default::default();
        let extended = mail.declared_octets.is_some() || reports || travel;
        if hello.greeting == Greeting::Helo && extended {
            return Some(reply::PARAMETERS_NEED_EHLO);
        }
        (mail.internationalized && !mail.smtputf8).then_some(reply::SMTPUTF8_NEEDED)
    }

    /// RFC 3207 §4, RFC 4954 §6.
    pub(super) fn sign_in_first(&self) -> Reply {
        match self.config.tls == Tls::StartTls && self.tls.is_none() {
            true => reply::TLS_FIRST,
            false => reply::AUTHENTICATION_FIRST,
        }
    }
}
