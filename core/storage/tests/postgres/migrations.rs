//! Who may make the tables, and databases that are not ours.

use std::thread;

use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Reader, Store};
use sendpath_storage::OpenError;
use sendpath_test_postgres::shared;

use super::{key, open, put, slot};

#[test]
fn many_openers_of_an_empty_database_all_succeed() {
    let uri = shared().database().uri();
    thread::scope(|scope| {
        let opens: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open(&uri).map(drop)))
            .collect();
        for open in opens {
            assert_eq!(open.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn a_newer_schema_is_refused() {
    let database = shared().database();
    drop(open(&database.uri()).unwrap());
    let newer = "INSERT INTO sendpath.migrations (number) VALUES (7)";
    database.client().batch_execute(newer).unwrap();
    let refused = StoreError::Schema {
        found: 7,
        supported: 1,
    };
    assert_eq!(open(&database.uri()).err(), Some(refused.into()));
}

#[test]
fn a_schema_of_another_program_is_refused_and_untouched() {
    let database = shared().database();
    let mut client = database.client();
    let theirs = "CREATE SCHEMA sendpath; CREATE TABLE sendpath.kv (mine text)";
    client.batch_execute(theirs).unwrap();
    let refused = open(&database.uri()).err();
    let told = matches!(refused, Some(OpenError::Store(StoreError::Corrupt(_))));
    assert!(told, "{refused:?}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'sendpath'";
    assert_eq!(client.query_one(tables, &[]).unwrap().get::<_, i64>(0), 1);
}

#[test]
fn tables_that_vanish_are_damage() {
    let database = shared().database();
    let mut store = open(&database.uri()).unwrap();
    put(&mut store, "a", b"1");
    let drop = "DROP SCHEMA sendpath CASCADE";
    database.client().batch_execute(drop).unwrap();
    let read = store.get(&key("a", 1));
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
}

#[test]
fn a_role_without_rights_to_create_uses_what_is_there() {
    let database = shared().database();
    let name = &database.name;
    let mut client = database.client();
    client
        .batch_execute(&format!("CREATE ROLE plain_{name} LOGIN"))
        .unwrap();
    let uri = database
        .uri()
        .replace("user=sendpath", &format!("user=plain_{name}"));
    let refused = open(&uri).err();
    let told = matches!(&refused, Some(OpenError::Store(StoreError::Io(text)))
        if text.contains("permission denied for database"));
    assert!(told, "{refused:?}");
    drop(open(&database.uri()).unwrap());
    client
        .batch_execute(&format!(
            "GRANT USAGE ON SCHEMA sendpath TO plain_{name};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sendpath TO plain_{name}"
        ))
        .unwrap();
    let mut store = open(&uri).unwrap();
    put(&mut store, "a", b"1");
    let read_only = format!("ALTER ROLE plain_{name} SET default_transaction_read_only = on");
    client.batch_execute(&read_only).unwrap();
    let mut store = open(&uri).unwrap();
    assert_eq!(store.get(&key("a", 1)), Ok(Some(b"1".to_vec())));
    assert_eq!(store.acquire(&slot("a")), Err(StoreError::ReadOnly));
}
