//! The order of steps of every mechanism.

use super::scram::{Challenge, ClientFirst};
use super::{
    Answer, ChannelBindings, Failure, Mechanism, NONCE_OCTETS, Progress, Question, Secret, bearer, external, login,
    plain,
};
use crate::Identity;

/// One authentication, from the mechanism's name to an identity or a failure.
///
/// Call [`step`](Exchange::step) first with the initial response, if the client gave one, then with each response;
/// call [`answered`](Exchange::answered) after each [`Progress::Ask`]. Anything out of that order fails as malformed.
/// The client's `*` (cancel) is the protocol's to see: drop the exchange, report [`Failure::Cancelled`].
#[derive(Debug)]
pub struct Exchange {
    bindings: ChannelBindings,
    nonce: [u8; NONCE_OCTETS],
    state: State,
}

enum State {
    /// Nothing was said yet.
    Start(Mechanism),
    /// PLAIN, or the user name of LOGIN, was asked for with an empty or a first prompt.
    Prompted(Mechanism),
    /// LOGIN: the password was asked for.
    PasswordAwaited { login: String },
    /// The directory verifies a password, or says whether one may act for another.
    VerdictAwaited,
    /// SCRAM: the directory looks the credentials up.
    CredentialsAwaited { first: ClientFirst, channel_binding: Vec<u8> },
    /// SCRAM: the client owes its proof.
    ProofAwaited { challenge: Box<Challenge>, login: String, acting_for: Option<String> },
    /// SCRAM: the proof is good, the directory decides.
    AuthorizationAwaited { server_final: String },
    /// SCRAM: the proof is wrong, and whoever counts failures is told.
    RefusalAwaited,
    /// SCRAM: our own proof is sent, the client acknowledges with an empty response.
    AcknowledgementAwaited(Identity),
    /// The provider verifies a token.
    TokenVerdictAwaited(Mechanism),
    /// What was wrong with the token is sent, the client acknowledges with a response that says nothing.
    TokenFailureAwaited,
    /// The outcome was given.
    Done,
}

impl Exchange {
    /// Starts an exchange. `nonce` is fresh randomness, never used twice.
    ///
    /// That we announced `-PLUS` follows from `bindings`: see [`Mechanism::usable`].
    pub fn new(mechanism: Mechanism, bindings: &ChannelBindings, nonce: [u8; NONCE_OCTETS]) -> Exchange {
        Exchange { bindings: bindings.clone(), nonce, state: State::Start(mechanism) }
    }

    /// Takes a decoded response; `None` only at the start, where the client gave no initial response.
    ///
    /// SMTP's `=` is an initial response that is empty: `Some(b"")` (RFC 4954 §4).
    pub fn step(&mut self, response: Option<&[u8]>) -> Progress {
        let state = std::mem::replace(&mut self.state, State::Done);
        let progress = match (state, response) {
            (State::Start(mechanism), None) => self.prompt(mechanism),
            // LOGIN's server speaks first: an empty initial response answers no prompt.
            (State::Start(Mechanism::Login), Some(b"")) => self.prompt(Mechanism::Login),
            (State::Start(mechanism) | State::Prompted(mechanism), Some(response)) => self.first(mechanism, response),
            (State::PasswordAwaited { login }, Some(response)) => self.password(login, response),
            (State::ProofAwaited { challenge, login, acting_for }, Some(response)) => {
                match challenge.verify(response) {
                    Ok(server_final) => {
                        self.state = State::AuthorizationAwaited { server_final };
                        Ok(Progress::Ask(Question::Authorize { login, acting_for }))
                    }
                    Err(Failure::Credentials) => {
                        self.state = State::RefusalAwaited;
                        Ok(Progress::Ask(Question::WrongProof { login }))
                    }
                    Err(failure) => Err(failure),
                }
            }
            (State::AcknowledgementAwaited(identity), Some(b"")) => Ok(Progress::Done(Ok(identity))),
            // A lone 0x01 (RFC 7628 §3.2.3), or nothing (Google's): whatever it is, it is over.
            (State::TokenFailureAwaited, Some(_)) => Err(Failure::Credentials),
            _ => Err(Failure::Malformed),
        };
        progress.unwrap_or_else(|failure| Progress::Done(Err(failure)))
    }

    /// Takes the answer to the open question.
    pub fn answered(&mut self, answer: Answer) -> Progress {
        let state = std::mem::replace(&mut self.state, State::Done);
        match (state, answer) {
            (_, Answer::Refused(failure)) => Progress::Done(Err(failure)),
            (State::VerdictAwaited | State::TokenVerdictAwaited(_), Answer::Accepted(identity)) => {
                Progress::Done(Ok(identity))
            }
            (State::TokenVerdictAwaited(mechanism), Answer::TokenRefused(refusal)) => {
                self.state = State::TokenFailureAwaited;
                Progress::Challenge(bearer::refusal(mechanism, &refusal))
            }
            (State::AuthorizationAwaited { server_final }, Answer::Accepted(identity)) => {
                self.state = State::AcknowledgementAwaited(identity);
                Progress::Challenge(server_final.into_bytes())
            }
            (State::CredentialsAwaited { first, channel_binding }, Answer::Scram(credentials)) => {
                let challenge = first.challenge(&self.nonce, channel_binding, credentials);
                let message = challenge.message.clone().into_bytes();
                let ClientFirst { login, acting_for, .. } = first;
                self.state = State::ProofAwaited { challenge: Box::new(challenge), login, acting_for };
                Progress::Challenge(message)
            }
            // An answer to another question than the open one: the caller's fault, and nobody is let in by it.
            _ => Progress::Done(Err(Failure::Unavailable)),
        }
    }

    fn prompt(&mut self, mechanism: Mechanism) -> Result<Progress, Failure> {
        self.state = State::Prompted(mechanism);
        Ok(Progress::Challenge(match mechanism {
            Mechanism::Login => login::USER_NAME_PROMPT.to_vec(),
            _ => Vec::new(),
        }))
    }

    fn first(&mut self, mechanism: Mechanism, response: &[u8]) -> Result<Progress, Failure> {
        match mechanism {
            Mechanism::Plain => {
                let question = plain::question(response)?;
                self.state = State::VerdictAwaited;
                Ok(Progress::Ask(question))
            }
            Mechanism::External => {
                let question = external::question(response)?;
                self.state = State::VerdictAwaited;
                Ok(Progress::Ask(question))
            }
            Mechanism::OauthBearer | Mechanism::XOauth2 => {
                let question = bearer::question(mechanism, response)?;
                self.state = State::TokenVerdictAwaited(mechanism);
                Ok(Progress::Ask(question))
            }
            Mechanism::Login => {
                self.state = State::PasswordAwaited { login: login::field(response)? };
                Ok(Progress::Challenge(login::PASSWORD_PROMPT.to_vec()))
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                let first = ClientFirst::parse(response)?;
                let plus = mechanism == Mechanism::ScramSha256Plus;
                let channel_binding = first.channel_binding(plus, &self.bindings)?;
                let login = first.login.clone();
                self.state = State::CredentialsAwaited { first, channel_binding };
                Ok(Progress::Ask(Question::ScramCredentials { login }))
            }
        }
    }

    fn password(&mut self, login: String, response: &[u8]) -> Result<Progress, Failure> {
        let password = Secret::new(login::field(response)?);
        self.state = State::VerdictAwaited;
        Ok(Progress::Ask(Question::Password { login, acting_for: None, password }))
    }
}

impl std::fmt::Debug for State {
    /// Names the state only: some hold logins and credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            State::Start(_) => "Start",
            State::Prompted(_) => "Prompted",
            State::PasswordAwaited { .. } => "PasswordAwaited",
            State::VerdictAwaited => "VerdictAwaited",
            State::CredentialsAwaited { .. } => "CredentialsAwaited",
            State::ProofAwaited { .. } => "ProofAwaited",
            State::AuthorizationAwaited { .. } => "AuthorizationAwaited",
            State::RefusalAwaited => "RefusalAwaited",
            State::AcknowledgementAwaited(_) => "AcknowledgementAwaited",
            State::TokenVerdictAwaited(_) => "TokenVerdictAwaited",
            State::TokenFailureAwaited => "TokenFailureAwaited",
            State::Done => "Done",
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{digest, hmac, pbkdf2};
    use base64::{Engine, prelude::BASE64_STANDARD};
    use mail::Language;

    use super::*;
    use crate::AccountId;
    use crate::sasl::ScramCredentials;

    fn identity() -> Identity {
        Identity { person: AccountId(1), acting_for: AccountId(1), language: Language::French }
    }

    fn exchange(mechanism: Mechanism) -> Exchange {
        Exchange::new(mechanism, &ChannelBindings::default(), [1; NONCE_OCTETS])
    }

    fn question(login: &str, password: &str) -> Progress {
        let (login, password) = (login.to_owned(), Secret::new(password.into()));
        Progress::Ask(Question::Password { login, acting_for: None, password })
    }

    #[test]
    fn plain_with_and_without_initial_response() {
        let mut direct = exchange(Mechanism::Plain);
        assert_eq!(direct.step(Some(b"\0ann\0pencil")), question("ann", "pencil"));
        assert_eq!(direct.answered(Answer::Accepted(identity())), Progress::Done(Ok(identity())));

        let mut prompted = exchange(Mechanism::Plain);
        assert_eq!(prompted.step(None), Progress::Challenge(vec![]));
        assert_eq!(prompted.step(Some(b"\0ann\0pencil")), question("ann", "pencil"));
        let refused = prompted.answered(Answer::Refused(Failure::Credentials));
        assert_eq!(refused, Progress::Done(Err(Failure::Credentials)));
        assert_eq!(prompted.step(Some(b"\0ann\0pencil")), Progress::Done(Err(Failure::Malformed)), "it is over");
    }

    #[test]
    fn login_as_outlook_speaks_it() {
        for initial in [None, Some(&b""[..])] {
            let mut exchange = exchange(Mechanism::Login);
            assert_eq!(exchange.step(initial), Progress::Challenge(b"Username:".to_vec()));
            assert_eq!(exchange.step(Some(b"ann")), Progress::Challenge(b"Password:".to_vec()));
            assert_eq!(exchange.step(Some(b"pencil")), question("ann", "pencil"));
        }
        let mut shortened = exchange(Mechanism::Login);
        assert_eq!(shortened.step(Some(b"ann")), Progress::Challenge(b"Password:".to_vec()));
        assert_eq!(shortened.step(Some(b"")), Progress::Done(Err(Failure::Malformed)));
    }

    #[test]
    fn external_with_and_without_a_box() {
        let asked = |acting_for: Option<&str>| {
            Progress::Ask(Question::Certificate { acting_for: acting_for.map(str::to_owned) })
        };
        let mut prompted = exchange(Mechanism::External);
        assert_eq!(prompted.step(None), Progress::Challenge(vec![]));
        assert_eq!(prompted.step(Some(b"")), asked(None));
        assert_eq!(prompted.answered(Answer::Accepted(identity())), Progress::Done(Ok(identity())));
        let mut direct = exchange(Mechanism::External);
        assert_eq!(direct.step(Some(b"dpi@a.example")), asked(Some("dpi@a.example")));
        let expired = Failure::Certificate(mail::TrustCause::Expired);
        assert_eq!(direct.answered(Answer::Refused(expired)), Progress::Done(Err(expired)));
    }

    #[test]
    fn a_refused_token_fails_after_what_is_wrong_was_said() {
        let refusal = || super::super::TokenRefusal {
            status: super::super::TokenStatus::InsufficientAuthentication,
            scope: "openid".into(),
            discovery: String::new(),
        };
        for (mechanism, message, acknowledged) in [
            (Mechanism::OauthBearer, &b"n,,\x01auth=Bearer t\x01\x01"[..], &b"\x01"[..]),
            (Mechanism::XOauth2, b"user=\x01auth=Bearer t\x01\x01", b""),
        ] {
            let mut exchange = exchange(mechanism);
            assert_eq!(exchange.step(None), Progress::Challenge(vec![]));
            let question = Question::Token { acting_for: None, token: Secret::new("t".into()) };
            assert_eq!(exchange.step(Some(message)), Progress::Ask(question));
            let Progress::Challenge(document) = exchange.answered(Answer::TokenRefused(refusal())) else { panic!() };
            assert!(document.starts_with(b"{\"status\":\""), "{document:?}");
            assert_eq!(exchange.step(Some(acknowledged)), Progress::Done(Err(Failure::Credentials)));
        }
        let mut away = exchange(Mechanism::XOauth2);
        away.step(Some(b"user=\x01auth=Bearer t\x01\x01"));
        let unavailable = Answer::Refused(Failure::Unavailable);
        assert_eq!(away.answered(unavailable), Progress::Done(Err(Failure::Unavailable)));
    }

    #[test]
    fn an_answer_that_was_not_asked_lets_nobody_in() {
        for mechanism in Mechanism::ALL {
            let mut exchange = exchange(mechanism);
            let progress = exchange.answered(Answer::Accepted(identity()));
            assert_eq!(progress, Progress::Done(Err(Failure::Unavailable)));
        }
        let mut scram = exchange(Mechanism::ScramSha256);
        scram.step(Some(b"n,,n=ann,r=abc"));
        assert_eq!(scram.answered(Answer::Accepted(identity())), Progress::Done(Err(Failure::Unavailable)));
    }

    fn derive(password: &str, salt: &[u8], iterations: u32) -> ([u8; 32], ScramCredentials) {
        let mut salted = [0; 32];
        let rounds = iterations.try_into().unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key: [u8; 32] = hmac::sign(&key, b"Client Key").as_ref().try_into().unwrap();
        let stored_key = digest::digest(&digest::SHA256, &client_key).as_ref().try_into().unwrap();
        let server_key = hmac::sign(&key, b"Server Key").as_ref().try_into().unwrap();
        (client_key, ScramCredentials { salt: salt.to_vec(), iterations, stored_key, server_key })
    }

    /// The client's side, written from RFC 5802 §3 alone.
    fn client_final(client_key: &[u8; 32], bare: &str, server_first: &str, binding: &[u8]) -> String {
        let nonce = server_first.split(',').next().unwrap();
        let without_proof = format!("c={},{nonce}", BASE64_STANDARD.encode(binding));
        let stored_key = digest::digest(&digest::SHA256, client_key);
        let signed = format!("{bare},{server_first},{without_proof}");
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, stored_key.as_ref()), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature.as_ref()).map(|(key, sign)| key ^ sign).collect();
        format!("{without_proof},p={}", BASE64_STANDARD.encode(proof))
    }

    fn run(mechanism: Mechanism, bindings: &ChannelBindings, gs2: &str, data: &[u8], typed: &str) -> Progress {
        let (client_key, _) = derive(typed, b"0123456789abcdef", 4096);
        let (_, credentials) = derive("pencil", b"0123456789abcdef", 4096);
        let mut exchange = Exchange::new(mechanism, bindings, [3; NONCE_OCTETS]);
        let first = exchange.step(Some(format!("{gs2}n=ann,r=abc").as_bytes()));
        if first != Progress::Ask(Question::ScramCredentials { login: "ann".into() }) {
            return first;
        }
        let Progress::Challenge(server_first) = exchange.answered(Answer::Scram(credentials)) else { panic!() };
        let server_first = String::from_utf8(server_first).unwrap();
        let binding = [gs2.as_bytes(), data].concat();
        let proof = client_final(&client_key, "n=ann,r=abc", &server_first, &binding);
        match exchange.step(Some(proof.as_bytes())) {
            Progress::Ask(Question::Authorize { login, acting_for: None }) => assert_eq!(login, "ann"),
            Progress::Ask(Question::WrongProof { login }) => {
                assert_eq!(login, "ann");
                return exchange.answered(Answer::Refused(Failure::Credentials));
            }
            other => panic!("{other:?}"),
        }
        let Progress::Challenge(server_final) = exchange.answered(Answer::Accepted(identity())) else { panic!() };
        assert!(server_final.starts_with(b"v="));
        exchange.step(Some(b""))
    }

    /// S16: guesses at SCRAM must reach whoever counts failures, and no answer makes a wrong proof right.
    #[test]
    fn s16_a_wrong_proof_is_told() {
        for answer in [Answer::Accepted(identity()), Answer::Refused(Failure::Credentials)] {
            let (client_key, _) = derive("pen", b"0123456789abcdef", 4096);
            let (_, credentials) = derive("pencil", b"0123456789abcdef", 4096);
            let mut exchange = exchange(Mechanism::ScramSha256);
            exchange.step(Some(b"n,,n=ann,r=abc"));
            let Progress::Challenge(server_first) = exchange.answered(Answer::Scram(credentials)) else { panic!() };
            let server_first = String::from_utf8(server_first).unwrap();
            let proof = client_final(&client_key, "n=ann,r=abc", &server_first, b"n,,");
            let asked = Progress::Ask(Question::WrongProof { login: "ann".into() });
            assert_eq!(exchange.step(Some(proof.as_bytes())), asked);
            assert!(matches!(exchange.answered(answer), Progress::Done(Err(_))));
        }
    }

    #[test]
    fn scram_with_every_kind_of_binding() {
        let none = ChannelBindings::default();
        let both = ChannelBindings {
            tls_exporter: Some([7; 32]),
            tls_server_end_point: Some(vec![8; 32]),
            ..ChannelBindings::default()
        };
        let (scram, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
        let (good, bad) = (Progress::Done(Ok(identity())), Progress::Done(Err(Failure::Credentials)));
        assert_eq!(run(scram, &none, "n,,", b"", "pencil"), good);
        assert_eq!(run(scram, &none, "y,,", b"", "pencil"), good);
        assert_eq!(run(scram, &both, "n,,", b"", "pencil"), good);
        assert_eq!(run(plus, &both, "p=tls-exporter,,", &[7; 32], "pencil"), good);
        assert_eq!(run(plus, &both, "p=tls-server-end-point,,", &[8; 32], "pencil"), good);
        assert_eq!(run(scram, &none, "n,,", b"", "pen"), bad, "wrong password");
        assert_eq!(run(plus, &both, "p=tls-exporter,,", &[9; 32], "pencil"), bad, "another channel");
        assert_eq!(run(scram, &both, "y,,", b"", "pencil"), bad, "downgrade");
        assert_eq!(run(scram, &none, "n,,", b"x", "pencil"), bad, "data where none was promised");
    }

    /// The exchange printed in RFC 7677 §3.
    #[test]
    fn scram_as_the_rfc_prints_it() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let (client_key, credentials) = derive("pencil", &salt, 4096);
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        let binding = first.channel_binding(false, &ChannelBindings::default()).unwrap();
        let mut challenge = first.challenge(b"", binding, credentials);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        challenge.set_nonce(nonce);
        let proof = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(client_final(&client_key, "n=user,r=rOprNGfwEbeRWgbNEkqO", &challenge.message, b"n,,"), proof);
        let server_final = challenge.verify(proof.as_bytes());
        assert_eq!(server_final, Ok("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_owned()));
    }
}
