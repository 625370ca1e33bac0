//! The pump: bytes into the session, its actions out, its questions answered.

use std::sync::Arc;
use std::time::Instant;

use auth::sasl;
use delivery::Delivery;
use imap::server::{Action, Answer, Completed, Config, Farewell, Input, Question, Session, Transport};
use store::{Changes, Store};
use tracing::{debug, info};

use super::append::Appending;
use super::executor::Executor;
use super::host::Host;
use super::recent::leave;
use super::selected::Selected;
use super::wire::{Disconnected, Stream, Wire};
use crate::sessions;

/// What all sessions of a listener share.
pub struct Context {
    /// Where the mailboxes are.
    pub store: Store,
    /// The way in, for APPEND.
    pub delivery: Delivery,
    /// The protocol's settings.
    pub imap: Arc<Config>,
    /// The server around.
    pub host: Arc<dyn Host>,
}

/// One connection, from greeting to goodbye; it outlives the change from a clear stream to TLS.
pub struct Conversation {
    context: Arc<Context>,
    place: sessions::Session,
    session: Session,
    mailbox: Option<Box<Selected>>,
    appending: Option<Box<Appending>>,
    changes: Option<Changes>,
}

/// Why [`serve`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The session is over; close the stream.
    Closed,
    /// Make the TLS handshake on the stream, tell [`Conversation::tls_established`], and serve on.
    StartTls,
}

/// What a session waits for.
enum Event {
    Received,
    Changed,
    Late,
    Gone,
    End(sessions::Ending),
}

/// Pumps a session until it is over or wants TLS.
pub async fn serve<S>(stream: &mut S, conversation: &mut Conversation) -> Outcome
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync,
{
    let mut wire = Wire::new(stream as &mut dyn Stream);
    match conversation.run(&mut wire).await {
        Ok(Outcome::StartTls) => Outcome::StartTls,
        Ok(Outcome::Closed) | Err(Disconnected) => {
            leave(&conversation.context, &mut conversation.mailbox);
            Box::pin(wire.close()).await;
            Outcome::Closed
        }
    }
}

impl Conversation {
    /// A connection at its beginning. `place` is its line in the table of sessions, kept until the conversation is dropped.
    pub fn new(context: Arc<Context>, place: sessions::Session, transport: Transport) -> Conversation {
        let session = Session::new(context.imap.clone(), transport, Instant::now());
        Conversation { context, place, session, mailbox: None, appending: None, changes: None }
    }

    /// Its line in the table of sessions.
    pub fn place(&self) -> &sessions::Session {
        &self.place
    }

    /// The handshake after [`Outcome::StartTls`] is done.
    pub fn tls_established(&mut self, bindings: sasl::ChannelBindings) {
        self.session.handle(Input::TlsEstablished(bindings), Instant::now());
    }

    async fn run(&mut self, wire: &mut Wire<'_>) -> Result<Outcome, Disconnected> {
        loop {
            while let Some(action) = self.session.poll() {
                match action {
                    Action::Send(octets) => Box::pin(wire.send(octets)).await?,
                    Action::Ask(question) => {
                        let answer = Box::pin(self.answer(question, wire)).await?;
                        self.handle(Input::Answered(answer));
                    }
                    Action::Spool(octets) => {
                        if let Some(refusal) = Box::pin(self.spool(octets)).await {
                            self.handle(Input::SpoolFailed(refusal));
                        }
                    }
                    Action::AbandonAppend => self.appending = None,
                    Action::StartTls => {
                        Box::pin(wire.flush()).await?;
                        return Ok(Outcome::StartTls);
                    }
                    Action::Close => {
                        Box::pin(wire.flush()).await?;
                        return Ok(Outcome::Closed);
                    }
                }
            }
            Box::pin(wire.flush()).await?;
            match self.wait(wire).await? {
                Event::Received => {}
                Event::Changed => Box::pin(self.tell_while_idle(wire)).await?,
                Event::Late => self.handle(Input::DeadlinePassed),
                Event::Gone => self.handle(Input::Ended),
                Event::End(ending) => {
                    info!(session = self.place.id().0, ?ending, "imap session is ended");
                    self.handle(Input::Leave(match ending {
                        sessions::Ending::Stopping => Farewell::ShutDown,
                        sessions::Ending::Suspended => Farewell::Suspended,
                        sessions::Ending::Administrator => Farewell::Administrator,
                        sessions::Ending::Expired => Farewell::Expired,
                    }));
                }
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(input, Instant::now());
    }

    /// Waits for what comes first; nothing is held but this future.
    async fn wait(&mut self, wire: &mut Wire<'_>) -> Result<Event, Disconnected> {
        let deadline = tokio::time::Instant::from_std(self.session.deadline());
        let listens = self.session.is_idle() && self.mailbox.is_some();
        let Conversation { session, place, changes, .. } = self;
        let changed = async {
            match changes.as_mut().filter(|_| listens) {
                Some(changes) => changes.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ending = place.next_ending() => Ok(Event::End(ending)),
            received = wire.receive(|octets| session.handle(Input::Received(octets), Instant::now())) => {
                Ok(if received? { Event::Received } else { Event::Gone })
            }
            Some(()) = changed => Ok(Event::Changed),
            () = tokio::time::sleep_until(deadline) => Ok(Event::Late),
        }
    }

    async fn answer(&mut self, question: Question, wire: &mut Wire<'_>) -> Result<Answer, Disconnected> {
        Ok(match question {
            Question::Sasl(question) => Answer::Sasl(self.authenticate(question).await),
            Question::Operation { tag, operation, enabled } => {
                let (name, began) = (operation.name(), Instant::now());
                let completed = match self.executor(wire, enabled) {
                    Some(mut executor) => executor.execute(&tag, operation).await?,
                    None => signed_out(),
                };
                self.count(name, &completed, began);
                Answer::Completed(completed)
            }
            Question::AppendStart { mailbox, message } => match self.append_start(&mailbox, message).await {
                Ok(()) => Answer::AppendReady,
                Err(completed) => Answer::Completed(completed),
            },
            Question::AppendFinish { enabled } => {
                let began = Instant::now();
                let appending = self.appending.take();
                let completed = match (appending, self.executor(wire, enabled)) {
                    (Some(appending), Some(mut executor)) => executor.append(*appending).await?,
                    _ => signed_out(),
                };
                self.count("APPEND", &completed, began);
                Answer::Completed(completed)
            }
        })
    }

    fn count(&self, command: &'static str, completed: &Completed, began: Instant) {
        let (outcome, took) = (completed.status.as_str(), began.elapsed());
        self.context.host.executed(command, outcome, took);
        let account = self.session.identity().map(|identity| identity.acting_for.0);
        debug!(
            session = self.place.id().0,
            account,
            command,
            outcome,
            micros = took.as_micros() as u64,
            "imap command"
        );
    }

    /// Asks the server around; whoever is let in takes a place among the sessions of the account.
    async fn authenticate(&mut self, question: sasl::Question) -> sasl::Answer {
        let answer = self.context.host.authenticate(&self.place, question).await;
        if let sasl::Answer::Refused(failure) = &answer {
            // The address is that of an unknown person: the one place where the log needs it (bar.md S16).
            info!(session = self.place.id().0, peer = %self.place.peer(), ?failure, "sign-in refused");
        }
        if let sasl::Answer::Accepted(identity) = &answer {
            if let Err(too_many) = self.place.signed_in(identity) {
                info!(session = self.place.id().0, account = identity.acting_for.0, %too_many, "imap sign-in refused");
                return sasl::Answer::Refused(sasl::Failure::Unavailable);
            }
            info!(
                session = self.place.id().0,
                peer = %self.place.peer(),
                account = identity.acting_for.0,
                person = identity.person.0,
                "imap signed in"
            );
            // From before the first SELECT on, so that no change falls between reading and listening.
            self.changes = Some(self.context.store.changes(identity.acting_for));
        }
        answer
    }

    fn executor<'c, 's>(
        &'c mut self,
        wire: &'c mut Wire<'s>,
        enabled: imap::server::Enabled,
    ) -> Option<Executor<'c, 's>> {
        let identity = self.session.identity()?.clone();
        if !self.session.is_selected() {
            leave(&self.context, &mut self.mailbox);
        }
        let changes = self.changes.as_mut()?;
        Some(Executor::new(&self.context, &self.place, identity, &mut self.mailbox, changes, wire, enabled))
    }

    async fn tell_while_idle(&mut self, wire: &mut Wire<'_>) -> Result<(), Disconnected> {
        let enabled = self.session.enabled();
        let Some(mut executor) = self.executor(wire, enabled) else { return Ok(()) };
        let told = executor.gather_news().await?;
        if !told.is_empty() {
            self.handle(Input::Output(told));
        }
        Ok(())
    }

    async fn append_start(
        &mut self,
        mailbox: &imap::MailboxName,
        message: imap::command::AppendMessage,
    ) -> Result<(), Completed> {
        let Some(identity) = self.session.identity() else { return Err(signed_out()) };
        let appending = Appending::start(&self.context, identity, mailbox, message).await?;
        self.appending = Some(Box::new(appending));
        Ok(())
    }

    async fn spool(&mut self, octets: Vec<u8>) -> Option<mail::Refusal> {
        let refusal = self.appending.as_mut()?.spool(&octets).await.err();
        if let Some(refusal) = &refusal {
            self.context.host.refused(refusal.rule());
            self.appending = None;
        }
        refusal
    }
}

/// The session asks for nothing before it knows who signed in; said, should it ever happen.
fn signed_out() -> Completed {
    Completed::no(None, "Not signed in")
}
