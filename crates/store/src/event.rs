//! The trail of a box: what happened, numbered without gaps, in a form that can be hashed into a chain later.
//!
//! Canonical form, part of the format on disk: UTF-8,
//! `sceau-event 1 LF account LF seq LF at LF kind LF fields LF`, numbers in decimal without leading zeros, `at` in
//! milliseconds since 1970 UTC, `kind` a word in lower case, `fields` as stored: `name=value` joined by `;` in the order
//! written below, where in values `%`, `;`, `=`, and octets below 0x20 are written `%XX`.

use std::fmt::Write as _;

use crate::account::{Advance, advance};
use crate::engine::query_all;
use crate::{AccountId, Snapshot, StoreError, Transaction, UnixMillis, Value};

/// What happened to a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The account was created.
    AccountCreated,
    /// Its state or quota changed.
    AccountChanged,
    /// A credential was set or removed.
    CredentialChanged,
    /// A certificate was bound to the account, or no longer is.
    CertificateChanged,
    /// A national identifier was linked to the account, or no longer is.
    IdentifierChanged,
    /// A mailbox was created, renamed or deleted.
    MailboxCreated,
    /// See [`Kind::MailboxCreated`].
    MailboxRenamed,
    /// See [`Kind::MailboxCreated`].
    MailboxDeleted,
    /// A message came in: delivery or APPEND.
    MessageAdded,
    /// Messages were copied.
    MessagesCopied,
    /// Messages were moved.
    MessagesMoved,
    /// Messages were expunged.
    MessagesExpunged,
    /// Data came back from a backup.
    Restored,
    /// A message of the account is to leave.
    MessageQueued,
    /// A message reached another operator's server, for one recipient.
    MessageRelayed,
    /// The sender was told that a message is late.
    MessageDelayed,
    /// A message could not be delivered to a recipient.
    MessageFailed,
}

/// One row of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose box.
    pub account: AccountId,
    /// From 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: UnixMillis,
    /// The word of the kind.
    pub kind: String,
    /// `name=value` joined by `;`.
    pub fields: String,
}

impl Kind {
    /// The word on disk.
    pub fn word(self) -> &'static str {
        match self {
            Kind::AccountCreated => "account-created",
            Kind::AccountChanged => "account-changed",
            Kind::CredentialChanged => "credential-changed",
            Kind::CertificateChanged => "certificate-changed",
            Kind::IdentifierChanged => "identifier-changed",
            Kind::MailboxCreated => "mailbox-created",
            Kind::MailboxRenamed => "mailbox-renamed",
            Kind::MailboxDeleted => "mailbox-deleted",
            Kind::MessageAdded => "message-added",
            Kind::MessagesCopied => "messages-copied",
            Kind::MessagesMoved => "messages-moved",
            Kind::MessagesExpunged => "messages-expunged",
            Kind::Restored => "restored",
            Kind::MessageQueued => "message-queued",
            Kind::MessageRelayed => "message-relayed",
            Kind::MessageDelayed => "message-delayed",
            Kind::MessageFailed => "message-failed",
        }
    }
}

impl Event {
    /// The octets a chain hashes.
    pub fn canonical(&self) -> Vec<u8> {
        let Event { account, seq, at, kind, fields } = self;
        format!("sceau-event 1\n{account}\n{seq}\n{}\n{kind}\n{fields}\n", at.0).into_bytes()
    }
}

/// Events after `after`, ascending, at most `limit`.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, account: AccountId, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
    query_all(
        snapshot,
        "SELECT seq, at, kind, fields FROM event WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        &[Value::Integer(account.0), Value::Integer(after), limit.into()],
        |row| {
            Ok(Event {
                account,
                seq: row.integer(0)?,
                at: UnixMillis(row.integer(1)?),
                kind: row.text(2)?.to_owned(),
                fields: row.text(3)?.to_owned(),
            })
        },
    )
}

/// Takes the next number of the account's trail and writes an event under it.
///
/// # Errors
/// [`StoreError::Unknown`] when there is no such account.
pub fn add(
    tx: &mut dyn Transaction,
    account: AccountId,
    at: UnixMillis,
    kind: Kind,
    fields: &[(&str, &dyn std::fmt::Display)],
) -> Result<(), StoreError> {
    let seq = advance(tx, account, Advance { events: 1, ..Advance::default() })?.first_event;
    record(tx, (account, seq), at, kind, fields)
}

/// Writes the event whose number the caller took from the account's counters.
pub(crate) fn record(
    tx: &mut dyn Transaction,
    (account, seq): (AccountId, i64),
    at: UnixMillis,
    kind: Kind,
    fields: &[(&str, &dyn std::fmt::Display)],
) -> Result<(), StoreError> {
    let mut text = String::with_capacity(64);
    for (index, (name, value)) in fields.iter().enumerate() {
        let separator = if index == 0 { "" } else { ";" };
        let _ = write!(text, "{separator}{name}=");
        let _ = write!(Escaped(&mut text), "{value}");
    }
    tx.execute(
        "INSERT INTO event (account, seq, at, kind, fields) VALUES ($1, $2, $3, $4, $5)",
        &[account.0.into(), seq.into(), at.0.into(), kind.word().into(), (&text).into()],
    )?;
    Ok(())
}

struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '%' | ';' | '=' | '\0'..='\x1f' => write!(self.0, "%{:02X}", u32::from(character))?,
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_fixed() {
        let mut fields = String::new();
        Escaped(&mut fields).write_str("a;b=c%\n").unwrap();
        assert_eq!(fields, "a%3Bb%3Dc%25%0A");
        let event = Event {
            account: AccountId(7),
            seq: 2,
            at: UnixMillis(1_000),
            kind: "restored".into(),
            fields: "x=1".into(),
        };
        assert_eq!(event.canonical(), b"sceau-event 1\n7\n2\n1000\nrestored\nx=1\n");
    }
}
