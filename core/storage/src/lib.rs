//! Stores for sendpath.
//!
//! [`open`] takes a URI and gives a [`Store`]; [`sqlite`] is the default backend, the feature
//! `postgres` adds one for PostgreSQL. A host with a store of its own implements [`Store`] itself
//! and runs `sendpath_protocol::txn::conformance`.
#![forbid(unsafe_code)]

#[cfg(feature = "postgres")]
pub mod postgres;
mod range;
mod schema;
pub mod sqlite;

use sendpath_protocol::txn::{MemoryStore, Store};

use sqlite::{Durability, Options, SqliteStore};

pub use sendpath_protocol::error::StoreError;

/// Opens the store that `uri` names:
///
/// ```text
/// memory:                                  rows are lost when the store is dropped
/// sqlite:///path, or a path                one SQLite file, created with mode 0600
/// sqlite:///path?durability=process        ..that may lose its last commits at power loss
/// postgres://user@host/database?..         a PostgreSQL database; also `postgresql://`
/// ```
/// A plain path is taken as it is; `%` has no meaning in it or in `sqlite://`.
///
/// # Errors
/// [`OpenError::Uri`] for another scheme or option, [`OpenError::WithoutPostgres`], else what the
/// backend says.
pub fn open(uri: &str) -> Result<Box<dyn Store + Send>, OpenError> {
    if uri == "memory:" {
        return Ok(Box::new(MemoryStore::default()));
    }
    if uri.starts_with("postgres://") || uri.starts_with("postgresql://") {
        return open_postgres(uri);
    }
    let (path, durability) = match uri.strip_prefix("sqlite://") {
        Some(rest) => sqlite_parts(rest)?,
        None if uri.contains("://") || uri.is_empty() => return Err(OpenError::Uri),
        None => (uri, Durability::default()),
    };
    let options = Options {
        durability,
        ..Options::default()
    };
    Ok(Box::new(SqliteStore::open(path.as_ref(), options)?))
}

/// Why [`open`] failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address of a PostgreSQL database cannot be read. Nothing of it is quoted: it may hold a
    /// password.
    #[error(
        "not a PostgreSQL address: use `postgres://user:password@host/database?sslmode=..`, with \
         special characters as `%XX` and options as libpq names them"
    )]
    PostgresUri,
    /// The backend could not open it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The text names no store.
    #[error(
        "not a store: use a path, `sqlite:///path[?durability=process|power]`, \
         `postgres://user@host/database` or `memory:`"
    )]
    Uri,
    /// The text names a PostgreSQL database, which this build cannot use.
    #[error("built without PostgreSQL; build with the feature `postgres`")]
    WithoutPostgres,
}

#[cfg(feature = "postgres")]
fn open_postgres(uri: &str) -> Result<Box<dyn Store + Send>, OpenError> {
    let store = postgres::PostgresStore::open(uri, postgres::Options::default())?;
    Ok(Box::new(store))
}

#[cfg(not(feature = "postgres"))]
fn open_postgres(_: &str) -> Result<Box<dyn Store + Send>, OpenError> {
    Err(OpenError::WithoutPostgres)
}

fn sqlite_parts(rest: &str) -> Result<(&str, Durability), OpenError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let durability = match query {
        "" | "durability=power" => Durability::Power,
        "durability=process" => Durability::Process,
        _ => return Err(OpenError::Uri),
    };
    if !path.starts_with('/') || path.ends_with('/') {
        return Err(OpenError::Uri);
    }
    Ok((path, durability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_uri_opens_its_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b?.db");
        let path = path.to_str().unwrap();
        assert!(open("memory:").is_ok());
        assert!(open(path).is_ok(), "a plain path may hold a question mark");
        let file = format!("sqlite://{}/u.db", folder.path().display());
        assert!(open(&format!("{file}?durability=process")).is_ok());
        assert!(open(&file).is_ok());
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["a b?.db", "u.db"]);
    }

    #[test]
    fn an_unknown_scheme_or_option_is_no_store() {
        for uri in [
            "",
            "mysql://x/y",
            "sqlite://relative.db",
            "sqlite:///",
            "sqlite:///tmp/x?mode=ro",
        ] {
            assert_eq!(open(uri).err(), Some(OpenError::Uri), "{uri}");
        }
    }
    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_build_without_postgresql_says_so() {
        for uri in ["postgres://x/y", "postgresql://x/y"] {
            assert_eq!(open(uri).err(), Some(OpenError::WithoutPostgres), "{uri}");
        }
    }
}
