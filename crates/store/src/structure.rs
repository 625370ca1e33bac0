//! Structures: hospitals, practices.

use crate::engine::{query_all, query_row};
use crate::{Snapshot, StoreError, StructureId, Transaction, UnixMillis, Value};

/// One structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its id, never reused.
    pub id: StructureId,
    /// Its name, as people read it.
    pub name: String,
    /// When it was created here.
    pub created: UnixMillis,
}

/// Creates a structure.
///
/// # Errors
/// The engine's.
pub fn create(tx: &mut dyn Transaction, name: &str, now: UnixMillis) -> Result<StructureId, StoreError> {
    let id = next_number(tx, "structure")?;
    tx.execute(
        "INSERT INTO structure (id, name, created) VALUES ($1, $2, $3)",
        &[id.into(), name.into(), now.0.into()],
    )?;
    Ok(StructureId(id))
}

/// Every structure.
///
/// # Errors
/// The engine's.
pub fn list(snapshot: &mut dyn Snapshot) -> Result<Vec<Structure>, StoreError> {
    query_all(snapshot, "SELECT id, name, created FROM structure ORDER BY id", &[], |row| {
        Ok(Structure {
            id: StructureId(row.integer(0)?),
            name: row.text(1)?.to_owned(),
            created: UnixMillis(row.integer(2)?),
        })
    })
}

/// The next number of a counter, from 1. The row stays locked until the commit.
pub(crate) fn next_number(tx: &mut dyn Transaction, counter: &str) -> Result<i64, StoreError> {
    query_row(
        tx,
        "INSERT INTO counter (name, value) VALUES ($1, 1) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
        &[Value::Text(counter)],
        |row| row.integer(0),
    )?
    .ok_or_else(|| StoreError::Damaged(format!("counter {counter}")))
}
