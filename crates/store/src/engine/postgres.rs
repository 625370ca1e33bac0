//! PostgreSQL: the same closures on blocking connections, each a transaction of its own.
//!
//! READ COMMITTED is enough for writing: every change of an account begins by locking its row, and what is read then is
//! read under the lock. Views are REPEATABLE READ. Collisions (40001, 40P01) are run again.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls, Statement};
use tokio::sync::Semaphore;

use super::sqlite::Parts;
use super::{Engine, Job, OnRow, ReadJob, Row, Snapshot, Transaction, Value};
use crate::blob::Blobs;
use crate::metrics::Metrics;
use crate::{Change, EngineError, StoreError};

/// Times a transaction is run again after a collision.
const RERUNS_MAX: u32 = 20;

/// Prepared statements kept for each connection.
const STATEMENTS_MAX: usize = 512;

/// The engine.
pub(crate) struct Postgres(Arc<Pool>);

struct Pool {
    url: String,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    parts: Parts,
}

struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
}

/// A connection inside a transaction.
struct View<'c> {
    connection: &'c mut Connection,
    parts: &'c Parts,
    changes: Vec<Change>,
    /// The first failure of the engine: PostgreSQL takes nothing more after it, whatever the closure makes of it.
    failure: Option<EngineError>,
}

impl Postgres {
    pub(crate) fn open(url: &str, connections: usize, parts: Parts) -> Result<Postgres, StoreError> {
        let permits = Arc::new(Semaphore::new(connections.max(1)));
        let pool = Pool { url: url.to_owned(), permits, idle: Mutex::default(), parts };
        let mut connection = pool.connection()?;
        connection.batch("BEGIN")?;
        // Two servers that start at once must not both create the schema.
        connection.batch("SELECT pg_advisory_xact_lock(7236828425)")?;
        let mut view = View { connection: &mut connection, parts: &pool.parts, changes: Vec::new(), failure: None };
        crate::schema::migrate(&mut view, &dialect)?;
        connection.batch("COMMIT")?;
        pool.give_back(connection);
        Ok(Postgres(Arc::new(pool)))
    }
}

/// The words of PostgreSQL for a definition. Keys and texts are compared by octet, as SQLite does.
fn dialect(definition: &str) -> String {
    definition
        .replace("/*clustered*/", "")
        .replace("/*rows*/", "")
        .replace("TEXT NOT NULL", "TEXT COLLATE \"C\" NOT NULL")
}

impl Pool {
    fn connection(&self) -> Result<Connection, EngineError> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        let client = Client::connect(&self.url, NoTls).map_err(|error| engine_error(&error))?;
        let mut connection = Connection { client, statements: HashMap::new() };
        // An answer follows the sync of the log, whatever the server's default is.
        connection.batch("SET synchronous_commit = on; SET client_min_messages = warning")?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        if !connection.client.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    fn write(&self, mut job: Box<dyn Job>) {
        Metrics::count(&self.parts.metrics.transactions, 1);
        let mut outcome = Err(EngineError::Collision);
        for _ in 0..=RERUNS_MAX {
            outcome = self.attempt(&mut job);
            if outcome != Err(EngineError::Collision) {
                break;
            }
            Metrics::count(&self.parts.metrics.groups_rerun, 1);
        }
        job.finish(outcome);
    }

    fn attempt(&self, job: &mut Box<dyn Job>) -> Result<(), EngineError> {
        if self.parts.health.is_poisoned() {
            return Err(EngineError::Poisoned);
        }
        let mut connection = self.connection()?;
        connection.batch("BEGIN")?;
        let mut view = View { connection: &mut connection, parts: &self.parts, changes: Vec::new(), failure: None };
        let accepted = job.run(&mut view);
        let (changes, failure) = (view.changes, view.failure);
        match (accepted, failure) {
            (_, Some(error)) => {
                connection.batch("ROLLBACK")?;
                self.give_back(connection);
                return Err(error);
            }
            (false, None) => {
                connection.batch("ROLLBACK")?;
                Metrics::count(&self.parts.metrics.refused, 1);
            }
            (true, None) => {
                let start = std::time::Instant::now();
                connection.batch("COMMIT")?;
                let metrics = &self.parts.metrics;
                Metrics::count(&metrics.commits, 1);
                Metrics::time(&metrics.commit_microseconds, &metrics.commit_microseconds_max, start.elapsed());
                self.parts.feed.publish(&changes);
            }
        }
        self.give_back(connection);
        Ok(())
    }

    fn read(&self, job: ReadJob) {
        Metrics::count(&self.parts.metrics.reads, 1);
        let begun = self.connection().and_then(|mut connection| {
            connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            Ok(connection)
        });
        let mut connection = match begun {
            Ok(connection) => connection,
            Err(error) => return job(Err(error)),
        };
        job(Ok(&mut View { connection: &mut connection, parts: &self.parts, changes: Vec::new(), failure: None }));
        if connection.batch("ROLLBACK").is_ok() {
            self.give_back(connection);
        }
    }

    async fn blocking(self: Arc<Pool>, work: impl FnOnce(&Pool) + Send + 'static) {
        // A closed pool drops the work, whose caller then learns that the store is closing.
        let Ok(permit) = self.permits.clone().acquire_owned().await else { return };
        let _ = tokio::task::spawn_blocking(move || {
            work(&self);
            drop(permit);
        })
        .await;
    }
}

impl Engine for Postgres {
    fn submit(&self, job: Box<dyn Job>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.clone().blocking(move |pool| pool.write(job)))
    }

    fn read(&self, job: ReadJob) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.clone().blocking(move |pool| pool.read(job)))
    }

    fn copy_to(&self, _folder: &Path) -> Result<(), StoreError> {
        Err(EngineError::Other("copy the database with PostgreSQL's own tools (pg_basebackup)".into()).into())
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        // PostgreSQL checks its pages when they are read (initdb --data-checksums), and pg_amcheck its indexes.
        Ok(Vec::new())
    }

    fn close(&self) {
        self.0.permits.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Pool {
    /// Saying goodbye blocks, which the thread that drops the store may not.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        if !idle.is_empty() {
            std::thread::spawn(move || drop(idle));
        }
    }
}

impl Connection {
    fn batch(&mut self, sql: &str) -> Result<(), EngineError> {
        self.client.batch_execute(sql).map_err(|error| engine_error(&error))
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl View<'_> {
    fn failed(&mut self, error: &postgres::Error) -> EngineError {
        let error = engine_error(error);
        self.failure.get_or_insert_with(|| error.clone());
        error
    }
}

impl Snapshot for View<'_> {
    fn query(&mut self, sql: &str, parameters: &[Value<'_>], on_row: OnRow<'_>) -> Result<(), StoreError> {
        let statement = self.connection.prepared(sql).map_err(|error| self.failed(&error))?;
        let result = (|| -> Result<Result<(), StoreError>, postgres::Error> {
            let bound = parameters.iter().map(|value| Bound(*value));
            let mut rows = self.connection.client.query_raw(&statement, bound)?;
            while let Some(row) = rows.next()? {
                match on_row(&Columns(&row)) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break,
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(()))
        })();
        result.unwrap_or_else(|error| Err(self.failed(&error).into()))
    }

    fn blobs(&self) -> &Blobs {
        &self.parts.blobs
    }
}

impl Transaction for View<'_> {
    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<u64, EngineError> {
        let result = self.connection.prepared(sql).and_then(|statement| {
            let bound: Vec<Bound<'_>> = parameters.iter().map(|value| Bound(*value)).collect();
            let references: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| value as _).collect();
            self.connection.client.execute(&statement, &references)
        });
        result.map_err(|error| self.failed(&error))
    }

    fn notify(&mut self, change: Change) {
        self.changes.push(change);
    }

    fn accepting(&self) -> Result<(), EngineError> {
        self.parts.health.check_space(&self.parts.blobs)
    }
}

#[derive(Debug)]
struct Bound<'a>(Value<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(number) if *ty == Type::INT4 => i32::try_from(number)?.to_sql(ty, out),
            Value::Integer(number) => number.to_sql(ty, out),
            // TEXT of PostgreSQL holds no NUL.
            Value::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Octets(octets) => octets.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

struct Columns<'r>(&'r postgres::Row);

/// A column as it came.
enum Raw<'a> {
    Null,
    Octets(&'a [u8]),
}

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw::Octets(raw))
    }

    fn from_sql_null(_: &Type) -> Result<Raw<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Columns<'_> {
    fn raw(&self, column: usize, types: &[Type]) -> Result<Option<&[u8]>, StoreError> {
        let wrong = || StoreError::Damaged(format!("column {column} holds another type"));
        let raw: Raw<'_> = self.0.try_get(column).map_err(|_| wrong())?;
        match raw {
            Raw::Null => Ok(None),
            Raw::Octets(octets) => {
                let ty = self.0.columns().get(column).map(postgres::Column::type_);
                ty.filter(|ty| types.contains(ty)).map(|_| Some(octets)).ok_or_else(wrong)
            }
        }
    }
}

impl Row for Columns<'_> {
    fn integer(&self, column: usize) -> Result<i64, StoreError> {
        self.integer_or_null(column)?.ok_or_else(|| StoreError::Damaged(format!("column {column} is NULL")))
    }

    fn integer_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
        let Some(octets) = self.raw(column, &[Type::INT8, Type::INT4])? else { return Ok(None) };
        let number = match (<[u8; 8]>::try_from(octets), <[u8; 4]>::try_from(octets)) {
            (Ok(wide), _) => i64::from_be_bytes(wide),
            (_, Ok(narrow)) => i64::from(i32::from_be_bytes(narrow)),
            _ => return Err(StoreError::Damaged(format!("column {column}"))),
        };
        Ok(Some(number))
    }

    fn text(&self, column: usize) -> Result<&str, StoreError> {
        let octets = self.raw(column, &[Type::TEXT])?.unwrap_or_default();
        std::str::from_utf8(octets).map_err(|_| StoreError::Damaged("text".into()))
    }

    fn octets(&self, column: usize) -> Result<&[u8], StoreError> {
        Ok(self.raw(column, &[Type::BYTEA])?.unwrap_or_default())
    }
}

/// What PostgreSQL's states mean to us.
fn engine_error(error: &postgres::Error) -> EngineError {
    let text = || match error.as_db_error() {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    };
    match error.code() {
        Some(state) if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(state) => {
            EngineError::Collision
        }
        Some(state) if *state == SqlState::DISK_FULL => EngineError::Full,
        Some(state) if state.code().starts_with("23") => EngineError::Constraint(text()),
        Some(state) if state.code().starts_with("58") || state.code().starts_with("XX") => EngineError::Disk(text()),
        Some(_) => EngineError::Other(text()),
        None => EngineError::Disk(text()),
    }
}
