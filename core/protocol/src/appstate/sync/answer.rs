//! What an answer of the server, or a file, does to a collection.

use super::track::{File, Stage, Track};
use super::{AppState, Work};
use crate::appstate::Collection;
use crate::appstate::action::Findings;
use crate::appstate::apply::{Applied, apply_patch, apply_snapshot, reset};
use crate::appstate::rows::State;
use crate::appstate::set::Patch;
use crate::appstate::stanza::Part;
use crate::error::Fault;
use crate::media::download::Reference;
use crate::pb;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Scope};

/// Answers in a row for one collection; a server that always has more is not followed for ever.
const MOST_ROUNDS: u32 = 1_000;

/// Seconds between two resets of one collection. A shorter time costs the server whole snapshots for
/// a set that does not come into step.
const RESET_AGAIN: i64 = 86_400;

/// Where an answer is read on.
enum Flow {
    /// With the next patch.
    On,
    /// Nowhere: the rest is asked for again, if at all.
    Stop,
}

impl AppState {
    /// One collection of an answer.
    pub(super) fn part(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        collection: Collection,
        part: &Part<'_>,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let mut state = State::load(&cx.txn, slot, collection)?;
        match part.error {
            // The server has something newer than what it compared with.
            Some(409) => {
                self.ask_again(cx, slot, collection, &mut state);
                return Ok(());
            }
            Some(400 | 404) => {
                self.halt(cx, slot, collection, &mut state);
                return Ok(());
            }
            Some(_) => {
                self.track(collection).failed(cx.now.mono, cx.rng);
                return Ok(());
            }
            None => {}
        }
        if let Some(reference) = part.snapshot {
            self.fetch(
                cx,
                (slot, collection),
                &mut state,
                reference,
                File::Snapshot,
            );
            return Ok(());
        }
        let before = state.version;
        for patch in &part.patches {
            match self.patch(cx, (slot, collection), &mut state, patch, None, now)? {
                Flow::On => {}
                Flow::Stop => return Ok(()),
            }
        }
        match part.more {
            true if state.version > before => self.ask_again(cx, slot, collection, &mut state),
            // More of what we have is nothing.
            true => self.track(collection).failed(cx.now.mono, cx.rng),
            false => self.finish(cx, slot, collection, &mut state),
        }
        Ok(())
    }

    /// A file is there, or cannot be had.
    pub(super) fn file(
        &mut self,
        cx: &mut Cx<'_>,
        (slot, collection): (&Scope, Collection),
        file: File,
        content: Option<&[u8]>,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let at = (slot, collection);
        let mut state = State::load(&cx.txn, slot, collection)?;
        let flow = match (file, content) {
            (File::Snapshot, Some(bytes)) => {
                let applied = apply_snapshot(cx, slot, collection, &mut state, bytes)?;
                self.follow(cx, at, &mut state, applied, true, now)?
            }
            (File::Patch(patch), Some(_)) => {
                self.patch(cx, at, &mut state, &patch, content, now)?
            }
            (_, None) => {
                // A fresh answer may name a file that is there.
                self.track(collection).failed(cx.now.mono, cx.rng);
                Flow::Stop
            }
        };
        if matches!(flow, Flow::On) {
            self.ask_again(cx, slot, collection, &mut state);
        }
        Ok(())
    }

    fn patch(
        &mut self,
        cx: &mut Cx<'_>,
        (slot, collection): (&Scope, Collection),
        state: &mut State,
        bytes: &[u8],
        external: Option<&[u8]>,
        now: UnixSeconds,
    ) -> Result<Flow, Fault> {
        let patch = match Patch::decode(bytes) {
            Ok(patch) => patch,
            Err(malformed) => {
                let refused = Applied::Refused(malformed.into());
                return self.follow(cx, (slot, collection), state, refused, false, now);
            }
        };
        if let (Some(reference), None) = (&patch.external, external)
            && patch.version > state.version
        {
            let reference = prost::Message::encode_to_vec(reference);
            let file = File::Patch(bytes.to_vec());
            self.fetch(cx, (slot, collection), state, &reference, file);
            return Ok(Flow::Stop);
        }
        let tolerate = !may_reset(state, now);
        let applied = apply_patch(cx, slot, collection, state, (&patch, external), tolerate)?;
        self.follow(cx, (slot, collection), state, applied, false, now)
    }

    /// What became of a snapshot or a patch leads to the next thing to do.
    fn follow(
        &mut self,
        cx: &mut Cx<'_>,
        (slot, collection): (&Scope, Collection),
        state: &mut State,
        applied: Applied,
        snapshot: bool,
        now: UnixSeconds,
    ) -> Result<Flow, Fault> {
        match applied {
            Applied::Done { findings, proven } => {
                self.counters.tolerated += u64::from(!proven);
                self.found(collection, findings, snapshot && proven);
                return Ok(Flow::On);
            }
            Applied::Known => return Ok(Flow::On),
            Applied::Diverged => self.restart(cx, (slot, collection), state, now)?,
            Applied::Keyless(ids) => {
                self.counters.keyless += 1;
                self.track(collection).stage = Stage::Keyless;
                self.work.push(Work::AskKeys(ids));
            }
            Applied::Refused(_) => {
                self.counters.refused += 1;
                if may_reset(state, now) {
                    self.restart(cx, (slot, collection), state, now)?;
                } else {
                    self.halt(cx, slot, collection, state);
                }
            }
        }
        Ok(Flow::Stop)
    }

    fn found(&mut self, collection: Collection, findings: Findings, whole: bool) {
        let counters = &mut self.counters;
        counters.others += findings.others;
        counters.odd += findings.odd;
        counters.unknown_removals += findings.unknown_removals;
        counters.rows += findings.rows;
        if whole || !findings.actions.is_empty() {
            self.work.push(Work::Found {
                collection,
                findings,
                whole,
            });
        }
    }

    /// Throws the collection away and asks for a snapshot.
    fn restart(
        &mut self,
        cx: &mut Cx<'_>,
        (slot, collection): (&Scope, Collection),
        state: &mut State,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        self.counters.resets += 1;
        reset(cx, slot, collection, state, now)?;
        self.ask_again(cx, slot, collection, state);
        Ok(())
    }

    fn fetch(
        &mut self,
        cx: &mut Cx<'_>,
        (slot, collection): (&Scope, Collection),
        state: &mut State,
        reference: &[u8],
        file: File,
    ) {
        let reference: Option<pb::ExternalBlobReference> = prost::Message::decode(reference).ok();
        match reference.as_ref().and_then(Reference::app_state) {
            Some(blob) => {
                self.track(collection).stage = Stage::Fetching(file);
                self.work.push(Work::Fetch(collection, blob));
            }
            None => {
                self.counters.refused += 1;
                self.halt(cx, slot, collection, state);
            }
        }
    }

    fn ask_again(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        collection: Collection,
        state: &mut State,
    ) {
        let track = self.track(collection);
        track.rounds += 1;
        if track.rounds > MOST_ROUNDS {
            return self.halt(cx, slot, collection, state);
        }
        track.stage = Stage::Idle;
        if !state.due {
            state.due = true;
            state.save(cx, slot, collection);
        }
    }

    /// The collection is in step.
    fn finish(&mut self, cx: &mut Cx<'_>, slot: &Scope, collection: Collection, state: &mut State) {
        let track = core::mem::take(self.track(collection));
        state.due = track.again.is_some_and(|version| version > state.version);
        state.save(cx, slot, collection);
    }

    /// Nothing more can be done until the server has something new.
    fn halt(&mut self, cx: &mut Cx<'_>, slot: &Scope, collection: Collection, state: &mut State) {
        state.due = false;
        state.save(cx, slot, collection);
        *self.track(collection) = Track::at(Stage::Halted);
    }
}

/// Whether beginning anew can help, and was not done lately. There is nothing to throw away in a
/// collection that is at its beginning.
fn may_reset(state: &State, now: UnixSeconds) -> bool {
    let lately = |t: UnixSeconds| (0..RESET_AGAIN).contains(&now.since(t));
    state.version > 0 && !state.reset.is_some_and(lately)
}
