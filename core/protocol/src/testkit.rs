//! Helpers of unit tests: seeded randomness, and a store with one slot to run steps on.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::effect::Effect;
use crate::error::Fault;
use crate::secret::Entropy;
use crate::time::{Mono, Now, UnixMillis};
use crate::txn::{self, Cx, Fence, MemoryStore, Scope, Store};
use crate::wap::Node;

/// Randomness that a seed repeats.
pub(crate) struct Seeded(ChaCha8Rng);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// A memory store, one slot in it, and the instant and randomness of the next step.
pub(crate) struct Bench {
    pub(crate) store: MemoryStore,
    pub(crate) slot: Scope,
    pub(crate) now: Now,
    pub(crate) rng: Seeded,
    fence: Fence,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        let mut store = MemoryStore::default();
        let slot = Scope::slot("test");
        let fence = store.acquire(&slot).unwrap();
        Self {
            store,
            slot,
            now: Now::new(Mono(1_000), UnixMillis(1_790_000_000_000)),
            rng: Seeded::new(seed),
            fence,
        }
    }

    /// Runs and commits one step; the answer of `body` and the effects.
    pub(crate) fn step<T>(
        &mut self,
        body: impl FnOnce(&mut Cx<'_>) -> Result<T, Fault>,
    ) -> (T, Vec<Effect>) {
        let mut answer = None;
        let step = txn::step(self.now, &mut self.rng, &self.store, |cx| {
            answer = Some(body(cx)?);
            Ok(())
        });
        let effects = step.unwrap().commit(&mut self.store, &self.fence).unwrap();
        (answer.unwrap(), effects)
    }

    /// As [`Bench::step`], for bodies without interesting effects.
    pub(crate) fn run<T>(&mut self, body: impl FnOnce(&mut Cx<'_>) -> Result<T, Fault>) -> T {
        self.step(body).0
    }
}

/// Nodes of words, addresses and rubbish, a few levels deep.
pub(crate) fn any_node() -> impl Strategy<Value = Node> {
    let word = || {
        prop::sample::select(vec![
            "user",
            "devices",
            "device-list",
            "device",
            "key-index-list",
            "list",
            "lid",
            "contact",
            "error",
            "key",
            "id",
            "value",
            "skey",
            "signature",
            "identity",
            "registration",
            "type",
            "pair-device",
            "pair-success",
            "ref",
            "device-identity",
            "platform",
            "add",
            "remove",
            "update",
            "count",
            "jid",
            "val",
            "code",
            "hash",
            "dhash",
            "key-index",
        ])
    };
    let text = || {
        prop_oneof![
            Just("7:3@lid".to_owned()),
            Just("49@s.whatsapp.net".to_owned()),
            Just("2".to_owned()),
            ".{0,6}",
        ]
    };
    let attrs = move || prop::collection::vec((word(), text()), 0..4);
    let build = |tag: &'static str, attrs: Vec<(&'static str, String)>| {
        let node = Node::new(tag);
        attrs.into_iter().fold(node, |node, (k, v)| node.attr(k, v))
    };
    let bytes = prop::collection::vec(any::<u8>(), 0..70);
    let leaf = (word(), attrs(), bytes)
        .prop_map(move |(tag, attrs, bytes)| build(tag, attrs).bytes(bytes));
    leaf.prop_recursive(4, 40, 5, move |inner| {
        (word(), attrs(), prop::collection::vec(inner, 0..5))
            .prop_map(move |(tag, attrs, nodes)| build(tag, attrs).children(nodes))
    })
}
