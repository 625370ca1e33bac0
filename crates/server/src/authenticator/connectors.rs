//! Sign-ins without a password: by the certificate shown to TLS, or by a token of the identity provider.

use std::time::Duration;

use auth::sasl::{Answer, External, Failure, Secret, TokenStatus};
use auth::{AccountId, Identity};
use directory::login;
use mail::{Address, Refusal, ReversePath, TrustCause};
use store::account::State;
use store::identifier::Standing;
use store::{Snapshot, StoreError};
use trust::Certificate;

use super::Authenticator;
use crate::certificate_sign_in::{BoundBox, NotIn};
use crate::identity_provider::TokenFault;
use crate::machine::now;
use crate::sessions::Session;

/// How old a session by certificate may grow: what becomes of the certificate meanwhile is seen at the next.
const CERTIFICATE_SESSION_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Boxes of one person that are looked at.
const BOXES_MAX: u32 = 1_000;

impl Authenticator {
    /// What EXTERNAL is worth on a connection whose client was asked for a certificate and showed these.
    pub async fn external(&self, chain: &[Vec<u8>]) -> External {
        match self.certificates.boxes(chain).await {
            Ok((_, boxes)) if !boxes.is_empty() => External::Bound,
            _ => External::Useless,
        }
    }

    /// Answers EXTERNAL: the certificate is judged and looked up anew, as things are now.
    pub(super) async fn certificate(&self, session: &Session, acting_for: Option<String>) -> Answer {
        let chain = session.certificate().unwrap_or_default();
        let (certificate, boxes) = match self.certificates.boxes(chain).await {
            Ok(found) => found,
            Err(NotIn::Rejected(cause)) => return Answer::Refused(Failure::Certificate(cause)),
            Err(NotIn::Unavailable) => return Answer::Refused(Failure::Unavailable),
        };
        let chosen = match (acting_for, boxes.as_slice()) {
            (None, [one]) => Some(one),
            // Which of several is meant nobody knows.
            (None, _) => None,
            (Some(named), boxes) => {
                login::address(&named).and_then(|address| boxes.iter().find(|one| one.has(&address)))
            }
        };
        match chosen {
            Some(one) => Answer::Accepted(entered(session, &certificate, one)),
            None => Answer::Refused(Failure::Credentials),
        }
    }

    /// Whom a client without AUTH sends for: the box of its certificate that has the address given with MAIL.
    ///
    /// # Errors
    /// The certificate is not believed, or none of its boxes has the address.
    pub async fn sender_by_certificate(&self, session: &Session, from: &ReversePath) -> Result<Identity, Refusal> {
        session.sign_in_begins();
        let chain = session.certificate().unwrap_or_default();
        let (certificate, boxes) = self.certificates.boxes(chain).await.map_err(|not_in| match not_in {
            NotIn::Rejected(cause) => Refusal::Trust { cause, about: None },
            NotIn::Unavailable => Refusal::Trust { cause: TrustCause::RevocationUnknown, about: None },
        })?;
        let chosen = match (from, boxes.as_slice()) {
            (ReversePath::Address(address), boxes) => boxes.iter().find(|one| one.has(address)),
            (ReversePath::Null, [one]) => Some(one),
            (ReversePath::Null, _) => None,
        };
        let chosen = chosen.ok_or_else(|| Refusal::SenderNotYours { address: from.to_string() })?;
        Ok(entered(session, &certificate, chosen))
    }

    /// Answers OAUTHBEARER and XOAUTH2.
    pub(super) async fn token(&self, session: &Session, acting_for: Option<String>, token: Secret) -> Answer {
        let Some(provider) = &self.identity_provider else { return Answer::Refused(Failure::Credentials) };
        let refused = |status| Answer::TokenRefused(provider.refusal(status));
        if token.expose().is_empty() {
            return refused(TokenStatus::InvalidToken);
        }
        let fault = |fault: &TokenFault| {
            tracing::info!(session = session.id().0, peer = %session.peer(), %fault, "a token is refused");
        };
        let person = match provider.person(token.expose()).await.inspect_err(fault) {
            Ok(person) => person,
            Err(TokenFault::Invalid(_)) => return refused(TokenStatus::InvalidToken),
            Err(TokenFault::Insufficient(_)) => return refused(TokenStatus::InsufficientAuthentication),
            Err(TokenFault::Unavailable(_)) => return Answer::Refused(Failure::Unavailable),
        };
        let address = match acting_for.as_deref().map(login::address) {
            Some(None) => return refused(TokenStatus::InvalidToken),
            Some(named) => named,
            None => None,
        };
        match self.store.read(move |snapshot| identity(snapshot, &person, address.as_ref())).await {
            Ok(Some(identity)) => {
                session.lasts_at_most(provider.session());
                Answer::Accepted(identity)
            }
            Ok(None) => {
                tracing::info!(session = session.id().0, "a token's holder is not linked to the box");
                refused(TokenStatus::InvalidToken)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look up whom a token names");
                Answer::Refused(Failure::Unavailable)
            }
        }
    }
}

/// The software is in, for this box; it signs in again before its certificate ends.
fn entered(session: &Session, certificate: &Certificate, chosen: &BoundBox) -> Identity {
    let left = u64::try_from(certificate.not_after - now().seconds()).unwrap_or(0);
    session.lasts_at_most(CERTIFICATE_SESSION_MAX.min(Duration::from_secs(left)));
    Identity { person: chosen.account, acting_for: chosen.account, language: chosen.language }
}

/// The person of this identifier acting for the box of that address, or for their own: when both are active, and the box is
/// theirs or they are linked to it.
fn identity(
    snapshot: &mut dyn Snapshot,
    person: &str,
    address: Option<&Address>,
) -> Result<Option<Identity>, StoreError> {
    let boxes = store::identifier::accounts(snapshot, person, BOXES_MAX)?;
    let own = boxes.iter().find(|(_, standing)| *standing == Standing::Holder).map(|(account, _)| *account);
    let named = match address {
        Some(address) => store::address::find(snapshot, address)?.map(|holder| holder.account),
        None => own.or(match boxes.as_slice() {
            [(only, _)] => Some(*only),
            _ => None,
        }),
    };
    let Some(acting_for) = named.filter(|named| boxes.iter().any(|(account, _)| account == named)) else {
        return Ok(None);
    };
    let person = own.unwrap_or(acting_for);
    let mut language = |account: AccountId| -> Result<Option<mail::Language>, StoreError> {
        let found = store::account::find(snapshot, account)?;
        Ok(found.filter(|found| found.state == State::Active).map(|found| found.language))
    };
    let (Some(language), Some(_)) = (language(person)?, language(acting_for)?) else { return Ok(None) };
    Ok(Some(Identity { person, acting_for, language }))
}
