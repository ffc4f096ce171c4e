//! Messages to a group of 1 000 people with two devices each, in SQLite, frame encryption included.

use std::path::Path;

use crate::harness::{Case, Operation, each};
use crate::served::Prepared;

const MEMBERS: u32 = 1_000;
const STEADY: &str = "group of 1 000, steady";

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, operations, make| Case {
        name,
        of,
        operations,
        make,
    };
    vec![
        row(STEADY, None, 1, steady as _),
        row(
            "group of 1 000, first, a member",
            Some(STEADY),
            MEMBERS,
            first,
        ),
    ]
}

/// Everybody has our key.
fn steady(folder: &Path) -> Operation {
    let prepared = Prepared::new(folder, MEMBERS.into());
    let mut served = prepared.online();
    served.warm();
    each(move |meter| {
        let _ = &prepared;
        assert!(served.write_warm(meter) < 1_000);
    })
}

/// Nothing is known but the group's name: metadata, device lists, bundles and sessions are all in it.
/// Only the server's own work is not.
fn first(folder: &Path) -> Operation {
    let prepared = Prepared::new(folder, MEMBERS.into());
    each(move |meter| {
        let mut served = prepared.online();
        assert!(served.write_cold(meter) > 200_000);
    })
}
