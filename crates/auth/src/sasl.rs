//! The server side of SASL (RFC 4422), the same for SMTP (RFC 4954) and IMAP (RFC 9051 §6.2.2).
//!
//! An [`Exchange`] takes decoded responses and answers, and gives challenges, questions and an outcome. Base64, line
//! limits and framing belong to the protocol crates; passwords and directories to whoever answers.

mod exchange;
mod login;
mod plain;
mod scram;

pub use exchange::Exchange;

use crate::Identity;

/// Octets in a login, a password, an authorisation identity or a nonce. RFC 4616 §2 asks for at least 255.
pub const FIELD_OCTETS_MAX: usize = 1_024;

/// Octets of randomness in our half of a SCRAM nonce: 24 characters of base64.
pub const NONCE_OCTETS: usize = 18;

/// The mechanisms we know. Announced only where [`Mechanism::usable`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `PLAIN` (RFC 4616).
    Plain,
    /// `LOGIN` (draft-murchison-sasl-login), for Outlook.
    Login,
    /// `SCRAM-SHA-256` (RFC 7677).
    ScramSha256,
    /// `SCRAM-SHA-256-PLUS`: bound to the TLS channel (RFC 7677, RFC 9266, RFC 5929 §4).
    ScramSha256Plus,
}

/// What the TLS layer knows that SCRAM-PLUS binds to. Empty where TLS ends before us.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter` (RFC 9266): 32 octets, TLS 1.3 only.
    pub tls_exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 §4.1): hash of the certificate we presented.
    pub tls_server_end_point: Option<Vec<u8>>,
}

/// A secret text that debug output never shows and memory forgets.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(zeroize::Zeroizing<String>);

/// What an exchange needs to know from its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is this the password of this login, and may it act for that box?
    Password {
        /// The login as typed: an address, a user name, perhaps garbage.
        login: String,
        /// The box to act for, when another one was named (authorisation identity).
        acting_for: Option<String>,
        /// The password as typed.
        password: Secret,
    },
    /// The SCRAM-SHA-256 credentials of this login. Unknown logins get stable false ones, so that strangers learn nothing.
    /// Never slowed: whoever has to wait waits for `Authorize` or `WrongProof`.
    ScramCredentials {
        /// The login as typed.
        login: String,
    },
    /// The person proved to be `login`: may it act for that box?
    Authorize {
        /// The login that was proved.
        login: String,
        /// The box to act for, when another one was named.
        acting_for: Option<String>,
    },
    /// The proof for this login was wrong: count it as a wrong password is. Answer:
    /// [`Answer::Refused`] with [`Failure::Credentials`].
    WrongProof {
        /// The login as typed.
        login: String,
    },
}

/// The caller's answer to the one open [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To `Password` and `Authorize`: yes, and this is who.
    Accepted(Identity),
    /// To any question: no.
    Refused(Failure),
    /// To `ScramCredentials`: real or false, the exchange cannot tell.
    Scram(ScramCredentials),
}

/// What a server keeps of a SCRAM secret (RFC 5802 §3): never the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredentials {
    /// The salt, 16 octets when we made it.
    pub salt: Vec<u8>,
    /// The iteration count.
    pub iterations: u32,
    /// `H(ClientKey)`, 32 octets.
    pub stored_key: [u8; 32],
    /// `HMAC(SaltedPassword, "Server Key")`, 32 octets.
    pub server_key: [u8; 32],
}

/// Why an exchange ended without an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Wrong login or wrong proof: never said which (535 5.7.8, AUTHENTICATIONFAILED).
    Credentials,
    /// The client sent `*` (501 5.7.0, BAD).
    Cancelled,
    /// The response breaks the mechanism's grammar (501 5.5.2, BAD).
    Malformed,
    /// The directory or the hashing queue cannot answer now (454 4.7.0, UNAVAILABLE).
    Unavailable,
    /// Too many failures lately for this account or address: wait (454 4.7.0, UNAVAILABLE).
    Throttled,
}

/// What an exchange wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send this challenge (not yet base64) and await a response. Empty for the mechanism's first prompt.
    Challenge(Vec<u8>),
    /// Ask, then call [`Exchange::answered`].
    Ask(Question),
    /// Over. What SCRAM leaves for success was sent before as a last challenge, answered by an empty response
    /// (RFC 4954 §4, RFC 9051 §6.2.2: neither protocol carries data in its success reply).
    Done(Result<Identity, Failure>),
}

/// Whether the octets of this connection travel in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// No TLS: no mechanism is offered.
    Clear,
    /// TLS, ended here or by a proxy we trust.
    Encrypted,
}

impl Mechanism {
    /// Every mechanism, strongest first: the order in which they are announced.
    pub const ALL: [Mechanism; 4] =
        [Mechanism::ScramSha256Plus, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// Reads a name, in any case.
    pub fn from_name(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| name.eq_ignore_ascii_case(mechanism.name()))
    }

    /// Whether it may be announced and used here: nothing in the clear, `-PLUS` only where there is something to bind to.
    pub fn usable(self, channel: Channel, bindings: &ChannelBindings) -> bool {
        match (channel, self) {
            (Channel::Clear, _) => false,
            (Channel::Encrypted, Mechanism::ScramSha256Plus) => !bindings.is_empty(),
            (Channel::Encrypted, Mechanism::Plain | Mechanism::Login | Mechanism::ScramSha256) => true,
        }
    }
}

impl std::str::FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Mechanism, UnknownMechanism> {
        Mechanism::from_name(name).ok_or(UnknownMechanism)
    }
}

/// A name that is none of [`Mechanism::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such mechanism")]
pub struct UnknownMechanism;

impl ChannelBindings {
    /// Whether there is nothing to bind to.
    pub fn is_empty(&self) -> bool {
        self.tls_exporter.is_none() && self.tls_server_end_point.is_none()
    }
}

impl std::fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exporter = self.tls_exporter.is_some();
        let end_point = self.tls_server_end_point.is_some();
        write!(f, "ChannelBindings(exporter: {exporter}, end point: {end_point})")
    }
}

impl Secret {
    /// Takes a secret over.
    pub fn new(text: String) -> Secret {
        Secret(zeroize::Zeroizing::new(text))
    }

    /// Shows the secret to the code that verifies it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl std::fmt::Debug for ScramCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramCredentials(…)")
    }
}
