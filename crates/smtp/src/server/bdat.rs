//! BDAT (RFC 3030 §2): the body in counted chunks.

use super::state::{Body, Fault, Incoming, Opened, State, Swallow, Transfer};
use super::{Greeting, Question, Role, Session};
use crate::command::{Chunk, Last};
use crate::limits::{OVERSIZE_FACTOR, SPOOL_OCTETS_MAX};
use crate::line_ends::LineEnds;
use crate::reply::{self, Reply};

impl Session {
    pub(super) fn bdat(&mut self, state: State, chunk: Chunk) -> State {
        match state {
            State::Envelope(opened) if opened.hello.greeting == Greeting::Helo => {
                self.refuse_chunk(State::Envelope(opened), chunk.octets, reply::EHLO_NEEDED)
            }
            State::Envelope(opened) if opened.envelope.recipients.is_empty() => {
                self.refuse_chunk(State::Envelope(opened), chunk.octets, reply::NO_VALID_RECIPIENTS)
            }
            State::Envelope(opened) if chunk.octets > self.config.octets_max => {
                let reply = self.fault_reply(&Fault::TooLarge);
                self.refuse_chunk(State::Ready(opened.hello), chunk.octets, reply)
            }
            State::Envelope(opened) => {
                self.ask(Question::Body);
                State::BodyAsked(opened, Transfer::Bdat(chunk))
            }
            State::Chunks(incoming) => self.next_chunk(incoming, chunk),
            // Also where an earlier chunk failed and more were on their way (RFC 3030 §2).
            State::Ready(hello) => {
                let reply = match self.config.role == Role::Submission && self.identity.is_none() {
                    true => self.sign_in_first(),
                    false => reply::MAIL_FIRST,
                };
                self.refuse_chunk(State::Ready(hello), chunk.octets, reply)
            }
            other => self.refuse_chunk(other, chunk.octets, reply::HELLO_FIRST),
        }
    }

    pub(super) fn chunk_ready(&mut self, opened: Opened, chunk: Chunk) -> State {
        let incoming = Incoming { opened, reader: LineEnds::default(), body: Body::default() };
        self.next_chunk(Box::new(incoming), chunk)
    }

    fn next_chunk(&mut self, mut incoming: Box<Incoming<LineEnds>>, chunk: Chunk) -> State {
        if incoming.body.octets.saturating_add(chunk.octets) > self.config.octets_max {
            self.spoil(&mut incoming.body, Fault::TooLarge);
        }
        match incoming.body.fault.take() {
            Some(fault) => {
                let reply = self.fault_reply(&fault);
                self.refuse_chunk(State::Ready(incoming.opened.hello), chunk.octets, reply)
            }
            None if chunk.octets == 0 => self.chunk_ended(*incoming, chunk.last),
            None => State::Chunk(incoming, chunk.octets, chunk.last),
        }
    }

    pub(super) fn chunk_received(
        &mut self,
        mut incoming: Box<Incoming<LineEnds>>,
        left: u64,
        last: Last,
        input: &[u8],
    ) -> (State, usize) {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(SPOOL_OCTETS_MAX);
        let piece = input.get(..room).unwrap_or(input);
        if incoming.body.fault.is_none()
            && let Err(fault) = incoming.reader.check(piece)
        {
            self.spoil(&mut incoming.body, Fault::Content(fault));
        }
        match incoming.body.fault {
            None => self.spool(&mut incoming.body, piece.to_vec()),
            Some(_) => incoming.body.octets += piece.len() as u64,
        }
        let next = match left - piece.len() as u64 {
            0 => self.chunk_ended(*incoming, last),
            left => State::Chunk(incoming, left, last),
        };
        (self.progressed(next), piece.len())
    }

    fn chunk_ended(&mut self, mut incoming: Incoming<LineEnds>, last: Last) -> State {
        if last == Last::Yes
            && incoming.body.fault.is_none()
            && let Err(fault) = incoming.reader.finish()
        {
            self.spoil(&mut incoming.body, Fault::Content(fault));
        }
        let Incoming { opened, reader, body } = incoming;
        match (&body.fault, last) {
            // The octets were counted, nobody can be deceived about the end: the session goes on.
            (Some(fault), _) => {
                let reply = self.fault_reply(fault);
                self.answer(State::Ready(opened.hello), reply)
            }
            (None, Last::Yes) => self.accept(opened, body.octets),
            (None, Last::No) => {
                let reply = Reply::octets_received(body.octets);
                self.answer(State::Chunks(Box::new(Incoming { opened, reader, body })), reply)
            }
        }
    }

    /// A refused chunk's octets are taken and dropped before the reply (RFC 3030 §2), unless they are too many.
    pub(super) fn refuse_chunk(&mut self, next: State, octets: u64, reply: Reply) -> State {
        if octets / OVERSIZE_FACTOR > self.config.octets_max {
            return self.end(reply);
        }
        match octets {
            0 => self.refuse(next, reply),
            left => State::Swallowing(Box::new(Swallow { left, reply, then: next })),
        }
    }

    pub(super) fn swallow(&mut self, mut swallow: Box<Swallow>, input: &[u8]) -> (State, usize) {
        let room = usize::try_from(swallow.left).unwrap_or(usize::MAX);
        let used = input.len().min(room);
        swallow.left -= used as u64;
        let next = match swallow.left {
            0 => self.refuse(swallow.then, swallow.reply),
            _ => State::Swallowing(swallow),
        };
        (self.progressed(next), used)
    }
}
