//! What a lost answer does to the right to write.
//!
//! ```text
//! commit sent under generation 7, turn 0; answer lost: done, refused, or still to come?
//! turn 0 -> 1: waits for a statement that runs, and bars one that has yet to begin
//! ```
//! Before that nothing may be read or written: rows could change behind a session that was rebuilt
//! from them, and a ratchet would go back. A turn is chosen here and only grows, so a change of
//! turns whose own answer was lost does no harm when it comes late.

use std::collections::BTreeMap;

use sendpath_protocol::txn::Scope;

/// What one handle knows of the scopes that it acquired.
#[derive(Default)]
pub(super) struct Claims {
    /// Where it is not 0.
    turns: BTreeMap<Scope, i64>,
    /// The generation of a commit whose answer was lost.
    doubtful: BTreeMap<Scope, i64>,
}

/// Rights to write as columns.
pub(super) struct Held<'a> {
    pub(super) scopes: Vec<&'a str>,
    pub(super) generations: Vec<i64>,
    pub(super) turns: Vec<i64>,
}

impl Claims {
    /// Under what these fences write.
    pub(super) fn held<'a>(&self, fences: &BTreeMap<&'a Scope, i64>) -> Held<'a> {
        let turn = |scope| self.turns.get(scope).copied().unwrap_or(0);
        Held {
            scopes: fences.keys().map(|scope| scope.as_str()).collect(),
            generations: fences.values().copied().collect(),
            turns: fences.keys().map(|scope| turn(*scope)).collect(),
        }
    }

    /// A new generation begins with turn 0.
    pub(super) fn acquired(&mut self, scope: &Scope) {
        self.turns.remove(scope);
    }

    /// The answer to a commit under these was lost.
    pub(super) fn doubt(&mut self, fences: &BTreeMap<&Scope, i64>) {
        let fences = fences.iter();
        self.doubtful
            .extend(fences.map(|(scope, generation)| ((*scope).clone(), *generation)));
    }

    pub(super) fn are_certain(&self) -> bool {
        self.doubtful.is_empty()
    }

    /// The next turn of everything doubtful.
    pub(super) fn next_turns(&mut self) -> Held<'_> {
        for scope in self.doubtful.keys() {
            *self.turns.entry(scope.clone()).or_insert(0) += 1;
        }
        let fences = self.doubtful.iter();
        self.held(&fences.map(|(scope, number)| (scope, *number)).collect())
    }

    /// The server has taken the turns.
    pub(super) fn settled(&mut self) {
        self.doubtful.clear();
    }
}
