//! Credentials: what an account proves itself with. Secrets are opaque here: hashes made by `auth`.

use crate::account::{Advance, advance};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::{AccountId, Change, Snapshot, StoreError, Transaction, UnixMillis};

/// One credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its number within the account.
    pub id: i64,
    /// `password` (Argon2id), `scram-sha-256`, …: a word of `auth`.
    pub kind: String,
    /// What the person calls it.
    pub label: String,
    /// The hash, in the text form of its kind.
    pub secret: String,
    /// When it was set.
    pub created: UnixMillis,
}

/// Every credential of the account.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Vec<Credential>, StoreError> {
    query_all(
        snapshot,
        "SELECT id, kind, label, secret, created FROM credential WHERE account = $1 ORDER BY id",
        &[account.0.into()],
        |row| {
            Ok(Credential {
                id: row.integer(0)?,
                kind: row.text(1)?.to_owned(),
                label: row.text(2)?.to_owned(),
                secret: row.text(3)?.to_owned(),
                created: UnixMillis(row.integer(4)?),
            })
        },
    )
}

/// Sets the credential of that kind and label, replacing the one there was; the account's sessions end after the commit.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn set(
    tx: &mut dyn Transaction,
    account: AccountId,
    kind: &str,
    label: &str,
    secret: &str,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    tx.execute(
        "DELETE FROM credential WHERE account = $1 AND kind = $2 AND label = $3",
        &[account.0.into(), kind.into(), label.into()],
    )?;
    let highest =
        query_row(tx, "SELECT coalesce(max(id), 0) FROM credential WHERE account = $1", &[account.0.into()], |row| {
            row.integer(0)
        })?;
    tx.execute(
        "INSERT INTO credential (account, id, kind, label, secret, created) VALUES ($1, $2, $3, $4, $5, $6)",
        &[account.0.into(), (highest.unwrap_or(0) + 1).into(), kind.into(), label.into(), secret.into(), now.0.into()],
    )?;
    event::record(tx, (account, counters.first_event), now, Kind::CredentialChanged, &[("set", &kind)])?;
    tx.notify(Change::SessionsEnd { account });
    Ok(())
}

/// Removes a credential.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn remove(tx: &mut dyn Transaction, account: AccountId, id: i64, now: UnixMillis) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let removed =
        tx.execute("DELETE FROM credential WHERE account = $1 AND id = $2", &[account.0.into(), id.into()])?;
    if removed == 0 {
        return Err(StoreError::Unknown("credential"));
    }
    event::record(tx, (account, counters.first_event), now, Kind::CredentialChanged, &[("removed", &id)])?;
    tx.notify(Change::SessionsEnd { account });
    Ok(())
}

/// Secrets do not appear in logs.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}
