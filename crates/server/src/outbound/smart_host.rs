//! The one other way out: a smart host, for the system's own notices and for nothing else. Whoever sends by it needs a
//! [`QueuedNotice`], which no message of a person can become.

use std::net::{IpAddr, SocketAddr};

use mail::crlf::CrlfCleaner;
use mail::dsn::Cause;
use mail::envelope::ReversePath;
use mail::{Address, Domain};
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner, Done};
use net::Connection;
use net::tls::TlsClient;
use queue::notice::QueuedNotice;
use queue::{Failure, Finish, Stage, Tried};
use rustls::pki_types::PrivateKeyDer;
use smtp::client::{ClientConfig, Credentials, Tls, Transfer};
use store::{BlobReader, UnixMillis};
use trust::Space;

use super::Outbound;
use super::link::{Event, Link};
use super::opening::{CONNECT_TIME_MAX, Place};
use super::transaction::{Letter, outcome_of, send, unreadable};
use super::trouble::{Lasting, Trouble};

/// Fields a signature covers, where they are there (RFC 6376 §5.4.1).
const SIGNED: [&str; 9] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
];

/// The smart host.
pub struct SmartHost {
    /// Its name: the certificate must be valid for it.
    pub host: Domain,
    /// Where it listens.
    pub port: u16,
    /// Whom to sign in as.
    pub credentials: Option<Credentials>,
    /// What MAIL says; the null reverse-path without one.
    pub sender: Option<Address>,
    /// Signs what leaves.
    pub signature: Option<Signature>,
    /// Whose certificates are believed of it: roots, and a policy that demands its name.
    pub authorities: Space,
    /// Shows no certificate: ours is for the trust space.
    pub tls: TlsClient,
}

/// A key to sign with (RFC 6376).
pub struct Signature(DkimSigner<RsaKey<Sha256>, Done>);

impl Signature {
    /// A signature of `domain` by an RSA key that DNS tells under `selector`. The body is taken simple: the relaxed form of
    /// mail-auth 0.13 keeps lines of white space at the end, and its hash is then another than the verifier's.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub fn new(key: PrivateKeyDer<'_>, domain: &Domain, selector: &str) -> Result<Signature, mail_auth::Error> {
        let key = RsaKey::<Sha256>::from_key_der(key)?;
        let signer = DkimSigner::from_key(key)
            .domain(domain.as_str())
            .selector(selector)
            .headers(SIGNED)
            .header_canonicalization(Canonicalization::Relaxed)
            .body_canonicalization(Canonicalization::Simple);
        Ok(Signature(signer))
    }

    /// The field that goes above the message.
    ///
    /// # Errors
    /// A message that cannot be signed.
    pub fn field(&self, message: &[u8]) -> Result<String, mail_auth::Error> {
        let mut field = self.0.sign(message)?.to_header();
        if !field.ends_with("\r\n") {
            field.push_str("\r\n");
        }
        Ok(field)
    }
}

impl Outbound {
    /// Sends a notice by the smart host, and gives what came of it.
    pub(super) async fn send_notice(
        &self,
        notice: &QueuedNotice,
        content: &BlobReader,
        at: UnixMillis,
    ) -> (Vec<Tried>, Finish) {
        let mut place = Place::default();
        match self.try_notice(notice, content, &mut place).await {
            Ok(results) => {
                let tried = |result: super::transaction::Result| Tried {
                    attempt: place.attempt(at, result.stage),
                    entry: result.entry,
                    outcome: result.outcome,
                };
                (results.into_iter().map(tried).collect(), Finish::Went)
            }
            Err(trouble) => {
                let attempt = place.attempt(at, trouble.stage);
                let tried = notice.entries().iter().map(|entry| Tried {
                    entry: entry.clone(),
                    attempt: attempt.clone(),
                    outcome: outcome_of(&trouble),
                });
                let finish = match trouble.lasting {
                    Lasting::ForGood => Finish::Went,
                    Lasting::ForNow => Finish::Unreachable(Failure {
                        cause: trouble.cause,
                        answer: trouble.answer.clone(),
                        host: place.host.clone(),
                    }),
                };
                (tried.collect(), finish)
            }
        }
    }

    async fn try_notice(
        &self,
        notice: &QueuedNotice,
        content: &BlobReader,
        place: &mut Place,
    ) -> Result<Vec<super::transaction::Result>, Trouble> {
        let none = || Trouble::new(Stage::Dns, Cause::Unreachable, "no smart host is configured");
        let smart_host = self.parts.smart_host.as_ref().ok_or_else(none)?;
        place.host = smart_host.host.to_string();
        let mut message = notice.message().clone();
        message.trace_prefix = smart_host.signed(content).await?;
        message.octets = message.trace_prefix.len() as u64 + content.octets();
        message.reverse_path = smart_host.sender.clone().map_or(ReversePath::Null, ReversePath::Address);
        let mut link = self.open_smart_host(smart_host, place).await?;
        let sent = send(&mut link, Letter { message: &message, content }, notice.entries().to_vec()).await;
        match sent.broken {
            None => {
                link.quit().await;
                Ok(sent.results)
            }
            Some(_) if sent.answered => Ok(sent.results),
            Some(trouble) => Err(trouble),
        }
    }

    async fn open_smart_host(&self, smart_host: &SmartHost, place: &mut Place) -> Result<Link, Trouble> {
        let found = match smart_host.host.as_str().parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.parts.resolver.addresses(&smart_host.host).await.map_err(|error| {
                // Whoever configured a name that is not there will mend it: a notice waits.
                Trouble { lasting: Lasting::ForNow, ..Trouble::of_dns(&error) }
            })?,
        };
        let mut last = Trouble::new(Stage::Connect, Cause::Unreachable, "no address");
        for address in found {
            place.address = Some(address);
            let address = SocketAddr::new(address, smart_host.port);
            match Connection::open(address, CONNECT_TIME_MAX).await {
                Ok(connection) => return self.greet_smart_host(smart_host, connection, place).await,
                Err(error) => last = Trouble::new(Stage::Connect, Cause::Unreachable, error),
            }
        }
        Err(last)
    }

    async fn greet_smart_host(
        &self,
        smart_host: &SmartHost,
        connection: Connection,
        place: &mut Place,
    ) -> Result<Link, Trouble> {
        let config = ClientConfig {
            name: self.settings.name.clone(),
            tls: Tls::StartTls,
            credentials: smart_host.credentials.clone(),
            transfer: Transfer::Data,
        };
        let mut link = Link::new(connection, config, self.parts.clock.clone());
        link.expect(Event::StartTls).await?;
        let shaken = link.shake_hands(&smart_host.tls, smart_host.host.as_str()).await;
        let (mut link, peer) = shaken.map_err(|error| Trouble::of_handshake(&error))?;
        let judged = smart_host.authorities.server(&peer.chain, &smart_host.host, self.now().seconds());
        let certificate = judged.map_err(|rejected| Trouble::of_trust(rejected.cause, rejected.explanation))?;
        place.certificate = Some(certificate.dn.to_string());
        link.established();
        link.expect(Event::Ready).await?;
        Ok(link)
    }
}

impl SmartHost {
    /// The signature of a notice: over the octets as they leave.
    async fn signed(&self, content: &BlobReader) -> Result<Vec<u8>, Trouble> {
        let Some(signature) = &self.signature else { return Ok(Vec::new()) };
        let octets = content.read(0..queue::notice::NOTICE_OCTETS_MAX).await.map_err(|error| unreadable(&error))?;
        let (clean, _) = CrlfCleaner::clean(&octets);
        let field = signature.field(&clean).map_err(|error| {
            Trouble::for_good(Stage::Content, Cause::ContentUnreadable, format!("it cannot be signed: {error}"))
        })?;
        Ok(field.into_bytes())
    }
}
