//! Engines whose state lives in PostgreSQL.

use sendpath_e2e::{ALICE, World, open_account, open_engine};
use sendpath_model_server::Gate;
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::verdict::{Attached, Outcome};
use sendpath_test_postgres::shared;

#[test]
fn a_device_linked_in_postgresql_sends_also_after_a_restart() {
    let uri = shared().database().uri();
    let mut world = World::linked_on(&uri);
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    assert!(carried_a_token(&world.send(ALICE.0, "one")));
    world.restart();
    assert!(carried_a_token(&world.send(ALICE.0, "two")));
    assert_eq!(texts(&world), ["one", "two"]);
    world.no_violations();
}

#[test]
fn the_last_of_two_engines_on_one_database_owns_the_account() {
    let uri = shared().database().uri();
    let mut first = World::linked_on(&uri);
    first.add(ALICE, Gate::Open);
    let engine = open_engine(&uri);
    let account = open_account(&engine, &first.server);
    let late = first.send(ALICE.0, "late");
    assert!(!matches!(late, Outcome::Accepted { .. }), "{late:?}");
    let fenced = DisconnectReason::Fault(Fault::Store(StoreError::Fenced));
    let reason = first.event(|event| match event {
        Event::Disconnected { reason } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason, fenced);
    (first.account, first.engine) = (account, engine);
    let second = first;
    second.account.connect().unwrap();
    second.online();
    let sent = second.send(ALICE.0, "mine");
    assert!(matches!(sent, Outcome::Accepted { .. }), "{sent:?}");
    assert_eq!(texts(&second), ["mine"]);
    second.no_violations();
}

fn carried_a_token(outcome: &Outcome) -> bool {
    let Outcome::Accepted { attached, .. } = outcome else {
        return false;
    };
    matches!(attached, Attached::Tctoken { .. })
}

fn texts(world: &World) -> Vec<String> {
    let received = world.received(ALICE.0);
    received.into_iter().filter_map(|got| got.text).collect()
}
