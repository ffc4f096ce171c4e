//! One input, one transaction: `input -> Step { changes, effects } -> commit -> effects`.
//!
//! ```text
//! step(now, rng, reader, |cx| ..)  -> Step          pure: nothing has happened yet
//! step.commit(store, fence)        -> Vec<Effect>   all changes durable, only then effects exist
//! ```
//!
//! Effects are private until the commit returns, so nothing leaves on unsaved state:
//!
//! ```compile_fail
//! fn leak(step: sendpath_protocol::txn::Step) -> Vec<sendpath_protocol::effect::Effect> {
//!     step.effects // private
//! }
//! ```

pub mod conformance;
mod id;
mod kept;
mod memory;
mod record;
pub mod ring;
mod store;
mod view;

use crate::effect::Effect;
use crate::error::{Fault, StoreError};
use crate::secret::Entropy;
use crate::time::Now;

pub use id::Id;
pub use kept::Kept;
pub use memory::{CommitFailure, MemoryStore};
pub use record::{Key, Namespace, Record, Scope, row_of};
pub use store::{Changes, Fence, Reader, Rows, Store};
pub use view::{Txn, blocks};

/// What every machine method receives: the instant, randomness, the transaction, the effects.
pub struct Cx<'a> {
    /// The one instant of this step.
    pub now: Now,
    /// Randomness.
    pub rng: &'a mut dyn Entropy,
    /// Reads and pending writes.
    pub txn: Txn<'a>,
    out: Vec<Effect>,
}

impl Cx<'_> {
    /// Queues an effect; it exists for the driver once the step is committed.
    pub fn effect(&mut self, effect: impl Into<Effect>) {
        self.out.push(effect.into());
    }
}

/// Runs `body` as one step on `reader`. Nothing is written and nothing leaves until
/// [`Step::commit`].
///
/// # Errors
/// What `body` fails with; its changes and effects are then gone.
pub fn step(
    now: Now,
    rng: &mut dyn Entropy,
    reader: &dyn Reader,
    body: impl FnOnce(&mut Cx<'_>) -> Result<(), Fault>,
) -> Result<Step, Fault> {
    let mut cx = Cx {
        now,
        rng,
        txn: Txn::reading(reader),
        out: Vec::new(),
    };
    body(&mut cx)?;
    Ok(Step {
        changes: cx.txn.into_changes(),
        effects: cx.out,
    })
}

/// The result of one input: changes that must become durable, and effects that must wait for it.
#[must_use = "a step that is not committed never happened"]
#[derive(Debug)]
pub struct Step {
    changes: Changes,
    effects: Vec<Effect>,
}

impl Step {
    /// Makes the changes durable and hands out the effects.
    ///
    /// # Errors
    /// What the store says; the effects are then gone and the session must be rebuilt.
    pub fn commit(self, store: &mut dyn Store, fence: &Fence) -> Result<Vec<Effect>, StoreError> {
        if !self.changes.is_empty() {
            store.commit(&[(&self.changes, fence)])?;
        }
        Ok(self.effects)
    }

    /// Whether there is nothing to write; such a step costs no commit.
    pub fn is_read_only(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Steps of different sessions that share one commit, for the price of one disk flush.
#[must_use = "a batch that is not committed never happened"]
#[derive(Debug, Default)]
pub struct Batch {
    steps: Vec<(Fence, Step)>,
}

/// What became of one step of a batch.
pub type Committed = (Scope, Result<Vec<Effect>, StoreError>);

impl Batch {
    /// Whether a step of `slot` is already in; it must be committed before the slot's next input.
    pub fn holds(&self, slot: &Scope) -> bool {
        self.steps.iter().any(|(fence, _)| fence.scope == *slot)
    }

    /// Whether a pending step writes rows of `scope`, whoever's step it is.
    pub fn touches(&self, scope: &Scope) -> bool {
        self.steps
            .iter()
            .any(|(_, step)| step.changes.iter().any(|(key, _)| key.scope == *scope))
    }

    /// Adds a step of the slot that `fence` guards.
    pub fn add(&mut self, fence: Fence, step: Step) {
        self.steps.push((fence, step));
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// No step at all.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Commits all steps at once; if that fails, each on its own, so that one fenced or faulty
    /// account does not hold back the others.
    pub fn commit(self, store: &mut dyn Store) -> Vec<Committed> {
        let writes: Vec<_> = self
            .steps
            .iter()
            .filter(|(_, step)| !step.is_read_only())
            .map(|(fence, step)| (&step.changes, fence))
            .collect();
        if writes.is_empty() || store.commit(&writes).is_ok() {
            let done = |(fence, step): (Fence, Step)| (fence.scope, Ok(step.effects));
            return self.steps.into_iter().map(done).collect();
        }
        let single = |(fence, step): (Fence, Step)| {
            let result = step.commit(store, &fence);
            (fence.scope, result)
        };
        self.steps.into_iter().map(single).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Stanza;
    use crate::time::{Mono, UnixMillis};

    #[test]
    fn a_failing_body_leaves_no_step() {
        let store = MemoryStore::default();
        let failed = step(NOW, &mut Zeros, &store, |cx| {
            cx.effect(stanza(1));
            Err(Fault::Bug("on purpose"))
        });
        assert_eq!(failed.unwrap_err(), Fault::Bug("on purpose"));
    }

    #[test]
    fn effects_come_out_of_a_commit_that_wrote_and_only_then() {
        let mut store = MemoryStore::default();
        let fence = store.acquire(&slot("a")).unwrap();
        let send = |store: &MemoryStore| {
            run(store, |cx| {
                set(cx, "a", "k", Some("v"));
                cx.effect(stanza(1));
                Ok(())
            })
        };
        store.fail_next_commit(CommitFailure::Clean(StoreError::Full));
        let lost = send(&store).commit(&mut store, &fence);
        assert_eq!(lost, Err(StoreError::Full));
        assert!(store.is_empty());
        let sent = send(&store).commit(&mut store, &fence);
        assert_eq!(sent, Ok(vec![stanza(1).into()]));
        assert_eq!(store.get(&key("a", "k")).unwrap(), Some(b"v".to_vec()));
    }

    #[test]
    fn a_step_without_changes_costs_no_commit() {
        let mut store = MemoryStore::default();
        let fence = store.acquire(&slot("a")).unwrap();
        let quiet = run(&store, |cx| {
            cx.effect(stanza(7));
            Ok(())
        });
        assert_eq!(quiet.commit(&mut store, &fence), Ok(vec![stanza(7).into()]));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn a_batch_of_two_slots_is_one_commit() {
        let mut store = MemoryStore::default();
        let batch = batch_of(&mut store, &["a", "b"]);
        assert!(batch.holds(&slot("a")) && !batch.holds(&slot("c")));
        assert!(batch.touches(&slot("b")) && !batch.touches(&slot("c")));
        let done = batch.commit(&mut store);
        assert_eq!(store.commits(), 1);
        let effects = |n| Ok(vec![stanza(n).into()]);
        assert_eq!(done, [(slot("a"), effects(0)), (slot("b"), effects(1))]);
    }

    #[test]
    fn one_fenced_step_does_not_hold_back_the_others() {
        let mut store = MemoryStore::default();
        let batch = batch_of(&mut store, &["a", "b", "c"]);
        store.acquire(&slot("b")).unwrap();
        let done = batch.commit(&mut store);
        let failed: Vec<_> = done.iter().filter(|(_, result)| result.is_err()).collect();
        assert_eq!(failed, [&(slot("b"), Err(StoreError::Fenced))]);
        assert_eq!(store.commits(), 2);
        assert_eq!(store.get(&key("b", "k")).unwrap(), None);
        assert_eq!(store.get(&key("c", "k")).unwrap(), Some(b"v".to_vec()));
    }

    #[test]
    fn a_commit_of_unknown_result_is_repeated_without_harm() {
        let mut store = MemoryStore::default();
        let batch = batch_of(&mut store, &["a", "b"]);
        store.fail_next_commit(CommitFailure::AfterWrite(StoreError::Io("cut".into())));
        let done = batch.commit(&mut store);
        assert!(done.iter().all(|(_, result)| result.is_ok()));
        assert_eq!(store.len(), 2);
    }

    const NOW: Now = Now::new(Mono(0), UnixMillis(0));

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    fn slot(name: &str) -> Scope {
        Scope::slot(name)
    }

    fn key(name: &str, id: &str) -> Key {
        Key::new(&slot(name), Namespace::Scratch, id)
    }

    fn stanza(byte: u8) -> Stanza {
        Stanza(vec![byte])
    }

    fn set(cx: &mut Cx<'_>, name: &str, id: &str, row: Option<&str>) {
        match row {
            Some(row) => cx.txn.put_row(key(name, id), row.into()),
            None => cx.txn.delete(&slot(name), Namespace::Scratch, id),
        }
    }

    fn run(store: &MemoryStore, body: impl FnOnce(&mut Cx<'_>) -> Result<(), Fault>) -> Step {
        step(NOW, &mut Zeros, store, body).unwrap()
    }

    /// For each name one step that writes a row and has one stanza, numbered from 0.
    fn batch_of(store: &mut MemoryStore, names: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for (name, number) in names.iter().zip(0..) {
            let fence = store.acquire(&slot(name)).unwrap();
            let step = run(store, |cx| {
                set(cx, name, "k", Some("v"));
                cx.effect(stanza(number));
                Ok(())
            });
            batch.add(fence, step);
        }
        batch
    }
}
