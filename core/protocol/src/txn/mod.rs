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

mod memory;
mod record;
mod store;

use crate::effect::Effect;
use crate::error::{Fault, StoreError};
use crate::secret::Entropy;
use crate::time::Now;

pub use memory::{CommitFailure, MemoryStore};
pub use record::{Key, Namespace, Record, Scope};
pub use store::{Changes, Fence, Reader, Rows, Store};

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

/// A reader with pending changes on top: reads see own writes.
pub struct Txn<'a> {
    reader: &'a dyn Reader,
    changes: Changes,
}

impl Txn<'_> {
    /// The row under `key`, pending writes included.
    ///
    /// # Errors
    /// What the store says.
    pub fn row(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.pending(key) {
            Some(row) => Ok(row.map(<[u8]>::to_vec)),
            None => self.reader.get(key),
        }
    }

    /// The record with `id`.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Corrupt`] or [`StoreError::Version`] for a bad row.
    pub fn get<R: Record>(
        &self,
        scope: &Scope,
        id: impl AsRef<[u8]>,
    ) -> Result<Option<R>, StoreError> {
        let row = self.row(&Key::new(scope, R::NAMESPACE, id))?;
        row.map(|row| R::from_row(&row)).transpose()
    }

    /// Writes a record.
    pub fn put<R: Record>(&mut self, scope: &Scope, id: impl AsRef<[u8]>, record: &R) {
        self.changes
            .put(Key::new(scope, R::NAMESPACE, id), record.to_row());
    }

    /// Writes a row as it is, to move one without reading it.
    pub fn put_row(&mut self, key: Key, row: Vec<u8>) {
        self.changes.put(key, row);
    }

    /// Removes the record with `id`, if there is one.
    pub fn delete(&mut self, scope: &Scope, ns: Namespace, id: impl AsRef<[u8]>) {
        self.changes.delete(Key::new(scope, ns, id));
    }

    /// Up to `limit` rows whose id starts with `prefix` and is greater than `after`, in id order,
    /// pending writes included.
    ///
    /// # Errors
    /// What the store says.
    pub fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let pending: Vec<_> = self
            .changes
            .iter()
            .filter(|(key, _)| key.scope == *scope && key.ns == ns && key.id.starts_with(prefix))
            .filter(|(key, _)| after.is_none_or(|after| &*key.id > after))
            .collect();
        let removed = pending.iter().filter(|(_, row)| row.is_none()).count();
        let stored = self
            .reader
            .scan(scope, ns, prefix, after, limit.saturating_add(removed))?;
        if pending.is_empty() {
            return Ok(stored);
        }
        let mut merged: std::collections::BTreeMap<Box<[u8]>, Option<Vec<u8>>> = stored
            .into_iter()
            .map(|(id, row)| (id, Some(row)))
            .collect();
        for (key, row) in pending {
            merged.insert(key.id.clone(), row.map(<[u8]>::to_vec));
        }
        let present = merged.into_iter().filter_map(|(id, row)| Some((id, row?)));
        Ok(present.take(limit).collect())
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
    let txn = Txn {
        reader,
        changes: Changes::default(),
    };
    let mut cx = Cx {
        now,
        rng,
        txn,
        out: Vec::new(),
    };
    body(&mut cx)?;
    Ok(Step {
        changes: cx.txn.changes,
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
