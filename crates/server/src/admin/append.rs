//! Bringing messages in from outside: `sceau import`. A message's octets follow its request line.

use delivery::{AppendOrder, Delivery, Door};
use serde_json::{Value, json};
use store::mailbox::{self, MailboxName};
use store::{AccountId, FlagBits, Flags, MailboxId, StoreError, SystemFlag, UnixMillis};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Administration, Failed};
use crate::machine::now;

/// Octets handed to delivery at once.
const CHUNK_OCTETS: usize = 64 * 1_024;

/// What is known of a message beside its octets.
#[derive(Clone, Debug)]
pub struct Order {
    /// An address of the account.
    pub account: String,
    /// The mailbox's name; made when missing.
    pub mailbox: String,
    /// Flags and keywords.
    pub flags: Vec<String>,
    /// INTERNALDATE, seconds since 1970.
    pub internal_date: Option<i64>,
}

impl Administration {
    /// Brings one message in. All of `octets` is read from the stream even when it is refused: the next request follows.
    ///
    /// # Errors
    /// A sentence for the person at the terminal; `Err` of the outer result when the stream broke.
    pub async fn append<R: AsyncRead + Unpin + Send>(
        &self,
        order: &Order,
        octets: u64,
        stream: &mut R,
    ) -> std::io::Result<Result<Value, Failed>> {
        let mut body = stream.take(octets);
        let appended = self.take(order, &mut body).await;
        let left = tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        Ok(match appended {
            Ok(_) if left > 0 => Err(Failed("octets were left over".into())),
            other => other,
        })
    }

    /// The mailbox of that name, made and subscribed when it is missing.
    pub(super) async fn ensure_mailbox(&self, account: AccountId, name: &str) -> Result<MailboxId, Failed> {
        let name = MailboxName::parse(name).map_err(Failed::because)?;
        let at = now();
        let ensured = self.store().transaction(move |tx| match mailbox::by_name(tx, account, &name)? {
            Some(found) => Ok(found.id),
            None => {
                let made = mailbox::create(tx, account, &name, None, at)?;
                mailbox::subscribe(tx, account, &name)?;
                Ok::<_, StoreError>(made)
            }
        });
        ensured.await.map_err(Failed::because)
    }

    async fn take<R: AsyncRead + Unpin + Send>(&self, order: &Order, body: &mut R) -> Result<Value, Failed> {
        let account = self.find(&order.account).await?.id;
        let mailbox = self.ensure_mailbox(account, &order.mailbox).await?;
        let delivery: &Delivery = self.delivery();
        let mut incoming =
            delivery.begin(Door::Append).await.map_err(|refusal| Failed(refusal.sentence(mail::Language::English)))?;
        let mut chunk = vec![0; CHUNK_OCTETS];
        loop {
            let read = body.read(&mut chunk).await.map_err(Failed::because)?;
            let Some(filled) = chunk.get(..read).filter(|filled| !filled.is_empty()) else { break };
            let written = incoming.write(filled).await;
            written.map_err(|refusal| Failed(refusal.sentence(mail::Language::English)))?;
        }
        let internal_date = order.internal_date.map(|seconds| UnixMillis(seconds.saturating_mul(1_000)));
        let order = AppendOrder { mailbox, flags: flags(&order.flags), internal_date };
        let appended = incoming.append(order).await.map_err(Failed::because)?;
        Ok(json!({ "uid": appended.uid.get() }))
    }
}

/// `\Seen`, `$Forwarded`, …; what is neither a system flag nor an atom is left out.
fn flags(names: &[String]) -> Flags {
    let mut flags = Flags::none();
    for name in names {
        match SystemFlag::ALL.into_iter().find(|flag| flag.name().eq_ignore_ascii_case(name)) {
            Some(flag) => flags.system = FlagBits(flags.system.0 | flag.bits().0),
            None if is_keyword(name) => flags.keywords.push(name.clone()),
            None => {}
        }
    }
    flags
}

/// An atom (RFC 9051 §9 `flag-keyword`).
fn is_keyword(name: &str) -> bool {
    let atom = |octet: u8| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet);
    (1..=100).contains(&name.len()) && name.bytes().all(atom)
}
