//! Whether a message goes to a contact's LID or to its number.

use sendpath_e2e::{ALICE, BOB, World, store_in};
use sendpath_model_server::{Command, Config, Gate, Reply};
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Outcome;

/// An account whose chats are addressed by LID, or not, and whose phone tells so, or not.
fn world(lid: bool, told: bool, store: &str) -> World {
    let world = World::unlinked(Config::default(), store);
    world.order(Command::SetMigration {
        pn: None,
        lid,
        told,
    });
    world.link(Command::scan_qr);
    world.add(ALICE, Gate::Open);
    world.add(BOB, Gate::Open);
    world
}

fn accepted(world: &World, to: &str) {
    let outcome = world.send(to, "hello");
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

/// Server and error of each message, as the server has judged them.
fn judged(world: &World) -> Vec<(String, Option<u16>)> {
    let Reply::Messages { messages } = world.order(Command::Messages) else {
        return Vec::new();
    };
    let server = |to: &str| to.rsplit_once('@').map(|(_, server)| server.to_owned());
    let messages = messages.into_iter();
    messages
        .filter_map(|judged| Some((server(&judged.to)?, judged.error)))
        .collect()
}

fn by_number() -> (String, Option<u16>) {
    ("s.whatsapp.net".into(), None)
}

fn by_lid(error: Option<u16>) -> (String, Option<u16>) {
    ("lid".into(), error)
}

#[test]
fn an_account_that_has_not_moved_writes_to_numbers_also_when_asked_for_a_lid() {
    let world = world(false, true, "memory:");
    accepted(&world, ALICE.0);
    accepted(&world, &format!("{}@lid", ALICE.1));
    assert_eq!(judged(&world), [by_number(), by_number()]);
    world.no_violations();
}

#[test]
fn while_nobody_has_told_one_refused_lid_teaches_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let mut world = world(false, false, &store);
    accepted(&world, ALICE.0);
    accepted(&world, BOB.0);
    let expected = [by_lid(Some(400)), by_number(), by_number()];
    assert_eq!(judged(&world), expected);
    world.restart();
    accepted(&world, BOB.0);
    assert_eq!(judged(&world)[3..], [by_number()]);
}

#[test]
fn an_account_that_has_moved_is_recognised_by_its_history() {
    let world = world(false, true, "memory:");
    accepted(&world, ALICE.0);
    world.order(Command::SetMigration {
        pn: None,
        lid: true,
        told: true,
    });
    world.order(Command::PhoneHistory {
        account: None,
        chats: Vec::new(),
        salt: None,
        progress: 100,
    });
    world.event(|event| matches!(event, Event::HistoryApplied { .. }).then_some(()));
    accepted(&world, ALICE.0);
    assert_eq!(judged(&world), [by_number(), by_lid(None)]);
    world.no_violations();
}
