mod world;

use prost::Message as _;

use crate::appstate::keys::KeyId;
use crate::appstate::sync::*;
use crate::appstate::testdata::{SALT, other, salt};
use world::{BLOCK, HIGH, LOW, World, asked, fetches, part, reference, salts, version_asked};

#[test]
fn the_first_sync_waits_for_keys_but_not_for_ever() {
    let mut world = World::new();
    let work = world.run(|state, cx, slot| state.connected(cx, slot));
    assert!(work.is_empty() && world.state.deadline().is_some());
    assert_eq!(asked(&world.tick()), Some(Collection::FOLLOWED.to_vec()));
    let mut world = World::new();
    world.run(|state, cx, slot| state.connected(cx, slot));
    let work = world.share();
    assert_eq!(
        (asked(&work), version_asked(&work)),
        (Some(Collection::FOLLOWED.to_vec()), None)
    );
    assert_eq!(world.state.deadline(), None);
}

#[test]
fn what_is_in_step_is_not_asked_for_at_the_next_login() {
    let mut world = World::in_step();
    world.state = AppState::default();
    assert!(
        world
            .run(|state, cx, slot| state.connected(cx, slot))
            .is_empty()
    );
    assert!(world.notify(1).is_empty(), "this version is here");
    assert_eq!(version_asked(&world.notify(2)), Some(1));
}

#[test]
fn a_change_is_asked_for_once_and_again_if_it_came_meanwhile() {
    let mut world = World::in_step();
    assert_eq!(asked(&world.notify(2)), Some(vec![HIGH]));
    assert!(world.notify(2).is_empty());
    assert!(world.notify(3).is_empty(), "one question at a time");
    let patch = world.phone.patch(&[(SALT, salt(b"b"))]);
    let work = world.answer(&[part(HIGH).patch(&patch)]);
    assert_eq!(
        (salts(&work), version_asked(&work)),
        (vec![b"b".to_vec()], Some(2))
    );
    world.notify(3);
    let patch = world.phone.patch(&[(SALT, salt(b"c"))]);
    let work = world.answer(&[part(HIGH).patch(&patch)]);
    assert_eq!((salts(&work), asked(&work)), (vec![b"c".to_vec()], None));
    assert!(!world.stored(HIGH).due);
}

#[test]
fn a_lost_connection_or_a_restart_forgets_nothing() {
    let mut world = World::in_step();
    world.notify(2);
    world.state.disconnected();
    assert!(world.end(&[HIGH], &IqEnd::Disconnected).is_empty());
    let work = world.run(|state, cx, slot| state.connected(cx, slot));
    assert_eq!(asked(&work), Some(vec![HIGH]));
    world.state = AppState::default();
    let work = world.run(|state, cx, slot| state.connected(cx, slot));
    assert_eq!(
        (asked(&work), version_asked(&work)),
        (Some(vec![HIGH]), Some(1))
    );
}

#[test]
fn a_snapshot_is_fetched_and_what_follows_is_asked_for_again() {
    let mut world = World::in_step();
    world.notify(9);
    world.phone.version = 7;
    let snapshot = world.phone.snapshot(&[(SALT, salt(b"s"))]).encode_to_vec();
    let late = world.phone.patch(&[(SALT, salt(b"t"))]);
    let work = world.answer(&[part(HIGH).snapshot().patch(&late)]);
    assert!(fetches(&work), "{work:?}");
    let work = world.fetched(Some(&snapshot));
    assert_eq!(
        (salts(&work), version_asked(&work)),
        (vec![b"s".to_vec()], Some(8))
    );
    let whole = |work: &Work| matches!(work, Work::Found { whole: true, .. });
    assert!(work.iter().any(whole));
    assert_eq!(salts(&world.answer(&[part(HIGH).patch(&late)])), [b"t"]);
    assert_eq!(world.state.counters().tolerated, 0);
}

#[test]
fn mutations_in_a_file_are_fetched_and_the_patch_goes_on_with_them() {
    let mut world = World::in_step();
    world.notify(2);
    let mut patch = world
        .phone
        .patch(&[(SALT, salt(b"b")), ("[\"x\"]", other())]);
    let mutations = std::mem::take(&mut patch.mutations);
    patch.external_mutations = Some(reference());
    assert!(fetches(&world.answer(&[part(HIGH).patch(&patch)])));
    assert_eq!(world.stored(HIGH).version, 1);
    let list = pb::SyncdMutations { mutations }.encode_to_vec();
    let work = world.fetched(Some(&list));
    assert_eq!(
        (salts(&work), version_asked(&work)),
        (vec![b"b".to_vec()], Some(2))
    );
    assert_eq!(world.state.counters().others, 1);
    // A file that is gone is asked for anew after a while.
    world.answer(&[part(HIGH)]);
    world.notify(3);
    let mut patch = world.phone.patch(&[(SALT, salt(b"c"))]);
    patch.external_mutations = Some(reference());
    world.answer(&[part(HIGH).patch(&patch)]);
    assert!(world.fetched(None).is_empty());
    assert_eq!(version_asked(&world.tick()), Some(2));
}

#[test]
fn missing_keys_are_asked_for_and_the_sync_goes_on_with_them() {
    let mut world = World::in_step();
    world.notify(2);
    world.phone.id = vec![9; 6];
    world.phone.data = vec![8; 32];
    let patch = world.phone.patch(&[("[\"x\"]", other())]);
    let work = world.answer(&[part(HIGH).patch(&patch)]);
    let expected = KeyId::new(&[9; 6]).unwrap();
    assert!(
        matches!(&work[..], [Work::AskKeys(ids)] if *ids == [expected]),
        "{work:?}"
    );
    assert_eq!(version_asked(&world.share()), Some(1));
    assert!(world.answer(&[part(HIGH).patch(&patch)]).is_empty());
    assert_eq!(world.stored(HIGH).version, 2);
}

#[test]
fn a_forged_patch_is_refused_and_the_collection_begins_anew_once_a_day() {
    let mut world = World::in_step();
    world.notify(2);
    let forged = world.forged();
    let work = world.answer(&[part(HIGH).patch(&forged)]);
    assert_eq!(
        (salts(&work), asked(&work), version_asked(&work)),
        (vec![], Some(vec![HIGH]), None)
    );
    assert_eq!(world.stored(HIGH).version, 0);
    world.answer(&[part(HIGH).snapshot()]);
    let snapshot = world.phone.snapshot(&[(SALT, salt(b"s"))]).encode_to_vec();
    assert_eq!(salts(&world.fetched(Some(&snapshot))), [b"s"]);
    let forged = world.forged();
    assert!(
        world.answer(&[part(HIGH).patch(&forged)]).is_empty(),
        "no second time"
    );
    assert_eq!(
        (world.stored(HIGH).version, world.stored(HIGH).due),
        (3, false)
    );
    assert_eq!(
        (
            world.state.counters().refused,
            world.state.counters().resets
        ),
        (2, 1)
    );
    world.now = world.now.plus(86_400);
    world.notify(5);
    assert_eq!(
        version_asked(&world.answer(&[part(HIGH).patch(&forged)])),
        None
    );
    assert_eq!(world.state.counters().resets, 2);
}

#[test]
fn rows_that_do_not_come_into_step_are_tolerated_after_one_reset() {
    let mut world = World::in_step();
    world.notify(3);
    world.phone.patch(&[("[\"lost\"]", other())]);
    let next = world.phone.patch(&[(SALT, salt(b"b"))]);
    let work = world.answer(&[part(HIGH).patch(&next)]);
    assert_eq!((salts(&work), asked(&work)), (vec![], Some(vec![HIGH])));
    // The snapshot does not prove itself either.
    world.answer(&[part(HIGH).snapshot()]);
    let mut snapshot = world.phone.snapshot(&[(SALT, salt(b"c"))]);
    snapshot.mac = Some(vec![0; 32]);
    let work = world.fetched(Some(&snapshot.encode_to_vec()));
    let whole = |work: &Work| matches!(work, Work::Found { whole: true, .. });
    assert!(salts(&work) == [b"c"] && !work.iter().any(whole));
    world.phone.patch(&[("[\"lost too\"]", other())]);
    let next = world.phone.patch(&[(SALT, salt(b"d"))]);
    assert_eq!(salts(&world.answer(&[part(HIGH).patch(&next)])), [b"d"]);
    assert_eq!(
        (
            world.state.counters().tolerated,
            world.state.counters().resets
        ),
        (2, 1)
    );
}

#[test]
fn a_busy_server_is_asked_later_and_not_for_ever() {
    let mut world = World::in_step();
    world.notify(2);
    let mut last = world.bench.now.mono;
    for wait in [5, 10, 20, 40, 80, 160, 300] {
        assert!(world.answer(&[part(HIGH).error(503)]).is_empty());
        assert_eq!(asked(&world.tick()), Some(vec![HIGH]));
        let waited = world.bench.now.mono.since(last);
        assert!(
            (wait * 1_000..wait * 1_000 + 1_000).contains(&waited.0),
            "{waited:?}"
        );
        last = world.bench.now.mono;
    }
    assert!(world.end(&[HIGH], &IqEnd::Timeout).is_empty());
    assert_eq!(world.state.deadline(), None);
    let work = world.run(|state, cx, slot| state.connected(cx, slot));
    assert_eq!(asked(&work), Some(vec![HIGH]), "the next login tries again");
}

#[test]
fn errors_of_a_collection_are_told_apart() {
    let mut world = World::in_step();
    world.notify(2);
    assert_eq!(
        version_asked(&world.answer(&[part(HIGH).error(409)])),
        Some(1)
    );
    assert!(world.answer(&[part(HIGH).error(404)]).is_empty());
    assert!(world.state.deadline().is_none() && !world.stored(HIGH).due);
    assert_eq!(
        asked(&world.notify(3)),
        Some(vec![HIGH]),
        "until there is something new"
    );
}

#[test]
fn more_is_asked_for_while_it_leads_on() {
    let mut world = World::in_step();
    world.notify(3);
    let second = world.phone.patch(&[(SALT, salt(b"b"))]);
    assert_eq!(
        version_asked(&world.answer(&[part(HIGH).patch(&second).more()])),
        Some(2)
    );
    assert_eq!(
        asked(&world.answer(&[part(HIGH).patch(&second).more()])),
        None,
        "nothing new"
    );
    assert!(world.state.deadline().is_some());
}

#[test]
fn dirty_is_cleaned_when_everything_was_read() {
    let mut world = World::in_step();
    let clean = Node::new("clean");
    let work = world.run(|state, cx, slot| state.dirty(cx, slot, clean));
    assert_eq!(asked(&work), Some(Collection::FOLLOWED.to_vec()));
    let work = world.answer(&[part(BLOCK), part(LOW), part(HIGH).snapshot()]);
    assert!(fetches(&work), "{work:?}");
    let work = world.fetched(None);
    assert!(work.is_empty());
    world.tick();
    let work = world.answer(&[part(HIGH)]);
    assert!(
        matches!(&work[..], [Work::Clean(node)] if node.tag == "clean"),
        "{work:?}"
    );
}

#[test]
fn collections_that_nobody_needs_are_left_alone() {
    let mut world = World::in_step();
    let node = Node::new("collection")
        .attr("name", "regular")
        .attr("version", "5");
    let node = Node::new("notification").child(node);
    assert!(
        world
            .run(|state, cx, slot| state.notified(cx, slot, &node))
            .is_empty()
    );
}

#[test]
fn what_was_forgotten_is_read_from_its_beginning() {
    let mut world = World::in_step();
    world.notify(2);
    let late = world.phone.patch(&[("[\"x\"]", other())]);
    let work = world.run(|state, cx, slot| state.begin_anew(cx, slot));
    assert_eq!(
        asked(&work),
        Some(vec![BLOCK, LOW]),
        "one question at a time"
    );
    let work = world.answer(&[part(HIGH).patch(&late)]);
    assert_eq!(
        (asked(&work), version_asked(&work)),
        (Some(vec![HIGH]), None)
    );
    assert_eq!(
        world.stored(HIGH).version,
        0,
        "an answer to an old question"
    );
}
