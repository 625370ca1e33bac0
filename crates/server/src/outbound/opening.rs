//! From a domain to a session that is ready: hosts and addresses tried one after the other, STARTTLS, and the judgement of
//! whose server it is. Nothing of a message is said before.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mail::dsn::Cause;
use mail::{Domain, TrustCause};
use net::Connection;
use queue::{Attempt, Stage};
use smtp::client::{ClientConfig, Tls};
use store::UnixMillis;
use trust::{Certificate, Space};

use super::Outbound;
use super::link::{Broken, Event, Link};
use super::route::Exchange;
use super::trouble::{Lasting, Trouble};

/// Time for a connection to be made: the kernel's own would be two minutes for each address.
pub(super) const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// A session that takes messages for a domain.
pub(super) struct Open {
    pub link: Link,
    pub place: Place,
    /// Messages sent over it.
    pub transactions: u32,
    chain: Vec<Vec<u8>>,
    certificate: Certificate,
    /// What was known when it was judged.
    space: Arc<Space>,
}

/// Where an attempt went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub host: String,
    pub address: Option<IpAddr>,
    /// The subject of the certificate seen there.
    pub certificate: Option<String>,
}

/// No session, and the best explanation.
#[derive(Debug)]
pub(super) struct Unopened {
    pub trouble: Trouble,
    pub place: Place,
}

impl Place {
    pub(super) fn attempt(&self, at: UnixMillis, stage: Stage) -> Attempt {
        Attempt { at, stage, host: self.host.clone(), address: self.address, certificate: self.certificate.clone() }
    }
}

impl Open {
    /// Whether it may still take messages for this domain: what is known of the trust space may have changed since.
    pub(super) async fn still_speaks_for(&mut self, outbound: &Outbound, domain: &Domain) -> bool {
        let judge = &outbound.parts.judge;
        let Some(space) = judge.space() else { return false };
        if !Arc::ptr_eq(&space, &self.space) {
            let Ok(host) = self.place.host.parse::<Domain>() else { return false };
            match judge.server(&self.chain, &host, outbound.now().seconds()).await {
                Some(Ok(certificate)) => (self.certificate, self.space) = (certificate, space.clone()),
                Some(Err(_)) | None => return false,
            }
        }
        space.speaks_for(&self.certificate, domain).is_ok()
    }
}

impl Outbound {
    /// Opens a session with the first host that takes one and may have the domain's mail.
    pub(super) async fn open(&self, domain: &Domain) -> Result<Open, Unopened> {
        let nowhere = |trouble| Unopened { trouble, place: Place::default() };
        let exchanges = self.exchanges(domain).await.map_err(nowhere)?;
        let mut worst: Option<Unopened> = None;
        for exchange in &exchanges {
            let addresses = match self.addresses(exchange).await {
                Ok(addresses) => addresses,
                Err(mut trouble) => {
                    // The domain is there, only its mail host is not.
                    if trouble.cause == Cause::NoSuchDomain {
                        trouble.cause = Cause::NoMailServer;
                    }
                    let place = Place { host: exchange.host.to_string(), ..Place::default() };
                    worst = Some(worse(worst, Unopened { trouble, place }));
                    continue;
                }
            };
            for address in addresses {
                let mut place =
                    Place { host: exchange.host.to_string(), address: Some(address.ip()), certificate: None };
                match self.open_at(domain, exchange, address, &mut place).await {
                    Ok(open) => return Ok(open),
                    Err(trouble) => {
                        tracing::info!(
                            destination = %domain,
                            host = place.host,
                            %address,
                            certificate = place.certificate,
                            stage = trouble.stage.word(),
                            cause = trouble.cause.word(),
                            detail = trouble.detail,
                            "no session"
                        );
                        worst = Some(worse(worst, Unopened { trouble, place }));
                    }
                }
            }
        }
        let nothing = || nowhere(Trouble::new(Stage::Dns, Cause::DnsTrouble, "no host to try"));
        Err(worst.unwrap_or_else(nothing))
    }

    async fn open_at(
        &self,
        domain: &Domain,
        exchange: &Exchange,
        address: SocketAddr,
        place: &mut Place,
    ) -> Result<Open, Trouble> {
        let connection = Connection::open(address, CONNECT_TIME_MAX).await.map_err(|error| {
            let cause = match error.kind() {
                std::io::ErrorKind::TimedOut => Cause::TimedOut,
                _ => Cause::Unreachable,
            };
            Trouble::new(Stage::Connect, cause, error)
        })?;
        let config = ClientConfig {
            name: self.settings.name.clone(),
            tls: Tls::StartTls,
            credentials: None,
            transfer: self.settings.transfer,
        };
        let mut link = Link::new(connection, config, self.parts.clock.clone());
        if self.is_ourselves(&link, address) {
            return Err(Trouble::for_good(Stage::Connect, Cause::MailLoop, "it is this server"));
        }
        link.expect(Event::StartTls).await?;
        let shaken = link.shake_hands(&self.parts.tls, exchange.host.as_str()).await;
        let (mut link, peer) = shaken.map_err(|error| Trouble::of_handshake(&error))?;
        let (certificate, space) = self.judge(&peer.chain, &exchange.host, domain, place).await?;
        link.established();
        link.expect(Event::Ready).await?;
        Ok(Open { link, place: place.clone(), transactions: 0, chain: peer.chain, certificate, space })
    }

    /// Whose server it is, and whether the white list lets it receive for the domain.
    async fn judge(
        &self,
        chain: &[Vec<u8>],
        host: &Domain,
        domain: &Domain,
        place: &mut Place,
    ) -> Result<(Certificate, Arc<Space>), Trouble> {
        if chain.is_empty() {
            return Err(Trouble::of_trust(TrustCause::NoCertificate, "the server shows none"));
        }
        let no_list = || Trouble::of_trust(TrustCause::RevocationUnknown, "there is no white list yet");
        let space = self.parts.judge.space().ok_or_else(no_list)?;
        let judged = self.parts.judge.server(chain, host, self.now().seconds()).await.ok_or_else(no_list)?;
        let certificate = judged.map_err(|rejected| {
            place.certificate = rejected.dn.map(|dn| dn.to_string());
            Trouble::of_trust(rejected.cause, rejected.explanation)
        })?;
        place.certificate = Some(certificate.dn.to_string());
        let refused = |cause| Trouble::of_trust(cause, format!("it may not receive for {domain}"));
        space.speaks_for(&certificate, domain).map_err(refused)?;
        Ok((certificate, space))
    }

    /// Whether a listener of ours on every address answered: both ends then have the same address.
    fn is_ourselves(&self, link: &Link, to: SocketAddr) -> bool {
        let listens = |own: &SocketAddr| own.ip().is_unspecified() && own.port() == to.port();
        let near = link.local_address().map(|near| near.ip().to_canonical());
        near == Some(to.ip().to_canonical()) && self.settings.rules.own_addresses.iter().any(listens)
    }
}

/// What is told of two hosts that failed: who is to blame for a certificate should hear of it, and while one of them may
/// work later the message waits.
fn worse(known: Option<Unopened>, next: Unopened) -> Unopened {
    let Some(known) = known else { return next };
    let for_now = [&known, &next].iter().any(|one| one.trouble.lasting == Lasting::ForNow);
    let keep_known = match (known.trouble.cause.is_trust(), next.trouble.cause.is_trust()) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => next.trouble.lasting == Lasting::ForGood,
    };
    let mut told = if keep_known { known } else { next };
    if for_now {
        told.trouble.lasting = Lasting::ForNow;
    }
    told
}

impl Link {
    /// Goes on until this happens, while the session is being opened.
    pub(super) async fn expect(&mut self, expected: Event) -> Result<(), Trouble> {
        let event = self.next().await.map_err(|broken| broken.trouble(Stage::Greeting))?;
        match std::mem::discriminant(&event) == std::mem::discriminant(&expected) {
            true => Ok(()),
            false => Err(Trouble::new(Stage::Greeting, Cause::ProtocolError, "a session out of order")),
        }
    }
}

impl Broken {
    /// In the words of the queue; `stage`: where the session stood.
    pub(super) fn trouble(&self, stage: Stage) -> Trouble {
        match self {
            Broken::CertificateRefused(alert) => Trouble::new(Stage::Tls, Cause::CertificateRefused, alert),
            Broken::Failed(failure) => Trouble::of_session(failure, stage),
        }
    }
}
