//! The tables, as numbered migrations.
//!
//! `PRAGMA user_version` holds the number of migrations a file has seen, `PRAGMA application_id`
//! marks it as ours.

use rusqlite::{Connection, TransactionBehavior};
use sendpath_protocol::error::StoreError;

use crate::sqlite::store_error;

/// Migration `n` (from 1) takes a file from version `n - 1` to `n`. Entries never change once
/// released; append.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE kv (
        scope TEXT NOT NULL,
        ns INTEGER NOT NULL,
        id BLOB NOT NULL,
        row BLOB NOT NULL,
        PRIMARY KEY (scope, ns, id)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE fence (
        scope TEXT NOT NULL PRIMARY KEY,
        generation INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
"];

/// `SPth` in ASCII.
pub(crate) const APPLICATION_ID: u32 = 0x5350_7468;

/// Fails unless the file is empty or ours, and not newer than this build. Writes nothing.
pub(crate) fn check(connection: &Connection) -> Result<(), StoreError> {
    seen(connection).map(drop)
}

/// Brings the file to the newest version.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    if seen(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(store_error)?;
    // Another process may have migrated while we waited for the lock.
    let seen = version(&tx)?;
    for migration in &MIGRATIONS[seen..] {
        tx.execute_batch(migration).map_err(store_error)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)
        .and_then(|()| tx.pragma_update(None, "user_version", newest()))
        .and_then(|()| tx.commit())
        .map_err(store_error)
}

fn newest() -> u32 {
    MIGRATIONS.len().try_into().unwrap_or(u32::MAX)
}

/// [`version`], read at one instant: another process may be migrating the file.
fn seen(connection: &Connection) -> Result<usize, StoreError> {
    let tx = connection.unchecked_transaction().map_err(store_error)?;
    version(&tx)
}

/// Migrations the file has seen; 0 for an empty file. To be read in a transaction.
fn version(connection: &Connection) -> Result<usize, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(store_error)?;
    let found = number("user_version").map_err(store_error)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(store_error)?;
    if (application, found, tables) == (0, 0, 0) {
        return Ok(0);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(StoreError::Corrupt("a database of another program".into()));
    }
    match usize::try_from(found) {
        Ok(found) if (1..=MIGRATIONS.len()).contains(&found) => Ok(found),
        Ok(found) if found > MIGRATIONS.len() => Err(StoreError::Schema {
            found: found.try_into().unwrap_or(u32::MAX),
            supported: newest(),
        }),
        _ => Err(StoreError::Corrupt("the schema number is damaged".into())),
    }
}
