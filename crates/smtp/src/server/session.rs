//! The session itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use auth::Identity;

use super::{Action, Input, Role, SessionConfig, TlsFacts};
use crate::ClientName;
use crate::limits::COMMAND_TIMEOUT;

/// One connection, from greeting to close.
#[derive(Debug)]
pub struct Session {
    config: Arc<SessionConfig>,
    actions: VecDeque<Action>,
    deadline: Instant,
    tls: Option<TlsFacts>,
    client: Option<ClientName>,
    identity: Option<Identity>,
}

impl Session {
    /// A connection that was just accepted. On listeners that are not [`super::Tls::Implicit`] the greeting is the
    /// first action.
    pub fn new(config: Arc<SessionConfig>, now: Instant) -> Session {
        Session {
            config,
            actions: VecDeque::new(),
            deadline: now + COMMAND_TIMEOUT,
            tls: None,
            client: None,
            identity: None,
        }
    }

    /// Takes what happened, and queues what is to be done; drain [`Session::poll`] afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.deadline = now + COMMAND_TIMEOUT;
        if let Input::Ended = input {
            self.actions.push_back(Action::Close);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Input::DeadlinePassed`] is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// False while a question is open, while replies wait, and once the session is over: do not read then.
    pub fn wants_input(&self) -> bool {
        self.actions.is_empty()
    }

    /// Whom the listener serves.
    pub fn role(&self) -> Role {
        self.config.role
    }

    /// What TLS established, once it has.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// What the client called itself, once it has.
    pub fn client(&self) -> Option<&ClientName> {
        self.client.as_ref()
    }

    /// Who signed in.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }
}
