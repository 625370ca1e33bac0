//! The schema and its steps forward. Never backward: a store of a newer version is refused.

use crate::engine::query_row;
use crate::{EngineError, Snapshot, StoreError, Transaction};

/// Step n leads from version n to version n + 1.
const STEPS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql")];

/// The version this program writes.
pub const VERSION: i64 = STEPS.len() as i64;

/// Brings the schema to [`VERSION`], within the transaction. `dialect` turns a definition into the engine's words.
///
/// # Errors
/// [`EngineError::Other`] for a store written by a newer program.
pub(crate) fn migrate(tx: &mut dyn Transaction, dialect: &dyn Fn(&str) -> String) -> Result<(), StoreError> {
    tx.execute(&dialect("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL) /*rows*/"), &[])?;
    let found = query_row(tx, "SELECT version FROM schema_version", &[], |row| row.integer(0))?;
    let version = found.unwrap_or(0);
    let Some(steps) = usize::try_from(version).ok().and_then(|done| STEPS.get(done..)) else {
        let text = format!("the store has schema version {version}, this program knows {VERSION}: install a newer one");
        return Err(EngineError::Other(text).into());
    };
    for statement in steps.iter().flat_map(|step| statements(step)) {
        tx.execute(&dialect(&statement), &[])?;
    }
    match found {
        None => tx.execute("INSERT INTO schema_version (version) VALUES ($1)", &[VERSION.into()])?,
        Some(_) => tx.execute("UPDATE schema_version SET version = $1", &[VERSION.into()])?,
    };
    Ok(())
}

/// The version of a store.
pub(crate) fn version(snapshot: &mut dyn Snapshot) -> Result<i64, StoreError> {
    Ok(query_row(snapshot, "SELECT version FROM schema_version", &[], |row| row.integer(0))?.unwrap_or(0))
}

/// Comments start a line with `--`; a semicolon ends a statement.
fn statements(text: &str) -> Vec<String> {
    let bare: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let bare = bare.join("\n");
    bare.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}
