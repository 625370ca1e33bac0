//! The server side of SASL (RFC 4422), the same for SMTP (RFC 4954) and IMAP (RFC 9051 §6.2.2).
//!
//! An [`Exchange`] takes decoded responses and answers, and gives challenges, questions and an outcome. Base64, line
//! limits and framing belong to the protocol crates; passwords and directories to whoever answers.

mod bearer;
mod exchange;
mod external;
mod login;
mod plain;
mod scram;

pub use exchange::Exchange;

use mail::TrustCause;

use crate::Identity;

/// Octets in a login, a password, an authorisation identity or a nonce. RFC 4616 §2 asks for at least 255.
pub const FIELD_OCTETS_MAX: usize = 1_024;

/// Octets in a token of OAUTHBEARER or XOAUTH2. Those of Pro Santé Connect have about 2,000.
pub const TOKEN_OCTETS_MAX: usize = 12_288;

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
    /// `EXTERNAL` (RFC 4422 appendix A): by the certificate shown to TLS.
    External,
    /// `OAUTHBEARER` (RFC 7628): a token of an identity provider.
    OauthBearer,
    /// `XOAUTH2` (Google's): the same, older and far more used.
    XOauth2,
}

/// What the TLS layer knows that mechanisms lean on. Nothing where TLS ends before us.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter` (RFC 9266): 32 octets, TLS 1.3 only.
    pub tls_exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 §4.1): hash of the certificate we presented.
    pub tls_server_end_point: Option<Vec<u8>>,
    /// What the client's certificate is good for.
    pub external: External,
}

/// Whether EXTERNAL may be used on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum External {
    /// No certificate was asked for.
    #[default]
    NotAsked,
    /// Asked for, and what came, if anything, lets nobody in: not announced; who tries it nevertheless hears why.
    Useless,
    /// The certificate is believed and bound to somebody: announced.
    Bound,
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
    /// May the holder of the certificate shown to TLS act for that box?
    Certificate {
        /// The box, when one was named.
        acting_for: Option<String>,
    },
    /// May the person whom this token names act for that box? Answered by [`Answer::TokenRefused`] when not.
    Token {
        /// The box, when one was named.
        acting_for: Option<String>,
        /// `b64token` (RFC 6750 §2.1); empty where the client only asks which it needs.
        token: Secret,
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
    /// To `Token`: no, and what would be good is said before the failure.
    TokenRefused(TokenRefusal),
}

/// What a client whose token is no good is told (RFC 7628 §3.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRefusal {
    /// What is wrong.
    pub status: TokenStatus,
    /// The scope to ask for; empty when none is configured.
    pub scope: String,
    /// Where the provider describes itself; empty when there is none.
    pub discovery: String,
}

/// What is wrong with a token: words of IANA's registry of OAuth errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// Forged, expired, for somebody else, or not this person's box: never said which.
    InvalidToken,
    /// The person signed in at the provider less surely than we ask (RFC 9470 §3).
    InsufficientAuthentication,
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
    /// The certificate is not believed, or there is none (535 5.7.8 with the cause's word; 454 4.7.0 where time may help).
    Certificate(TrustCause),
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
    pub const ALL: [Mechanism; 7] = [
        Mechanism::External,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::OauthBearer,
        Mechanism::XOauth2,
        Mechanism::Plain,
        Mechanism::Login,
    ];

    /// Those that need nothing but a directory of passwords.
    pub const PASSWORD: [Mechanism; 4] =
        [Mechanism::ScramSha256Plus, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::External => "EXTERNAL",
            Mechanism::OauthBearer => "OAUTHBEARER",
            Mechanism::XOauth2 => "XOAUTH2",
        }
    }

    /// Reads a name, in any case.
    pub fn from_name(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| name.eq_ignore_ascii_case(mechanism.name()))
    }

    /// Whether it may be used here: nothing in the clear, `-PLUS` only where there is something to bind to, `EXTERNAL` only
    /// where a certificate was asked for.
    pub fn usable(self, channel: Channel, bindings: &ChannelBindings) -> bool {
        match (channel, self) {
            (Channel::Clear, _) => false,
            (Channel::Encrypted, Mechanism::ScramSha256Plus) => !bindings.is_empty(),
            (Channel::Encrypted, Mechanism::External) => bindings.external != External::NotAsked,
            (Channel::Encrypted, _) => true,
        }
    }

    /// Whether it is announced where it is usable: `EXTERNAL` to those only whom it would let in, so that nobody learns by
    /// showing certificates which are bound.
    pub fn announced(self, bindings: &ChannelBindings) -> bool {
        self != Mechanism::External || bindings.external == External::Bound
    }

    /// Whether its message may be longer than a line of a password exchange: those that carry tokens.
    pub fn carries_tokens(self) -> bool {
        matches!(self, Mechanism::OauthBearer | Mechanism::XOauth2)
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
    /// Whether there is nothing that SCRAM-PLUS could bind to.
    pub fn is_empty(&self) -> bool {
        self.tls_exporter.is_none() && self.tls_server_end_point.is_none()
    }
}

impl std::fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exporter = self.tls_exporter.is_some();
        let end_point = self.tls_server_end_point.is_some();
        write!(f, "ChannelBindings(exporter: {exporter}, end point: {end_point}, external: {:?})", self.external)
    }
}

impl TokenStatus {
    /// The registered word.
    pub fn word(self) -> &'static str {
        match self {
            TokenStatus::InvalidToken => "invalid_token",
            TokenStatus::InsufficientAuthentication => "insufficient_user_authentication",
        }
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
