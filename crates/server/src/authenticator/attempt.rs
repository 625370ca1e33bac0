//! One attempt to sign in: it waits for its turn, and its refusal leaves when any other would.

use std::time::Duration;

use auth::Identity;
use auth::sasl::{Answer, Failure};
use auth::throttle::{Admission, Source, Turn};
use tokio::time::{Instant, sleep_until};

use super::throttle::KeptThrottle;
use crate::machine::now;

/// No refusal leaves sooner than this after its turn: what differs in the work for one login or another stays hidden
/// (S14). Ten times what hashing takes on a slow machine; Dovecot waits 2 s.
pub const REFUSED_AFTER: Duration = Duration::from_millis(500);

/// An attempt whose end is not known yet. One that is dropped before counts as a wrong password: hanging up is no way to
/// guess for free.
pub struct Attempt<'a> {
    throttle: &'a KeptThrottle,
    login: String,
    source: Source,
    begun: Instant,
    admission: Admission,
    owes: Owes,
}

/// What was not counted yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owes {
    GuessAndFailure,
    Failure,
    Nothing,
}

impl Attempt<'_> {
    /// Takes a place in the queues of the throttle. `login` is in one spelling.
    pub fn begin(throttle: &KeptThrottle, login: String, source: Source) -> Attempt<'_> {
        let admission = throttle.with(|throttle| throttle.admit(&login, source, now().0));
        Attempt { throttle, login, source, begun: Instant::now(), admission, owes: Owes::GuessAndFailure }
    }

    /// Waits until it may be verified, or for the time of a refusal when it may not.
    pub async fn turn(&mut self) -> Result<(), Failure> {
        match wait(self.admission.right) {
            Some(wait) => {
                sleep_until(self.begun + wait).await;
                Ok(())
            }
            None => Err(self.turned_away().await),
        }
    }

    /// Ends it: an identity, or nobody's; `work` is what verifying took.
    pub async fn conclude(self, entered: Result<Option<Identity>, Failure>, work: Duration) -> Answer {
        match entered {
            Ok(Some(identity)) => {
                self.right();
                Answer::Accepted(identity)
            }
            Ok(None) => Answer::Refused(self.wrong(work).await),
            Err(failure) => {
                self.withdraw();
                Answer::Refused(failure)
            }
        }
    }

    /// It could not be judged: it counts for nothing.
    pub fn withdraw(mut self) {
        self.owes = Owes::Nothing;
        self.throttle.with(|throttle| throttle.release(&self.login, self.source, self.admission));
    }

    fn right(mut self) {
        self.owes = Owes::Nothing;
        self.throttle.with(|throttle| {
            throttle.release(&self.login, self.source, self.admission);
            throttle.succeeded(&self.login, self.source, now().0);
        });
    }

    /// Counts a wrong password or proof, and waits as long as if the login were not known here.
    pub async fn wrong(mut self, work: Duration) -> Failure {
        self.pay(Owes::Failure);
        let Some(wait) = wait(self.admission.wrong) else {
            return self.turned_away().await;
        };
        let turn = self.begun + wait;
        // A login that is not known here is counted when it was verified, after its turn: so is one that is.
        sleep_until(turn + work).await;
        self.pay(Owes::Nothing);
        sleep_until(turn + work.max(REFUSED_AFTER)).await;
        Failure::Credentials
    }

    async fn turned_away(&mut self) -> Failure {
        self.owes = Owes::Nothing;
        sleep_until(self.begun + REFUSED_AFTER).await;
        Failure::Throttled
    }

    /// Counts until only `rest` is owed.
    fn pay(&mut self, rest: Owes) {
        let owed = std::mem::replace(&mut self.owes, rest);
        self.throttle.with(|throttle| {
            if owed == Owes::GuessAndFailure {
                throttle.guessed(&self.login, self.source, now().0);
            }
            if owed != Owes::Nothing && rest == Owes::Nothing {
                throttle.failed(&self.login, self.source, now().0);
            }
        });
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.owes != Owes::Nothing {
            self.pay(Owes::Nothing);
        }
    }
}

fn wait(turn: Turn) -> Option<Duration> {
    match turn {
        Turn::Now => Some(Duration::ZERO),
        Turn::After(wait) => Some(wait),
        Turn::Never => None,
    }
}
