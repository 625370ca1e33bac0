//! APPEND (RFC 9051 §6.3.12): staged and indexed while it comes, brought in by the same door as all mail.

use auth::Identity;
use delivery::{AppendError, AppendOrder, Door, Incoming};
use imap::MailboxName;
use imap::command::AppendMessage;
use imap::response::Code;
use imap::sequence::Ranges;
use imap::server::Completed;
use imap::view::Allowed;
use mail::Refusal;
use store::{StoreError, UnixMillis};

use super::Context;
use super::change::try_create;
use super::executor::{Executor, Stop, answer_to};
use super::flags::to_store;
use super::mailboxes::store_name;
use super::wire::Disconnected;

/// A message being appended.
pub struct Appending {
    incoming: Incoming,
    order: AppendOrder,
}

impl Appending {
    /// Looks for the mailbox and opens a stage, before the client is told to send the octets.
    pub async fn start(
        context: &Context,
        identity: &Identity,
        mailbox: &MailboxName,
        message: AppendMessage,
    ) -> Result<Appending, Completed> {
        let found = match store_name(mailbox) {
            Ok(name) => {
                let account = identity.acting_for;
                let found = context.store.read(move |snapshot| store::mailbox::by_name(snapshot, account, &name)).await;
                found.and_then(|found| found.ok_or(StoreError::NoSuchMailbox))
            }
            // What can be no name can be created neither.
            Err(error) => Err(error),
        };
        let mailbox = found.map_err(|error| answer(error, identity))?.id;
        let incoming = context.delivery.begin(Door::Append).await;
        let incoming = incoming.map_err(|refusal| refused(context, &refusal, identity))?;
        let internal_date = message.date.map(|date| UnixMillis(date.unix_seconds.saturating_mul(1_000)));
        let order = AppendOrder { mailbox, flags: to_store(&message.flags), internal_date };
        Ok(Appending { incoming, order })
    }

    /// Takes the next octets.
    pub async fn spool(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        self.incoming.write(octets).await
    }
}

impl Executor<'_, '_> {
    /// All octets are there: commits, and only then says OK (ARCHITECTURE.md, invariant 4).
    pub async fn append(&mut self, appending: Appending) -> Result<Completed, Disconnected> {
        let Appending { incoming, order } = appending;
        let result = match incoming.append(order).await {
            Ok(appended) => {
                let uids = Ranges::from_numbers([appended.uid.get()]);
                let code = Code::AppendUid { uid_validity: appended.uidvalidity.0, uids };
                Ok(Completed::ok("APPEND completed").code(code))
            }
            Err(AppendError::Refused(refusal)) => Ok(refused(self.context, &refusal, &self.identity)),
            Err(AppendError::Store(error)) => Err(try_create(error)),
        };
        self.finish(result, Allowed::Everything).await
    }
}

/// Says a refusal, counts it, and logs whom it met.
fn refused(context: &Context, refusal: &Refusal, identity: &Identity) -> Completed {
    context.host.refused(refusal.rule());
    tracing::info!(account = identity.acting_for.0, rule = refusal.rule(), "append refused");
    Completed::refused(refusal, identity.language)
}

fn answer(error: StoreError, identity: &Identity) -> Completed {
    match try_create(error) {
        Stop::Answer(completed) => completed,
        Stop::Store(error) => answer_to(&error, identity),
        Stop::Disconnected => Completed::no(None, "The client is gone"),
    }
}
