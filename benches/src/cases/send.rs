//! A whole message to two devices, everything known: address, token, two ciphertexts, stanza,
//! outbox. The answer of the server is not in the figures.

use std::path::Path;

use sendpath_protocol::crypto::symmetric::aes256_gcm_seal;
use sendpath_protocol::effect::Effect;
use sendpath_protocol::txn::{Batch, MemoryStore, Store};
use sendpath_storage::open;
use tempfile::TempDir;

use super::floors;
use crate::harness::{Case, Operation, each};
use crate::world::Linked;

const STEP: &str = "send step, no commit";
const SQLITE: &str = "send step + commit, SQLite";
const GROUP: u32 = 64;

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, operations, make| Case {
        name,
        of: Some(of),
        operations,
        make,
    };
    vec![
        row(STEP, floors::SYMMETRIC, 1, no_commit as _),
        row("send step + commit, memory", STEP, 1, |_| {
            committed(Box::new(MemoryStore::default()), ())
        }),
        row("send step to sealed frame", STEP, 1, to_frame),
        row(SQLITE, STEP, 1, |folder| {
            let (file, store) = sqlite(folder);
            committed(store, file)
        }),
        row("send of 64, one commit, SQLite", SQLITE, GROUP, group),
    ]
}

fn no_commit(_: &Path) -> Operation {
    let mut store = MemoryStore::default();
    let mut linked = Linked::new(&mut store, 0);
    each(move |meter| {
        let step = meter.measure(|| linked.send(&store));
        step.commit(&mut store, &linked.fence).unwrap();
        linked.accept(&mut store);
    })
}

/// Up to the bytes for the socket, with a store that costs nothing.
fn to_frame(_: &Path) -> Operation {
    let mut store = MemoryStore::default();
    let mut linked = Linked::new(&mut store, 0);
    each(move |meter| {
        meter.measure(|| {
            let step = linked.send(&store);
            let effects = step.commit(&mut store, &linked.fence).unwrap();
            let frames = effects.iter().filter_map(|effect| match effect {
                Effect::Transmit(stanza) => Some(&*stanza.0),
                _ => None,
            });
            let sealed: Vec<_> = frames
                .map(|frame| aes256_gcm_seal(&[1; 32], &[0; 12], &[], frame))
                .collect();
            assert!(!sealed.is_empty());
            sealed
        });
        linked.accept(&mut store);
    })
}

/// `keep` lives as long as the store.
fn committed(mut store: Box<dyn Store>, keep: impl Sized + 'static) -> Operation {
    let mut linked = Linked::new(&mut *store, 0);
    each(move |meter| {
        let _ = &keep;
        meter.measure(|| {
            let step = linked.send(&*store);
            step.commit(&mut *store, &linked.fence).unwrap()
        });
        linked.accept(&mut *store);
    })
}

fn group(folder: &Path) -> Operation {
    let (file, mut store) = sqlite(folder);
    let mut accounts: Vec<_> = (0..GROUP)
        .map(|number| Linked::new(&mut *store, number.into()))
        .collect();
    each(move |meter| {
        let _ = &file;
        let done = meter.measure(|| {
            let mut batch = Batch::default();
            for account in &mut accounts {
                batch.add(account.fence.clone(), account.send(&*store));
            }
            batch.commit(&mut *store)
        });
        assert!(done.iter().all(|(_, committed)| committed.is_ok()));
        for account in &mut accounts {
            account.accept(&mut *store);
        }
    })
}

/// A new file, flushed with every commit.
fn sqlite(folder: &Path) -> (TempDir, Box<dyn Store>) {
    let file = tempfile::tempdir_in(folder).unwrap();
    let store = open(file.path().join("bench.db").to_str().unwrap()).unwrap();
    (file, store)
}
