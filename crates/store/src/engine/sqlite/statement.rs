//! Statements on a SQLite connection.

use std::ops::ControlFlow;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::engine_error;
use crate::blob::Blobs;
use crate::engine::{OnRow, Row, Snapshot, Value};
use crate::{EngineError, StoreError};

/// A connection inside a transaction.
pub(super) struct View<'c> {
    pub connection: &'c Connection,
    pub blobs: &'c Blobs,
    /// The last failure of the engine, whatever the closure made of it.
    pub failure: Option<EngineError>,
}

impl Snapshot for View<'_> {
    fn query(&mut self, sql: &str, parameters: &[Value<'_>], on_row: OnRow<'_>) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| engine_error(&error);
        let result = (|| -> Result<Result<(), StoreError>, EngineError> {
            let mut statement = self.connection.prepare_cached(&numbered(sql)).map_err(failed)?;
            let mut rows = statement.query(rusqlite::params_from_iter(parameters.iter().map(Bound))).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                match on_row(&Columns(row)) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break,
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(()))
        })();
        match result {
            Ok(answer) => answer,
            Err(error) => {
                self.failure = Some(error.clone());
                Err(error.into())
            }
        }
    }

    fn blobs(&self) -> &Blobs {
        self.blobs
    }
}

impl View<'_> {
    pub(super) fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<u64, EngineError> {
        let result = self
            .connection
            .prepare_cached(&numbered(sql))
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(parameters.iter().map(Bound))));
        result.map(|rows| rows as u64).map_err(|error| {
            let error = engine_error(&error);
            self.failure = Some(error.clone());
            error
        })
    }
}

/// `$n` becomes `?n`: to SQLite `$1` is a name, numbered in the order of appearance.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

struct Bound<'a>(&'a Value<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Octets(octets) => ValueRef::Blob(octets),
        }))
    }
}

struct Columns<'r>(&'r rusqlite::Row<'r>);

impl Columns<'_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>, StoreError> {
        self.0.get_ref(column).map_err(|error| StoreError::Damaged(error.to_string()))
    }
}

impl Row for Columns<'_> {
    fn integer(&self, column: usize) -> Result<i64, StoreError> {
        match self.value(column)? {
            ValueRef::Integer(number) => Ok(number),
            other => Err(wrong(column, other)),
        }
    }

    fn integer_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            other => Err(wrong(column, other)),
        }
    }

    fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.value(column)? {
            ValueRef::Null => Ok(""),
            ValueRef::Text(text) => std::str::from_utf8(text).map_err(|_| StoreError::Damaged("text".into())),
            other => Err(wrong(column, other)),
        }
    }

    fn octets(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.value(column)? {
            ValueRef::Null => Ok(&[]),
            ValueRef::Blob(octets) => Ok(octets),
            other => Err(wrong(column, other)),
        }
    }
}

fn wrong(column: usize, found: ValueRef<'_>) -> StoreError {
    StoreError::Damaged(format!("column {column} holds {}", found.data_type()))
}
