//! RCPT (RFC 5321 §4.1.1.3): one more recipient.

use mail::Refusal;
use mail::envelope::Recipient;

use super::state::State;
use super::{Greeting, Question, Session};
use crate::command::Rcpt;
use crate::reply::{self, Moment};

impl Session {
    pub(super) fn rcpt(&mut self, state: State, rcpt: Rcpt) -> State {
        let opened = match state {
            State::Envelope(opened) => opened,
            State::Greeted => return self.refuse(state, reply::HELLO_FIRST),
            // RFC 3030 §2: the recipients are known before the first chunk.
            State::Chunks(_) => return self.refuse(state, reply::CHUNKS_BEGUN),
            _ => return self.refuse(state, reply::MAIL_FIRST),
        };
        let extended = rcpt.original.is_some() || rcpt.notify.is_some();
        if opened.hello.greeting == Greeting::Helo && extended {
            return self.refuse(State::Envelope(opened), reply::PARAMETERS_NEED_EHLO);
        }
        if rcpt.internationalized && !opened.envelope.smtputf8 {
            return self.refuse(State::Envelope(opened), reply::SMTPUTF8_NEEDED);
        }
        // Repeated ones count: each costs the same (RFC 5321 §4.5.3.1.10, RFC 9422 §4.2).
        let max = self.config.recipients_max;
        if opened.envelope.recipients.len() >= max {
            let refusal = Refusal::TooManyRecipients { max };
            return self.answer_refusal(State::Envelope(opened), &refusal, Moment::Recipient);
        }
        self.ask(Question::Recipient(rcpt.forward_path.clone()));
        let recipient = Recipient { forward_path: rcpt.forward_path, original: rcpt.original, notify: rcpt.notify };
        State::RecipientAsked(opened, Box::new(recipient))
    }
}
