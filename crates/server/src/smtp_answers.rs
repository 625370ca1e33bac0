//! Answers an SMTP session's questions: sign-ins from the authenticator, everything else from delivery.

use std::sync::Arc;
use std::time::Instant;

use auth::sasl::External;
use auth::{Identity, sasl};
use delivery::{Delivery, Incoming, Origin, Peer, TlsNames};
use mail::{ForwardPath, Refusal, ReversePath, trace};
use net::tls;
use smtp::server::{Answer, Greeting, Question, Transaction};

use crate::assembly::{Assembly, Door};
use crate::authenticator::Authenticator;
use crate::config::{ClientCertificates, PeerTrust, Role};
use crate::operator::Operator;
use crate::sessions::{Protocol, Session};
use crate::smtp_driver::Answers;
use crate::telemetry::{Metrics, OutcomeLabels};

/// Accounts that a line of the log names: a message may go to hundreds.
const ACCOUNTS_LOGGED: usize = 20;

/// The answers of one session.
pub struct SmtpAnswers {
    delivery: Delivery,
    authenticator: Arc<Authenticator>,
    metrics: Metrics,
    /// Where operators are asked for certificates: who this one is.
    operator: Option<Operator>,
    /// Who brings the transaction that runs, as it was at MAIL.
    peer: Peer,
    tls: Option<TlsNames>,
    identity: Option<Identity>,
    /// The identity gave proof by AUTH.
    authenticated: bool,
    client_certificates: ClientCertificates,
    declared_octets: Option<u64>,
    incoming: Option<Box<Incoming>>,
}

impl SmtpAnswers {
    /// For a session in which nobody has signed in yet.
    pub fn new(assembly: &Assembly, door: &Door) -> SmtpAnswers {
        let metrics = assembly.metrics.clone();
        let operator = match (door.config.role, door.config.trust) {
            (Role::Relay, PeerTrust::Required) => Some(Operator::new(assembly.trust.clone(), metrics.clone())),
            _ => None,
        };
        SmtpAnswers {
            delivery: assembly.delivery.clone(),
            authenticator: assembly.authenticator.clone(),
            metrics,
            operator,
            peer: Peer::Unasked,
            tls: None,
            identity: None,
            authenticated: false,
            client_certificates: door.config.client_certificates,
            declared_octets: None,
            incoming: None,
        }
    }

    async fn sign_in(&mut self, session: &Session, question: sasl::Question) -> sasl::Answer {
        let answer = self.authenticator.answer(session, question).await;
        match &answer {
            sasl::Answer::Accepted(identity) => {
                if let Err(reason) = session.signed_in(identity) {
                    tracing::info!(session = session.id().0, account = identity.person.0, %reason, "sign-in turned away");
                    return sasl::Answer::Refused(sasl::Failure::Unavailable);
                }
                tracing::info!(session = session.id().0, peer = %session.peer(), account = identity.person.0, "signed in");
                (self.identity, self.authenticated) = (Some(identity.clone()), true);
            }
            sasl::Answer::Refused(failure) => {
                // The address is that of an unknown person: the one place where the log needs it (bar.md S16).
                tracing::info!(session = session.id().0, peer = %session.peer(), ?failure, "sign-in refused");
            }
            sasl::Answer::TokenRefused(_) | sasl::Answer::Scram(_) => {}
        }
        answer
    }

    /// MAIL of a client without AUTH, on a listener where its certificate is good for that: each chooses anew.
    async fn chosen(&mut self, session: &Session, from: &ReversePath) -> Result<Identity, Refusal> {
        self.identity = None;
        let identity = self.authenticator.sender_by_certificate(session, from).await?;
        if let Err(reason) = session.signed_in(&identity) {
            tracing::info!(session = session.id().0, account = identity.acting_for.0, %reason, "sender turned away");
            return Err(Refusal::StoreTrouble);
        }
        self.delivery.sender(identity.acting_for, from).await?;
        tracing::info!(session = session.id().0, account = identity.acting_for.0, "sends by certificate");
        self.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Logs a refusal: which rule, and whom it met. It is counted when it is said.
    fn refused(&self, session: &Session, refusal: Refusal) -> Answer {
        let account = self.identity.as_ref().map(|identity| identity.acting_for.0);
        tracing::info!(session = session.id().0, peer = %session.peer(), account, rule = refusal.rule(), "refused");
        Answer::Refused(refusal)
    }

    fn door(&self, session: &Session) -> Result<delivery::Door, Refusal> {
        match (session.protocol(), &self.identity, &self.operator, &self.peer) {
            (Protocol::Submission, Some(identity), ..) => Ok(delivery::Door::Submission(identity.clone())),
            (Protocol::Relay, _, None, Peer::Unasked) | (Protocol::Relay, _, Some(_), Peer::Operator(_)) => {
                Ok(delivery::Door::Relay(self.peer.clone()))
            }
            (Protocol::Gateway, ..) => Ok(delivery::Door::Gateway),
            // The session asks for a sign-in before it takes MAIL, and MAIL for an operator; without one nothing may come in
            // by this door.
            (Protocol::Submission | Protocol::Relay | Protocol::Imap, ..) => Err(Refusal::StoreTrouble),
        }
    }

    async fn sender(&mut self, session: &Session, path: &ReversePath) -> Result<(), Refusal> {
        match (&self.identity, &mut self.operator) {
            (Some(identity), _) => self.delivery.sender(identity.acting_for, path).await,
            (None, Some(operator)) => {
                self.peer = Peer::Unasked;
                self.peer = operator.sender(session, path).await?;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    async fn recipient(&self, session: &Session, path: &ForwardPath) -> Result<(), Refusal> {
        let door = self.door(session)?;
        self.delivery.recipient(&door, path, self.declared_octets).await.map(drop)
    }

    async fn begin(&mut self, session: &Session) -> Result<(), Refusal> {
        let door = self.door(session)?;
        self.incoming = Some(Box::new(self.delivery.begin(door).await?));
        Ok(())
    }

    async fn accept(&mut self, session: &Session, transaction: &Transaction) -> Result<String, Refusal> {
        let incoming = self.incoming.take().ok_or(Refusal::StoreTrouble)?;
        let protocol = trace::Protocol {
            extended: transaction.protocol.greeting == Greeting::Ehlo,
            tls: transaction.protocol.tls,
            authenticated: transaction.protocol.authenticated,
            smtputf8: transaction.protocol.smtputf8,
        };
        let origin = Origin {
            client_name: transaction.client.as_str().to_owned(),
            client_address: session.peer(),
            tls: self.tls.clone(),
            protocol,
        };
        let began = Instant::now();
        let accepted = incoming.accept(&transaction.envelope, &origin).await;
        self.metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
        let outcome = accepted.as_ref().map_or_else(Refusal::rule, |_| "accepted");
        self.metrics.messages.get_or_create(&OutcomeLabels { outcome }).inc();
        let delivery::Accepted { message, queued, accounts, .. } = accepted?;
        let accounts: Vec<i64> = accounts.iter().take(ACCOUNTS_LOGGED).map(|account| account.0).collect();
        // The log keeps what Received does not say (RFC 6409 §8 lets a submission server hide it): where it came from.
        tracing::info!(
            session = session.id().0,
            message_id = message,
            peer = %session.peer(),
            octets = transaction.octets,
            recipients = transaction.envelope.recipients.len(),
            queued,
            ?accounts,
            operator = self.peer.name().unwrap_or_default(),
            "message accepted"
        );
        Ok(message)
    }
}

impl Answers for SmtpAnswers {
    async fn answer(&mut self, session: &Session, question: Question) -> Answer {
        match question {
            Question::Sasl(question) => Answer::Sasl(self.sign_in(session, question).await),
            Question::Sender { reverse_path, declared_octets } => {
                self.declared_octets = declared_octets;
                if self.client_certificates == ClientCertificates::SignIn && !self.authenticated {
                    return match self.chosen(session, &reverse_path).await {
                        Ok(identity) => Answer::SenderIs(identity),
                        Err(refusal) => self.refused(session, refusal),
                    };
                }
                match self.sender(session, &reverse_path).await {
                    Ok(()) => Answer::SenderAccepted,
                    Err(refusal) => self.refused(session, refusal),
                }
            }
            Question::Recipient(path) => match self.recipient(session, &path).await {
                Ok(()) => Answer::RecipientAccepted,
                Err(refusal) => self.refused(session, refusal),
            },
            Question::Body => match self.begin(session).await {
                Ok(()) => Answer::BodyReady,
                Err(refusal) => self.refused(session, refusal),
            },
            Question::Accept(transaction) => match self.accept(session, &transaction).await {
                Ok(message) => Answer::Accepted { message },
                Err(refusal) => self.refused(session, refusal),
            },
        }
    }

    async fn spool(&mut self, chunk: Vec<u8>) -> Result<(), Refusal> {
        match &mut self.incoming {
            Some(incoming) => incoming.write(&chunk).await,
            None => Err(Refusal::StoreTrouble),
        }
    }

    fn refusal_said(&mut self, rule: &'static str) {
        self.metrics.refused(rule);
    }

    fn discard(&mut self) {
        self.incoming = None;
    }

    async fn tls_established(&mut self, session: &Session, peer: &tls::Peer) -> External {
        if let Some(operator) = &mut self.operator {
            operator.shows(peer.chain.clone());
        }
        self.tls = Some(TlsNames { version: peer.version.to_owned(), cipher: peer.cipher.clone() });
        if !self.client_certificates.are_asked_for() {
            return External::NotAsked;
        }
        session.certificate_asked(peer.chain.clone());
        self.authenticator.external(&peer.chain).await
    }
}
