//! When which collection is asked for, and what its answer leads to.
//!
//! ```text
//! idle ─▶ asked ─▶ fetching (snapshot, or mutations of a patch) ─▶ asked .. ─▶ idle
//!           └─▶ pausing (the server is busy) ─▶ asked      keyless, halted: until something changes
//! ```
//! Each collection is asked for once at a time. What lies behind a file in an answer is asked for
//! again when the file was applied, so that no more than one patch is held meanwhile. That something
//! is due is a row: neither a restart nor a lost connection forgets it.

mod answer;
#[cfg(test)]
mod tests;
mod track;

use std::collections::BTreeMap;

use super::Collection;
use super::action::Findings;
use super::keys::{self, KeyId};
use super::rows::{self, State};
use super::stanza;
use crate::error::Fault;
use crate::media::download::Reference;
use crate::pb;
use crate::stream::iq::IqEnd;
use crate::time::{Millis, Mono, UnixSeconds};
use crate::txn::{Cx, Scope};
use crate::wap::Node;
use track::{Stage, Track};

/// How long the phone's first share of keys is waited for. The web client gives up then; we ask the
/// server all the same, which names the keys to ask the phone for.
const FIRST_SHARE: Millis = Millis::from_secs(180);

/// What the session is to do.
#[derive(Debug)]
pub enum Work {
    /// Write this question; its end belongs to these collections.
    Ask(Node, Vec<Collection>),
    /// Ask the phone for these keys.
    AskKeys(Vec<KeyId>),
    /// Everything is in step as far as it can be: answer the server's `dirty` mark.
    Clean(Node),
    /// Fetch this file for the collection.
    Fetch(Collection, Reference),
    /// Use what was found.
    Found {
        /// Where.
        collection: Collection,
        /// What.
        findings: Findings,
        /// It is all that the collection holds, and that is proven.
        whole: bool,
    },
}

/// What was left aside since the start of this process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Rows that were read.
    pub rows: u64,
    /// Rows of kinds that we do not read.
    pub others: u64,
    /// Rows of kinds that we read and could not use.
    pub odd: u64,
    /// Removals of rows that were not there.
    pub unknown_removals: u64,
    /// Snapshots and patches that were not what the phone made.
    pub refused: u64,
    /// Snapshots and patches that were taken although our rows are not those of the phone.
    pub tolerated: u64,
    /// Times a collection was thrown away to begin anew.
    pub resets: u64,
    /// Snapshots and patches whose keys were not here.
    pub keyless: u64,
}

/// Keeps the followed collections of one device in step.
#[derive(Debug, Default)]
pub struct AppState {
    tracks: BTreeMap<Collection, Track>,
    online: bool,
    /// Until when the first share of keys is waited for.
    share: Option<Mono>,
    /// The server's mark that everything may have changed.
    dirty: Option<Node>,
    work: Vec<Work>,
    counters: Counters,
}

impl AppState {
    /// What to do now, in order.
    pub fn take_work(&mut self) -> Vec<Work> {
        core::mem::take(&mut self.work)
    }

    /// What was left aside.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When [`AppState::tick`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        let pauses = self.tracks.values().filter_map(Track::pause);
        pauses.chain(self.share).min().filter(|_| self.online)
    }

    /// Logged in: what is due is asked for.
    ///
    /// # Errors
    /// What the store says.
    pub fn connected(&mut self, cx: &mut Cx<'_>, slot: &Scope) -> Result<(), Fault> {
        self.online = true;
        let waits = !keys::any(&cx.txn, slot)?;
        self.share = waits.then(|| cx.now.mono.plus(FIRST_SHARE));
        self.wake();
        self.go(cx, slot)
    }

    /// The connection is gone. Files are still fetched.
    pub fn disconnected(&mut self) {
        self.online = false;
        self.dirty = None;
    }

    /// Keys from our own phone.
    ///
    /// # Errors
    /// What the store says.
    pub fn shared(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        share: &pb::AppStateSyncKeyShare,
    ) -> Result<(), Fault> {
        let shared = keys::share(cx, slot, share)?;
        self.counters.odd += u64::try_from(shared.odd).unwrap_or(u64::MAX);
        if shared.fresh > 0 {
            self.share = None;
            self.wake();
        }
        self.go(cx, slot)
    }

    /// `server_sync`: these collections have a new version.
    ///
    /// # Errors
    /// What the store says.
    pub fn notified(&mut self, cx: &mut Cx<'_>, slot: &Scope, node: &Node) -> Result<(), Fault> {
        for (collection, version) in stanza::changed(node) {
            if Collection::FOLLOWED.contains(&collection) {
                self.mark(cx, slot, collection, version)?;
            }
        }
        self.go(cx, slot)
    }

    /// The server's `dirty` mark; `clean` is the answer to it when all is done.
    ///
    /// # Errors
    /// What the store says.
    pub fn dirty(&mut self, cx: &mut Cx<'_>, slot: &Scope, clean: Node) -> Result<(), Fault> {
        self.dirty = Some(clean);
        for collection in Collection::FOLLOWED {
            self.mark(cx, slot, collection, None)?;
        }
        self.go(cx, slot)
    }

    /// What was found is forgotten: the collections are read from their beginning.
    ///
    /// # Errors
    /// What the store says.
    pub fn begin_anew(&mut self, cx: &mut Cx<'_>, slot: &Scope) -> Result<(), Fault> {
        for collection in Collection::FOLLOWED {
            rows::clear(cx, slot, collection)?;
            State::default().save(cx, slot, collection);
            let track = self.track(collection);
            *track = match track.is_under_way() {
                true => Track::at(Stage::Stale),
                false => Track::default(),
            };
        }
        self.go(cx, slot)
    }

    /// A question of [`Work::Ask`] ended.
    ///
    /// # Errors
    /// What the store says.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        asked: &[Collection],
        end: &IqEnd,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let mut parts: BTreeMap<_, _> = end.result().into_iter().flat_map(stanza::parse).collect();
        for &collection in asked {
            let track = self.track(collection);
            if !matches!(track.stage, Stage::Asked | Stage::Stale) {
                continue;
            }
            let stage = core::mem::take(&mut track.stage);
            match (end, parts.remove(&collection)) {
                _ if stage == Stage::Stale => {}
                (IqEnd::Disconnected, _) => {}
                (_, Some(part)) => self.part(cx, slot, collection, &part, now)?,
                (_, None) => self.track(collection).failed(cx.now.mono, cx.rng),
            }
        }
        self.go(cx, slot)
    }

    /// A file of [`Work::Fetch`] is there, decrypted; `None` when it cannot be had.
    ///
    /// # Errors
    /// What the store says.
    pub fn fetched(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        collection: Collection,
        content: Option<&[u8]>,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let stage = core::mem::take(&mut self.track(collection).stage);
        let file = match stage {
            Stage::Fetching(file) => file,
            Stage::Stale => return self.go(cx, slot),
            other => {
                self.track(collection).stage = other;
                return Ok(());
            }
        };
        self.file(cx, (slot, collection), file, content, now)?;
        self.go(cx, slot)
    }

    /// Time has passed.
    ///
    /// # Errors
    /// What the store says.
    pub fn tick(&mut self, cx: &mut Cx<'_>, slot: &Scope) -> Result<(), Fault> {
        let now = cx.now.mono;
        let mut due = false;
        for track in self.tracks.values_mut() {
            if track.pause().is_some_and(|until| until <= now) {
                track.stage = Stage::Idle;
                due = true;
            }
        }
        if self.share.is_some_and(|until| until <= now) {
            self.share = None;
            due = true;
        }
        if due { self.go(cx, slot) } else { Ok(()) }
    }

    /// The collection has something newer.
    fn mark(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        collection: Collection,
        version: Option<u64>,
    ) -> Result<(), Fault> {
        let mut state = State::load(&cx.txn, slot, collection)?;
        if version.is_some_and(|version| version <= state.version) {
            return Ok(());
        }
        if !state.due {
            state.due = true;
            state.save(cx, slot, collection);
        }
        let track = self.track(collection);
        if track.is_under_way() {
            track.again = track.again.max(Some(version.unwrap_or(u64::MAX)));
        } else {
            *track = Track::default();
        }
        Ok(())
    }

    /// What waits, waits no longer.
    fn wake(&mut self) {
        for track in self.tracks.values_mut() {
            if !track.is_under_way() {
                *track = Track::default();
            }
        }
    }

    /// Asks for everything that is due and not under way.
    fn go(&mut self, cx: &mut Cx<'_>, slot: &Scope) -> Result<(), Fault> {
        if !self.online || self.share.is_some() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for collection in Collection::FOLLOWED {
            if self.track(collection).stage != Stage::Idle {
                continue;
            }
            let state = State::load(&cx.txn, slot, collection)?;
            if state.due {
                self.track(collection).stage = Stage::Asked;
                wanted.push((collection, state.version));
            }
        }
        if !wanted.is_empty() {
            let asked = wanted.iter().map(|(collection, _)| *collection).collect();
            self.work.push(Work::Ask(stanza::query(&wanted), asked));
        }
        let busy = |track: &Track| track.is_under_way() || track.pause().is_some();
        if !self.tracks.values().any(busy)
            && let Some(clean) = self.dirty.take()
        {
            self.work.push(Work::Clean(clean));
        }
        Ok(())
    }

    fn track(&mut self, collection: Collection) -> &mut Track {
        self.tracks.entry(collection).or_default()
    }
}
