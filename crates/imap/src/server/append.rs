//! APPEND (RFC 9051 §6.3.12): its message streams through, 64 KiB at a time.
//!
//! MULTIAPPEND (RFC 3502) would go on from [`Step::Tail`] with another announcement instead of the end of the line.

use mail::{Language, Refusal};

use super::SPOOL_OCTETS_MAX;
use super::framing::{self, Announcement};
use super::question::{Action, Answer, Completed, Question};
use super::session::{Phase, Reply, Session};
use crate::command::{Append, Tag};
use crate::parse::LiteralMode;
use crate::response::Code;

/// An APPEND under way.
#[derive(Debug)]
pub(super) struct Appending {
    tag: Tag,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// It is asked whether this may be, and a stage opened.
    Start { octets: u64, mode: LiteralMode },
    /// So many octets of the message are still to come.
    Message { remaining: u64 },
    /// The CRLF that ends the command is awaited.
    Tail,
    /// The commit is asked for.
    Finish,
}

impl Appending {
    pub(super) fn waits_for_answer(&self) -> bool {
        matches!(self.step, Step::Start { .. } | Step::Finish)
    }

    /// True while the driver holds a stage that nothing was decided about.
    pub(super) fn is_staged(&self) -> bool {
        matches!(self.step, Step::Message { .. } | Step::Tail)
    }
}

/// True when the literal announced at the end of this command is APPEND's message: any but the mailbox's name, which comes
/// right after the command's own.
pub(super) fn announces_message(command: &[u8], at: usize) -> bool {
    let tag = command.iter().position(|octet| *octet == b' ').map_or(command.len(), |space| space + 1);
    let Some(rest) = command.get(tag..) else { return false };
    let name = b"APPEND ";
    rest.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name)) && at > tag + name.len()
}

impl Session {
    pub(super) fn append(&mut self, tag: Tag, append: Append, mode: LiteralMode) {
        let octets = append.message.octets;
        if octets > self.config.append_octets_max {
            let refusal = Refusal::MessageTooLarge { octets_max: self.config.append_octets_max };
            let completed = Completed::refused(&refusal, self.language());
            return self.refuse_literal(Some(tag), Announcement { octets, mode, at: 0 }, completed);
        }
        self.phase = Phase::Append(Box::new(Appending { tag, step: Step::Start { octets, mode } }));
        self.ask(Question::AppendStart { mailbox: append.mailbox, message: append.message });
    }

    pub(super) fn append_answered(&mut self, appending: Appending, answer: Answer) {
        let Appending { tag, step } = appending;
        match (step, answer) {
            (Step::Start { octets, mode }, Answer::AppendReady) => {
                if mode == LiteralMode::Synchronizing {
                    self.send(b"+ go on\r\n");
                }
                self.phase = Phase::Append(Box::new(Appending { tag, step: Step::Message { remaining: octets } }));
            }
            (Step::Start { octets, mode }, Answer::Completed(completed)) => {
                self.refuse_literal(Some(tag), Announcement { octets, mode, at: 0 }, completed);
            }
            (Step::Finish, Answer::Completed(completed)) => self.complete(&tag, completed),
            _ => self.bye(Some(Code::ServerBug), "internal error"),
        }
    }

    pub(super) fn append_step(&mut self, mut appending: Box<Appending>) -> bool {
        match appending.step {
            Step::Message { remaining } => {
                let octets = self.framing.take(remaining.min(SPOOL_OCTETS_MAX as u64)).to_vec();
                let taken = octets.len() as u64;
                if taken > 0 {
                    self.act(Action::Spool(octets));
                }
                appending.step = match remaining - taken {
                    0 => Step::Tail,
                    remaining => Step::Message { remaining },
                };
                self.phase = Phase::Append(appending);
                taken > 0
            }
            Step::Tail => self.append_tail(appending),
            Step::Start { .. } | Step::Finish => {
                self.phase = Phase::Append(appending);
                false
            }
        }
    }

    fn append_tail(&mut self, mut appending: Box<Appending>) -> bool {
        let step = self.framing.step(self.octets_max());
        if step == framing::Step::Pending {
            self.phase = Phase::Append(appending);
            return false;
        }
        if step == framing::Step::Complete && self.framing.command().is_empty() {
            self.framing.next_command();
            appending.step = Step::Finish;
            self.phase = Phase::Append(appending);
            let enabled = self.enabled();
            self.ask(Question::AppendFinish { enabled });
            return false;
        }
        self.act(Action::AbandonAppend);
        let completed = Completed::bad("expected the end of the command");
        match step {
            framing::Step::Literal(announcement) => {
                self.framing.next_command();
                self.refuse_literal(Some(appending.tag), announcement, completed);
            }
            framing::Step::TooLong => self.bye(Some(Code::TooBig), "command too long"),
            _ => {
                self.framing.next_command();
                self.complete(&appending.tag, completed);
            }
        }
        true
    }

    /// The driver dropped its stage; the client goes on sending what it announced.
    pub(super) fn spool_failed(&mut self, refusal: &Refusal) {
        let finish_unasked = self.take_back_append();
        let completed = Completed::refused(refusal, self.language());
        match std::mem::replace(&mut self.phase, Phase::Command) {
            Phase::Append(appending) if appending.is_staged() => {
                let swallow = match appending.step {
                    Step::Message { remaining } => remaining,
                    _ => 0,
                };
                let reply = Reply::new(Some(appending.tag), completed);
                self.phase = Phase::Refused { swallow, reply: Box::new(reply) };
            }
            // The last chunk failed, and all of the command is here.
            Phase::Append(appending) if finish_unasked => self.complete(&appending.tag, completed),
            phase => self.phase = phase,
        }
    }

    fn language(&self) -> Language {
        self.identity().map(|identity| identity.language).unwrap_or(Language::English)
    }
}
