//! Addresses, passwords and TLS.

use sendpath_protocol::error::StoreError;
use sendpath_storage::OpenError;
use sendpath_test_postgres::{Database, PASSWORD_IN_URI, USER, shared};

use super::open;

#[test]
fn a_password_is_used_and_never_told() {
    let database = shared().database();
    let right = database.tcp_uri("127.0.0.1", &format!("{USER}:{PASSWORD_IN_URI}"));
    let store = open(&right).unwrap();
    assert_eq!(format!("{store:?}"), "PostgresStore { .. }");
    let uri = |credentials: &str| database.tcp_uri("127.0.0.1", credentials);
    let wrong = [
        uri("sendpath:hunter2"),
        uri("nobody:hunter2"),
        uri("sendpath:hunter2").replace("/test", "/none"),
        uri("sendpath:hunter2") + "?sslmode=hunter2",
        uri("sendpath:hunter2") + "?hunter2=1",
        uri("sendpath:hunter2") + "?sslmode=verify-full&sslrootcert=/nowhere",
        uri("sendpath:p@x?hunter2=1"),
        "postgres://sendpath:hunter2@127.0.0.1:1/test".into(),
        "postgres://sendpath:x@host:hunter2/test".into(),
        "postgres://sendpath:hunter2@nowhere.invalid/test".into(),
        "postgres:///test?password=hunter2".into(),
    ];
    for uri in wrong {
        let told = open(&uri).err().map(|error| format!("{error} {error:?}"));
        assert!(
            told.as_ref().is_some_and(|told| !told.contains("hunter2")),
            "{uri}: {told:?}"
        );
    }
}

#[test]
fn a_text_that_is_no_address_is_refused_as_such() {
    for uri in [
        "postgres://",
        "postgres:///x?nonsense=1",
        "postgres:///x?host=/tmp&sslmode=maybe",
        "postgres://u@h:many/x",
    ] {
        assert_eq!(open(uri).err(), Some(OpenError::PostgresUri), "{uri}");
    }
}

#[test]
fn tls_is_what_sslmode_asks_for() {
    let database = shared().database();
    let root = shared().root_certificate();
    let ours = format!(
        "sslrootcert={}",
        root.display().to_string().replace('/', "%2F")
    );
    for (host, options, works) in [
        ("127.0.0.1", "", true),
        ("127.0.0.1", "sslmode=disable", true),
        ("127.0.0.1", "sslmode=prefer", true),
        ("127.0.0.1", "sslmode=require", true),
        ("127.0.0.1", "sslmode=require&channel_binding=require", true),
        (
            "127.0.0.1",
            "sslmode=disable&channel_binding=require",
            false,
        ),
        ("127.0.0.1", &format!("sslmode=require&{ours}"), true),
        ("127.0.0.1", &format!("sslmode=verify-ca&{ours}"), true),
        ("127.0.0.1", "sslmode=verify-ca", false),
        ("localhost", &format!("sslmode=verify-full&{ours}"), true),
        ("127.0.0.1", &format!("{ours}&sslmode=verify-full"), false),
        ("localhost", "sslmode=verify-full", false),
    ] {
        let encrypted = encrypted(&database, host, options);
        let wanted = works.then_some(options != "sslmode=disable");
        assert_eq!(
            encrypted.as_ref().ok(),
            wanted.as_ref(),
            "{host} {options} {encrypted:?}"
        );
    }
}

/// Whether a connection with these options is encrypted, if there is one.
fn encrypted(database: &Database, host: &str, options: &str) -> Result<bool, OpenError> {
    let credentials = format!("{USER}:{PASSWORD_IN_URI}");
    let store = open(&format!(
        "{}?{options}",
        database.tcp_uri(host, &credentials)
    ))?;
    let mut client = database.client();
    let sessions = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE datname = current_database() AND application_name = 'sendpath'";
    let encrypted = client.query_one(sessions, &[]).unwrap().get(0);
    drop(store);
    // The next one is to be alone.
    super::wait_until(database, &format!("NOT EXISTS ({sessions})"));
    Ok(encrypted)
}

#[test]
fn a_socket_without_server_is_an_io_failure() {
    let error = open("postgres:///x?host=/nowhere&user=x").err();
    let told = matches!(&error, Some(OpenError::Store(StoreError::Io(_))));
    assert!(told, "{error:?}");
}
