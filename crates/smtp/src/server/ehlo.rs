//! EHLO and HELO (RFC 5321 §4.1.1.1), and the greeting.

use auth::sasl::Mechanism;

use super::state::{Hello, State};
use super::{Dsn, Greeting, Role, Session, Tls};
use crate::ClientName;
use crate::reply::Reply;

impl Session {
    pub(super) fn greet(&mut self) {
        self.say(Reply::bare(220, format!("{} ESMTP Sceau", self.config.host_name)));
        self.state = State::Greeted;
    }

    /// Ends what runs, as RSET does (RFC 5321 §4.1.4).
    pub(super) fn ehlo(&mut self, client: ClientName) -> State {
        self.discard();
        let mut lines = format!("{} greets {client}", self.config.host_name);
        let mut line = |text: &str| {
            lines.push('\n');
            lines.push_str(text);
        };
        line("PIPELINING");
        line(&format!("SIZE {}", self.config.octets_max));
        line("8BITMIME");
        line("SMTPUTF8");
        line("CHUNKING");
        line("ENHANCEDSTATUSCODES");
        if self.config.dsn == Dsn::Announced {
            line("DSN");
        }
        if self.offered().require_tls {
            line("REQUIRETLS");
        }
        // Gone once TLS is there (RFC 3207 §4.2).
        if self.config.tls == Tls::StartTls && self.tls.is_none() {
            line("STARTTLS");
        }
        let bindings = self.tls.as_ref().map(|tls| tls.bindings.clone()).unwrap_or_default();
        let announced = self.mechanisms().filter(|mechanism| mechanism.announced(&bindings));
        let mechanisms: Vec<&str> = announced.map(Mechanism::name).collect();
        if !mechanisms.is_empty() && !self.is_authenticated() {
            line(&format!("AUTH {}", mechanisms.join(" ")));
        }
        line(&format!("LIMITS RCPTMAX={}", self.config.recipients_max));
        line("HELP");
        self.answer(State::Ready(Hello { greeting: Greeting::Ehlo, client }), Reply::bare(250, lines))
    }

    pub(super) fn helo(&mut self, client: ClientName) -> State {
        self.discard();
        let reply = Reply::bare(250, format!("{} greets {client}", self.config.host_name));
        self.answer(State::Ready(Hello { greeting: Greeting::Helo, client }), reply)
    }

    /// What may be used for AUTH here and now: nothing without TLS, nothing on port 25.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let tls = self.tls.as_ref().filter(|_| self.config.role == Role::Submission);
        let usable = move |mechanism: &Mechanism| {
            tls.is_some_and(|tls| mechanism.usable(auth::sasl::Channel::Encrypted, &tls.bindings))
        };
        self.config.mechanisms.iter().copied().filter(usable)
    }
}
