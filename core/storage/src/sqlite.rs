//! One SQLite file for all accounts of a process.
//!
//! ```text
//! kv(scope, ns, id) -> row       fence(scope) -> generation
//! commit: BEGIN IMMEDIATE; each fence is the newest?; every write; COMMIT
//! ```
//! Write-ahead log; with [`Durability::Power`] every commit is flushed to the disk before it
//! returns, which is what the ratchets need: a state that is forgotten after its message has left
//! would encrypt a second message with the same key. Group commit pays for the flush.
//!
//! Several processes may open one file: SQLite's lock orders their commits, and the fence of each
//! account decides who may write it. So a new process takes over from one that hangs without
//! waiting for it, and the old one gets [`StoreError::Fenced`]. A lock held longer than
//! [`Options::busy_timeout`] is [`StoreError::Busy`].

use std::fs::OpenOptions;
use std::io;
use std::iter::once;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Statement, Transaction, params,
};
use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};

use crate::range::behind_prefix;
use crate::schema;

const GET: &str = "SELECT row FROM kv WHERE scope = ?1 AND ns = ?2 AND id = ?3";

/// Every row of one scope and kind from an id on.
const FROM: &str = "SELECT id, row FROM kv WHERE scope = ?1 AND ns = ?2 AND id >= ?3 ORDER BY id";

/// Rows that one statement writes, if so many of one scope and kind lie together. Most of the cost
/// of a small row is that of its statement.
const TOGETHER: usize = 64;

const PUT: &str = "INSERT OR REPLACE INTO kv (scope, ns, id, row) VALUES (?1, ?2, ?3, ?4)";

/// [`PUT`] for [`TOGETHER`] rows.
static PUT_TOGETHER: LazyLock<String> = LazyLock::new(|| {
    let more = (1..TOGETHER).map(|row| format!(", (?1, ?2, ?{}, ?{})", 2 * row + 3, 2 * row + 4));
    once(PUT.to_owned()).chain(more).collect()
});

/// A scan with another condition on the id; literal so that SQLite uses the primary key for it.
macro_rules! scan_sql {
    ($ids:literal) => {
        concat!(
            "SELECT id, row FROM kv WHERE scope = ?1 AND ns = ?2 AND ",
            $ids,
            " ORDER BY id LIMIT ?5"
        )
    };
}

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
}

/// How to open it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// What a commit survives.
    pub durability: Durability,
    /// How long to wait for the lock of another process. Longer hides a process that hangs, shorter
    /// fails while a neighbour commits.
    pub busy_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Durability {
    /// Power loss (`synchronous=FULL`): one disk flush for each commit.
    #[default]
    Power,
    /// The end of the process, however abrupt, but not power loss (`synchronous=NORMAL`). After a
    /// power loss the last messages may not decrypt at their recipients.
    Process,
}

impl SqliteStore {
    /// Opens the file, creates it readable for its owner only, and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a damaged file or another program's, [`StoreError::Schema`] for
    /// a newer one, [`StoreError::ReadOnly`], [`StoreError::Busy`], [`StoreError::Io`].
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        create(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(store_error)?;
        connection
            .busy_timeout(options.busy_timeout)
            .map_err(store_error)?;
        schema::check(&connection)?;
        write_ahead(&connection, options.busy_timeout)?;
        configure(&connection, options.durability).map_err(store_error)?;
        schema::migrate(&mut connection)?;
        Ok(Self { connection })
    }
}

impl Reader for SqliteStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.connection
            .prepare_cached(GET)
            .and_then(|mut statement| one(&mut statement, key))
            .map_err(store_error)
    }

    /// In one read transaction, so that the lock is taken once.
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let read = || {
            let tx = self.connection.unchecked_transaction()?;
            let mut from = tx.prepare_cached(FROM)?;
            walk(&mut from, keys)
        };
        read().map_err(store_error)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let (from, exclusive) = match after {
            Some(after) if after >= prefix => (after, true),
            _ => (prefix, false),
        };
        let end = behind_prefix(prefix);
        let sql = match (exclusive, end.is_some()) {
            (false, false) => scan_sql!("id >= ?3 AND ?4 IS NULL"),
            (false, true) => scan_sql!("id >= ?3 AND id < ?4"),
            (true, false) => scan_sql!("id > ?3 AND ?4 IS NULL"),
            (true, true) => scan_sql!("id > ?3 AND id < ?4"),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let pair = |row: &rusqlite::Row<'_>| {
            let id: Vec<u8> = row.get(0)?;
            Ok((id.into_boxed_slice(), row.get(1)?))
        };
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        let rows =
            statement.query_map(params![scope.as_str(), ns.number(), from, end, limit], pair);
        rows.and_then(Iterator::collect).map_err(store_error)
    }
}

impl Store for SqliteStore {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        let generation: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO fence (scope, generation) VALUES (?1, 1)
                 ON CONFLICT DO UPDATE SET generation = generation + 1 RETURNING generation",
            )
            .and_then(|mut statement| statement.query_row([scope.as_str()], |row| row.get(0)))
            .map_err(store_error)?;
        Ok(Fence {
            scope: scope.clone(),
            generation: generation.unsigned_abs(),
        })
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let tx = Transaction::new(
            &mut self.connection,
            rusqlite::TransactionBehavior::Immediate,
        )
        .map_err(store_error)?;
        for (_, fence) in changes {
            check_fence(&tx, fence)?;
        }
        for (changes, _) in changes {
            write(&tx, changes).map_err(store_error)?;
        }
        tx.commit().map_err(store_error)
    }
}

fn one(statement: &mut Statement<'_>, key: &Key) -> rusqlite::Result<Option<Vec<u8>>> {
    let key = params![key.scope.as_str(), key.ns.number(), &*key.id];
    statement.query_row(key, |row| row.get(0)).optional()
}

fn check_fence(tx: &Transaction<'_>, fence: &Fence) -> Result<(), StoreError> {
    let newest: Option<i64> = tx
        .prepare_cached("SELECT generation FROM fence WHERE scope = ?1")
        .and_then(|mut statement| {
            let scope = [fence.scope.as_str()];
            statement.query_row(scope, |row| row.get(0)).optional()
        })
        .map_err(store_error)?;
    match newest {
        Some(newest) if newest.unsigned_abs() == fence.generation => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

/// Reads keys in the order of the table. The row found at or behind a key tells of all keys before
/// it that they are absent, so the many that a first history asks for cost one seek.
fn walk(from: &mut Statement<'_>, keys: &[Key]) -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
    let mut order: Vec<(&Key, usize)> = keys.iter().zip(0..).collect();
    order.sort_unstable();
    let mut found = vec![None; keys.len()];
    let together = |(one, _): &(&Key, usize), (other, _): &(&Key, usize)| {
        one.ns == other.ns && one.scope == other.scope
    };
    for wanted in order.chunk_by(together) {
        let mut wanted = wanted.iter().peekable();
        if let Some((first, _)) = wanted.peek() {
            from.raw_bind_parameter(1, first.scope.as_str())?;
            from.raw_bind_parameter(2, first.ns.number())?;
        }
        while let Some((first, _)) = wanted.peek() {
            from.raw_bind_parameter(3, &*first.id)?;
            let mut rows = from.raw_query();
            loop {
                let Some(row) = rows.next()? else {
                    // Nothing from here on.
                    wanted.by_ref().for_each(drop);
                    break;
                };
                let id = row.get_ref(0)?.as_blob()?;
                let left = wanted.len();
                while wanted.next_if(|(key, _)| *key.id < *id).is_some() {}
                while let Some((_, place)) = wanted.next_if(|(key, _)| *key.id == *id) {
                    found[*place] = Some(row.get(1)?);
                }
                if wanted.len() == left || wanted.len() == 0 {
                    // A seek is cheaper than rows that nobody wants.
                    break;
                }
            }
        }
    }
    Ok(found)
}

fn write(tx: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let mut delete =
        tx.prepare_cached("DELETE FROM kv WHERE scope = ?1 AND ns = ?2 AND id = ?3")?;
    let mut together: Vec<(&Key, &[u8])> = Vec::new();
    for (key, row) in changes.iter() {
        let Some(row) = row else {
            delete.execute(params![key.scope.as_str(), key.ns.number(), &*key.id])?;
            continue;
        };
        let other = |(last, _): &(&Key, _)| last.ns != key.ns || last.scope != key.scope;
        if together.len() == TOGETHER || together.last().is_some_and(other) {
            put(tx, &together)?;
            together.clear();
        }
        together.push((key, row));
    }
    put(tx, &together)
}

/// Writes rows of one scope and kind.
fn put(tx: &Transaction<'_>, rows: &[(&Key, &[u8])]) -> rusqlite::Result<()> {
    let Some((first, _)) = rows.first() else {
        return Ok(());
    };
    let (step, sql) = match rows.len() {
        TOGETHER => (TOGETHER, &**PUT_TOGETHER),
        _ => (1, PUT),
    };
    let mut insert = tx.prepare_cached(sql)?;
    insert.raw_bind_parameter(1, first.scope.as_str())?;
    insert.raw_bind_parameter(2, first.ns.number())?;
    for rows in rows.chunks(step) {
        for ((key, row), place) in rows.iter().zip((3..).step_by(2)) {
            insert.raw_bind_parameter(place, &*key.id)?;
            insert.raw_bind_parameter(place + 1, row)?;
        }
        insert.raw_execute()?;
    }
    Ok(())
}

/// Creates the file for its owner only, before SQLite would with the process's umask. The log
/// files take the mode over from it.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            PermissionDenied | ReadOnlyFilesystem => StoreError::ReadOnly,
            StorageFull => StoreError::Full,
            _ => StoreError::Io(error.to_string()),
        }
    })
}

/// Switches to the write-ahead log. SQLite does not wait for the locks that this needs when two do it
/// at the same time, because each would wait for the other; so it is tried again here.
#[expect(
    clippy::disallowed_methods,
    reason = "as SQLite itself waits for a lock"
)]
fn write_ahead(connection: &Connection, patience: Duration) -> Result<(), StoreError> {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        let switched = connection.pragma_update(None, "journal_mode", "WAL");
        match switched.map_err(store_error) {
            Err(StoreError::Busy) if waited < patience => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            end => return end,
        }
    }
}

fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    // 16 MiB: a commit as large as a part of the history must not carry the checkpoint as well.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    let synchronous = match durability {
        Durability::Power => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // macOS: an ordinary flush stops at the drive's cache.
    connection.pragma_update(None, "fullfsync", durability == Durability::Power)?;
    // Used-up message keys must not linger in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "trusted_schema", false)
}

pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Corrupt(error.to_string());
    };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            StoreError::Corrupt(error.to_string())
        }
        ErrorCode::DiskFull => StoreError::Full,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly,
        _ => StoreError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_is_flushed_unless_asked_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let synchronous = |options| {
            let store = SqliteStore::open(&folder.path().join("s.db"), options).unwrap();
            let number = |pragma| {
                let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                store.connection.pragma_query_value(None, pragma, read)
            };
            (number("synchronous").unwrap(), number("fullfsync").unwrap())
        };
        assert_eq!(synchronous(Options::default()), (2, 1));
        let weaker = Options {
            durability: Durability::Process,
            ..Options::default()
        };
        assert_eq!(synchronous(weaker), (1, 0));
    }

    #[test]
    fn writing_what_cannot_be_written_is_read_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        drop(SqliteStore::open(&path, Options::default()).unwrap());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&path, flags).unwrap();
        let mut store = SqliteStore { connection };
        assert_eq!(store.acquire(&Scope::slot("a")), Err(StoreError::ReadOnly));
    }

    #[test]
    fn scans_use_the_primary_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let store = SqliteStore::open(&path, Options::default()).unwrap();
        let plan: String = store
            .connection
            .query_row(
                concat!("EXPLAIN QUERY PLAN ", scan_sql!("id > ?3 AND id < ?4")),
                params!["s", 1, b"a", b"b", 9],
                |row| row.get("detail"),
            )
            .unwrap();
        assert_eq!(
            plan,
            "SEARCH kv USING PRIMARY KEY (scope=? AND ns=? AND id>? AND id<?)"
        );
    }
}
