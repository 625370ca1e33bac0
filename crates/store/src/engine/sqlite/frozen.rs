//! A copy of the database that nobody writes to: what a backup holds.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::statement::View;
use super::{configure, engine_error};
use crate::blob::Blobs;
use crate::{Snapshot, StoreError};

/// The copy, open.
pub(crate) struct Frozen {
    connection: Mutex<Connection>,
    blobs: Blobs,
}

impl Frozen {
    pub(crate) fn open(path: &Path, blobs: Blobs) -> Result<Frozen, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| engine_error(&error))?;
        configure(&connection)?;
        Ok(Frozen { connection: Mutex::new(connection), blobs })
    }

    pub(crate) fn read<T>(
        &self,
        closure: impl FnOnce(&mut dyn Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        closure(&mut View { connection: &connection, blobs: &self.blobs, failure: None })
    }
}
