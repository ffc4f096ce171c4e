//! One PostgreSQL database for all accounts of a process, or of many.
//!
//! ```text
//! sendpath.kv(scope, ns, id) -> row       sendpath.fence(scope) -> generation, turn
//! commit: one statement: is each fence the newest? then every write, else none
//! ```
//! One connection carries all accounts of a handle. Every call is one unnamed statement in a
//! transaction of its own, and nothing is set, locked, prepared or listened to beyond it, so a
//! pooler may hand each one to another server connection. A process that vanishes leaves no open
//! transaction behind.
//!
//! A connection that broke is replaced and the call repeated once. What a commit did whose answer
//! was lost is decided before anything else is read or written; `claims` tells how.

mod address;
mod claims;
mod link;
mod schema;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use std::{fmt, panic};

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};
use tokio::runtime::Handle;
use tokio_postgres::types::{ToSql, Type};

use crate::OpenError;
use crate::range::behind_prefix;
use claims::Claims;
use link::{Failed, Link};

/// A writing statement. What it may wait for and what its commit survives is set for its own
/// transaction only; `settings` is read in front of everything that locks.
macro_rules! writing {
    ($sql:literal) => {
        concat!(
            "WITH settings AS MATERIALIZED (SELECT
                set_config('lock_timeout', $1, true),
                set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
            )",
            $sql
        )
    };
}

const GET: &str = "SELECT row FROM sendpath.kv WHERE scope = $1 AND ns = $2 AND id = $3";

const GET_MANY: &str = "
    SELECT asked.place, kv.row
    FROM unnest($1, $2, $3) WITH ORDINALITY AS asked(scope, ns, id, place)
    JOIN sendpath.kv ON kv.scope = asked.scope AND kv.ns = asked.ns AND kv.id = asked.id";

const SCAN: &str = "
    SELECT id, row FROM sendpath.kv
    WHERE scope = $1 AND ns = $2 AND id >= $3 AND ($4 IS NULL OR id < $4)
    ORDER BY id LIMIT $5";

const ACQUIRE: &str = writing!(
    "INSERT INTO sendpath.fence AS f (scope, generation, turn) SELECT $2, 1, 0 FROM settings
    ON CONFLICT (scope) DO UPDATE SET generation = f.generation + 1, turn = 0
    RETURNING f.generation"
);

const TURN: &str = writing!(
    "UPDATE sendpath.fence AS f SET turn = mine.turn
    FROM settings, unnest($2, $3, $4) AS mine(scope, generation, turn)
    WHERE f.scope = mine.scope AND f.generation = mine.generation AND f.turn < mine.turn"
);

const COMMIT: &str = writing!(
    ", held AS (
        SELECT f.scope
        FROM settings, sendpath.fence AS f, unnest($2, $3, $4) AS mine(scope, generation, turn)
        WHERE f.scope = mine.scope AND f.generation = mine.generation AND f.turn = mine.turn
        FOR SHARE OF f
    ), verdict AS MATERIALIZED (
        SELECT (SELECT count(*) FROM held) = cardinality($2) AS ours
    ), put AS (
        INSERT INTO sendpath.kv (scope, ns, id, row)
        SELECT scope, ns, id, row FROM unnest($5, $6, $7, $8) AS new(scope, ns, id, row)
        WHERE (SELECT ours FROM verdict)
        ON CONFLICT (scope, ns, id) DO UPDATE SET row = EXCLUDED.row
    ), removed AS (
        DELETE FROM sendpath.kv USING unnest($9, $10, $11) AS old(scope, ns, id)
        WHERE kv.scope = old.scope AND kv.ns = old.ns AND kv.id = old.id
        AND (SELECT ours FROM verdict)
    )
    SELECT ours FROM verdict"
);

/// A store in a PostgreSQL database. May be used inside an asynchronous runtime as well; calls
/// block.
pub struct PostgresStore(Mutex<Inner>);

struct Inner {
    link: Link,
    claims: Claims,
    lock_timeout: String,
}

/// How to open it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// How long a write waits for a lock of somebody else; then it fails as [`StoreError::Busy`].
    pub lock_timeout: Duration,
    /// How long one call waits for the server's answer. Longer lets a server that hangs stop every
    /// account for that time; shorter gives up a commit that a slow disk would still have done.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}

impl PostgresStore {
    /// Connects to the database that `uri` names and migrates it.
    ///
    /// ```text
    /// postgres://user:password@host:5432/database?sslmode=verify-full
    /// postgres:///database?host=/var/run/postgresql&user=sendpath       a Unix socket
    /// ```
    /// Names and values as libpq has them, `%`-encoded: `sslmode` (`disable`, `prefer`, `require`,
    /// `verify-ca`, `verify-full`), `sslrootcert` (a PEM file; without one the public roots),
    /// `connect_timeout` (5 seconds for each host), `target_session_attrs`, `channel_binding`,
    /// `application_name`, `keepalives` and others. No password file or environment is read.
    ///
    /// # Errors
    /// [`OpenError::PostgresUri`]; [`StoreError::Io`] with the server's words,
    /// [`StoreError::Schema`] for a newer schema, [`StoreError::Corrupt`] for another program's.
    pub fn open(uri: &str, options: Options) -> Result<Self, OpenError> {
        let address = address::parse(uri)?;
        let mut inner = Inner {
            link: Link::new(address, options.timeout)?,
            claims: Claims::default(),
            lock_timeout: format!("{}ms", options.lock_timeout.as_millis().max(1)),
        };
        let Inner {
            link, lock_timeout, ..
        } = &mut inner;
        blocking(|| schema::migrate(link, lock_timeout))?;
        Ok(Self(Mutex::new(inner)))
    }

    /// Runs `work` on a connection, once more if the connection broke.
    fn call<T: Send>(
        &self,
        work: impl Fn(&mut Inner) -> Result<T, Failed> + Sync,
    ) -> Result<T, StoreError> {
        blocking(|| {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut done = inner.settle().and_then(|()| work(&mut inner));
            if let Err(Failed::Cut(_)) = done {
                done = inner.settle().and_then(|()| work(&mut inner));
            }
            done.map_err(Failed::into_error)
        })
    }
}

impl Reader for PostgresStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let (scope, ns, id) = (key.scope.as_str(), number(key.ns), &*key.id);
        let rows = self.call(|inner| {
            let parameters: Parameters<'_> =
                &[(&scope, Type::TEXT), (&ns, Type::INT2), (&id, Type::BYTEA)];
            inner.link.rows(GET, parameters, |row| row.try_get(0))
        })?;
        Ok(rows.into_iter().next())
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Keys<'_> = keys.iter().collect();
        let found = self.call(|inner| {
            let Keys { scopes, ns, ids } = &asked;
            let parameters: Parameters<'_> = &[
                (scopes, Type::TEXT_ARRAY),
                (ns, Type::INT2_ARRAY),
                (ids, Type::BYTEA_ARRAY),
            ];
            inner.link.rows(GET_MANY, parameters, |row| {
                Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, Vec<u8>>(1)?))
            })
        })?;
        let mut rows = vec![None; keys.len()];
        for (place, row) in found {
            let place = usize::try_from(place - 1).ok();
            if let Some(slot) = place.and_then(|place| rows.get_mut(place)) {
                *slot = Some(row);
            }
        }
        Ok(rows)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let from = match after {
            // The next id in bytewise order.
            Some(after) if after >= prefix => [after, b"\0"].concat(),
            _ => prefix.to_vec(),
        };
        let (scope, ns) = (scope.as_str(), number(ns));
        let end = behind_prefix(prefix);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.call(|inner| {
            let parameters: Parameters<'_> = &[
                (&scope, Type::TEXT),
                (&ns, Type::INT2),
                (&from, Type::BYTEA),
                (&end, Type::BYTEA),
                (&limit, Type::INT8),
            ];
            inner.link.rows(SCAN, parameters, |row| {
                let id: Vec<u8> = row.try_get(0)?;
                Ok((id.into_boxed_slice(), row.try_get(1)?))
            })
        })
    }
}

impl Store for PostgresStore {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        let generation = self.call(|inner| {
            let text = scope.as_str();
            let parameters: Parameters<'_> =
                &[(&inner.lock_timeout, Type::TEXT), (&text, Type::TEXT)];
            let generation = inner
                .link
                .rows(ACQUIRE, parameters, |row| row.try_get::<_, i64>(0))?;
            inner.claims.acquired(scope);
            Ok(generation.first().copied().unwrap_or_default())
        })?;
        Ok(Fence {
            scope: scope.clone(),
            generation: generation.unsigned_abs(),
        })
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut fences = BTreeMap::new();
        for (_, fence) in changes {
            // A number that the column cannot hold was never given out.
            let generation = i64::try_from(fence.generation).map_err(|_| StoreError::Fenced)?;
            if *fences.entry(&fence.scope).or_insert(generation) != generation {
                return Err(StoreError::Fenced);
            }
        }
        let mut merged = BTreeMap::new();
        for (changes, _) in changes {
            merged.extend(changes.iter());
        }
        let writes = Writes::new(&merged);
        match self.call(|inner| inner.commit(&fences, &writes))? {
            true => Ok(()),
            false => Err(StoreError::Fenced),
        }
    }
}

impl Inner {
    /// Whether the fences were the newest, and so everything is written.
    fn commit(
        &mut self,
        fences: &BTreeMap<&Scope, i64>,
        writes: &Writes<'_>,
    ) -> Result<bool, Failed> {
        let held = self.claims.held(fences);
        let Writes { put, rows, removed } = writes;
        let parameters: Parameters<'_> = &[
            (&self.lock_timeout, Type::TEXT),
            (&held.scopes, Type::TEXT_ARRAY),
            (&held.generations, Type::INT8_ARRAY),
            (&held.turns, Type::INT8_ARRAY),
            (&put.scopes, Type::TEXT_ARRAY),
            (&put.ns, Type::INT2_ARRAY),
            (&put.ids, Type::BYTEA_ARRAY),
            (rows, Type::BYTEA_ARRAY),
            (&removed.scopes, Type::TEXT_ARRAY),
            (&removed.ns, Type::INT2_ARRAY),
            (&removed.ids, Type::BYTEA_ARRAY),
        ];
        let verdict = self.link.rows(COMMIT, parameters, |row| row.try_get(0));
        if let Err(Failed::Cut(_) | Failed::Silent(_)) = verdict {
            self.claims.doubt(fences);
        }
        Ok(verdict?.first().copied().unwrap_or(false))
    }

    /// Decides commits whose answer was lost.
    fn settle(&mut self) -> Result<(), Failed> {
        if self.claims.are_certain() {
            return Ok(());
        }
        let held = self.claims.next_turns();
        let parameters: Parameters<'_> = &[
            (&self.lock_timeout, Type::TEXT),
            (&held.scopes, Type::TEXT_ARRAY),
            (&held.generations, Type::INT8_ARRAY),
            (&held.turns, Type::INT8_ARRAY),
        ];
        self.link.rows(TURN, parameters, |_| Ok(()))?;
        self.claims.settled();
        Ok(())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// Keys as columns.
#[derive(Default)]
struct Keys<'a> {
    scopes: Vec<&'a str>,
    ns: Vec<i16>,
    ids: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    fn push(&mut self, key: &'a Key) {
        self.scopes.push(key.scope.as_str());
        self.ns.push(number(key.ns));
        self.ids.push(&key.id);
    }
}

impl<'a> FromIterator<&'a Key> for Keys<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Key>>(keys: I) -> Self {
        let mut columns = Self::default();
        keys.into_iter().for_each(|key| columns.push(key));
        columns
    }
}

/// A commit as columns, in the order of keys: two commits that meet lock rows in the same order.
#[derive(Default)]
struct Writes<'a> {
    put: Keys<'a>,
    rows: Vec<&'a [u8]>,
    removed: Keys<'a>,
}

impl<'a> Writes<'a> {
    fn new(changes: &BTreeMap<&'a Key, Option<&'a [u8]>>) -> Self {
        let mut writes = Self::default();
        for (key, row) in changes {
            match row {
                Some(row) => {
                    writes.put.push(key);
                    writes.rows.push(row);
                }
                None => writes.removed.push(key),
            }
        }
        writes
    }
}

fn number(ns: Namespace) -> i16 {
    i16::from(ns.number())
}

/// Runs `work` where it may block: an asynchronous runtime forbids that on its own threads.
fn blocking<T: Send>(work: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
    if Handle::try_current().is_err() {
        return work();
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work);
        let thread = thread.map_err(|error| StoreError::Io(error.to_string()))?;
        thread
            .join()
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}
