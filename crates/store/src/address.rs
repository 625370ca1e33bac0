//! Addresses: which account a recipient or a sender is.

use mail::Address;

use crate::account::State;
use crate::engine::{query_all, query_row};
use crate::{AccountId, Snapshot, StoreError, StructureId, Transaction, UnixMillis};

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// Its structure.
    pub structure: StructureId,
    /// Whether it is served.
    pub state: State,
}

/// Gives an address to an account. Compared in canonical form, kept as written. The account's first becomes its primary.
///
/// # Errors
/// [`StoreError::Taken`]; [`StoreError::Unknown`] when the domain is not of the account's structure.
pub fn add(tx: &mut dyn Transaction, account: AccountId, address: &Address, now: UnixMillis) -> Result<(), StoreError> {
    let structure = query_row(
        tx,
        "SELECT d.structure FROM domain d, account a WHERE d.name = $1 AND a.id = $2 AND a.structure = d.structure",
        &[address.domain().as_str().into(), account.0.into()],
        |row| row.integer(0),
    )?
    .ok_or(StoreError::Unknown("domain"))?;
    let canonical = address.canonical();
    let added = tx.execute(
        "INSERT INTO address (structure, domain, local_part, account, written, primary_one, created) \
         SELECT $1, $2, $3, $4, $5, CASE WHEN EXISTS (SELECT 1 FROM address WHERE account = $4) THEN 0 ELSE 1 END, $6 \
         WHERE true ON CONFLICT (structure, domain, local_part) DO NOTHING",
        &[
            structure.into(),
            canonical.domain().as_str().into(),
            canonical.local_part().as_str().into(),
            account.0.into(),
            (&address.to_string()).into(),
            now.0.into(),
        ],
    )?;
    if added == 0 { Err(StoreError::Taken("address")) } else { Ok(()) }
}

/// Whose the address is.
///
/// # Errors
/// The engine's.
pub fn find(snapshot: &mut dyn Snapshot, address: &Address) -> Result<Option<Holder>, StoreError> {
    let canonical = address.canonical();
    let found = query_row(
        snapshot,
        "SELECT a.account, a.structure FROM domain d, address a \
         WHERE d.name = $1 AND a.structure = d.structure AND a.domain = d.name AND a.local_part = $2",
        &[canonical.domain().as_str().into(), canonical.local_part().as_str().into()],
        |row| Ok((AccountId(row.integer(0)?), StructureId(row.integer(1)?))),
    )?;
    let Some((account, structure)) = found else { return Ok(None) };
    let found =
        crate::account::find(snapshot, account)?.ok_or(StoreError::Damaged("address without account".into()))?;
    Ok(Some(Holder { account, structure, state: found.state }))
}

/// The account's addresses as written, its primary first.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot, account: AccountId) -> Result<Vec<Address>, StoreError> {
    query_all(
        snapshot,
        "SELECT written FROM address WHERE account = $1 ORDER BY primary_one DESC, domain, local_part",
        &[account.0.into()],
        |row| row.text(0)?.parse().map_err(|error| StoreError::Damaged(format!("address: {error}"))),
    )
}

/// Takes an address away.
///
/// # Errors
/// [`StoreError::Unknown`].
pub fn remove(tx: &mut dyn Transaction, account: AccountId, address: &Address) -> Result<(), StoreError> {
    let canonical = address.canonical();
    let removed = tx.execute(
        "DELETE FROM address WHERE account = $1 AND domain = $2 AND local_part = $3",
        &[account.0.into(), canonical.domain().as_str().into(), canonical.local_part().as_str().into()],
    )?;
    if removed == 0 { Err(StoreError::Unknown("address")) } else { Ok(()) }
}
