//! DATA (RFC 5321 §4.1.1.4): the body up to the lone dot.

use mail::Refusal;

use super::state::{Body, Fault, Incoming, Opened, State, Transfer};
use super::{Action, Protocol, Question, Session, Transaction};
use crate::dot_stuffing::{DotReader, Reached};
use crate::limits::{OVERSIZE_FACTOR, SPOOL_OCTETS_MAX};
use crate::line_ends::BodyFault;
use crate::reply::{self, Moment, Reply};

impl Session {
    pub(super) fn data(&mut self, state: State) -> State {
        match state {
            State::Envelope(opened) if opened.envelope.recipients.is_empty() => {
                self.refuse(State::Envelope(opened), reply::NO_VALID_RECIPIENTS)
            }
            State::Envelope(opened) => {
                self.ask(Question::Body);
                State::BodyAsked(opened, Transfer::Data)
            }
            State::Greeted => self.refuse(state, reply::HELLO_FIRST),
            State::Chunks(_) => self.refuse(state, reply::CHUNKS_BEGUN),
            _ => self.refuse(state, reply::MAIL_FIRST),
        }
    }

    pub(super) fn data_ready(&mut self, opened: Opened, early: bool) -> State {
        if early {
            // DATA ends a pipeline (RFC 2920 §3.1): whether this is body or commands, somebody is to be deceived (S3).
            return self.end(reply::EARLY_OCTETS);
        }
        self.say(reply::SEND_BODY);
        State::Data(Box::new(Incoming { opened, reader: DotReader::new(), body: Body::default() }))
    }

    pub(super) fn data_received(&mut self, mut incoming: Box<Incoming<DotReader>>, input: &[u8]) -> (State, usize) {
        // No further than to the octet that is too much, however the octets come.
        let room = (self.config.octets_max.saturating_add(1).saturating_mul(OVERSIZE_FACTOR))
            .saturating_sub(incoming.body.octets);
        let room = usize::try_from(room).unwrap_or(SPOOL_OCTETS_MAX).clamp(1, SPOOL_OCTETS_MAX);
        let piece = input.get(..room).unwrap_or(input);
        let mut message = Vec::with_capacity(piece.len());
        let (used, reached) = incoming.reader.read(piece, &mut message);
        if let Some(fault) = incoming.reader.fault() {
            self.spoil(&mut incoming.body, Fault::Content(fault));
        }
        self.spool(&mut incoming.body, message);
        let next = match reached {
            Reached::More if incoming.body.octets / OVERSIZE_FACTOR > self.config.octets_max => {
                let reply = self.fault_reply(&Fault::TooLarge);
                self.end(reply)
            }
            Reached::More => State::Data(incoming),
            // The sender believes it is done, or wants us to: what follows must not be read (S1).
            Reached::FalseEnd => self.end(Reply::body_fault(BodyFault::BareLineEnd, self.language())),
            Reached::End => self.data_ended(*incoming),
        };
        (self.progressed(next), used)
    }

    fn data_ended(&mut self, incoming: Incoming<DotReader>) -> State {
        match incoming.body.fault {
            None => self.accept(incoming.opened, incoming.body.octets),
            Some(fault) => {
                let reply = self.fault_reply(&fault);
                match fault {
                    // Who sends such lines may see the end of the message elsewhere (S1).
                    Fault::Content(_) => self.end(reply),
                    Fault::TooLarge | Fault::Spool(_) => self.answer(State::Ready(incoming.opened.hello), reply),
                }
            }
        }
    }

    /// The message is whole: have it judged and made durable.
    pub(super) fn accept(&mut self, opened: Opened, octets: u64) -> State {
        let Opened { hello, envelope } = opened;
        let protocol = Protocol {
            greeting: hello.greeting,
            tls: self.tls.is_some(),
            authenticated: self.is_authenticated(),
            smtputf8: envelope.smtputf8,
        };
        self.staged = false;
        self.ask(Question::Accept(Box::new(Transaction {
            envelope,
            client: hello.client.clone(),
            protocol,
            identity: self.identity.clone(),
            octets,
        })));
        State::AcceptAsked(hello)
    }

    /// Hands message octets out, unless the message is lost already.
    pub(super) fn spool(&mut self, body: &mut Body, message: Vec<u8>) {
        body.octets += message.len() as u64;
        if body.octets > self.config.octets_max {
            self.spoil(body, Fault::TooLarge);
        }
        if body.fault.is_none() && !message.is_empty() {
            self.actions.push_back(Action::Spool(message));
        }
    }

    /// A fault of the content decides what is said at the end, wherever it stands: the session must not go on after it
    /// (S1). Of the others the first does.
    pub(super) fn spoil(&mut self, body: &mut Body, fault: Fault) {
        self.discard();
        match fault {
            Fault::Content(_) => body.fault = Some(fault),
            Fault::TooLarge | Fault::Spool(_) => drop(body.fault.get_or_insert(fault)),
        }
    }

    pub(super) fn fault_reply(&self, fault: &Fault) -> Reply {
        let language = self.language();
        match fault {
            Fault::TooLarge => {
                let refusal = Refusal::MessageTooLarge { octets_max: self.config.octets_max };
                Reply::refused(&refusal, Moment::Message, language)
            }
            Fault::Content(fault) => Reply::body_fault(*fault, language),
            Fault::Spool(refusal) => Reply::refused(refusal, Moment::Message, language),
        }
    }
}
