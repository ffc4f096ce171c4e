//! A guest that is shown a connection: frames, one after the other.

use std::cell::RefCell;

use sendpath_protocol::effect::Effect;
use sendpath_protocol::guest::{Fact, Guest, GuestConfig};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::nct::Operation;
use sendpath_protocol::tctoken::policy::{MessageKind, Own};
use sendpath_protocol::txn::{MemoryStore, Scope, Store};
use sendpath_protocol::wap;

use crate::bench::{NOW, Steady, parts};

/// Work that a guest may want done at once.
const MOST_WORK: usize = 64;

/// Frames of one input.
const MOST_FRAMES: usize = 16;

/// Rows that a stanza may leave, beyond those for each 16 bytes of it.
const ROWS_EACH: usize = 16;

pub(crate) fn run(data: &[u8]) {
    let mut store = empty();
    let fence = store.acquire(&Scope::slot("guest")).expect("memory");
    let mut rng = Steady::new(1);
    let own = Own::new(
        Some(&Jid::lid("900000000000009")),
        Some(&Jid::pn("4915559999")),
    );
    let own = own.expect("a name");
    let (mut guest, step) =
        Guest::open("guest", own, GuestConfig::default(), NOW, &mut rng, &store)
            .expect("a guest opens");
    step.commit(&mut store, &fence).expect("memory");
    let mut frames = 0;
    for part in parts(data).take(MOST_FRAMES) {
        let Some(fact) = fact(part) else {
            continue;
        };
        frames += 1;
        let step = guest.handle(NOW, &mut rng, &store, fact);
        let step = step.expect("no stanza is a fault of ours");
        for effect in step.commit(&mut store, &fence).expect("memory") {
            assert!(
                matches!(effect, Effect::Event(_)),
                "a guest has no connection"
            );
        }
        assert!(guest.outgoing().count() <= MOST_WORK, "too much work");
    }
    let most = 32 + frames * ROWS_EACH + data.len() / 16;
    assert!(store.len() <= most, "{} rows", store.len());
    let to = Jid::lid("100000000000001");
    let _ = guest.plan(
        NOW,
        &store,
        &to,
        MessageKind::Content,
        RecipientHint::Ordinary,
    );
}

/// A frame, or after a zero byte what app state says.
fn fact(part: &[u8]) -> Option<Fact> {
    if let [0xff, value @ ..] = part {
        return Some(Fact::AppState {
            index: br#"["nct_salt_sync"]"#.to_vec(),
            operation: Operation::Set,
            value: value.to_vec(),
        });
    }
    let node = wap::decode(part).ok()?;
    Some(Fact::Stanza(Box::new(node)))
}

fn empty() -> MemoryStore {
    thread_local!(static EMPTY: RefCell<MemoryStore> = RefCell::new(MemoryStore::default()));
    EMPTY.with_borrow(Clone::clone)
}
