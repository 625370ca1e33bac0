//! Domains: each belongs to one structure.

use mail::Domain;

use crate::engine::{query_all, query_row};
use crate::{AccountId, Row, Snapshot, StoreError, StructureId, Transaction, UnixMillis, Value};

/// One domain of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRow {
    /// Whose it is.
    pub structure: StructureId,
    /// Its name.
    pub name: Domain,
    /// Who reads `postmaster@` (RFC 5321 §4.5.1) when that address is nobody's.
    pub postmaster: Option<AccountId>,
}

const COLUMNS: &str = "structure, name, postmaster";

/// Adds a domain to a structure.
///
/// # Errors
/// [`StoreError::Taken`] when it is there already.
pub fn create(
    tx: &mut dyn Transaction,
    structure: StructureId,
    name: &Domain,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let added = tx.execute(
        "INSERT INTO domain (structure, name, created) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        &[structure.0.into(), name.as_str().into(), now.0.into()],
    )?;
    if added == 0 { Err(StoreError::Taken("domain")) } else { Ok(()) }
}

/// Names the account that reads `postmaster@`.
///
/// # Errors
/// [`StoreError::Unknown`] for a domain that is not ours.
pub fn set_postmaster(tx: &mut dyn Transaction, name: &Domain, account: AccountId) -> Result<(), StoreError> {
    let changed =
        tx.execute("UPDATE domain SET postmaster = $2 WHERE name = $1", &[name.as_str().into(), account.0.into()])?;
    if changed == 0 { Err(StoreError::Unknown("domain")) } else { Ok(()) }
}

/// The domain, when it is ours.
///
/// # Errors
/// The engine's.
pub fn find(snapshot: &mut dyn Snapshot, name: &Domain) -> Result<Option<DomainRow>, StoreError> {
    let sql = "SELECT structure, name, postmaster FROM domain WHERE name = $1";
    query_row(snapshot, sql, &[Value::Text(name.as_str())], read)
}

/// Every domain of ours.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot) -> Result<Vec<DomainRow>, StoreError> {
    query_all(snapshot, &format!("SELECT {COLUMNS} FROM domain ORDER BY name"), &[], read)
}

fn read(row: &dyn Row) -> Result<DomainRow, StoreError> {
    Ok(DomainRow {
        structure: StructureId(row.integer(0)?),
        name: row.text(1)?.parse().map_err(|error| StoreError::Damaged(format!("domain: {error}")))?,
        postmaster: row.integer_or_null(2)?.map(AccountId),
    })
}
