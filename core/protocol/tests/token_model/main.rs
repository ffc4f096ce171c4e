//! Random operations on the token machine, compared after each one with a slow model that is
//! written from the rules of the specification.
//!
//! ```text
//! seed ──▶ operations ──▶ Tokens on a MemoryStore ──▶ rows, attachments, IQs, events, evidence
//!                    └──▶ Model (lists and searches) ──▶ the same ─── equal after each operation
//! ```
//!
//! `SENDPATH_MODEL_SEEDS` is the number of scripts, or `from..to`. A failure prints its seed and the
//! operations so far.
// Marks the helpers as test code for the lints.
#![cfg(test)]

mod counted;
mod model;
mod ops;
mod pacing;
mod pair;
mod world;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ops::{Dice, Op};
use world::World;

/// Operations of one script.
const LENGTH: usize = 40;

/// Scripts when the environment names no number.
const SEEDS: Range<u64> = 0..10_000;

#[test]
fn the_machine_does_what_the_specification_says() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        break;
                    }
                    play(seed);
                }
            });
        }
    });
}

fn seeds() -> Range<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo hands nothing else to a test"
    )]
    let Ok(text) = std::env::var("SENDPATH_MODEL_SEEDS") else {
        return SEEDS;
    };
    let (from, to) = text.split_once("..").unwrap_or(("0", &text));
    from.parse().unwrap()..to.parse().unwrap()
}

fn play(seed: u64) {
    let mut script = Script {
        seed,
        ops: Vec::new(),
    };
    let mut dice = Dice::new(seed);
    let mut world = World::new();
    for _ in 0..LENGTH {
        let op = dice.op(&world.model);
        script.ops.push(op.clone());
        world.run(&op);
    }
}

/// Tells its operations when it is dropped in a panic.
struct Script {
    seed: u64,
    ops: Vec<Op>,
}

impl Drop for Script {
    #[expect(clippy::print_stderr, reason = "a failing test tells how to repeat it")]
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, end) = (self.seed, self.seed + 1);
            eprintln!("failed: SENDPATH_MODEL_SEEDS={seed}..{end}");
            for (number, op) in self.ops.iter().enumerate() {
                eprintln!("{number:3}  {op:?}");
            }
        }
    }
}
