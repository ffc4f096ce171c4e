//! Sessions with one device: what each operation adds to a step, before its commit.

use std::path::Path;

use sendpath_protocol::signal;
use sendpath_protocol::txn::{Cx, MemoryStore, Store};

use super::floors;
use crate::harness::{Case, Operation, repeated};
use crate::world::{Party, Seeded, step};

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, make| Case {
        name,
        of: Some(of),
        operations: 1,
        make,
    };
    vec![
        row("x3dh start from a bundle", floors::AGREE, establish as _),
        row("ratchet encrypt", floors::SYMMETRIC, encrypt),
        row("ratchet decrypt", floors::SYMMETRIC, decrypt),
        row("ratchet decrypt, new chain", floors::AGREE, decrypt_turn),
    ]
}

fn establish(_: &Path) -> Operation {
    let Friends {
        store,
        mut rng,
        a,
        b,
    } = Friends::new();
    let (bundle, _) = step(&store, &mut rng, |cx| Ok(b.bundle(cx)));
    repeated(move || {
        step(&store, &mut rng, |cx| {
            signal::establish(cx, &a.slot, &a.ours, &b.address, &bundle)
        })
    })
}

fn encrypt(_: &Path) -> Operation {
    let Friends {
        store,
        mut rng,
        a,
        b,
    } = Friends::new();
    repeated(move || step(&store, &mut rng, |cx| Ok(a.encrypt(cx, &b))))
}

/// The second message of a chain: no agreement, one step of the chain.
fn decrypt(_: &Path) -> Operation {
    let mut friends = Friends::new();
    friends.exchange(|cx, a, b| {
        let first = b.encrypt(cx, a);
        a.decrypt(cx, b, &first);
    });
    friends.decrypt_next()
}

/// The first message after the direction changed: two agreements and a new key pair.
fn decrypt_turn(_: &Path) -> Operation {
    let mut friends = Friends::new();
    friends.exchange(|cx, a, b| {
        let first = a.encrypt(cx, b);
        b.decrypt(cx, a, &first);
    });
    friends.decrypt_next()
}

/// Two devices with a session that both have used, in one store.
struct Friends {
    store: MemoryStore,
    rng: Seeded,
    a: Party,
    b: Party,
}

impl Friends {
    fn new() -> Self {
        let mut rng = Seeded::new(7);
        let mut friends = Self {
            store: MemoryStore::default(),
            a: Party::phone(&mut rng, "100000000000001"),
            b: Party::phone(&mut rng, "200000000000002"),
            rng,
        };
        friends.exchange(|cx, a, b| a.befriend(cx, b));
        friends
    }

    fn exchange(&mut self, talk: impl FnOnce(&mut Cx<'_>, &Party, &Party)) {
        let Self { store, rng, a, b } = self;
        let ((), step) = step(store, rng, |cx| {
            talk(cx, a, b);
            Ok(())
        });
        let fence = store.acquire(&a.slot).unwrap();
        step.commit(store, &fence).unwrap();
    }

    /// Decrypts one and the same message again and again: the steps are not committed.
    fn decrypt_next(self) -> Operation {
        let Self {
            store,
            mut rng,
            a,
            b,
        } = self;
        let (next, _) = step(&store, &mut rng, |cx| Ok(b.encrypt(cx, &a)));
        repeated(move || {
            step(&store, &mut rng, |cx| {
                a.decrypt(cx, &b, &next);
                Ok(())
            })
        })
    }
}
