//! Connections that break, servers that hang, and commits whose answer is lost.

use std::thread;
use std::time::Duration;

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Reader, Store};
use sendpath_storage::postgres::{Options, PostgresStore};
use sendpath_test_postgres::{Database, Server, shared};

use super::proxy::Proxy;
use super::{key, now, open, put, quick, row, slot, wait_until};

/// Sessions of stores, not of tests.
const STORES: &str = "FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'sendpath'";

#[test]
fn a_connection_that_the_server_ends_is_replaced() {
    let database = shared().database();
    let mut store = open(&database.uri()).unwrap();
    let fence = put(&mut store, "a", b"1");
    kill(&database);
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"1".to_vec())));
    kill(&database);
    assert_eq!(store.commit(&[(&row("a", 1, b"2"), &fence)]), Ok(()));
    kill(&database);
    assert_eq!(store.acquire(&slot("b")).unwrap().generation, 1);
    assert_eq!(store.commit(&[(&row("a", 1, b"3"), &fence)]), Ok(()));
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"3".to_vec())));
}

#[test]
fn a_commit_that_is_killed_as_it_runs_is_repeated() {
    let database = shared().database();
    let mut store = open(&database.uri()).unwrap();
    let fence = put(&mut store, "a", b"1");
    let mut other = database.client();
    let mut lock = other.transaction().unwrap();
    lock.batch_execute("SELECT FROM sendpath.kv FOR UPDATE")
        .unwrap();
    thread::scope(|scope| {
        let commit = scope.spawn(|| store.commit(&[(&row("a", 1, b"2"), &fence)]));
        wait_until(&database, &waiting(""));
        kill(&database);
        lock.rollback().unwrap();
        assert_eq!(commit.join().unwrap(), Ok(()));
    });
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"2".to_vec())));
    assert_eq!(store.commit(&[(&row("a", 1, b"3"), &fence)]), Ok(()));
}

#[test]
fn a_server_that_is_gone_is_an_io_failure_until_it_is_back() {
    let server = Server::start();
    let database = server.database();
    let mut store = open(&database.uri()).unwrap();
    let fence = put(&mut store, "a", b"1");
    server.stop();
    let changes = row("a", 1, b"2");
    for _ in 0..3 {
        assert!(matches!(store.get(&key("a", 1)), Err(StoreError::Io(_))));
        let end = store.commit(&[(&changes, &fence)]);
        assert!(matches!(end, Err(StoreError::Io(_))), "{end:?}");
    }
    server.resume();
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"1".to_vec())));
    assert_eq!(store.commit(&[(&changes, &fence)]), Ok(()));
}

/// A session is rebuilt from what is read after the failure, so a commit that still runs on the
/// server must not land behind those reads.
#[test]
fn a_commit_without_answer_is_decided_before_anything_is_read() {
    for held in ["kv", "fence"] {
        let database = shared().database();
        let mut options = Options::default();
        options.lock_timeout = Duration::from_secs(60);
        options.timeout = Duration::from_millis(300);
        let mut store = PostgresStore::open(&database.uri(), options).unwrap();
        let fence = put(&mut store, "a", b"1");
        let mut other = database.client();
        let mut lock = other.transaction().unwrap();
        let sql = format!("SELECT FROM sendpath.{held} FOR UPDATE");
        lock.batch_execute(&sql).unwrap();
        let end = store.commit(&[(&row("a", 1, b"2"), &fence)]);
        assert!(matches!(end, Err(StoreError::Io(_))), "{end:?}");
        let read = thread::scope(|scope| {
            let read = scope.spawn(|| first_answer(&store));
            wait_until(&database, &waiting("UPDATE sendpath.fence"));
            assert!(!read.is_finished(), "read before the commit was decided");
            lock.rollback().unwrap();
            read.join().unwrap()
        });
        wait_until(&database, &format!("NOT {}", waiting("")));
        assert_eq!(store.get(&key("a", 1)), Ok(read), "{held}");
        assert_eq!(store.commit(&[(&row("a", 1, b"3"), &fence)]), Ok(()));
        assert_eq!(store.get(&key("a", 1)), Ok(Some(b"3".to_vec())));
    }
}

fn first_answer(store: &PostgresStore) -> Option<Vec<u8>> {
    loop {
        if let Ok(row) = store.get(&key("a", 1)) {
            return row;
        }
        thread::yield_now();
    }
}

#[test]
fn another_owner_is_not_disturbed_by_a_doubt() {
    let database = shared().database();
    let proxy = Proxy::before(&database);
    let mut store = open(&proxy.uri(&database)).unwrap();
    let fence = put(&mut store, "a", b"1");
    let mut other = open(&database.uri()).unwrap();
    let newer = put(&mut other, "a", b"theirs");
    proxy.cut();
    let end = store.commit(&[(&row("a", 1, b"ours"), &fence)]);
    assert_eq!(end, Err(StoreError::Fenced));
    assert_eq!(proxy.heard().len(), 2, "the commit was repeated");
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"theirs".to_vec())));
    assert_eq!(other.commit(&[(&row("a", 1, b"more"), &newer)]), Ok(()));
}

#[test]
fn a_server_that_hangs_stops_one_call_and_not_each() {
    let database = shared().database();
    let proxy = Proxy::before(&database);
    let mut store = quick(&proxy.uri(&database)).unwrap();
    let fence = put(&mut store, "a", b"1");
    proxy.be_silent();
    let slow = |call: &mut dyn FnMut() -> Result<(), StoreError>| {
        let began = now();
        let end = call();
        assert!(matches!(end, Err(StoreError::Io(_))), "{end:?}");
        began.elapsed() >= Duration::from_millis(200)
    };
    let changes = row("a", 1, b"2");
    assert!(slow(&mut || store.commit(&[(&changes, &fence)])));
    let waited = (0..20).filter(|_| slow(&mut || store.get(&key("a", 1)).map(drop)));
    assert!(waited.count() <= 2);
    proxy.release();
    assert!(first_answer(&store).is_some());
    assert_eq!(store.commit(&[(&changes, &fence)]), Ok(()));
}

/// As by a network or a pooler that delivers late.
#[test]
fn a_commit_that_arrives_after_its_end_was_decided_writes_nothing() {
    let database = shared().database();
    let proxy = Proxy::before(&database);
    let mut store = quick(&proxy.uri(&database)).unwrap();
    let fence = put(&mut store, "a", b"1");
    proxy.hold();
    let end = store.commit(&[(&row("a", 1, b"2"), &fence)]);
    assert!(matches!(end, Err(StoreError::Io(_))), "{end:?}");
    assert_eq!(first_answer(&store), Some(b"1".to_vec()));
    proxy.release();
    wait_until(&database, &format!("(SELECT count(*) {STORES}) = 1"));
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"1".to_vec())));
    assert_eq!(store.commit(&[(&row("a", 1, b"3"), &fence)]), Ok(()));
}

/// Ends the sessions of stores and waits until they are gone.
fn kill(database: &Database) {
    let mut client = database.client();
    let ends = format!("SELECT pg_terminate_backend(pid, 10000) {STORES}");
    for row in client.query(&ends, &[]).unwrap() {
        assert!(row.get::<_, bool>(0), "a session did not end");
    }
}

/// A session of a store waits for a lock, with this in its statement.
fn waiting(sql: &str) -> String {
    format!("EXISTS (SELECT {STORES} AND wait_event_type = 'Lock' AND query LIKE '%{sql}%')")
}
