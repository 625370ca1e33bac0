//! Software that shows a certificate: what it is, whether it is believed, and whose boxes it is bound to.

use std::sync::Arc;

use auth::AccountId;
use mail::{Address, TrustCause};
use store::account::State;
use store::certificate::Matching;
use store::{Snapshot, Store, StoreError};
use trust::{Certificate, Dn, Rejected};

/// Boxes one certificate may be bound to; with more, those of the oldest accounts count.
const BOXES_MAX: u32 = 1_000;

/// Judges certificates of clients. Implemented by the trust space, and by tests.
pub trait Judge: Send + Sync + 'static {
    /// The verdict on a chain, its own certificate first; `None` while nothing can be judged yet.
    fn client<'a>(&'a self, chain: &'a [Vec<u8>]) -> Judging<'a>;
}

/// A verdict on its way: lists and responders may be asked.
pub type Judging<'a> = std::pin::Pin<Box<dyn Future<Output = Option<Result<Certificate, Rejected>>> + Send + 'a>>;

/// What of a certificate is compared, and how it is shown to people. The texts are those of `store::certificate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Which of its parts.
    pub matching: Matching,
    /// What is compared.
    pub text: String,
    /// For people.
    pub shown: String,
}

/// A box that a certificate is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundBox {
    /// Whose.
    pub account: AccountId,
    /// In which language it is answered.
    pub language: mail::Language,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// Why a certificate lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotIn {
    /// It is not believed, or there is none.
    Rejected(TrustCause),
    /// Nothing can be judged, or nothing be looked up, now.
    Unavailable,
}

/// Looks certificates up.
#[derive(Clone)]
pub struct Certificates {
    store: Store,
    judge: Option<Arc<dyn Judge>>,
}

impl Matched {
    /// The whole subject.
    pub fn subject(subject: &Dn) -> Matched {
        let text = format!("subject {}", subject.normal_form());
        Matched { matching: Matching::Subject, text, shown: subject.to_string() }
    }

    /// Issuer and serial number, lower-case hexadecimal without leading zeros.
    pub fn issuer_and_serial(issuer: &Dn, serial: &str) -> Matched {
        let text = format!("issuer {} {serial}", issuer.normal_form());
        Matched { matching: Matching::IssuerAndSerial, text, shown: format!("{issuer}, serial number {serial}") }
    }
}

impl Certificates {
    /// Over the bindings of a store. Without a judge no certificate is believed.
    pub fn new(store: Store, judge: Option<Arc<dyn Judge>>) -> Certificates {
        Certificates { store, judge }
    }

    /// The certificate of this chain, if it is believed as it is now, and the active boxes it is bound to. The white list has
    /// no say: it names operators, not software.
    ///
    /// # Errors
    /// [`NotIn`].
    pub async fn boxes(&self, chain: &[Vec<u8>]) -> Result<(Certificate, Vec<BoundBox>), NotIn> {
        if chain.is_empty() {
            return Err(NotIn::Rejected(TrustCause::NoCertificate));
        }
        let judge = self.judge.as_ref().ok_or(NotIn::Rejected(TrustCause::Untrusted))?;
        let certificate = match judge.client(chain).await {
            None => return Err(NotIn::Unavailable),
            Some(Err(rejected)) => {
                tracing::info!(cause = rejected.cause.word(), %rejected, "a client's certificate is refused");
                return Err(NotIn::Rejected(rejected.cause));
            }
            Some(Ok(certificate)) => certificate,
        };
        let subject = Matched::subject(&certificate.dn).text;
        let serial = Matched::issuer_and_serial(&certificate.issuer, &certificate.serial).text;
        let found = self.store.read(move |snapshot| bound(snapshot, &subject, &serial)).await;
        let boxes = found.map_err(|error| {
            tracing::warn!(%error, "cannot look up a certificate");
            NotIn::Unavailable
        })?;
        Ok((certificate, boxes))
    }
}

fn bound(snapshot: &mut dyn Snapshot, subject: &str, serial: &str) -> Result<Vec<BoundBox>, StoreError> {
    let mut boxes = Vec::new();
    for id in store::certificate::accounts(snapshot, subject, serial, BOXES_MAX)? {
        let Some(account) = store::account::find(snapshot, id)?.filter(|one| one.state == State::Active) else {
            continue;
        };
        let addresses = store::address::list(snapshot, id)?;
        boxes.push(BoundBox { account: id, language: account.language, addresses });
    }
    Ok(boxes)
}

impl BoundBox {
    /// Whether this is one of its addresses.
    pub fn has(&self, address: &Address) -> bool {
        let wanted = address.canonical();
        self.addresses.iter().any(|own| own.canonical() == wanted)
    }
}
