//! Helpers of unit tests: seeded randomness, and a store with one slot to run steps on.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::effect::Effect;
use crate::error::Fault;
use crate::secret::Entropy;
use crate::time::{Mono, Now, UnixMillis};
use crate::txn::{self, Cx, Fence, MemoryStore, Scope, Store};

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
