//! Deterministic simulation: one session, the model server, a virtual clock, faults from a seed.
//!
//! ```text
//! seed -> script of actions -> invariants       the same seed gives the same run, to the byte
//! ```
//! Stanzas are handed over without a socket or a handshake, so a run is quick and nothing in it
//! depends on the machine. [`run`] plays one seed; what broke is printed with the seed and the
//! actions up to there.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation fails by panicking"
)]

mod check;
mod host;
mod phone;
mod script;
mod world;

use std::sync::OnceLock;

use world::World;

/// The world after linking: every seed begins in a copy of it.
fn prepared() -> World {
    static PREPARED: OnceLock<World> = OnceLock::new();
    PREPARED.get_or_init(World::linked).copy()
}

/// What happens under a seed: the actions, and every frame that was carried.
pub fn trace(seed: u64) -> String {
    let mut world = prepared();
    world.begin(seed);
    script::play(&mut world);
    // The way it comes to rest belongs to the trace, whether it gets there or not.
    let settled = script::settle(&mut world);
    format!("{settled:?} {:?} {:?}", world.log, world.carried)
}

/// Plays one seed.
///
/// # Errors
/// The invariant that does not hold, with the actions that led to it.
pub fn run(seed: u64) -> Result<(), String> {
    let mut world = prepared();
    world.begin(seed);
    script::play(&mut world);
    let settled = script::settle(&mut world);
    let checked = settled.and_then(|()| check::all(&mut world));
    checked.map_err(|broken| {
        let (log, fates) = (world.log.join("\n"), check::fates(&mut world, &broken));
        format!("seed {seed}: {broken}\n{log}\n{fates}")
    })
}
