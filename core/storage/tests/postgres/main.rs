//! The PostgreSQL backend on a server of the tests' own: the conformance suite, fences, broken
//! connections, migrations, TLS.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod address;
mod broken;
mod migrations;
mod proxy;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Scope, Store};
use sendpath_storage::OpenError;
use sendpath_storage::postgres::{Options, PostgresStore};
use sendpath_test_postgres::{Database, shared};

mod conformance {
    use super::*;

    sendpath_protocol::store_conformance!({
        let database = shared().database();
        move || Ok::<_, StoreError>(open(&database.uri()).unwrap())
    });
}

#[test]
fn the_suite_runs_through_open_too() {
    let uri = shared()
        .database()
        .uri()
        .replace("postgres:", "postgresql:");
    let mut open = || Ok(sendpath_storage::open(&uri).unwrap() as Box<dyn Store>);
    let result = sendpath_protocol::txn::conformance::run(&mut open);
    assert_eq!(result, Ok(()));
}

#[test]
fn an_owner_that_is_fenced_off_writes_nothing_more() {
    let database = shared().database();
    let mut first = open(&database.uri()).unwrap();
    let mut second = open(&database.uri()).unwrap();
    let fence = first.acquire(&slot("a")).unwrap();
    let writer = thread::spawn(move || {
        for n in 0_u32.. {
            let end = first.commit(&[(&row("a", 1, &n.to_be_bytes()), &fence)]);
            if let Err(error) = end {
                return (n, error);
            }
        }
        (u32::MAX, StoreError::Busy)
    });
    while second.get(&key("a", 1)).unwrap().is_none() {}
    let fence = second.acquire(&slot("a")).unwrap();
    let seen = second.get(&key("a", 1)).unwrap().unwrap();
    let (failed, error) = writer.join().unwrap();
    assert_eq!(error, StoreError::Fenced);
    let last = (failed - 1).to_be_bytes();
    assert_eq!(seen, last, "the last commit that succeeded was seen");
    assert_eq!(second.get(&key("a", 1)).unwrap().unwrap(), last);
    assert_eq!(second.commit(&[(&row("a", 1, b"mine"), &fence)]), Ok(()));
}

#[test]
fn one_commit_may_have_one_key_from_two_slots() {
    let mut store = open(&shared().database().uri()).unwrap();
    let a = store.acquire(&slot("a")).unwrap();
    let b = store.acquire(&slot("b")).unwrap();
    let (first, last) = (row("shared", 1, b"first"), row("shared", 1, b"last"));
    let mut removed = Changes::default();
    removed.delete(key("shared", 1));
    assert_eq!(store.commit(&[(&first, &a), (&last, &b)]), Ok(()));
    assert_eq!(store.get(&key("shared", 1)), Ok(Some(b"last".to_vec())));
    assert_eq!(store.commit(&[(&last, &a), (&removed, &b)]), Ok(()));
    assert_eq!(store.get(&key("shared", 1)), Ok(None));
    assert_eq!(store.commit(&[(&removed, &a), (&first, &b)]), Ok(()));
    assert_eq!(store.get(&key("shared", 1)), Ok(Some(b"first".to_vec())));
}

#[test]
fn ten_thousand_rows_are_one_commit() {
    let mut store = open(&shared().database().uri()).unwrap();
    let fence = store.acquire(&slot("a")).unwrap();
    let keys: Vec<Key> = (0..10_000_u32)
        .map(|n| Key::new(&slot("a"), Namespace::Token, n.to_be_bytes()))
        .collect();
    let mut written = Changes::default();
    let mut removed = Changes::default();
    for key in &keys {
        written.put(key.clone(), [&*key.id, &[7; 200]].concat());
        removed.delete(key.clone());
    }
    assert_eq!(store.commit(&[(&written, &fence)]), Ok(()));
    let rows = store.get_many(&keys).unwrap();
    let whole = |(key, row): (&Key, &Option<Vec<u8>>)| {
        row.as_ref()
            .is_some_and(|row| row[..4] == *key.id && row.len() == 204)
    };
    assert!(keys.iter().zip(&rows).all(whole));
    assert_eq!(store.commit(&[(&removed, &fence)]), Ok(()));
    assert!(store.get_many(&keys).unwrap().iter().all(Option::is_none));
}

#[test]
fn a_lock_held_elsewhere_is_busy_and_passes() {
    let database = shared().database();
    let mut store = quick(&database.uri()).unwrap();
    let fence = put(&mut store, "a", b"1");
    let mut other = database.client();
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("SELECT FROM sendpath.fence FOR UPDATE")
        .unwrap();
    let changes = row("a", 1, b"2");
    assert_eq!(store.commit(&[(&changes, &fence)]), Err(StoreError::Busy));
    assert_eq!(store.acquire(&slot("a")), Err(StoreError::Busy));
    let read = store.get(&key("a", 1));
    assert_eq!(read, Ok(Some(b"1".to_vec())), "readers do not wait");
    lock.rollback().unwrap();
    assert_eq!(store.commit(&[(&changes, &fence)]), Ok(()));
}

/// As the transaction mode of PgBouncer needs it: no statement outlives its transaction, and
/// nothing else does.
#[test]
fn a_session_keeps_nothing() {
    let database = shared().database();
    drop(open(&database.uri()).unwrap());
    let proxy = proxy::Proxy::before(&database);
    let mut store = open(&proxy.uri(&database)).unwrap();
    put(&mut store, "a", b"1");
    store.get_many(&[key("a", 1)]).unwrap();
    store
        .scan(&slot("a"), Namespace::Scratch, b"", None, 9)
        .unwrap();
    let mut kinds = BTreeMap::<u8, usize>::new();
    for (kind, body) in messages(&proxy.heard()[0]) {
        *kinds.entry(kind).or_default() += 1;
        if kind == b'P' {
            assert_eq!(body[0], 0, "a statement with a name");
        }
    }
    // Opening asks twice; then acquire, commit and two reads: all of parse, bind, describe,
    // execute, sync.
    let each = [b'P', b'B', b'D', b'E', b'S'].map(|kind| (kind, 6));
    assert_eq!(kinds, BTreeMap::from(each));
}

/// Splits what a client said behind its first message, which has no kind.
fn messages(said: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let length = |at: usize| {
        let bytes: [u8; 4] = said[at..at + 4].try_into().unwrap();
        usize::try_from(u32::from_be_bytes(bytes)).unwrap()
    };
    let mut at = length(0);
    let mut found = Vec::new();
    while at < said.len() {
        let end = at + 1 + length(at + 1);
        found.push((said[at], said[at + 5..end].to_vec()));
        at = end;
    }
    found
}

#[test]
fn a_commit_waits_for_the_disk_whatever_the_role_says() {
    let database = shared().database();
    drop(open(&database.uri()).unwrap());
    let mut other = database.client();
    other
        .batch_execute(&format!(
            "ALTER DATABASE {} SET synchronous_commit = off;
            CREATE TABLE public.seen (name text, setting text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO public.seen SELECT name, setting FROM pg_settings
                WHERE name IN ('synchronous_commit', 'lock_timeout');
                RETURN NULL;
            END $$;
            CREATE TRIGGER note AFTER INSERT ON sendpath.kv EXECUTE FUNCTION note();",
            database.name
        ))
        .unwrap();
    let mut store = open(&database.uri()).unwrap();
    put(&mut store, "a", b"1");
    let seen = other.query("SELECT name, setting FROM public.seen ORDER BY name", &[]);
    let seen: Vec<(String, String)> = seen
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let wanted = [("lock_timeout", "5000"), ("synchronous_commit", "on")];
    assert_eq!(
        seen,
        wanted.map(|(name, value)| (name.into(), value.into()))
    );
}

#[tokio::test]
async fn it_works_inside_an_asynchronous_runtime() {
    let database = shared();
    let uri = tokio::task::spawn_blocking(|| database.database().uri());
    let mut store = open(&uri.await.unwrap()).unwrap();
    put(&mut store, "a", b"1");
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"1".to_vec())));
    drop(store);
}

fn open(uri: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(uri, Options::default())
}

/// Opens with short limits.
fn quick(uri: &str) -> Result<PostgresStore, OpenError> {
    let mut options = Options::default();
    options.lock_timeout = Duration::from_millis(50);
    options.timeout = Duration::from_millis(300);
    PostgresStore::open(uri, options)
}

fn slot(name: &str) -> Scope {
    Scope::slot(name)
}

fn key(slot: &str, id: u8) -> Key {
    Key::new(&Scope::slot(slot), Namespace::Scratch, [id])
}

fn row(slot: &str, id: u8, row: &[u8]) -> Changes {
    let mut changes = Changes::default();
    changes.put(key(slot, id), row.to_vec());
    changes
}

/// Writes row 1 under a new fence.
fn put(store: &mut PostgresStore, name: &str, text: &[u8]) -> Fence {
    let fence = store.acquire(&slot(name)).unwrap();
    store.commit(&[(&row(name, 1, text), &fence)]).unwrap();
    fence
}

/// Waits until a query of the test's own is true; the limit only guards against a hang.
fn wait_until(database: &Database, condition: &str) {
    let mut client = database.client();
    let ask = format!("SELECT {condition}");
    let began = now();
    while !client.query_one(&ask, &[]).unwrap().get::<_, bool>(0) {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "never: {condition}"
        );
        thread::yield_now();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a call of the test took"
)]
fn now() -> Instant {
    Instant::now()
}
