//! Snapshots and patches become the new state of a collection, or nothing at all.
//!
//! Everything is verified before the first row is written: a refused patch leaves no trace. Rows are
//! read as a stream; what is held in memory is one value MAC for each changed row.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::appstate::action::Findings;
use crate::appstate::keys::{KeyId, Ring};
use crate::appstate::rows::{self, State};
use crate::appstate::seal::open;
use crate::appstate::set::{Patch, Snapshot};
use crate::appstate::{Collection, LtHash, Malformed};
use crate::crypto::symmetric::ct_eq;
use crate::error::Fault;
use crate::nct::Operation;
use crate::txn::{Cx, Scope};

/// Rows of one snapshot or patch. A row costs about 200 bytes until the step is committed.
const MOST_ROWS: usize = 200_000;

/// What became of a snapshot or a patch. Only after [`Applied::Done`] something has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Applied {
    /// It is in the step.
    Done {
        /// What it said.
        findings: Findings,
        /// Its last MAC proved that our rows are those of the phone.
        proven: bool,
    },
    /// It is genuine, but our rows are not those that it was made for.
    Diverged,
    /// These keys are not here.
    Keyless(Vec<KeyId>),
    /// We are at this version, or past it.
    Known,
    /// It is not what the phone made.
    Refused(Forgery),
}

/// What is wrong with a snapshot or a patch.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Forgery {
    /// The MAC over the row's index.
    #[error("a row's index MAC is wrong")]
    IndexMac,
    /// The bytes.
    #[error("the bytes are not a part of app state")]
    Malformed,
    /// The MAC over the patch.
    #[error("the patch MAC is wrong")]
    PatchMac,
    /// More rows than we take.
    #[error("it has too many rows")]
    TooMuch,
    /// The MAC over the row's value.
    #[error("a row's value MAC is wrong")]
    ValueMac,
}

impl From<Malformed> for Forgery {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Why the reading of rows ended early.
enum Stop {
    Fault(Fault),
    Forged(Forgery),
    /// The ring knows which.
    Keyless,
}

impl<E: Into<Forgery>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Forged(error.into())
    }
}

/// Replaces the collection by a snapshot. A wrong MAC over the whole is tolerated and told: each row
/// is proven by itself, and clients that insisted asked for the same snapshot for ever.
///
/// # Errors
/// What the store says.
pub fn apply_snapshot(
    cx: &mut Cx<'_>,
    slot: &Scope,
    collection: Collection,
    state: &mut State,
    bytes: &[u8],
) -> Result<Applied, Fault> {
    let Ok(snapshot) = Snapshot::decode(bytes) else {
        return Ok(Applied::Refused(Forgery::Malformed));
    };
    if snapshot.version < state.version {
        return Ok(Applied::Known);
    }
    let mut ring = Ring::new(slot);
    let read = read_snapshot(cx, collection, &mut ring, &snapshot);
    let mut next = match read {
        Ok(next) => next,
        Err(stop) => return stopped(stop, &ring),
    };
    let proven = match ring.keys(&cx.txn, snapshot.key_id)? {
        Some(keys) => {
            let mac = keys.snapshot_mac(&next.hash, snapshot.version, collection);
            ct_eq(&mac, snapshot.mac)
        }
        None => return Ok(keyless(&ring)),
    };
    rows::clear(cx, slot, collection)?;
    for (index_mac, value_mac) in core::mem::take(&mut next.rows) {
        rows::put(cx, slot, collection, &index_mac, value_mac);
    }
    state.version = snapshot.version;
    state.hash = next.hash;
    state.save(cx, slot, collection);
    Ok(Applied::Done {
        findings: next.findings,
        proven,
    })
}

/// Takes a patch over. `external` is the decrypted list of its mutations, when they lie in a file.
/// With `tolerate`, a collection whose rows are not those of the phone goes on all the same.
///
/// # Errors
/// What the store says.
pub fn apply_patch(
    cx: &mut Cx<'_>,
    slot: &Scope,
    collection: Collection,
    state: &mut State,
    (patch, external): (&Patch<'_>, Option<&[u8]>),
    tolerate: bool,
) -> Result<Applied, Fault> {
    if patch.version <= state.version {
        return Ok(Applied::Known);
    }
    let mut ring = Ring::new(slot);
    let read = check_patch(cx, collection, &mut ring, (patch, external))
        .and_then(|()| read_patch(cx, (slot, collection), &mut ring, state, (patch, external)));
    let next = match read {
        Ok(next) => next,
        Err(stop) => return stopped(stop, &ring),
    };
    let Some(keys) = ring.keys(&cx.txn, patch.key_id)? else {
        return Ok(keyless(&ring));
    };
    let mac = keys.snapshot_mac(&next.hash, patch.version, collection);
    let proven = ct_eq(&mac, patch.snapshot_mac);
    if !proven && !tolerate {
        return Ok(Applied::Diverged);
    }
    for (index_mac, value_mac) in next.rows {
        rows::put(cx, slot, collection, &index_mac, value_mac);
    }
    state.version = patch.version;
    state.hash = next.hash;
    state.save(cx, slot, collection);
    Ok(Applied::Done {
        findings: next.findings,
        proven,
    })
}

/// Throws away what is stored of a collection: a snapshot is wanted next.
///
/// # Errors
/// What the store says.
pub(super) fn reset(
    cx: &mut Cx<'_>,
    slot: &Scope,
    collection: Collection,
    state: &mut State,
    now: crate::time::UnixSeconds,
) -> Result<(), Fault> {
    rows::clear(cx, slot, collection)?;
    *state = State {
        reset: Some(now),
        ..State::default()
    };
    state.save(cx, slot, collection);
    Ok(())
}

/// What a collection would become.
#[derive(Default)]
struct Next {
    hash: LtHash,
    /// Changed rows: their new value MAC, `None` for a removed one.
    rows: BTreeMap<[u8; 32], Option<[u8; 32]>>,
    findings: Findings,
}

fn read_snapshot(
    cx: &Cx<'_>,
    collection: Collection,
    ring: &mut Ring<'_>,
    snapshot: &Snapshot<'_>,
) -> Result<Next, Stop> {
    let mut next = Next::default();
    // All keys that are missing are asked for at once.
    let mut keyless = ring
        .keys(&cx.txn, snapshot.key_id)
        .map_err(fault)?
        .is_none();
    for record in snapshot.records() {
        let record = record?;
        let Some(keys) = ring.keys(&cx.txn, record.key_id).map_err(fault)? else {
            keyless = true;
            continue;
        };
        let row = open(keys, Operation::Set, &record)?;
        next.findings.add(collection, Operation::Set, &row);
        if let Some(Some(doubled)) = next.rows.insert(*record.index_mac, Some(*record.value_mac)) {
            next.hash.subtract(&doubled);
        }
        next.hash.add(record.value_mac);
        if next.rows.len() > MOST_ROWS {
            return Err(Forgery::TooMuch.into());
        }
    }
    if keyless {
        Err(Stop::Keyless)
    } else {
        Ok(next)
    }
}

/// The MAC over the patch as a whole.
fn check_patch(
    cx: &Cx<'_>,
    collection: Collection,
    ring: &mut Ring<'_>,
    (patch, external): (&Patch<'_>, Option<&[u8]>),
) -> Result<(), Stop> {
    let mut macs = Vec::new();
    for mutation in patch.mutations(external).take(MOST_ROWS + 1) {
        macs.push(mutation?.record.value_mac);
    }
    if macs.len() > MOST_ROWS {
        return Err(Forgery::TooMuch.into());
    }
    let keys = ring.keys(&cx.txn, patch.key_id).map_err(fault)?;
    let keys = keys.ok_or(Stop::Keyless)?;
    let mac = keys.patch_mac(patch.snapshot_mac, &macs, patch.version, collection);
    if ct_eq(&mac, patch.patch_mac) {
        Ok(())
    } else {
        Err(Forgery::PatchMac.into())
    }
}

fn read_patch(
    cx: &Cx<'_>,
    (slot, collection): (&Scope, Collection),
    ring: &mut Ring<'_>,
    state: &State,
    (patch, external): (&Patch<'_>, Option<&[u8]>),
) -> Result<Next, Stop> {
    let mut next = Next {
        hash: state.hash.clone(),
        ..Next::default()
    };
    let mut keyless = false;
    for mutation in patch.mutations(external) {
        let mutation = mutation?;
        let record = &mutation.record;
        let Some(keys) = ring.keys(&cx.txn, record.key_id).map_err(fault)? else {
            keyless = true;
            continue;
        };
        let row = open(keys, mutation.operation, record)?;
        next.findings.add(collection, mutation.operation, &row);
        let known = match next.rows.get(record.index_mac) {
            Some(changed) => *changed,
            None => rows::value_mac(&cx.txn, slot, collection, record.index_mac).map_err(fault)?,
        };
        if let Some(known) = &known {
            next.hash.subtract(known);
        }
        let set = mutation.operation == Operation::Set;
        match known {
            _ if set => next.hash.add(record.value_mac),
            None => next.findings.unknown_removals += 1,
            Some(_) => {}
        }
        next.rows
            .insert(*record.index_mac, set.then_some(*record.value_mac));
    }
    if keyless {
        Err(Stop::Keyless)
    } else {
        Ok(next)
    }
}

fn fault(error: crate::error::StoreError) -> Stop {
    Stop::Fault(error.into())
}

fn stopped(stop: Stop, ring: &Ring<'_>) -> Result<Applied, Fault> {
    match stop {
        Stop::Fault(fault) => Err(fault),
        Stop::Forged(forgery) => Ok(Applied::Refused(forgery)),
        Stop::Keyless => Ok(keyless(ring)),
    }
}

/// An id that no key can have is as good as bytes that are none.
fn keyless(ring: &Ring<'_>) -> Applied {
    let missing: Vec<KeyId> = ring.missing().cloned().collect();
    if missing.is_empty() {
        return Applied::Refused(Forgery::Malformed);
    }
    Applied::Keyless(missing)
}
