use prost::Message as _;

use super::*;
use crate::appstate::rows::State;
use crate::appstate::testdata::{Phone, SALT, other, salt};
use crate::appstate::{Action, keys::KeyId};
use crate::nct;
use crate::secret::SecretBytes;
use crate::testkit::Bench;

const HIGH: Collection = Collection::RegularHigh;
const BLOCK: Collection = Collection::CriticalBlock;
const NOW: UnixSeconds = UnixSeconds(1_790_000_000);

/// A device and its phone, whose keys it may have.
struct World {
    bench: Bench,
    state: AppState,
    phone: Phone,
    now: UnixSeconds,
}

impl World {
    /// Without keys, before the first login.
    fn new() -> Self {
        let (bench, phone) = (Bench::new(1), Phone::new(HIGH));
        Self {
            bench,
            state: AppState::default(),
            phone,
            now: NOW,
        }
    }

    /// In step: every collection is known, and `regular_high` is at version 1 with a salt.
    fn in_step() -> Self {
        let mut world = Self::new();
        world.run(|state, cx, slot| state.connected(cx, slot));
        let work = world.share();
        assert_eq!(asked(&work), Some(Collection::FOLLOWED.to_vec()));
        let patch = world.phone.patch(&[(SALT, salt(b"a"))]);
        let work = world.answer(&[part(HIGH).patch(&patch), part(BLOCK), part(LOW)]);
        assert_eq!(salts(&work), [b"a"]);
        assert_eq!(world.stored(HIGH).version, 1);
        world
    }

    fn run(
        &mut self,
        body: impl FnOnce(&mut AppState, &mut Cx<'_>, &Scope) -> Result<(), Fault>,
    ) -> Vec<Work> {
        let (slot, state) = (self.bench.slot.clone(), &mut self.state);
        self.bench.run(|cx| body(state, cx, &slot));
        self.state.take_work()
    }

    fn share(&mut self) -> Vec<Work> {
        let share = self.phone.share();
        self.run(|state, cx, slot| state.shared(cx, slot, &share))
    }

    /// The server answers what was asked last.
    fn answer(&mut self, parts: &[Built]) -> Vec<Work> {
        let asked: Vec<_> = parts.iter().map(|part| part.0).collect();
        let sync = Node::new("sync").children(parts.iter().map(Built::node));
        self.end(&asked, &IqEnd::Result(Node::new("iq").child(sync)))
    }

    fn end(&mut self, asked: &[Collection], end: &IqEnd) -> Vec<Work> {
        let now = self.now;
        self.run(|state, cx, slot| state.answered(cx, slot, asked, end, now))
    }

    fn fetched(&mut self, content: Option<&[u8]>) -> Vec<Work> {
        let now = self.now;
        self.run(|state, cx, slot| state.fetched(cx, slot, HIGH, content, now))
    }

    fn notify(&mut self, version: u64) -> Vec<Work> {
        let node = Node::new("collection")
            .attr("name", HIGH.name())
            .num("version", version);
        let node = Node::new("notification").child(node);
        self.run(|state, cx, slot| state.notified(cx, slot, &node))
    }

    fn tick(&mut self) -> Vec<Work> {
        let at = self.state.deadline().expect("something is due");
        assert!(at > self.bench.now.mono);
        self.bench.now.mono = at;
        self.run(|state, cx, slot| state.tick(cx, slot))
    }

    fn stored(&mut self, collection: Collection) -> State {
        let slot = self.bench.slot.clone();
        self.bench
            .run(|cx| Ok(State::load(&cx.txn, &slot, collection)?))
    }

    /// A patch whose MAC is wrong.
    fn forged(&mut self) -> pb::SyncdPatch {
        let mut patch = self.phone.patch(&[(SALT, salt(b"evil"))]);
        patch.patch_mac = Some(vec![0; 32]);
        patch
    }
}

const LOW: Collection = Collection::CriticalUnblockLow;

/// A collection of an answer.
struct Built(Collection, Vec<Vec<u8>>, Option<Vec<u8>>, bool, Option<u16>);

fn part(collection: Collection) -> Built {
    Built(collection, Vec::new(), None, false, None)
}

impl Built {
    fn patch(mut self, patch: &pb::SyncdPatch) -> Self {
        self.1.push(patch.encode_to_vec());
        self
    }

    fn snapshot(mut self) -> Self {
        self.2 = Some(reference().encode_to_vec());
        self
    }

    fn more(mut self) -> Self {
        self.3 = true;
        self
    }

    fn error(mut self, code: u16) -> Self {
        self.4 = Some(code);
        self
    }

    fn node(&self) -> Node {
        let Self(collection, patches, snapshot, more, error) = self;
        let patches = patches
            .iter()
            .map(|patch| Node::new("patch").bytes(patch.clone()));
        let mut node = Node::new("collection")
            .attr("name", collection.name())
            .attr("has_more_patches", if *more { "true" } else { "false" })
            .child(Node::new("patches").children(patches));
        if let Some(reference) = snapshot {
            node.push(Node::new("snapshot").bytes(reference.clone()));
        }
        if let Some(code) = error {
            node = node.attr("type", "error");
            node.push(Node::new("error").num("code", *code));
        }
        node
    }
}

fn reference() -> pb::ExternalBlobReference {
    pb::ExternalBlobReference {
        media_key: Some(vec![1; 32]),
        direct_path: Some("/v/x".into()),
        file_enc_sha256: Some(vec![2; 32]),
        ..pb::ExternalBlobReference::default()
    }
}

/// The collections of the one question, if there is one.
fn asked(work: &[Work]) -> Option<Vec<Collection>> {
    let mut questions = work.iter().filter_map(|work| match work {
        Work::Ask(_, asked) => Some(asked.clone()),
        _ => None,
    });
    let first = questions.next();
    assert!(questions.next().is_none());
    first
}

/// The version that the one question names for its first collection.
fn version_asked(work: &[Work]) -> Option<u64> {
    work.iter().find_map(|work| match work {
        Work::Ask(node, _) => node.find("sync")?.find("collection")?.number("version"),
        _ => None,
    })
}

fn salts(work: &[Work]) -> Vec<Vec<u8>> {
    let found = work.iter().filter_map(|work| match work {
        Work::Found { findings, .. } => Some(&findings.actions),
        _ => None,
    });
    found
        .flatten()
        .filter_map(|action| match action {
            Action::Salt(nct::Mutation::Set(salt)) => Some(SecretBytes::expose(salt).to_vec()),
            _ => None,
        })
        .collect()
}

fn fetches(work: &[Work]) -> bool {
    matches!(work, [Work::Fetch(HIGH, _)])
}

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
    assert!(world.notify(3).is_empty(), "one question at a time");
    let patch = world.phone.patch(&[(SALT, salt(b"b"))]);
    let work = world.answer(&[part(HIGH).patch(&patch)]);
    assert_eq!(
        (salts(&work), version_asked(&work)),
        (vec![b"b".to_vec()], Some(2))
    );
    assert!(world.answer(&[part(HIGH)]).is_empty());
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
