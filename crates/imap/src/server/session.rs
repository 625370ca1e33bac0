//! The session itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::Identity;
use auth::sasl::ChannelBindings;

use super::question::{Action, Enabled, Input};

/// What all sessions of a listener share.
pub struct Config {
    /// The name in the greeting.
    pub host_name: String,
    /// Octets of the largest message APPEND takes: announced as APPENDLIMIT (RFC 7889).
    pub append_octets_max: u64,
    /// Until a client has signed in, from its first octet on; it is not lengthened by what it sends.
    pub sign_in_time: Duration,
    /// Without a command once signed in: at least 30 minutes (RFC 9051 §5.4).
    pub idle_time: Duration,
    /// Failed sign-ins before BYE.
    pub failures_max: u32,
    /// Fresh randomness for SCRAM nonces.
    pub random: Box<dyn Fn(&mut [u8]) + Send + Sync>,
}

/// What lies under the session when it begins.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Nothing: STARTTLS is announced, LOGIN is disabled.
    Clear,
    /// TLS, ended here or by a proxy we trust (then without bindings).
    Tls(ChannelBindings),
}

/// One connection.
pub struct Session {
    config: Arc<Config>,
    actions: VecDeque<Action>,
    enabled: Enabled,
    identity: Option<Identity>,
    idle: bool,
    deadline: Instant,
}

impl Session {
    /// A session at its beginning; its first action is the greeting.
    pub fn new(config: Arc<Config>, transport: Transport, now: Instant) -> Session {
        let _ = transport;
        let deadline = now + config.sign_in_time;
        Session { config, actions: VecDeque::new(), enabled: Enabled::default(), identity: None, idle: false, deadline }
    }

    /// Takes what happened. Drain [`Session::poll`] afterwards, each action done before the next.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.deadline = now + self.config.idle_time;
        if let Input::Ended | Input::DeadlinePassed = input {
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

    /// Who signed in.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What the client has enabled.
    pub fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// True while IDLE runs: tell changes at once, as [`Input::Output`].
    pub fn is_idle(&self) -> bool {
        self.idle
    }
}
