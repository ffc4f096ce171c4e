//! The rows, in the order of the table: what is compared with another row comes behind it.

mod engine;
mod floors;
mod group;
mod guest;
mod history;
mod plan;
mod send;
mod signal;
mod tokens;
mod wap;

use crate::harness::Case;

pub(crate) fn all() -> Vec<Case> {
    [
        floors::cases(),
        wap::cases(),
        signal::cases(),
        tokens::cases(),
        plan::cases(),
        guest::cases(),
        send::cases(),
        group::cases(),
        engine::cases(),
        history::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
