//! SPF, DKIM, DMARC and ARC by mail-auth (RFC 7208, 6376, 7489, 8617): what the Internet would say of a message.
//!
//! For information only: the trust space has its own answer to who sends. So nothing here takes longer than
//! [`TIME_MAX`], and nothing fails: what cannot be known is `temperror`.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use mail::authentication_results::MethodResult;
use mail::{Domain, ReversePath};
use mail_auth::common::crypto::Algorithm;
use mail_auth::dkim::{Canonicalization, DkimError};
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, Error, MessageAuthenticator, SpfOutput,
    SpfResult,
};

use crate::dns::{DnsError, Hickory, Servers};

/// Time for all look-ups of one message.
pub const TIME_MAX: Duration = Duration::from_secs(2);

/// Octets of a message up to which its signatures are looked at: it is read into memory whole.
pub const MESSAGE_OCTETS_MAX: u64 = 1 << 20;

/// Signatures of one message that are looked at.
const SIGNATURES_MAX: usize = 8;

/// Messages in a row for which DNS does not answer in time, before it is left alone for a while.
const TIMES_IN_A_ROW: u32 = 3;

/// How long it is left alone: an operator without DNS should not wait two seconds for each message.
const SILENCE: Duration = Duration::from_secs(30);

/// Looks at messages.
pub struct SenderAuthentication {
    authenticator: MessageAuthenticator,
    host: Domain,
    time_max: Duration,
    began: Instant,
    /// Messages for which it did not answer in time, since it last did.
    in_a_row: AtomicU32,
    /// Milliseconds since `began` until which DNS is taken to be silent.
    silent_until: AtomicU64,
}

/// What a message is looked at by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Where it came from.
    pub client: IpAddr,
    /// What the client called itself.
    pub helo: &'a str,
    /// Where failures go.
    pub reverse_path: &'a ReversePath,
    /// The domain of the author, when there is one and only one.
    pub author: Option<&'a Domain>,
    /// The message, or its header.
    pub octets: &'a [u8],
    /// Whether `octets` are all of it.
    pub extent: Extent,
}

/// How much of a message is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its header: the message has more than [`MESSAGE_OCTETS_MAX`] octets.
    Header,
}

impl SenderAuthentication {
    /// Asks these servers; `host` is our name.
    ///
    /// # Errors
    /// As [`Hickory::new`].
    pub fn new(servers: &Servers, host: Domain) -> Result<SenderAuthentication, DnsError> {
        SenderAuthentication::patient(servers, host, TIME_MAX)
    }

    /// The same with another time for each message.
    ///
    /// # Errors
    /// As [`Hickory::new`].
    pub fn patient(servers: &Servers, host: Domain, time_max: Duration) -> Result<SenderAuthentication, DnsError> {
        let resolver = Hickory::patient(servers, time_max, time_max)?;
        let authenticator = MessageAuthenticator(resolver.resolver());
        let (began, in_a_row, silent_until) = (Instant::now(), AtomicU32::new(0), AtomicU64::new(0));
        Ok(SenderAuthentication { authenticator, host, time_max, began, in_a_row, silent_until })
    }

    /// Looks at one message: at least one result for each method.
    pub async fn look(&self, facts: Facts<'_>) -> Vec<MethodResult> {
        if self.is_silent() {
            return unknown(facts, "DNS did not answer lately");
        }
        match tokio::time::timeout(self.time_max, unpanicked(self.found(facts))).await {
            Ok(Some(results)) => {
                self.in_a_row.store(0, Ordering::Relaxed);
                results
            }
            Ok(None) => {
                tracing::error!("mail-auth failed on a message; it is taken all the same");
                unknown(facts, "it cannot be read")
            }
            Err(_) => {
                if self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= TIMES_IN_A_ROW {
                    let until = self.began.elapsed() + SILENCE;
                    self.silent_until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
                }
                unknown(facts, "DNS did not answer in time")
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.began.elapsed().as_millis() < u128::from(self.silent_until.load(Ordering::Relaxed))
    }

    async fn found(&self, facts: Facts<'_>) -> Vec<MethodResult> {
        let Some(message) = parse(facts.octets) else {
            return unknown(facts, "it cannot be read");
        };
        let is_whole = facts.extent == Extent::Whole;
        let (spf, dkim, arc) = tokio::join!(
            self.spf(facts),
            async { if is_whole { self.authenticator.verify_dkim(&message).await } else { Vec::new() } },
            async { if is_whole { Some(self.authenticator.verify_arc(&message).await) } else { None } },
        );
        let mut results = vec![of_spf(facts, &spf)];
        let second = match is_whole && dkim.iter().any(may_be_mistaken) {
            true => self.second_try(facts.octets, &message).await,
            false => Vec::new(),
        };
        results.extend(of_dkim(facts.extent, &dkim, &second));
        let sender = match facts.reverse_path {
            ReversePath::Null => facts.helo,
            ReversePath::Address(address) => address.domain().as_str(),
        };
        let dmarc = DmarcParameters::new(&message, &dkim, sender, &spf);
        let dmarc = self.authenticator.verify_dmarc(dmarc).await.result();
        results.push(of_dmarc(facts, &dmarc, &second));
        results.push(of_arc(arc.as_ref()));
        results
    }

    async fn spf(&self, facts: Facts<'_>) -> SpfOutput {
        let host = self.host.as_str();
        match facts.reverse_path {
            ReversePath::Null => {
                self.authenticator.verify_spf(SpfParameters::verify_ehlo(facts.client, facts.helo, host)).await
            }
            ReversePath::Address(address) => {
                let sender = address.to_string();
                let asked = SpfParameters::verify_mail_from(facts.client, facts.helo, host, &sender);
                self.authenticator.verify_spf(asked).await
            }
        }
    }

    /// mail-auth 0.13 leaves lines of nothing but blanks at the end of a relaxed body (RFC 6376 §3.4.4 drops them): the
    /// same signatures over a copy without them. Gives which signatures hold after all, in their order.
    async fn second_try(&self, octets: &[u8], message: &AuthenticatedMessage<'_>) -> Vec<bool> {
        let trimmed = without_blank_end(octets, usize::try_from(message.body_offset).unwrap_or(usize::MAX));
        let Some(again) = trimmed.as_deref().and_then(parse) else { return Vec::new() };
        let outputs = self.authenticator.verify_dkim(&again).await;
        outputs.iter().map(|output| *output.result() == DkimResult::Pass && is_relaxed(output)).collect()
    }
}

fn parse(octets: &[u8]) -> Option<AuthenticatedMessage<'_>> {
    let mut message = AuthenticatedMessage::parse(octets)?;
    message.dkim_headers.truncate(SIGNATURES_MAX);
    Some(message)
}

/// The message without blanks at the end of its body; none when there are none, or no body.
fn without_blank_end(octets: &[u8], body: usize) -> Option<Vec<u8>> {
    let (header, body) = octets.split_at_checked(body)?;
    let kept = body.trim_ascii_end();
    if kept.is_empty() && body.trim_ascii().len() == body.len() {
        return None;
    }
    let end: &[u8] = if kept.is_empty() { b"" } else { b"\r\n" };
    Some([header, kept, end].concat())
}

fn may_be_mistaken(output: &DkimOutput<'_>) -> bool {
    let is_body = matches!(output.result(), DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch)));
    is_body && is_relaxed(output)
}

fn is_relaxed(output: &DkimOutput<'_>) -> bool {
    output.signature().is_some_and(|signature| signature.cb == Canonicalization::Relaxed)
}

fn of_spf(facts: Facts<'_>, output: &SpfOutput) -> MethodResult {
    let result = match output.result() {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    };
    about_sender(MethodResult::new("spf", result), facts)
}

fn about_sender(result: MethodResult, facts: Facts<'_>) -> MethodResult {
    match facts.reverse_path {
        ReversePath::Null => result.of("smtp.helo", facts.helo),
        ReversePath::Address(address) => result.of("smtp.mailfrom", address.domain().as_str()),
    }
}

fn of_dkim(extent: Extent, outputs: &[DkimOutput<'_>], second: &[bool]) -> Vec<MethodResult> {
    if extent == Extent::Header {
        return vec![MethodResult::new("dkim", "policy").because(TOO_LARGE)];
    }
    if outputs.is_empty() {
        return vec![MethodResult::new("dkim", "none")];
    }
    let one = |(index, output): (usize, &DkimOutput<'_>)| {
        let holds_after_all = may_be_mistaken(output) && second.get(index) == Some(&true);
        let mut result = match holds_after_all {
            true => MethodResult::new("dkim", "pass"),
            false => of_signature("dkim", output.result()),
        };
        if let Some(signature) = output.signature() {
            let algorithm = match signature.a {
                Algorithm::RsaSha1 => "rsa-sha1",
                Algorithm::RsaSha256 => "rsa-sha256",
                Algorithm::Ed25519Sha256 => "ed25519-sha256",
            };
            result = result.of("header.d", &signature.d).of("header.s", &signature.s).of("header.a", algorithm);
        }
        result
    };
    outputs.iter().enumerate().take(SIGNATURES_MAX).map(one).collect()
}

/// A body that was changed is `neutral` in mail-auth; RFC 8601 §2.7.1 calls it `fail`.
fn of_signature(method: &'static str, result: &DkimResult) -> MethodResult {
    match result {
        DkimResult::Pass => MethodResult::new(method, "pass"),
        DkimResult::None => MethodResult::new(method, "none"),
        DkimResult::TempError(error) => MethodResult::new(method, "temperror").because(error.to_string()),
        DkimResult::PermError(error) => MethodResult::new(method, "permerror").because(error.to_string()),
        DkimResult::Fail(error) | DkimResult::Neutral(error) => {
            MethodResult::new(method, "fail").because(error.to_string())
        }
    }
}

fn of_dmarc(facts: Facts<'_>, result: &DmarcResult, second: &[bool]) -> MethodResult {
    let of_signatures = facts.extent == Extent::Header || second.contains(&true);
    let found = match result {
        DmarcResult::Pass => MethodResult::new("dmarc", "pass"),
        DmarcResult::None => MethodResult::new("dmarc", "none"),
        // The signature that would align was not looked at, or only at the second try.
        DmarcResult::Fail(_) if of_signatures => MethodResult::new("dmarc", "none").because("signatures left aside"),
        DmarcResult::Fail(error) => MethodResult::new("dmarc", "fail").because(error.to_string()),
        DmarcResult::TempError(error) => MethodResult::new("dmarc", "temperror").because(error.to_string()),
        DmarcResult::PermError(error) => MethodResult::new("dmarc", "permerror").because(error.to_string()),
    };
    about_author(found, facts)
}

fn about_author(result: MethodResult, facts: Facts<'_>) -> MethodResult {
    match facts.author {
        Some(author) => result.of("header.from", author.as_str()),
        None => result,
    }
}

fn of_arc(output: Option<&ArcOutput<'_>>) -> MethodResult {
    match output {
        None => MethodResult::new("arc", "policy").because(TOO_LARGE),
        Some(output) => of_signature("arc", output.result()),
    }
}

fn unknown(facts: Facts<'_>, reason: &str) -> Vec<MethodResult> {
    let result = |method| MethodResult::new(method, "temperror").because(reason);
    let dmarc = about_author(result("dmarc"), facts);
    vec![about_sender(result("spf"), facts), result("dkim"), dmarc, result("arc")]
}

/// The future's answer; none when it panics: hostile mail must not end the session that brings it.
async fn unpanicked<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

const TOO_LARGE: &str = "the message is too large for that";
