//! The SQLite backend: the conformance suite, typed failures, file modes, damaged logs.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Scope, Store};
use sendpath_storage::sqlite::{Durability, Options, SqliteStore};
use tempfile::TempDir;

mod conformance {
    use super::*;

    sendpath_protocol::store_conformance!({
        let folder = Folder::new();
        move || folder.open()
    });
}

#[test]
fn the_weaker_durability_passes_the_suite_too() {
    let folder = Folder::new();
    let mut options = Options::default();
    options.durability = Durability::Process;
    let open = || SqliteStore::open(&folder.file(), options);
    let result = sendpath_protocol::txn::conformance::run(&mut || Ok(Box::new(open()?)));
    assert_eq!(result, Ok(()));
}

#[cfg(unix)]
#[test]
fn every_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    put(&mut store, "a", &[1]);
    for file in ["s.db", "s.db-wal", "s.db-shm"] {
        let mode = std::fs::metadata(folder.0.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_lock_held_elsewhere_is_busy_and_passes() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    let fence = put(&mut store, "a", &[1]);
    let other = folder.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut changes = Changes::default();
    changes.put(key("a", 9), vec![]);
    assert_eq!(store.commit(&[(&changes, &fence)]), Err(StoreError::Busy));
    assert_eq!(store.acquire(&Scope::slot("b")), Err(StoreError::Busy));
    assert!(rows(&store, "a").is_ok(), "readers do not wait");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.commit(&[(&changes, &fence)]), Ok(()));
}

#[test]
fn an_exclusive_lock_while_opening_is_busy() {
    let folder = Folder::new();
    let other = folder.raw();
    other
        .execute_batch("CREATE TABLE t(x); BEGIN EXCLUSIVE")
        .unwrap();
    assert_eq!(folder.open().err(), Some(StoreError::Busy));
}

#[test]
fn many_openers_of_a_new_file_all_succeed() {
    let folder = Folder::new();
    let file = folder.file();
    std::thread::scope(|scope| {
        let opens: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| SqliteStore::open(&file, Options::default()).map(drop)))
            .collect();
        for open in opens {
            assert_eq!(open.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    folder.raw().pragma_update(None, "user_version", 7).unwrap();
    let refused = StoreError::Schema {
        found: 7,
        supported: 1,
    };
    assert_eq!(folder.open().err(), Some(refused));
    let version: i64 = folder
        .raw()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 7);
}

#[test]
fn foreign_and_damaged_files_are_corrupt_and_untouched() {
    let foreign = Folder::new();
    foreign.raw().execute_batch("CREATE TABLE t(x)").unwrap();
    let noise = Folder::new();
    std::fs::write(noise.file(), b"not a database at all".repeat(50)).unwrap();
    for folder in [foreign, noise] {
        let before = std::fs::read(folder.file()).unwrap();
        let error = folder.open().err();
        assert!(matches!(error, Some(StoreError::Corrupt(_))), "{error:?}");
        assert!(std::fs::read(folder.file()).unwrap() == before);
    }
}

#[test]
fn a_damaged_page_is_corrupt_when_it_is_read() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    for n in 0..50 {
        put(&mut store, "a", &[n]);
    }
    drop(store);
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[4096..].fill(0xAA);
    std::fs::write(folder.file(), bytes).unwrap();
    let error = folder
        .open()
        .and_then(|store| rows(&store, "a").map(drop))
        .err();
    assert!(matches!(error, Some(StoreError::Corrupt(_))), "{error:?}");
}

#[test]
fn a_missing_folder_is_an_io_failure() {
    let folder = Folder::new();
    let error = SqliteStore::open(&folder.0.path().join("no/s.db"), Options::default()).err();
    assert!(matches!(error, Some(StoreError::Io(_))), "{error:?}");
}

/// A crash leaves a log of any length. Whatever is left must be a prefix of the commits, each
/// whole.
#[test]
fn a_cut_log_gives_a_prefix_of_whole_commits() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    for n in 1..=12 {
        put(&mut store, "a", &[n, 100 + n, 200 + n]);
    }
    let (file, log) = (read(&folder, ""), read(&folder, "-wal"));
    let mut seen = std::collections::BTreeSet::new();
    for length in (0..=log.len()).step_by(509).chain([log.len()]) {
        let crashed = Folder::new();
        std::fs::write(crashed.file(), &file).unwrap();
        std::fs::write(crashed.beside("-wal"), &log[..length]).unwrap();
        let ids = rows(&crashed.open().unwrap(), "a").unwrap();
        let commits = u8::try_from(ids.len() / 3).unwrap();
        let mut whole: Vec<u8> = (1..=commits).flat_map(|n| [n, 100 + n, 200 + n]).collect();
        whole.sort();
        assert_eq!(ids, whole, "log cut at {length}");
        seen.insert(commits);
    }
    assert_eq!(seen.last(), Some(&12), "the whole log has every commit");
    assert!(seen.len() > 6, "cuts fell between commits");
}

/// As above with a damaged byte instead of an end: what lies behind it is gone, nothing else.
#[test]
fn a_damaged_log_gives_a_prefix_of_whole_commits() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    for n in 1..=6 {
        put(&mut store, "a", &[n, 100 + n]);
    }
    let (file, log) = (read(&folder, ""), read(&folder, "-wal"));
    for at in (32..log.len()).step_by(1021) {
        let crashed = Folder::new();
        let mut damaged = log.clone();
        damaged[at] ^= 0x55;
        std::fs::write(crashed.file(), &file).unwrap();
        std::fs::write(crashed.beside("-wal"), damaged).unwrap();
        let ids = rows(&crashed.open().unwrap(), "a").unwrap();
        let commits = u8::try_from(ids.len() / 2).unwrap();
        let mut whole: Vec<u8> = (1..=commits).flat_map(|n| [n, 100 + n]).collect();
        whole.sort();
        assert_eq!(ids, whole, "log damaged at {at}");
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.beside("")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("s.db{suffix}"))
    }

    fn open(&self) -> Result<SqliteStore, StoreError> {
        let mut options = Options::default();
        options.busy_timeout = Duration::from_millis(20);
        SqliteStore::open(&self.file(), options)
    }

    fn raw(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}

fn read(folder: &Folder, suffix: &str) -> Vec<u8> {
    let path: &Path = &folder.beside(suffix);
    std::fs::read(path).unwrap()
}

fn key(slot: &str, id: u8) -> Key {
    Key::new(&Scope::slot(slot), Namespace::Scratch, [id])
}

/// Writes all `ids` in one commit under a new fence.
fn put(store: &mut SqliteStore, slot: &str, ids: &[u8]) -> Fence {
    let fence = store.acquire(&Scope::slot(slot)).unwrap();
    let mut changes = Changes::default();
    for id in ids {
        changes.put(key(slot, *id), vec![*id; 700]);
    }
    store.commit(&[(&changes, &fence)]).unwrap();
    fence
}

fn rows(store: &dyn Store, slot: &str) -> Result<Vec<u8>, StoreError> {
    let rows = store.scan(
        &Scope::slot(slot),
        Namespace::Scratch,
        b"",
        None,
        usize::MAX,
    )?;
    Ok(rows.into_iter().map(|(id, _)| id[0]).collect())
}
