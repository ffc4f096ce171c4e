//! The engine as a whole: from the host's call to the server's acknowledgement, every message durable
//! before it leaves. The server runs beside it on the same machine and decrypts everything.

use std::path::Path;

use super::floors;
use crate::fleet::Fleet;
use crate::harness::{Case, Operation, each};

const ONE: &str = "engine, 1 account, a send";
const ACCOUNTS: u32 = 100;
/// Messages of one account under way.
const EACH: u32 = 20;
const ALONE: u32 = 200;

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, operations, make| Case {
        name,
        of: Some(of),
        operations,
        make,
    };
    vec![
        row(ONE, floors::FLUSH, ALONE, one as _),
        row("engine, 100 accounts, a send", ONE, ACCOUNTS * EACH, many),
    ]
}

fn one(folder: &Path) -> Operation {
    let mut fleet = Fleet::new(folder, 1);
    each(move |meter| fleet.send(meter, ALONE))
}

fn many(folder: &Path) -> Operation {
    let mut fleet = Fleet::new(folder, ACCOUNTS.into());
    each(move |meter| fleet.send(meter, EACH))
}
