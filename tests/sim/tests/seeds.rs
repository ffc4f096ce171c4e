//! Every seed holds. `SENDPATH_SIM_SEEDS` plays more of them, `SENDPATH_SIM_SEED` plays one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const SEEDS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[test]
fn no_seed_breaks_a_promise() {
    if let Some(seed) = number("SENDPATH_SIM_SEED") {
        assert_eq!(sendpath_sim::run(seed), Ok(()));
        return;
    }
    let seeds = number("SENDPATH_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, workers) = (
        AtomicU64::new(0),
        thread::available_parallelism().map_or(1, Into::into),
    );
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds)
                {
                    if let Err(broken) = sendpath_sim::run(seed) {
                        panic!("{broken}");
                    }
                }
            });
        }
    });
}

#[test]
fn a_seed_repeats_to_the_byte() {
    assert_eq!(sendpath_sim::trace(7), sendpath_sim::trace(7));
    assert_ne!(sendpath_sim::trace(7), sendpath_sim::trace(8));
}
