use prost::Message;

use super::*;
use crate::appstate::Action;
use crate::appstate::testdata::{Phone, SALT, other, salt};
use crate::nct;
use crate::pb;
use crate::secret::SecretBytes;
use crate::testkit::Bench;

const HIGH: Collection = Collection::RegularHigh;

struct World {
    bench: Bench,
    phone: Phone,
    state: State,
}

impl World {
    fn new() -> Self {
        let (mut bench, phone) = (Bench::new(1), Phone::new(HIGH));
        let (slot, share) = (bench.slot.clone(), phone.share());
        bench.run(|cx| crate::appstate::keys::share(cx, &slot, &share));
        Self {
            bench,
            phone,
            state: State::default(),
        }
    }

    fn patch(&mut self, patch: &pb::SyncdPatch, tolerate: bool) -> Applied {
        let (slot, bytes) = (self.bench.slot.clone(), patch.encode_to_vec());
        let patch = (&Patch::decode(&bytes).unwrap(), None);
        let state = &mut self.state;
        self.bench
            .run(|cx| apply_patch(cx, &slot, HIGH, state, patch, tolerate))
    }

    fn snapshot(&mut self, snapshot: &pb::SyncdSnapshot) -> Applied {
        let (slot, bytes) = (self.bench.slot.clone(), snapshot.encode_to_vec());
        let state = &mut self.state;
        self.bench
            .run(|cx| apply_snapshot(cx, &slot, HIGH, state, &bytes))
    }

    fn rows(&self) -> usize {
        self.bench.store.len()
    }
}

fn actions(applied: Applied) -> (Vec<Action>, bool) {
    match applied {
        Applied::Done { findings, proven } => (findings.actions, proven),
        other => panic!("{other:?}"),
    }
}

fn set(bytes: &[u8]) -> Vec<Action> {
    let salt = SecretBytes::new(bytes.to_vec());
    vec![Action::Salt(nct::Mutation::Set(salt))]
}

#[test]
fn snapshots_and_patches_follow_each_other_and_prove_themselves() {
    let mut world = World::new();
    let first = world
        .phone
        .snapshot(&[(SALT, salt(b"a")), ("[\"x\"]", other())]);
    assert_eq!(actions(world.snapshot(&first)), (set(b"a"), true));
    let next = world
        .phone
        .patch(&[(SALT, salt(b"b")), ("[\"x\"]", None), (SALT, salt(b"c"))]);
    assert_eq!(actions(world.patch(&next, false)), (set(b"c"), true));
    assert_eq!(world.state.hash, world.phone.hash());
    let removed = world.phone.patch(&[(SALT, None)]);
    let cleared = vec![Action::Salt(nct::Mutation::Clear)];
    assert_eq!(actions(world.patch(&removed, false)), (cleared, true));
    assert_eq!(world.state.hash, LtHash::default());
    assert_eq!(world.rows(), 2, "the key and the state");
    assert_eq!(world.patch(&removed, false), Applied::Known);
    assert_eq!(world.snapshot(&first), Applied::Known, "an old one");
}

#[test]
fn a_patch_with_a_wrong_mac_leaves_no_trace() {
    let mut world = World::new();
    let good = world.phone.patch(&[(SALT, salt(b"a"))]);
    let mut unsigned = good.clone();
    unsigned.patch_mac.as_mut().unwrap()[0] ^= 1;
    let mut forged = good.clone();
    let record = forged.mutations[0].record.as_mut().unwrap();
    record.value.as_mut().unwrap().blob.as_mut().unwrap()[20] ^= 1;
    let mut renamed = good.clone();
    let record = renamed.mutations[0].record.as_mut().unwrap();
    record.index.as_mut().unwrap().blob = Some(vec![1; 32]);
    let mut broken = good.clone();
    broken.mutations[0].record = None;
    let before = (world.state.clone(), world.rows());
    for (patch, forgery) in [
        (unsigned, Forgery::PatchMac),
        (forged, Forgery::ValueMac),
        (renamed, Forgery::IndexMac),
        (broken, Forgery::Malformed),
    ] {
        assert_eq!(world.patch(&patch, true), Applied::Refused(forgery));
        assert_eq!((world.state.clone(), world.rows()), before);
    }
    assert_eq!(actions(world.patch(&good, false)), (set(b"a"), true));
}

#[test]
fn a_patch_for_other_rows_is_seen_and_may_be_tolerated() {
    let mut world = World::new();
    world.phone.patch(&[("[\"lost\"]", other())]);
    let next = world
        .phone
        .patch(&[(SALT, salt(b"a")), ("[\"never\"]", None)]);
    assert_eq!(world.patch(&next, false), Applied::Diverged);
    assert_eq!((world.state.version, world.rows()), (0, 1));
    let Applied::Done { findings, proven } = world.patch(&next, true) else {
        panic!("tolerated")
    };
    assert_eq!((findings.unknown_removals, proven), (1, false));
    assert_eq!((findings.actions, world.state.version), (set(b"a"), 2));
}

#[test]
fn a_wrong_mac_over_a_snapshot_is_tolerated_but_not_over_a_row() {
    let mut world = World::new();
    let mut snapshot = world.phone.snapshot(&[(SALT, salt(b"a"))]);
    snapshot.mac.as_mut().unwrap()[0] ^= 1;
    let mut forged = snapshot.clone();
    forged.records[0]
        .value
        .as_mut()
        .unwrap()
        .blob
        .as_mut()
        .unwrap()[60] ^= 1;
    assert_eq!(world.snapshot(&forged), Applied::Refused(Forgery::ValueMac));
    assert_eq!(actions(world.snapshot(&snapshot)), (set(b"a"), false));
}

#[test]
fn every_key_that_is_missing_is_named_at_once() {
    let mut world = World::new();
    let mut snapshot = world
        .phone
        .snapshot(&[(SALT, salt(b"a")), ("[\"x\"]", other())]);
    snapshot.records[1].key_id = Some(pb::SyncdKeyId {
        id: Some(b"k2".to_vec()),
    });
    let mut strange = snapshot.clone();
    snapshot.key_id = Some(pb::SyncdKeyId {
        id: Some(b"k3".to_vec()),
    });
    let missing = |id: &[u8]| KeyId::new(id).unwrap();
    assert_eq!(
        world.snapshot(&snapshot),
        Applied::Keyless(vec![missing(b"k2"), missing(b"k3")])
    );
    strange.records[1].key_id = Some(pb::SyncdKeyId {
        id: Some(Vec::new()),
    });
    assert_eq!(
        world.snapshot(&strange),
        Applied::Refused(Forgery::Malformed)
    );
    let mut patch = world.phone.patch(&[(SALT, salt(b"b"))]);
    patch.key_id = Some(pb::SyncdKeyId {
        id: Some(b"k4".to_vec()),
    });
    assert_eq!(
        world.patch(&patch, true),
        Applied::Keyless(vec![missing(b"k4")])
    );
}
