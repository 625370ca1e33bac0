//! One attempt: where it went, what was seen there, what was said, and what came of it.

use std::net::IpAddr;

use mail::dsn::Cause;
use store::UnixMillis;

/// What the other server said: code, enhanced status, text.
pub use mail::dsn::Diagnostic as Answer;

/// Where an attempt went, for one forward-path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: UnixMillis,
    /// How far it came.
    pub stage: Stage,
    /// The name of the host, empty when there was none yet.
    pub host: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The subject of the certificate it showed, RFC 4514.
    pub certificate: Option<String>,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Names were looked up.
    Dns,
    /// A connection was made.
    Connect,
    /// TLS, its certificates, and who they speak for.
    Tls,
    /// Greeting and EHLO.
    Greeting,
    /// AUTH, at the smart host.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA or BDAT, up to the answer.
    Content,
    /// None was made: the destination failed a moment ago.
    Spared,
    /// None was made: an operator decided.
    Operator,
}

/// What came of an attempt, for one forward-path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other server has it.
    Relayed {
        /// What it said.
        answer: Answer,
        /// It took NOTIFY and answers for the rest (RFC 3461 §5.2.2); false: our report is all the sender will hear.
        reports: bool,
    },
    /// It may go better later.
    Deferred {
        /// Why.
        cause: Cause,
        /// What the other server said, if it was the one.
        answer: Option<Answer>,
    },
    /// It will not.
    Failed {
        /// Why.
        cause: Cause,
        /// What the other server said, if it was the one.
        answer: Option<Answer>,
    },
}

/// How a destination failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// What the other server said, if it came to that.
    pub answer: Option<Answer>,
    /// The name of the host tried last, empty when there was none.
    pub host: String,
}

impl Stage {
    /// Every one.
    pub const ALL: [Stage; 10] = [
        Stage::Dns,
        Stage::Connect,
        Stage::Tls,
        Stage::Greeting,
        Stage::Auth,
        Stage::Mail,
        Stage::Recipient,
        Stage::Content,
        Stage::Spared,
        Stage::Operator,
    ];

    /// The word on disk and in listings.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Dns => "dns",
            Stage::Connect => "connect",
            Stage::Tls => "tls",
            Stage::Greeting => "greeting",
            Stage::Auth => "auth",
            Stage::Mail => "mail",
            Stage::Recipient => "rcpt",
            Stage::Content => "data",
            Stage::Spared => "spared",
            Stage::Operator => "operator",
        }
    }

    /// The stage a word stands for.
    pub fn from_word(word: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.word() == word)
    }
}

impl Outcome {
    /// The outcome of an answer to MAIL, RCPT or the content: by its code.
    pub fn of_answer(answer: Answer, reports: bool) -> Outcome {
        let cause = Cause::of_answer(answer.code, answer.status);
        match answer.code {
            200..300 => Outcome::Relayed { answer, reports },
            500..600 => Outcome::Failed { cause, answer: Some(answer) },
            _ => Outcome::Deferred { cause, answer: Some(answer) },
        }
    }

    /// Why, [`Cause::Success`] when it went well.
    pub fn cause(&self) -> Cause {
        match self {
            Outcome::Relayed { .. } => Cause::Success,
            Outcome::Deferred { cause, .. } | Outcome::Failed { cause, .. } => *cause,
        }
    }

    /// What the other server said.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Outcome::Relayed { answer, .. } => Some(answer),
            Outcome::Deferred { answer, .. } | Outcome::Failed { answer, .. } => answer.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_read_as_they_print() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_word(stage.word()), Some(stage));
        }
    }

    #[test]
    fn the_code_decides() {
        let answer = |code| Answer { code, status: None, text: String::new() };
        assert!(matches!(Outcome::of_answer(answer(250), true), Outcome::Relayed { reports: true, .. }));
        assert!(matches!(Outcome::of_answer(answer(451), true), Outcome::Deferred { cause: Cause::Deferred, .. }));
        assert!(matches!(Outcome::of_answer(answer(550), true), Outcome::Failed { cause: Cause::Refused, .. }));
        assert!(matches!(Outcome::of_answer(answer(354), true), Outcome::Deferred { .. }), "out of place");
    }
}
