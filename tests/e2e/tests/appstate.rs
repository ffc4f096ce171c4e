//! App state over the wire: keys from the phone, the salt of cstokens, our own name.

use sendpath_e2e::{ALICE, BOB, Person, World, attached, store_in};
use sendpath_model_server::{Command, Condition, Gate, NodeJson, PatchFault, RowChange};
use sendpath_protocol::crypto::symmetric::hmac_sha256;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Attached;

const SYNC: &str = "w:sync:app:state/sync";

const CAROL: Person = ("4915550003", "100000000000003");

/// A row of the salt; `None` removes it.
fn salt(salt: Option<[u8; 32]>) -> RowChange {
    let hex = |salt: [u8; 32]| salt.iter().map(|byte| format!("{byte:02x}")).collect();
    RowChange {
        index: vec!["nct_salt_sync".into()],
        salt: salt.map(hex),
        remove: salt.is_none(),
        ..RowChange::default()
    }
}

fn change(collection: &str, changes: Vec<RowChange>) -> Command {
    Command::ChangeAppState {
        account: None,
        collection: collection.into(),
        changes,
        fresh_key: false,
        external: false,
        fault: None,
        push: true,
    }
}

/// The phone changes our name; when we know it, everything before is known, too.
fn until_now(world: &World, name: &str) {
    let row = RowChange {
        index: vec!["setting_pushName".into()],
        name: Some(name.into()),
        ..RowChange::default()
    };
    world.order(change("critical_block", vec![row]));
    world.event(|event| match event {
        Event::PushNameChanged { name: new } => (new.0 == name).then_some(()),
        _ => None,
    });
}

/// A world whose phone has shared its keys.
fn keyed(store: &str) -> World {
    let world = World::linked_on(store);
    world.order(Command::ShareKeys { account: None });
    until_now(&world, "Shop");
    world
}

/// The cstoken of the last message, in hex.
fn last_cstoken(world: &World) -> Option<String> {
    world.judged().pop().and_then(|message| message.cstoken)
}

fn cstoken(salt: [u8; 32], to: Person) -> Option<String> {
    let token = hmac_sha256(&salt, &[to.1.as_bytes(), b"@lid"]);
    Some(token.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The first collection of a question and the version that it names.
fn version_asked(node: &NodeJson) -> Option<(String, Option<String>)> {
    let sync = node.children.first().filter(|child| child.tag == "sync")?;
    let attrs = &sync.children.first()?.attrs;
    Some((attrs.get("name")?.clone(), attrs.get("version").cloned()))
}

#[test]
fn a_salt_of_app_state_makes_the_next_cstoken_and_a_removed_one_makes_none() {
    let world = keyed("memory:");
    for person in [ALICE, BOB, CAROL] {
        world.add(person, Gate::TokenOrCstoken);
    }
    world.order(change("regular_high", vec![salt(Some([1; 32]))]));
    until_now(&world, "One");
    assert_eq!(attached(world.send(ALICE.0, "hello")), Attached::Cstoken);
    assert_eq!(last_cstoken(&world), cstoken([1; 32], ALICE));
    world.order(change("regular_high", vec![salt(Some([2; 32]))]));
    until_now(&world, "Two");
    assert_eq!(attached(world.send(BOB.0, "hello")), Attached::Cstoken);
    assert_eq!(last_cstoken(&world), cstoken([2; 32], BOB));
    world.order(change("regular_high", vec![salt(None)]));
    until_now(&world, "None");
    world.refused(CAROL.0, "hello");
    assert_eq!(last_cstoken(&world), None);
    world.no_violations();
}

#[test]
fn a_restart_goes_on_at_the_same_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = keyed(&store_in(folder.path()));
    world.add(ALICE, Gate::TokenOrCstoken);
    world.order(change("regular_high", vec![salt(Some([1; 32]))]));
    until_now(&world, "One");
    let asked = world.asked(SYNC);
    world.restart();
    // Nothing is due, and what comes is asked for behind the version that is here.
    world.order(change("regular_high", vec![salt(Some([2; 32]))]));
    until_now(&world, "Two");
    assert_eq!(world.asked(SYNC), asked + 2);
    let versions: Vec<_> = world.heard().iter().filter_map(version_asked).collect();
    let expected = [
        ("regular_high".to_owned(), Some("1".to_owned())),
        ("critical_block".to_owned(), Some("2".to_owned())),
    ];
    assert_eq!(versions[versions.len() - 2..], expected);
    assert_eq!(attached(world.send(ALICE.0, "hello")), Attached::Cstoken);
    assert_eq!(last_cstoken(&world), cstoken([2; 32], ALICE));
    world.no_violations();
}

#[test]
fn a_change_while_we_are_away_is_read_at_the_next_login() {
    let world = keyed("memory:");
    world.add(ALICE, Gate::TokenOrCstoken);
    world.reconnect(|| {
        world.order(change("regular_high", vec![salt(Some([3; 32]))]));
    });
    until_now(&world, "Back");
    world.send(ALICE.0, "hello");
    assert_eq!(last_cstoken(&world), cstoken([3; 32], ALICE));
    world.no_violations();
}

#[test]
fn a_patch_that_was_tampered_with_changes_nothing() {
    for fault in [PatchFault::PatchMac, PatchFault::ValueMac] {
        let world = keyed("memory:");
        world.add(ALICE, Gate::Open);
        world.order(change("regular_high", vec![salt(Some([1; 32]))]));
        world.order(Command::ChangeAppState {
            account: None,
            collection: "regular_high".into(),
            changes: vec![salt(Some([2; 32]))],
            fresh_key: false,
            external: false,
            fault: Some(fault),
            push: true,
        });
        until_now(&world, "After");
        // It was read once more from the beginning, in case that our rows were wrong; then no more.
        until_now(&world, "Later");
        let asked = world.asked(SYNC);
        until_now(&world, "Last");
        assert_eq!(world.asked(SYNC), asked + 1, "{fault:?}");
        world.send(ALICE.0, "hello");
        assert_eq!(last_cstoken(&world), cstoken([1; 32], ALICE), "{fault:?}");
    }
}

#[test]
fn a_wrong_mac_over_all_rows_does_not_loop() {
    let world = keyed("memory:");
    world.add(ALICE, Gate::Open);
    world.order(change("regular_high", vec![salt(Some([1; 32]))]));
    world.order(Command::ChangeAppState {
        account: None,
        collection: "regular_high".into(),
        changes: vec![salt(Some([2; 32]))],
        fresh_key: false,
        external: false,
        fault: Some(PatchFault::SnapshotMac),
        push: true,
    });
    until_now(&world, "After");
    until_now(&world, "Later");
    let asked = world.asked(SYNC);
    until_now(&world, "Last");
    assert_eq!(world.asked(SYNC), asked + 1);
    world.send(ALICE.0, "hello");
    assert_eq!(
        last_cstoken(&world),
        cstoken([2; 32], ALICE),
        "each row is proven by itself"
    );
    world.no_violations();
}

#[test]
fn a_key_that_is_missing_is_asked_of_the_phone() {
    let world = keyed("memory:");
    world.add(ALICE, Gate::TokenOrCstoken);
    world.order(change("regular_high", vec![salt(Some([1; 32]))]));
    until_now(&world, "Before");
    world.order(Command::ChangeAppState {
        account: None,
        collection: "regular_high".into(),
        changes: vec![salt(Some([2; 32]))],
        fresh_key: true,
        external: false,
        fault: None,
        push: true,
    });
    // The first name comes behind our question to the phone, the second one behind its answer.
    until_now(&world, "Asked");
    until_now(&world, "After");
    world.send(ALICE.0, "hello");
    assert_eq!(last_cstoken(&world), cstoken([2; 32], ALICE));
    world.no_violations();
}

#[test]
fn snapshots_and_long_patches_come_as_files() {
    let world = World::linked();
    world.add(ALICE, Gate::TokenOrCstoken);
    world.add(BOB, Gate::TokenOrCstoken);
    let noise = (0..50).map(|n| RowChange {
        index: vec!["pin_v1".into(), n.to_string()],
        ..RowChange::default()
    });
    world.order(change("regular_high", noise.collect()));
    world.order(change("regular_high", vec![salt(Some([1; 32]))]));
    let collection = "regular_high".to_owned();
    world.order(Command::CompactAppState {
        account: None,
        collection: collection.clone(),
    });
    world.order(Command::ShareKeys { account: None });
    let kind = || SYNC.to_owned();
    // The second question is for what comes behind the snapshot.
    world.wait_for(Condition::Iq {
        kind: kind(),
        count: 2,
    });
    world.send(ALICE.0, "hello");
    assert_eq!(last_cstoken(&world), cstoken([1; 32], ALICE));
    world.order(Command::ChangeAppState {
        account: None,
        collection,
        changes: vec![salt(Some([2; 32]))],
        fresh_key: false,
        external: true,
        fault: None,
        push: true,
    });
    world.wait_for(Condition::Iq {
        kind: kind(),
        count: 4,
    });
    world.send(BOB.0, "hello");
    assert_eq!(last_cstoken(&world), cstoken([2; 32], BOB));
    world.no_violations();
}
