//! PostgreSQL: the same closures on blocking connections.
