//! Certificates bound to accounts: with them the software of a hospital signs in (SASL EXTERNAL).
//!
//! What is compared is a text that the caller makes, part of the format on disk: `subject ` and the normal form of the
//! whole subject, or `issuer `, the normal form of the issuer, a space and the serial number in lower-case hexadecimal.

use crate::account::{Advance, advance};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::{AccountId, Change, Snapshot, StoreError, Transaction, UnixMillis};

/// Certificates of one account.
pub const CERTIFICATES_MAX: i64 = 100;

/// What of a certificate is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Its whole subject: holds over renewals.
    Subject,
    /// Its issuer and serial number: this one certificate.
    IssuerAndSerial,
}

/// A certificate bound to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its number within the account.
    pub id: i64,
    /// What is compared.
    pub matching: Matching,
    /// As people read it.
    pub shown: String,
    /// When it was bound.
    pub created: UnixMillis,
}

/// Binds a certificate to an account; gives its number.
///
/// # Errors
/// [`StoreError::Unknown`]; [`StoreError::Taken`] when it is bound to this account already, or the account has
/// [`CERTIFICATES_MAX`].
pub fn bind(
    tx: &mut dyn Transaction,
    account: AccountId,
    matching: Matching,
    (matched, shown): (&str, &str),
    now: UnixMillis,
) -> Result<i64, StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let sql = "SELECT coalesce(max(id), 0), count(*) FROM certificate WHERE account = $1";
    let found = query_row(tx, sql, &[account.0.into()], |row| Ok((row.integer(0)?, row.integer(1)?)))?;
    let (highest, count) = found.unwrap_or_default();
    if count >= CERTIFICATES_MAX {
        return Err(StoreError::Taken("last place for a certificate"));
    }
    let kind: i64 = match matching {
        Matching::Subject => 0,
        Matching::IssuerAndSerial => 1,
    };
    let id = highest + 1;
    let added = tx.execute(
        "INSERT INTO certificate (account, id, kind, matched, shown, created) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (account, matched) DO NOTHING",
        &[account.0.into(), id.into(), kind.into(), matched.into(), shown.into(), now.0.into()],
    )?;
    if added == 0 {
        return Err(StoreError::Taken("certificate"));
    }
    event::record(tx, (account, counters.first_event), now, Kind::CertificateChanged, &[("bound", &shown)])?;
    Ok(id)
}

/// Takes a certificate from an account, whose sessions end after the commit.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn unbind(tx: &mut dyn Transaction, account: AccountId, id: i64, now: UnixMillis) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let sql = "SELECT shown FROM certificate WHERE account = $1 AND id = $2";
    let shown = query_row(tx, sql, &[account.0.into(), id.into()], |row| Ok(row.text(0)?.to_owned()))?;
    let shown = shown.ok_or(StoreError::Unknown("certificate"))?;
    tx.execute("DELETE FROM certificate WHERE account = $1 AND id = $2", &[account.0.into(), id.into()])?;
    event::record(tx, (account, counters.first_event), now, Kind::CertificateChanged, &[("unbound", &shown)])?;
    tx.notify(Change::SessionsEnd { account });
    Ok(())
}

/// The account's certificates.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Vec<Bound>, StoreError> {
    query_all(
        snapshot,
        "SELECT id, kind, shown, created FROM certificate WHERE account = $1 ORDER BY id",
        &[account.0.into()],
        |row| {
            Ok(Bound {
                id: row.integer(0)?,
                matching: match row.integer(1)? {
                    0 => Matching::Subject,
                    1 => Matching::IssuerAndSerial,
                    other => return Err(StoreError::Damaged(format!("matching {other} of a certificate"))),
                },
                shown: row.text(2)?.to_owned(),
                created: UnixMillis(row.integer(3)?),
            })
        },
    )
}

/// The accounts that a certificate is bound to, by either of these texts, ascending, at most `limit`.
///
/// # Errors
/// The engine's.
pub fn accounts(
    snapshot: &mut dyn Snapshot,
    subject: &str,
    issuer_and_serial: &str,
    limit: u32,
) -> Result<Vec<AccountId>, StoreError> {
    query_all(
        snapshot,
        "SELECT DISTINCT account FROM certificate WHERE matched = $1 OR matched = $2 ORDER BY account LIMIT $3",
        &[subject.into(), issuer_and_serial.into(), limit.into()],
        |row| Ok(AccountId(row.integer(0)?)),
    )
}
