//! What is found out about a message that another host brings, for its `Authentication-Results`.

use std::sync::Arc;

use mail::authentication_results::{AUTHOR_METHOD, MethodResult, TRUST_METHOD, claiming, to_field};
use mail::mime::MessageIndex;
use mail::{Domain, Envelope, Refusal, ReversePath};
use policy::relay::{Author, ForeignAuthor};
use store::Staged;

use crate::recipient::trouble;
use crate::{Door, Operator, Origin, Peer, SenderAuthentication, SenderFacts};

/// What other operators' mail is held to.
#[derive(Clone, Default)]
pub struct RelayRules {
    /// Octets of their messages on the wire; as for everybody where nothing is said.
    pub octets_max: Option<u64>,
    /// Whose name may stand in From.
    pub foreign_author: ForeignAuthor,
    /// Looks at messages for information only; nobody does where there is none.
    pub sender_authentication: Option<Arc<dyn SenderAuthentication>>,
}

impl RelayRules {
    /// Whether the author may stand there, where an operator brings the message.
    pub(crate) fn author(
        &self,
        door: &Door,
        envelope: &Envelope,
        message: &MessageIndex,
    ) -> Result<Option<Author>, Refusal> {
        let Some(operator) = door.operator() else { return Ok(None) };
        let speaks_for = |domain: &Domain| operator.speaks_for(domain);
        policy::relay::author(self.foreign_author, speaks_for, &envelope.reverse_path, message).map(Some)
    }

    /// The field that tells what was found out; empty by the doors of our own.
    pub(crate) async fn results(&self, look: Look<'_>) -> Result<String, Refusal> {
        let Look { door, origin, envelope, message, staged, author, host } = look;
        let mut results = match door {
            Door::Relay(Peer::Operator(operator)) => vec![of_operator(operator, &envelope.reverse_path)],
            Door::Relay(Peer::Unasked) => {
                vec![MethodResult::new(TRUST_METHOD, "none").because("no certificate is asked for on this listener")]
            }
            Door::Gateway => {
                let reason =
                    "gateway: from a network of ours, without certificate, white list and author not looked at";
                vec![MethodResult::new(TRUST_METHOD, "none").because(reason)]
            }
            Door::Submission(_) | Door::Append => return Ok(String::new()),
        };
        let domain = author_domain(message);
        if let Some(author) = author {
            let result = match author {
                Author::OfPeer => "pass",
                Author::Foreign => "fail",
            };
            let named = domain.as_ref().map_or("", |domain| domain.as_str());
            results.push(MethodResult::new(AUTHOR_METHOD, result).of("header.from", named));
        }
        let head = read(staged, HEADER_OCTETS_MAX).await?;
        let forged = claiming(&head, host);
        if forged > 0 {
            tracing::info!(forged, "the message came with Authentication-Results in our name");
            let reason = format!("{forged} further down in our name came with the message");
            results.push(MethodResult::new("x-forged-results", "fail").because(reason));
        }
        if let (Some(authentication), Door::Relay(_)) = (&self.sender_authentication, door) {
            let octets = match staged.octets() <= authentication.octets_max() {
                true => read(staged, staged.octets()).await?,
                false => head,
            };
            let facts = SenderFacts {
                client: origin.client_address,
                helo: &origin.client_name,
                reverse_path: &envelope.reverse_path,
                author: domain.as_ref(),
                octets: &octets,
                total: staged.octets(),
            };
            results.extend(authentication.look(facts).await);
        }
        Ok(to_field(host, &results))
    }
}

/// What is looked at.
pub(crate) struct Look<'a> {
    pub(crate) door: &'a Door,
    pub(crate) origin: &'a Origin,
    pub(crate) envelope: &'a Envelope,
    pub(crate) message: &'a MessageIndex,
    pub(crate) staged: &'a Staged,
    pub(crate) author: Option<Author>,
    pub(crate) host: &'a Domain,
}

fn of_operator(operator: &Operator, path: &ReversePath) -> MethodResult {
    let sender = match path {
        ReversePath::Null => String::new(),
        ReversePath::Address(address) => address.domain().to_string(),
    };
    let dn = operator.certificate.dn.to_string();
    MethodResult::new(TRUST_METHOD, "pass").of("policy.dn", dn).of("smtp.mailfrom", sender)
}

fn author_domain(message: &MessageIndex) -> Option<Domain> {
    match message.facts.from.as_slice() {
        [author] if message.facts.from_fields == 1 => author.address().map(|address| address.domain().clone()),
        _ => None,
    }
}

async fn read(staged: &Staged, octets_max: u64) -> Result<Vec<u8>, Refusal> {
    let blob = staged.open().map_err(|error| trouble(&error))?;
    blob.read(0..octets_max.min(staged.octets())).await.map_err(|error| trouble(&error))
}

impl std::fmt::Debug for RelayRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RelayRules { octets_max, foreign_author, .. } = self;
        f.debug_struct("RelayRules").field("octets_max", octets_max).field("foreign_author", foreign_author).finish()
    }
}

/// Octets of a message in which its header is looked for: a longer one is not read whole anywhere.
const HEADER_OCTETS_MAX: u64 = 256 << 10;
