//! The tables, as numbered migrations in a schema of their own.

use sendpath_protocol::error::StoreError;
use tokio_postgres::{Client, Error};

use super::link::{Failed, Link};

/// Migration `n` (from 1) takes the schema from version `n - 1` to `n`. Entries never change once
/// released; append. Texts compare as bytes, so that no collation of the system is in an index.
const MIGRATIONS: &[&str] = &[r#"
    CREATE TABLE sendpath.kv (
        scope text COLLATE "C" NOT NULL,
        ns smallint NOT NULL,
        id bytea NOT NULL,
        row bytea NOT NULL,
        PRIMARY KEY (scope, ns, id)
    );
    CREATE TABLE sendpath.fence (
        scope text COLLATE "C" NOT NULL PRIMARY KEY,
        generation bigint NOT NULL,
        turn bigint NOT NULL
    );
"#];

/// `SPth` in ASCII: who migrates one database waits for this lock.
const LOCK: u32 = 0x5350_7468;

/// A role that may not create a schema can be given an empty one.
const CREATE: &str = "
    DO $$ BEGIN
        IF to_regnamespace('sendpath') IS NULL THEN
            CREATE SCHEMA sendpath;
        END IF;
    END $$;
    CREATE TABLE sendpath.migrations (
        number integer PRIMARY KEY,
        applied timestamptz NOT NULL DEFAULT now()
    );
";

/// What the database holds.
enum Found {
    Foreign,
    Nothing,
    Version(usize),
}

/// Brings the schema to the newest version. One that is there needs no right to change it.
pub(super) fn migrate(link: &mut Link, lock_timeout: &str) -> Result<(), StoreError> {
    let seen = link.run(found).map_err(Failed::into_error)?;
    if check(seen)? == MIGRATIONS.len() {
        return Ok(());
    }
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        SET LOCAL lock_timeout = '{lock_timeout}';
        SELECT pg_advisory_xact_lock({LOCK})"
    );
    // A failure closes the handle, and with its connection the transaction.
    let locked = link.run(async |client| {
        client.batch_execute(&begin).await?;
        // Another process may have migrated while we waited for the lock.
        found(client).await
    });
    let seen = check(locked.map_err(Failed::into_error)?)?;
    let mut steps = String::new();
    if seen == 0 {
        steps += CREATE;
    }
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(seen) {
        steps += migration;
        steps += &format!("INSERT INTO sendpath.migrations (number) VALUES ({number} + 1);");
    }
    steps += "COMMIT";
    link.run(async |client| client.batch_execute(&steps).await)
        .map_err(Failed::into_error)
}

async fn found(client: &Client) -> Result<Found, Error> {
    let tables = client
        .query_typed_one(
            "SELECT to_regclass('sendpath.migrations') IS NOT NULL,
                EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('sendpath'))",
            &[],
        )
        .await?;
    match (tables.try_get(0)?, tables.try_get(1)?) {
        (true, _) => {}
        (false, true) => return Ok(Found::Foreign),
        (false, false) => return Ok(Found::Nothing),
    }
    let newest = client
        .query_typed_one("SELECT max(number) FROM sendpath.migrations", &[])
        .await?;
    let newest: Option<i32> = newest.try_get(0)?;
    let number = newest.and_then(|number| usize::try_from(number).ok());
    Ok(number
        .filter(|number| *number > 0)
        .map_or(Found::Foreign, Found::Version))
}

/// The version, 0 for an empty database.
fn check(found: Found) -> Result<usize, StoreError> {
    match found {
        Found::Foreign => Err(StoreError::Corrupt(
            "the schema `sendpath` is another program's".into(),
        )),
        Found::Nothing => Ok(0),
        Found::Version(number) if number > MIGRATIONS.len() => Err(StoreError::Schema {
            found: number.try_into().unwrap_or(u32::MAX),
            supported: MIGRATIONS.len().try_into().unwrap_or(u32::MAX),
        }),
        Found::Version(number) => Ok(number),
    }
}
