//! National identifiers (RPPS, ADELI) linked to accounts: who may use a box with a token of an identity provider.

use crate::account::{Advance, advance};
use crate::engine::{query_all, query_row};
use crate::event::{self, Kind};
use crate::{AccountId, Change, Snapshot, StoreError, Transaction, UnixMillis};

/// People linked to one account.
pub const IDENTIFIERS_MAX: i64 = 1_000;

/// Who somebody is to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whose account it is. A person has one at most.
    Holder,
    /// Who may use it besides.
    Linked,
}

/// A person who may use an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The national identifier.
    pub identifier: String,
    /// Who that is to the account.
    pub standing: Standing,
    /// When it was linked.
    pub created: UnixMillis,
}

/// Links a person to an account.
///
/// # Errors
/// [`StoreError::Unknown`]; [`StoreError::Taken`] when the person is linked to it already or has another account of their
/// own, or the account has [`IDENTIFIERS_MAX`].
pub fn link(
    tx: &mut dyn Transaction,
    account: AccountId,
    identifier: &str,
    standing: Standing,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let count = "SELECT count(*) FROM identifier WHERE account = $1";
    let count = query_row(tx, count, &[account.0.into()], |row| row.integer(0))?;
    if count.unwrap_or(0) >= IDENTIFIERS_MAX {
        return Err(StoreError::Taken("last place for an identifier"));
    }
    // One or the other unique index: in either case the person is there already.
    let added = tx.execute(
        "INSERT INTO identifier (account, identifier, holder, created) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        &[account.0.into(), identifier.into(), standing.number().into(), now.0.into()],
    )?;
    if added == 0 {
        return Err(StoreError::Taken("identifier"));
    }
    event::record(tx, (account, counters.first_event), now, Kind::IdentifierChanged, &[("linked", &identifier)])
}

/// Unlinks a person from an account, whose sessions end after the commit.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn unlink(
    tx: &mut dyn Transaction,
    account: AccountId,
    identifier: &str,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let counters = advance(tx, account, Advance { events: 1, ..Advance::default() })?;
    let sql = "DELETE FROM identifier WHERE account = $1 AND identifier = $2";
    if tx.execute(sql, &[account.0.into(), identifier.into()])? == 0 {
        return Err(StoreError::Unknown("identifier"));
    }
    event::record(tx, (account, counters.first_event), now, Kind::IdentifierChanged, &[("unlinked", &identifier)])?;
    tx.notify(Change::SessionsEnd { account });
    Ok(())
}

/// The people of an account.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Vec<Linked>, StoreError> {
    query_all(
        snapshot,
        "SELECT identifier, holder, created FROM identifier WHERE account = $1 ORDER BY holder DESC, identifier",
        &[account.0.into()],
        |row| {
            Ok(Linked {
                identifier: row.text(0)?.to_owned(),
                standing: Standing::of(row.integer(1)?)?,
                created: UnixMillis(row.integer(2)?),
            })
        },
    )
}

/// The accounts of a person, their own first, at most `limit`.
///
/// # Errors
/// The engine's.
pub fn accounts(
    snapshot: &mut dyn Snapshot,
    identifier: &str,
    limit: u32,
) -> Result<Vec<(AccountId, Standing)>, StoreError> {
    query_all(
        snapshot,
        "SELECT account, holder FROM identifier WHERE identifier = $1 ORDER BY holder DESC, account LIMIT $2",
        &[identifier.into(), limit.into()],
        |row| Ok((AccountId(row.integer(0)?), Standing::of(row.integer(1)?)?)),
    )
}

impl Standing {
    fn number(self) -> i64 {
        match self {
            Standing::Linked => 0,
            Standing::Holder => 1,
        }
    }

    fn of(number: i64) -> Result<Standing, StoreError> {
        match number {
            0 => Ok(Standing::Linked),
            1 => Ok(Standing::Holder),
            other => Err(StoreError::Damaged(format!("standing {other} of an identifier"))),
        }
    }
}
