//! A device, its phone, and answers of a server.

use prost::Message as _;

use crate::appstate::Action;
use crate::appstate::rows::State;
use crate::appstate::sync::*;
use crate::appstate::testdata::{Phone, SALT, salt};
use crate::nct;
use crate::secret::SecretBytes;
use crate::testkit::Bench;

pub(super) const HIGH: Collection = Collection::RegularHigh;
pub(super) const BLOCK: Collection = Collection::CriticalBlock;
pub(super) const NOW: UnixSeconds = UnixSeconds(1_790_000_000);

/// A device and its phone, whose keys it may have.
pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) state: AppState,
    pub(super) phone: Phone,
    pub(super) now: UnixSeconds,
}

impl World {
    /// Without keys, before the first login.
    pub(super) fn new() -> Self {
        let (bench, phone) = (Bench::new(1), Phone::new(HIGH));
        Self {
            bench,
            state: AppState::default(),
            phone,
            now: NOW,
        }
    }

    /// In step: every collection is known, and `regular_high` is at version 1 with a salt.
    pub(super) fn in_step() -> Self {
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

    pub(super) fn run(
        &mut self,
        body: impl FnOnce(&mut AppState, &mut Cx<'_>, &Scope) -> Result<(), Fault>,
    ) -> Vec<Work> {
        let (slot, state) = (self.bench.slot.clone(), &mut self.state);
        self.bench.run(|cx| body(state, cx, &slot));
        self.state.take_work()
    }

    pub(super) fn share(&mut self) -> Vec<Work> {
        let share = self.phone.share();
        self.run(|state, cx, slot| state.shared(cx, slot, &share))
    }

    /// The server answers what was asked last.
    pub(super) fn answer(&mut self, parts: &[Built]) -> Vec<Work> {
        let asked: Vec<_> = parts.iter().map(|part| part.0).collect();
        let sync = Node::new("sync").children(parts.iter().map(Built::node));
        self.end(&asked, &IqEnd::Result(Node::new("iq").child(sync)))
    }

    pub(super) fn end(&mut self, asked: &[Collection], end: &IqEnd) -> Vec<Work> {
        let now = self.now;
        self.run(|state, cx, slot| state.answered(cx, slot, asked, end, now))
    }

    pub(super) fn fetched(&mut self, content: Option<&[u8]>) -> Vec<Work> {
        let now = self.now;
        self.run(|state, cx, slot| state.fetched(cx, slot, HIGH, content, now))
    }

    pub(super) fn notify(&mut self, version: u64) -> Vec<Work> {
        let node = Node::new("collection")
            .attr("name", HIGH.name())
            .num("version", version);
        let node = Node::new("notification").child(node);
        self.run(|state, cx, slot| state.notified(cx, slot, &node))
    }

    pub(super) fn tick(&mut self) -> Vec<Work> {
        let at = self.state.deadline().expect("something is due");
        assert!(at > self.bench.now.mono);
        self.bench.now.mono = at;
        self.run(|state, cx, slot| state.tick(cx, slot))
    }

    pub(super) fn stored(&mut self, collection: Collection) -> State {
        let slot = self.bench.slot.clone();
        self.bench
            .run(|cx| Ok(State::load(&cx.txn, &slot, collection)?))
    }

    /// A patch whose MAC is wrong.
    pub(super) fn forged(&mut self) -> pb::SyncdPatch {
        let mut patch = self.phone.patch(&[(SALT, salt(b"evil"))]);
        patch.patch_mac = Some(vec![0; 32]);
        patch
    }
}

pub(super) const LOW: Collection = Collection::CriticalUnblockLow;

/// A collection of an answer.
pub(super) struct Built(Collection, Vec<Vec<u8>>, Option<Vec<u8>>, bool, Option<u16>);

pub(super) fn part(collection: Collection) -> Built {
    Built(collection, Vec::new(), None, false, None)
}

impl Built {
    pub(super) fn patch(mut self, patch: &pb::SyncdPatch) -> Self {
        self.1.push(patch.encode_to_vec());
        self
    }

    pub(super) fn snapshot(mut self) -> Self {
        self.2 = Some(reference().encode_to_vec());
        self
    }

    pub(super) fn more(mut self) -> Self {
        self.3 = true;
        self
    }

    pub(super) fn error(mut self, code: u16) -> Self {
        self.4 = Some(code);
        self
    }

    pub(super) fn node(&self) -> Node {
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

pub(super) fn reference() -> pb::ExternalBlobReference {
    pb::ExternalBlobReference {
        media_key: Some(vec![1; 32]),
        direct_path: Some("/v/x".into()),
        file_enc_sha256: Some(vec![2; 32]),
        ..pb::ExternalBlobReference::default()
    }
}

/// The collections of the one question, if there is one.
pub(super) fn asked(work: &[Work]) -> Option<Vec<Collection>> {
    let mut questions = work.iter().filter_map(|work| match work {
        Work::Ask(_, asked) => Some(asked.clone()),
        _ => None,
    });
    let first = questions.next();
    assert!(questions.next().is_none());
    first
}

/// The version that the one question names for its first collection.
pub(super) fn version_asked(work: &[Work]) -> Option<u64> {
    work.iter().find_map(|work| match work {
        Work::Ask(node, _) => node.find("sync")?.find("collection")?.number("version"),
        _ => None,
    })
}

pub(super) fn salts(work: &[Work]) -> Vec<Vec<u8>> {
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

pub(super) fn fetches(work: &[Work]) -> bool {
    matches!(work, [Work::Fetch(HIGH, _)])
}
